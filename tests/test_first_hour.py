"""The commands of the pages, run: those that read a run do, those that send load show what they would do."""

from pathlib import Path
from shutil import copytree

import pytest

from tests.answering import Service, answering, right
from tests.endtoend import Done, run_here
from tests.test_docs import DOCS, LINES, read, words_of

READ = ("query", "compare", "explain", "export", "report", "list", "search")
LOAD = ("stress", "steady", "tune", "eval")
# What pages call a run, and which of the two that are made here it is; and what stands for a word of one's own.
BEFORE = ("RUN", "A", "baseline", "outputs/run", "outputs/before", "outputs/20260101-120000-stress")
AFTER = ("B", "C", "candidate", "outputs/after")
OWN = dict.fromkeys(BEFORE, "before") | dict.fromkeys(AFTER, "after") | {"NAME": "gsm8k"}
MODEL = 'models = [dict(abbr="m", type="VLLMCustomAPIChatStream", host_ip="127.0.0.1", host_port=8000, batch_size=4)]\n'
FILES = {
    "questions.jsonl": '{"prompt": "What is 3 plus 4?", "answer": "7"}\n',
    "chats.jsonl": '{"turns": ["Hi", "And?"]}\n',
    "recorded.jsonl": '{"prompt": "a", "timestamp": 0}\n',
    "a.toml": 'dialect = "openai-chat"\nmodel = "a"\n',
    "b.toml": 'dialect = "openai-chat"\nmodel = "b"\n',
    "vllm_api_stream_chat.py": f"from ais_bench.benchmark.models import VLLMCustomAPIChatStream\n{MODEL}",
}


def block(page: str, beginning: str) -> str:
    """The block of a page that begins so."""
    return beginning + read(DOCS / page).partition(f"\n{beginning}")[2].partition("```")[0]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the pages name: files, and two runs."""
    folder = tmp_path_factory.mktemp("hour")
    for name, text in FILES.items():
        (folder / name).write_text(text)
    (folder / "bench.toml").write_text(block("quick-start.md", "# bench.toml"))
    (folder / "my-service.toml").write_text(block("presets.md", 'dialect = "openai-chat"'))
    (folder / "synthetic_gen_string.py").write_text(block("from-aisbench.md", "synthetic_config = {"))
    with answering(Service(right)) as service:
        load = ("--dataset", folder / "questions.jsonl", "--requests", 4, "--concurrency", 2, "--no-check", "--quiet")
        for run in ("before", "after"):
            done = run_here("stress", "--url", service.url, *load, "--out", folder / run)
            assert done.exit_code == 0, done.stderr
    for again in ("A2", "A3", "B2", "B3"):
        copytree(folder / "before", folder / again)
    (folder / "run").symlink_to(folder / "before")
    return folder


def documented(commands: tuple[str, ...]) -> list[tuple[str, str]]:
    """Page and command line of what the pages show of these commands, each command line once."""
    found = {line: page for page, line in LINES if words_of(line)[0] in commands and "..." not in line}
    return [(page, line) for line, page in found.items() if "--to" not in words_of(line)]


def as_shown(line: str, place: Path, monkeypatch: pytest.MonkeyPatch, *more: str) -> Done:
    """What a command of a page does in the folder that has what it names."""
    monkeypatch.chdir(place)
    monkeypatch.setenv("API_KEY", "secret")
    name, *words = words_of(line)
    return run_here(name, *(OWN.get(word, word) for word in words), *more)


@pytest.mark.parametrize(("page", "line"), documented(READ))
def test_commands_that_read_do_what_the_page_says(
    page: str, line: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = as_shown(line, place, monkeypatch)
    limited = "--fail-if" in line
    assert done.exit_code in ((0, 1, 3) if limited else (0,)), f"{page}: {done.stderr}"
    assert done.stdout


@pytest.mark.parametrize(("page", "line"), documented(LOAD))
def test_commands_that_send_load_are_whole(page: str, line: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = as_shown(line, place, monkeypatch, "--dry-run")
    assert done.exit_code == 0, f"{page}: {done.stderr}"
