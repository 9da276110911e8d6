"""The diagnosis: each rule on clues that show its pattern and on some that do not, and on runs of the simulator."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from perfcore.analysis import diagnosis, metrics
from perfcore.analysis.clues import EXACT, FREE, LIMIT, Cached, Clues, Early, Growth, Served, Texts, looked_at
from perfcore.analysis.diagnosis import diagnose
from perfcore.analysis.repetition import Loop, loop
from perfcore.records import texts
from perfcore.records.texts import Said
from perfcore.report.terminal import render
from tests.comparing import answer, folder
from tests.endtoend import SimulatorSettings, measure, start_simulator
from tests.reference.records import MS, run, streamed

# A run about which there is nothing to say.
FINE = Clues(
    url="http://a",
    ok=1000,
    lengths=LIMIT,
    early=Early(1000, 10, 128, 127),
    served=Served(31, 30.5, 32.0, 50.0, 60.0),
    running=32.0,
    waiting=0.0,
    cached=Cached(0.05, None, 60.0),
    at_once=0.0,
    tokens_per_event=1.0,
    texts=Texts(1000, 1, 0, Loop("x", 200)),
)
QUEUE = Served(8, 7.9, 32.0, 50.0, 900.0)
GROWTH = Growth((10.0, 20.0, 30.0, 40.0), 12.5)
LOOPS = Texts(1000, 20, 0, Loop(" and so", 700))


SHOWN: list[tuple[str, dict[str, Any]]] = [
    ("web page", {"web_pages": 1}),
    ("not streaming", {"at_once": 0.51}),
    ("queueing", {"served": QUEUE, "waiting": None, "running": None}),
    ("queueing", {"served": replace(FINE.served or QUEUE, median_ms=500.0), "waiting": 24.0, "running": 8.0}),
    ("overload", {"growth": GROWTH}),
    ("cache hits", {"cached": Cached(0.11, None, None)}),
    ("early end", {"lengths": EXACT, "early": Early(100, 6, 128, 120)}),
    ("early end", {"lengths": LIMIT, "early": Early(100, 51, 512, 60)}),
    ("chunks", {"tokens_per_event": 1.2}),
    ("chunks", {"tokens_per_event": 0.8}),
    ("loops", {"texts": LOOPS}),
    ("thoughts only", {"texts": Texts(1000, 0, 50)}),
    ("few samples", {"ok": 99}),
    ("few samples", {"undecided": ("ttft_p99<=500ms",)}),
]
PATTERNS = {pattern for pattern, _ in SHOWN}


def patterns(**clues: Any) -> list[str]:
    return [found["pattern"] for found in diagnose(replace(FINE, **clues))]


def found(pattern: str, **clues: Any) -> dict[str, str]:
    return next(one for one in diagnose(replace(FINE, **clues)) if one["pattern"] == pattern)


def test_healthy_run_has_nothing_to_be_told() -> None:
    assert diagnose(FINE) == []


@pytest.mark.parametrize(("pattern", "clues"), SHOWN)
def test_pattern_is_recognised(pattern: str, clues: dict[str, Any]) -> None:
    assert patterns(**clues) == [pattern]


@pytest.mark.parametrize(
    "clues",
    [
        {"at_once": 0.5},
        {"served": replace(QUEUE, median_ms=140.0)},  # less than three times the quickest
        {"served": replace(QUEUE, quick_ms=1.0, median_ms=19.0)},  # three times, of next to nothing
        {"served": replace(QUEUE, mean=6.0)},  # no plateau
        {"served": replace(QUEUE, in_flight=8.5)},  # all that was in flight was worked on
        {"served": QUEUE, "client_limited": True},
        {"growth": GROWTH, "client_limited": True},
        {"growth": Growth((10.0, 20.0, 19.0, 40.0), 9.0)},
        {"growth": Growth((1.0, 2.0, 3.0, 4.0), 9.0)},
        {"cached": Cached(0.1, None, None)},
        {"lengths": EXACT, "early": Early(100, 5, 128, 120)},
        {"lengths": LIMIT, "early": Early(100, 90, 512, 300)},
        {"lengths": FREE, "early": Early(100, 100, 512, 6)},
        {"tokens_per_event": 1.1},
        {"tokens_per_event": None},
        {"texts": replace(LOOPS, loops=19)},
        {"texts": Texts(3, 1, 1, Loop("x", 200))},
        {"texts": Texts(1000, 0, 49)},
        {"ok": 0},
    ],
)
def test_what_only_looks_like_a_pattern_is_none(clues: dict[str, Any]) -> None:
    assert patterns(**clues) == []


def test_queue_of_a_server_is_told_with_its_slots_and_loads_around_them() -> None:
    told = found("queueing", served=QUEUE, running=None)
    assert "about 8 requests at a time" in told["cause"]
    assert "median TTFT is 900 ms, the quickest had 50 ms" in told["evidence"]
    assert "--concurrency 4,8,16" in told["next"]


def test_overload_is_told_with_a_rate_that_can_be_held() -> None:
    assert "--rate 10 " in found("overload", growth=GROWTH)["next"]  # 0.8 * 12.5


def test_tokens_that_come_all_at_once_are_not_blamed_on_events() -> None:
    assert patterns(at_once=1.0, tokens_per_event=64.0) == ["not streaming"]


@pytest.mark.parametrize(("proxy", "named"), [("http://p:3128", "the proxy http://p:3128"), ("", "a gateway")])
def test_web_pages_are_blamed_on_what_lies_between(proxy: str, named: str) -> None:
    assert named in found("web page", web_pages=3, proxy=proxy)["cause"]


def test_run_that_is_too_short_says_for_what_and_how_long_it_has_to_be() -> None:
    assert "for p90" in found("few samples", ok=20)["cause"]
    told = found("few samples", ok=2_000, undecided=("ttft_p99<=1s",))
    assert "decide ttft_p99<=1s:" in told["cause"] and told["next"].endswith("--requests 8000")


@pytest.mark.parametrize("ok", [100, 999])
def test_percentile_that_the_table_marks_is_not_told_again(ok: int) -> None:
    assert patterns(ok=ok) == []


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        ("!" * 300, "!"),
        ("Well. " + "I think so, and " * 20, " I think so, and"),
        ("Once. " + "abcdefghij" * 30 + "abcd", "efghijabcd"),
    ],
)
def test_loop_at_the_end_of_a_text_is_found(text: str, piece: str) -> None:
    found = loop(text)
    assert found is not None
    assert found.piece == piece


@pytest.mark.parametrize(
    "text",
    [
        "",
        "!" * 100,
        "The quick brown fox jumps over the lazy dog. " * 3,
        "word " * 100 + "and then the tale goes on to its end, which is another one.",
        " ".join(str(number) for number in range(400)),
        "| a | b |\n| 1 | 2 |\n| 3 | 4 |\n| 5 | 6 |\n| 7 | 8 |",
    ],
)
def test_text_that_goes_on_has_no_loop(text: str) -> None:
    assert loop(text) is None


def test_length_of_a_loop_is_what_repeats() -> None:
    assert loop("Beginning: " + "so, " * 100) == Loop(" so,", 400)  # its blank goes, the one before it comes


def test_texts_are_counted_by_what_is_wrong_with_them() -> None:
    answers = [Said("fine", ""), Said("la " * 200, ""), Said("", "hm " * 200), Said("", "Let me see.")]
    assert looked_at(answers) == Texts(4, 2, 2, Loop(" la", 599))


def test_lines_that_cannot_be_read_and_failures_are_no_texts(tmp_path: Path) -> None:
    lines = [{"prediction": "a", "error": None}, {"prediction": "b", "error": "reset"}, {"reasoning": "c"}]
    written = "\n".join(map(json.dumps, lines)) + '\n{"prediction": "\\ud800"}\nhalf'
    (tmp_path / "outputs.jsonl").write_text(written)
    assert texts.said(tmp_path) == [Said("a", ""), Said("", "c")]
    assert texts.said(tmp_path / "elsewhere") == []


def test_large_file_is_looked_at_in_places_all_over_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "outputs.jsonl").write_text("".join(f'{{"prediction": "{at:06}"}}\n' for at in range(100_000)))
    monkeypatch.setattr(texts, "WHOLE_BYTES", 1000)
    seen = [int(said.answer) for said in texts.said(tmp_path)]
    assert (len(seen), seen[0], sorted(seen)) == (texts.PLACES, 0, seen)
    assert max(np.diff(seen)) < 200


def computed(*rows: dict[str, Any], **more: Any) -> list[str]:
    notes = ({"note": "phase", "phase": "measured", "concurrency": 8}, {"note": "end", "exit": 0})
    return [one["pattern"] for one in metrics.compute(run(*rows, notes=notes), **more)["diagnosis"]]


def slots(number: int, clients: int, prompt: int = 20) -> Iterator[dict[str, Any]]:
    """A closed loop on a server that takes 50 ms to the first token and 200 more, for so many requests at a time."""
    free, client = [0] * number, [0] * clients
    for _ in range(200):
        sent, begins = min(client), max(min(free), min(client))
        free[free.index(min(free))] = client[client.index(sent)] = begins + 250
        yield streamed(sent, sent, begins + 50, begins + 250, output_tokens=41, input_tokens=prompt)


@pytest.mark.parametrize(("number", "clients"), [(1, 8), (2, 12), (4, 16), (24, 64)])
def test_requests_that_wait_for_slots_are_recognised_in_the_records(number: int, clients: int) -> None:
    notes = ({"note": "phase", "phase": "measured", "concurrency": clients}, {"note": "end", "exit": 0})
    told = metrics.compute(run(*slots(number, clients), notes=notes))["diagnosis"][0]
    assert f"about {number} requests at a time" in told["cause"]


@pytest.mark.parametrize(("number", "clients"), [(16, 16), (32, 16), (1, 1)])
def test_server_with_a_slot_for_each_client_does_not_queue(number: int, clients: int) -> None:
    assert "queueing" not in computed(*slots(number, clients))


def test_long_prompts_among_short_ones_are_no_queue() -> None:
    rng = np.random.default_rng(1)
    rows, now = [], [0] * 16
    for prompt in rng.choice([10, 2000, 2100, 2200], 300).tolist():
        at = now.index(min(now))
        rows.append(streamed(now[at], now[at], now[at] + prompt, now[at] + prompt + 1000, input_tokens=prompt))
        now[at] += prompt + 1000
    assert "queueing" not in computed(*rows)


def test_objective_within_its_interval_is_told_in_a_run(tmp_path: Path) -> None:
    answers = [answer(number, 100.0) for number in range(120)]
    run = folder(tmp_path / "run", answers, [str(number) for number in range(120)], options={"slo": "ttft_p99<=500ms"})
    told = json.loads((run / "metrics.json").read_text())["diagnosis"]
    assert [one["pattern"] for one in told] == ["few samples"] and "ttft_p99<=500ms" in told[0]["cause"]


def test_answer_that_was_given_in_one_event_did_not_stream() -> None:
    rows = [streamed(at, at, at + 500, at + 500, output_tokens=50, last_token_ns=(at + 500) * MS) for at in range(30)]
    assert "not streaming" in computed(*rows)


def test_short_answers_to_made_prompts_are_a_lighter_load() -> None:
    rows = [
        streamed(at, at, at + 5, at + 90, output_tokens=40, output_tokens_asked=100, input_tokens_asked=10)
        for at in range(30)
    ]
    assert "early end" in computed(*rows)
    assert "early end" not in computed(*(row | {"finish_reason": "length"} for row in rows))


SCRIPT = {"prompt": "loop", "answer": "Well then. " + "I think so, and " * 20}


@pytest.mark.parametrize(
    ("pattern", "settings", "options"),
    [
        ("queueing", {"slots": 4, "itl_ms": 10}, {"concurrency": 16, "requests": 48, "max_tokens": 20}),
        ("not streaming", {}, {"prompt": ("[[fault:merged]]",), "max_tokens": 40}),
        ("web page", {}, {"prompt": ("[[fault:html]]", "hello"), "check": False}),
        ("cache hits", {"prefix_cache_tokens": 9000}, {"prompt": ("word " * 200,), "max_tokens": 4}),
        ("chunks", {"tokens_per_event": 3}, {"max_tokens": 30}),
        ("loops", {"model": "toy"}, {"prompt": ("loop",)}),
        ("early end", {}, {"prompt": ("loop",), "output_tokens": "500"}),
        ("overload", {"slots": 1}, {"rate": 60.0, "concurrency": None, "requests": 60, "max_tokens": 20}),
    ],
)
def test_pattern_is_recognised_in_a_run(
    tmp_path: Path, pattern: str, settings: dict[str, Any], options: dict[str, Any]
) -> None:
    (tmp_path / "script.jsonl").write_text(json.dumps(SCRIPT) + "\n")
    quick = SimulatorSettings(ttft_base_ms=10, itl_ms=2, script=str(tmp_path / "script.jsonl"))
    with start_simulator(replace(quick, **settings)) as simulator:
        asked: dict[str, Any] = {"prompt": ("hello",), "requests": 24, "concurrency": 4} | options
        finished = measure(tmp_path / "run", simulator.url, **asked)
    told = {one["pattern"]: one for one in finished.metrics["diagnosis"]}
    assert pattern in told
    shown = " ".join(render(finished.metrics, None).split())
    assert all(told[pattern][key][:40] in shown for key in ("cause", "evidence", "next"))


def test_every_pattern_is_in_the_documentation() -> None:
    page = (Path(__file__).parents[1] / "docs" / "diagnosis.md").read_text(encoding="utf-8")
    assert len(PATTERNS) == len(diagnosis.RULES)
    assert all(f"| {name} |" in page for name in PATTERNS)
