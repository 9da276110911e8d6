"""What a user can mend: one sentence with the key, the file and line or the URL, and what to do; exit code 2."""

from pathlib import Path

import pytest

from tests.endtoend import run_here

AWAY = ("--url", "http://127.0.0.1:1", "--no-check", "--model", "m")  # nothing listens there, and nothing is asked
FILES = {
    "key.toml": "concurency = 4\n",
    "bad.toml": "concurrency = \n",
    "bad.json": '{"concurrency": }',
    "dialect.toml": 'name = "x"\npath = "/"\n',
    "line.jsonl": '{"prompt": "a"}\n{"prompt":\n',
    "none.jsonl": '{"x": "a"}\n',
    "empty.jsonl": "",
    "cells.csv": "prompt,b\n1,2,3,4\n",
    "bad.parquet": "PAR1xx",
    "rows.jsonl": '{"prompt": "a", "answer": "b"}\n',
}
NUMBER = ("--dataset", "rows.jsonl", "--evaluation", "evaluator=exact")
# Command line, what the sentence names, and what it says to do.
MISTAKES = [
    (("stress", "--config", "key.toml"), "unknown key 'concurency' in key.toml", "'concurrency'"),
    (("stress", "--config", "bad.toml"), "bad.toml is not valid TOML", "line 1"),
    (("stress", "--config", "bad.json"), "bad.json is not valid JSON", "mend it there"),
    (("stress", "--config", "nowhere.toml"), "--config nowhere.toml", "give a file"),
    (("stress", "--concurrency", "0"), "--concurrency '0'", "at least 1"),
    (("stress", "--duration", "10parsecs"), "--duration '10parsecs'", "such as 500ms"),
    (("stress", "--slo", "ttft_p99<=500"), "ttft_p99<=500", "write 500ms"),
    (("stress", "--preset", "vllm_api_stream_chatt"), "'vllm_api_stream_chatt'", "'vllm_api_stream_chat'"),
    (("stress", *AWAY, "--dialect", "openai-chta"), "'openai-chta'", "choose one of openai-chat"),
    (("stress", *AWAY, "--dialect", "dialect.toml"), "dialect.toml", "`framing`"),
    (("stress", "--url", "ftp://x"), "--url 'ftp://x'", "write it like http://"),
    (("stress", "--url", "http://127.0.0.1:1"), "http://127.0.0.1:1/v1/models", "is the service running"),
    (("stress", *AWAY, "--api-key-env", "NO_SUCH_KEY"), "NO_SUCH_KEY", "export it"),
    (("stress", *AWAY, "--cacert", "nowhere.pem"), "--cacert nowhere.pem", "give the path"),
    (("stress", *AWAY, "--body", "nokey"), "--body", "key=json"),
    (("stress", *AWAY, "--proxy", "ftp://x"), "--proxy 'ftp://x'", "write it like http://"),
    (("stress", *AWAY, "--dataset", "gsm8q"), "'gsm8q'", "'gsm8k'"),
    (("stress", *AWAY, "--dataset", "nowhere.jsonl"), "nowhere.jsonl", "correct the path"),
    (("stress", *AWAY, "--dataset", "line.jsonl"), "line.jsonl, line 2", "JSON object"),
    (("stress", *AWAY, "--dataset", "none.jsonl"), "none.jsonl, line 1", "give one of them"),
    (("stress", *AWAY, "--dataset", "empty.jsonl"), "empty.jsonl is empty", "give it at least one row"),
    (("stress", *AWAY, "--dataset", "cells.csv"), "cells.csv, line 2", "quote fields"),
    (("stress", *AWAY, "--dataset", "bad.parquet"), "bad.parquet", "fetch it anew"),
    (("stress", *AWAY, "--dataset", "rows.jsonl", "--arrivals", "replay"), "rows.jsonl", "choose other --arrivals"),
    (("stress", *AWAY, "--rate", "5", "--rate-shape", "wave:3"), "'wave:3'", "wants steps:"),
    (("stress", *AWAY, "--rate", "5", "--rate-shape", "steps:5@1s"), "--rate-shape", "leave one of them out"),
    (("tune", *AWAY), "objectives", "give --slo"),
    (("report", "."), "not the folder of a run", "give the folder that has run.json"),
    (("report", "nowhere"), "nowhere is not a folder", "give the folder"),
    (("explain", "tttf_p99"), "'tttf_p99'", "ttft"),
    (("compare", "."), "two runs", "give their folders"),
    (("eval", *AWAY, *NUMBER, "--repeats", "2", "--k", "4"), "k = 4", "--repeats 4"),
    (("eval", *AWAY, *NUMBER, "--judge-strategy", "llm"), "rows.jsonl", "--judge-url"),
    (("eval", *AWAY, "--dataset", "humaneval"), "humaneval", "--allow-code-execution"),
    (("eval", *AWAY, *NUMBER, "--evaluation", 'filters=[{"regex": "("}]'), "filters[0]", "mend it"),
    (("eval", *NUMBER, "--predictions", "nowhere.jsonl", "--format", "jsonl"), "nowhere.jsonl", "give a file"),
]


@pytest.mark.parametrize(("arguments", "names", "remedy"), MISTAKES, ids=[" ".join(one[0]) for one in MISTAKES])
def test_a_mistake_is_said_in_one_sentence(
    arguments: tuple[str, ...], names: str, remedy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    done = run_here(*arguments)
    said = done.stderr.strip().splitlines()[-1]
    assert done.exit_code == 2
    assert said.startswith("perfcore: ")
    assert names in said
    assert remedy in said
