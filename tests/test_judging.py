"""Judges asked through the engine: a scripted judge on loopback, replies that are kept, and what is told before."""

import contextlib
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from evaluators.judging.panel import Judged, report
from evaluators.sample import Sample, Verdict
from evaluators.settings import Evaluation
from perfcore.errors import UserError
from perfcore.options import StressOptions
from perfcore.run.judges import Panel, options_of, panel_of
from perfcore.run.judging import Place, judge
from perfcore.run.master import Outcome, stress

Script = Callable[[str, int], tuple[int, str]]  # of a prompt and how often it came before: HTTP status, reply


@dataclass
class Scripted:
    """A judge, and what it was asked."""

    url: str = ""
    script: Script = lambda prompt, before: (200, "verdict: A")
    asked: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    lock: Any = field(default_factory=threading.Lock)


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    judge: Scripted

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def do_GET(self) -> None:
        self.whole(200, {"object": "list", "data": [{"id": "m"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        prompt = str(body["messages"][-1]["content"])
        if body.get("max_tokens") == 1:  # the request that is sent first and not measured
            self.whole(200, {"choices": [{"message": {"content": "A"}, "finish_reason": "length"}]})
            return
        with self.judge.lock:
            before = self.judge.asked.count(prompt)
            self.judge.asked.append(prompt)
            self.judge.headers.append(dict(self.headers))
            self.judge.bodies.append(body)
        status, text = self.judge.script(prompt, before)
        choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        self.whole(status, {"choices": [choice]} if status == 200 else {"error": {"message": text}})

    def whole(self, status: int, document: Any) -> None:
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@contextlib.contextmanager
def scripted(script: Script) -> Iterator[Scripted]:
    found = Scripted(script=script)
    handler = type("Judge", (Handler,), {"judge": found})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        found.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield found
        server.shutdown()
        thread.join()


def ask(options: StressOptions) -> Outcome:
    return stress(options, lambda _: None, lambda _: None)


def by_reference(prompt: str, before: int) -> tuple[int, str]:
    """Right where the answer is 4."""
    return 200, "A. The answer is the same." if "\nanswer 4\n" in prompt else "B. It differs."


def samples(*answers: str | None) -> list[Sample]:
    return [
        Sample(id=str(at), prompt=f"Question {at}?", prediction=text, reference="4", repeat=0)
        for at, text in enumerate(answers)
    ]


def panel(url: str, *names: str, evaluator: str = "judged", over: Any = None, **judging: Any) -> Panel:
    settings = {"url": url, "model": "m"} | (over or {})
    found = panel_of(Evaluation(evaluator, judge=judging), "set", names, settings)
    assert found is not None
    return found


def judged(found: Panel, given: list[Sample], folder: Path, rules: Any = None, ask: Any = ask) -> list[Judged]:
    return judge(given, rules or [None] * len(given), found, Place(folder, "m", "set"), ask, lambda _: None)


def scores(found: list[Judged]) -> list[float | None]:
    return [None if one.verdict is None else one.verdict.score for one in found]


def test_every_answer_is_judged_and_replies_are_kept(tmp_path: Path) -> None:
    with scripted(by_reference) as service:
        found = judged(panel(service.url), samples("answer 4", "answer 5", None), tmp_path)
    assert scores(found) == [1, 0, 0]
    assert len(service.asked) == 2
    assert service.bodies[0]["temperature"] == 0 and service.bodies[0]["max_tokens"] == 4096
    lines = [json.loads(line) for line in (tmp_path / "predictions/m/set-judge.jsonl").read_text().splitlines()]
    assert sorted((line["id"], line["reply"][0]) for line in lines) == [("0", "A"), ("1", "B")]


def test_answers_that_are_alike_make_one_question(tmp_path: Path) -> None:
    said: list[str] = []
    with scripted(by_reference) as service:
        found = panel(service.url)
        given = [msgspec.structs.replace(samples("answer 4")[0], repeat=repeat) for repeat in range(3)]
        for more in ([], samples("answer 5")):
            judge([*given, *more], [None] * (3 + len(more)), found, Place(tmp_path, "m", "set"), ask, said.append)
    assert [line.partition("judge judge ")[2] for line in said] == ["1 questions", "1 questions, 1 replies are there"]


def test_references_as_answers_are_all_right_and_those_of_other_questions_are_not(tmp_path: Path) -> None:
    def equal(prompt: str, before: int) -> tuple[int, str]:
        gold, answer = (prompt.split(f"\n[end of {name} ")[0].rsplit("\n", 1)[1] for name in ("gold", "pred"))
        return 200, f"verdict: {'A' if gold == answer else 'B'}"

    def answered(shift: int) -> list[Sample]:
        each = range(40)
        return [Sample(id=str(at), prompt="Q?", prediction=f"{(at + shift) % 40}", reference=str(at)) for at in each]

    with scripted(equal) as service:
        assert scores(judged(panel(service.url), answered(0), tmp_path)) == [1] * 40
        assert scores(judged(panel(service.url), answered(1), tmp_path)) == [0] * 40


def test_a_run_that_was_killed_before_it_began_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path / "runs/m/set-judge-1/journal.bin", "")
    with scripted(by_reference) as service:
        assert scores(judged(panel(service.url), samples("answer 4"), tmp_path)) == [1]
    assert (tmp_path / "runs/m/set-judge-2/run.json").exists()


def test_only_what_is_missing_is_asked_again(tmp_path: Path) -> None:
    with scripted(by_reference) as service:
        judged(panel(service.url), samples("answer 4", "answer 5"), tmp_path)
        found = judged(panel(service.url), samples("answer 4", "answer 5", "answer 6"), tmp_path)
        assert (scores(found), len(service.asked)) == ([1, 0, 0], 3)
        judged(panel(service.url, over={"temperature": 0.5}), samples("answer 4"), tmp_path)
        assert len(service.asked) == 4
    again = judged(panel("http://127.0.0.1:9"), samples("answer 4", "answer 7"), tmp_path, ask=None)
    assert scores(again) == [1, None] and "it was not asked" in again[1].error


def test_an_answer_given_twice_is_judged_once(tmp_path: Path) -> None:
    one = samples("answer 4")[0]
    with scripted(by_reference) as service:
        found = judged(panel(service.url), [one, Sample(**{**to_dict(one), "repeat": 1})], tmp_path)
    assert scores(found) == [1, 1] and len(service.asked) == 1


def to_dict(one: Sample) -> dict[str, Any]:
    return {name: getattr(one, name) for name in one.__struct_fields__}


def test_recall_asks_of_rule_misses_alone(tmp_path: Path) -> None:
    rules = [Verdict(1.0, "4"), Verdict(0.0, "x"), Verdict(0.0, "5")]
    found_panel = {"evaluator": "math", "strategy": "llm_recall"}
    with scripted(by_reference) as service:
        found = judged(panel(service.url, **found_panel), samples("answer 5", "answer 4", "answer 5"), tmp_path, rules)
    assert scores(found) == [1, 1, 0] and len(service.asked) == 2
    assert [one.rule_score for one in found] == [1, 0, 0]
    assert [one.judge_score for one in found] == [None, 1, 0]


def test_a_judge_that_is_busy_is_asked_once_more(tmp_path: Path) -> None:
    def busy_first(prompt: str, before: int) -> tuple[int, str]:
        return (503, "busy") if before == 0 else (200, "verdict: A")

    with scripted(busy_first) as service:
        found = judged(panel(service.url), samples("answer 4"), tmp_path)
    assert scores(found) == [1] and len(service.asked) == 2


def test_a_judge_that_fails_is_an_error_of_the_sample_and_is_asked_again_later(tmp_path: Path) -> None:
    def broken(prompt: str, before: int) -> tuple[int, str]:
        return (400, "too long") if "answer 5" in prompt and before == 0 else (200, "verdict: A")

    with scripted(broken) as service:
        found = judged(panel(service.url), samples("answer 4", "answer 5"), tmp_path)
        assert scores(found) == [1, None]
        assert "the judge failed" in found[1].error and "too long" in found[1].error
        assert scores(judged(panel(service.url), samples("answer 4", "answer 5"), tmp_path)) == [1, 1]
    assert len(service.asked) == 3


def test_three_judges_vote_and_their_unreadable_replies_are_counted(tmp_path: Path) -> None:
    for name, reply in {"yes": "verdict: A", "no": "verdict: B", "lost": "Hm, a hard one."}.items():
        write(tmp_path / f"{name}.toml", f"[options]\nheader = ['X-Reply: {reply}']")

    with scripted(lambda prompt, before: (200, "")) as service:
        service.script = lambda prompt, before: (200, service.headers[-1]["X-Reply"])
        files = [str(tmp_path / f"{name}.toml") for name in ("yes", "no", "lost")]
        asked = panel(service.url, *files, over={"concurrency": 1})
        found = judged(asked, samples("answer 4"), tmp_path / "out")
    assert scores(found) == [0]  # one against one: a tie is not right
    told = report(found, asked.judging, {one.name: one.model for one in asked.judges})
    assert [one["unreadable"] for one in told["judges"]] == [0, 0, 1]
    assert found[0].verdict is not None and found[0].verdict.rule == "2 judges"


def test_a_pair_is_judged_in_both_orders_and_a_liking_for_a_place_is_a_draw(tmp_path: Path) -> None:
    asked = {"contract": "pair", "strategy": "llm"}
    with scripted(lambda prompt, before: (200, "verdict: [[A]]")) as service:
        assert scores(judged(panel(service.url, **asked), samples("answer 5"), tmp_path)) == [0.5]
    with scripted(lambda prompt, before: (200, f"verdict: [[{'AB'[order(prompt)]}]]")) as service:
        assert scores(judged(panel(service.url, **asked), samples("answer 6"), tmp_path)) == [1]


def order(prompt: str) -> bool:
    """Whether the model's own answer is the second one."""
    return prompt.index("answer 6") > prompt.index("\n4\n")


def test_each_judge_may_be_asked_several_times(tmp_path: Path) -> None:
    with scripted(lambda prompt, before: (200, "verdict: " + "ABA"[before])) as service:
        found = judged(panel(service.url, repeats=3, over={"concurrency": 1}), samples("answer 4"), tmp_path)
    assert scores(found) == [1] and len(found[0].votes) == 3


def test_replies_of_a_run_that_was_killed_are_taken_in(tmp_path: Path) -> None:
    def killed(options: StressOptions) -> Outcome:
        ask(options)
        raise SystemExit

    with scripted(by_reference) as service:
        with pytest.raises(SystemExit):
            judged(panel(service.url), samples("answer 4", "answer 5"), tmp_path, ask=killed)
        assert not (tmp_path / "predictions").exists()
        assert scores(judged(panel(service.url), samples("answer 4", "answer 5"), tmp_path)) == [1, 0]
    assert len(service.asked) == 2


def test_replies_before_an_interrupt_are_kept(tmp_path: Path) -> None:
    with scripted(by_reference) as service, pytest.raises(KeyboardInterrupt):
        judged(panel(service.url), samples("answer 4"), tmp_path, ask=lambda options: Outcome(ask(options).folder, 130))
    assert scores(judged(panel(service.url), samples("answer 4"), tmp_path, ask=None)) == [1]


def test_a_judge_that_cannot_be_asked_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the judge judge: "):
        judged(panel("http://127.0.0.1:9"), samples("answer 4"), tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_the_key_of_a_judge_is_sent_and_written_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "key", "sk-secret-1\n")
    monkeypatch.setenv("JUDGE_KEY", "sk-secret-2")
    with scripted(by_reference) as service:
        for over in ({"api_key_file": str(tmp_path / "key")}, {"api_key_env": "JUDGE_KEY", "temperature": 0.1}):
            judged(panel(service.url, over=over), samples("answer 4"), tmp_path / "out")
    assert [one["Authorization"] for one in service.headers] == ["Bearer sk-secret-1", "Bearer sk-secret-2"]
    written = b"".join(path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert b"sk-secret" not in written


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("evaluation", "given", "over", "words"),
    [
        ({"evaluator": "judged"}, [], {}, "set: its answers go to a judge .llm., and none is given; give --judge-url"),
        ({"evaluator": "math", "judge": {"strategy": "llm_recall"}}, [], {}, "and none is given"),
        ({"evaluator": "judged"}, ["correct"], {}, "the judge correct has no service; give --judge-url"),
        ({"evaluator": "judged"}, ["corect"], {}, "unknown judge 'corect'; the nearest one is 'correct'"),
        ({"evaluator": "judged"}, ["none.toml"], {}, "cannot read --judge none.toml"),
        ({"evaluator": "judged", "judge": {"strategy": "rule"}}, [], {}, "set: the data set has no rule"),
        ({"evaluator": "judged", "judge": {"contract": "x"}}, ["hle"], {}, "unknown judge 'x'"),
        ({"evaluator": "judged", "judge": {"repeat": 2}}, [], {}, "evaluation.judge: unknown key 'repeat'"),
        ({"evaluator": "judged", "judge": {"min_valid": 2}}, [], {"url": "http://h"}, "there are 1 judges; lower it"),
        ({"evaluator": "judged"}, ["lcr", "lcr"], {"url": "http://h"}, "gives 'lcr' twice"),
        ({"evaluator": "judged"}, ["lcr", "pair"], {"url": "http://h"}, "some judges compare pairs"),
        ({"evaluator": "judged"}, [], {"url": "http://h", "api_key_env": "NOT_SET_X"}, "NOT_SET_X, which is not set"),
        ({"evaluator": "judged"}, [], {"url": "http://h", "api_key_file": "/nowhere"}, "cannot read api_key_file"),
        ({"evaluator": "judged"}, [], {"url": "nonsense:/"}, "the judge judge: .*nonsense"),
        ({"evaluator": "judged"}, [], {"url": "http://h", "dialect": "opnai-chat"}, "opnai-chat"),
        ({"evaluator": "judged"}, [], {"url": "http://h", "options": {"proxi": "env"}}, "options has 'proxi'"),
        ({"evaluator": "judged"}, [], {"url": "http://h", "options": {"dataset": "x"}}, "options has 'dataset'"),
        ({"evaluator": "judged"}, [], {"url": "http://h", "concurrency": 0}, "concurrency"),
        (
            {"evaluator": "judged"},
            [],
            {"url": "http://h", "dialect": "tgi-generate", "temperature": 0.5},
            "tgi-generate has no place for a temperature",
        ),
        (
            {"evaluator": "judged", "judge": {"changes": {"prompt": "{gold}"}}},
            [],
            {"url": "http://h"},
            "the prompt has no {pred}",
        ),
    ],
)
def test_what_would_fail_later_is_told_before_anything_is_asked(
    evaluation: dict[str, Any], given: list[str], over: dict[str, Any], words: str
) -> None:
    with pytest.raises(UserError, match=words):
        panel_of(Evaluation(**evaluation), "set", given, over)


def test_without_a_strategy_a_rule_needs_no_judge() -> None:
    assert panel_of(Evaluation("math"), "set") is None
    assert panel_of(Evaluation("math"), "set", ["correct"], {"url": "http://h"}) is None


def test_a_file_says_service_and_contract_and_flags_go_over_it(tmp_path: Path) -> None:
    file = write(
        tmp_path / "strict.toml",
        'url = "http://h"\nmodel = "m"\nconcurrency = 3\ncontract = "grade"\n[options]\nproxy = "env"\n',
    )
    found = panel_of(Evaluation("judged"), "set", [str(file)], {"model": "n", "max_tokens": None})
    assert found is not None
    (one,) = found.judges
    assert (one.name, one.model, one.concurrency) == ("strict", "n", 3)
    assert found.contracts["strict"].most == 10
    options = options_of(one, Path("rows"), Path("out"))
    assert (options.url, options.proxy, options.concurrency) == (("http://h",), "env", 3)
    assert options.body == {"temperature": 0} and options.stream is False


def test_a_data_set_may_change_a_contract() -> None:
    evaluation = Evaluation("judged", judge={"contract": "lcr", "changes": {"system": "Be kind."}})
    found = panel_of(evaluation, "set", [], {"url": "http://h"})
    assert found is not None and found.contracts["judge"].system == "Be kind."
    assert found.contracts["judge"].scores == {"CORRECT": 1, "INCORRECT": 0}


@pytest.mark.parametrize(
    ("dialect", "temperature", "body"),
    [
        ("openai-chat", 0.5, {"temperature": 0.5}),
        ("openai-chat", "service", {}),
        ("ollama-chat", 0.5, {"options": {"temperature": 0.5}}),
        ("tgi-generate", 0, {"parameters": {"do_sample": False}}),
    ],
)
def test_the_temperature_is_where_a_dialect_has_it(dialect: str, temperature: Any, body: dict[str, Any]) -> None:
    found = panel("http://h", over={"dialect": dialect, "temperature": temperature})
    assert options_of(found.judges[0], Path(), Path()).body == body
