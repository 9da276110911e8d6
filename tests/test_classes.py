"""Results by class of request: what rows say, which classes there are, what the report shows, and a mixed run."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from perfcore.analysis import classes, metrics
from perfcore.analysis.absent import Absent
from perfcore.analysis.measured import due_in, parts, select
from perfcore.records import store
from perfcore.records.journal import JournalWriter, Kind
from perfcore.report import terminal
from perfcore.types import Run
from tests import closed_loop
from tests.endtoend import QUICK, Finished, measure, start_simulator, write_dataset
from tests.reference import records
from tests.reference.frame import Event, pack
from tests.reference.loops import run_of
from tests.reference.records import MS, WARMUP, streamed

QUICK_ONE = streamed(0, 0, 100, 300, output_tokens=11, input_tokens=7, dataset="gsm8k", model="small")
SLOW_ONE = streamed(0, 0, 500, 1000, output_tokens=5, input_tokens=3, dataset="gsm8k", model="large")
FAILED = streamed(0, 0, 500, 1000, dataset="chat", model="large", error_class="reset")


def computed(*rows: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Metrics after a trip through JSON."""
    found: dict[str, Any] = json.loads(json.dumps(metrics.compute(records.run(*rows, **more)), allow_nan=False))
    return found


# ---- what is computed


def test_each_data_set_and_model_that_occur_together_have_an_entry() -> None:
    entries = computed(QUICK_ONE, SLOW_ONE, FAILED, QUICK_ONE, QUICK_ONE | {"phase": WARMUP})["classes"]
    seen = [tuple(entry[key] for key in ("dataset", "model", "requests", "ok", "failed", "share")) for entry in entries]
    assert seen == [
        ("chat", "large", 1, 0, 1, 0.25),
        ("gsm8k", "large", 1, 1, 0, 0.25),
        ("gsm8k", "small", 2, 2, 0, 0.5),
    ]
    small = entries[2]
    assert (small["input_tokens_mean"], small["output_tokens_mean"]) == (7, 11)
    assert small["output_tokens_per_s"] == 22  # 2 x 11 in the second that the run took
    assert small["ttft_ms"] == {"n": 2, "mean": 100, "p50": 100, "p99": 100, "unsupported": ["p50", "p99"]}
    assert (small["tpot_ms"]["mean"], small["e2el_ms"]["p50"]) == (20, 300)


def test_class_without_a_success_has_reasons_and_no_numbers() -> None:
    found = computed(QUICK_ONE, FAILED)
    failed = found["classes"][0]
    missing = [key for key, value in failed.items() if value is None]
    assert missing == [
        "output_tokens_per_s",
        "ttft_ms",
        "tpot_ms",
        "e2el_ms",
        "input_tokens_mean",
        "output_tokens_mean",
    ]
    assert {found["absent"][f"classes.0.{key}"] for key in missing} == {"no measured request succeeded"}


def test_rows_without_a_model_ask_for_the_runs_own() -> None:
    found = computed(QUICK_ONE, QUICK_ONE | {"model": ""})
    assert [entry["model"] for entry in found["classes"]] == [None, "small"]
    assert "the run's own" in found["absent"]["classes.0.model"]


@pytest.mark.parametrize("other", [QUICK_ONE, SLOW_ONE | {"phase": WARMUP}, {"index": -1, "error_class": "reset"}])
def test_run_of_one_class_has_none_to_compare(other: dict[str, Any]) -> None:
    found = computed(QUICK_ONE, other)
    assert (found["classes"], found["absent"]["classes"]) == (None, classes.ONE)


def test_request_that_was_tried_again_counts_once() -> None:
    again = [QUICK_ONE | {"request_id": 5, "attempt": attempt, "error_class": "ok" if attempt else "reset"}
             for attempt in (0, 1)]  # fmt: skip
    entries = computed(*again, SLOW_ONE | {"request_id": 6})["classes"]
    assert [(entry["requests"], entry["ok"]) for entry in entries] == [(1, 1), (1, 1)]


def test_smallest_of_many_classes_are_summed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classes, "MOST", 1)
    found = computed(QUICK_ONE, FAILED, QUICK_ONE, SLOW_ONE)
    listed, rest = found["classes"]
    assert (listed["dataset"], listed["model"], "others" in listed) == ("gsm8k", "small", False)
    assert (rest["others"], rest["requests"], rest["ok"], rest["dataset"], rest["model"]) == (2, 2, 1, None, None)
    assert listed["output_tokens_per_s"] + rest["output_tokens_per_s"] == found["throughput"]["output_tokens_per_s"]


def test_every_one_of_many_classes_is_counted() -> None:
    number = 3000
    made = records.requests(*[QUICK_ONE] * number)
    models = tuple(f"adapter-{at}" for at in range(100))
    each = np.random.default_rng(1).integers(-1, 100, number).astype(np.int32)
    made = dataclasses.replace(made, model=each, models=models)
    measured = select(made)
    entries = classes.by_class(made, measured, lambda: classes.whole(made, measured), 1.0)
    assert not isinstance(entries, Absent)
    assert (len(entries), entries[-1]["others"]) == (classes.MOST + 1, 101 - classes.MOST)
    assert sum(entry["requests"] for entry in entries) == number
    assert sum(entry["output_tokens_per_s"] for entry in entries) == 11 * number
    counts = np.sort(np.bincount(each + 1))[::-1]
    assert sorted((entry["requests"] for entry in entries[:-1]), reverse=True) == counts[: classes.MOST].tolist()


def test_parts_have_all_attempts_of_their_requests_in_the_order_of_the_whole() -> None:
    rows = [
        streamed(30, 30, 40, 50, request_id=0, target=1),
        streamed(10, 10, 20, 25, request_id=1, target=0, error_class="reset"),
        streamed(26, 26, 30, 40, request_id=1, target=1, attempt=1),
        streamed(20, 20, 21, 22, request_id=2, target=0),
        streamed(5, 5, 21, 22, request_id=3, target=7),
    ]
    made = records.requests(*rows)
    due = due_in(made, select(made), 0, 100 * MS)
    first, second = parts(due, made.target[due.last], 2)
    assert (first.last.tolist(), first.rows.tolist()) == ([3], [3])
    assert (second.first.tolist(), second.last.tolist(), second.rows.tolist()) == ([1, 0], [2, 0], [0, 1, 2])


# ---- of a window


def mixed_loop(held_s: float, followed: bool | None = True) -> Run:
    """20 slots of requests of 8 to 12 s and 500 tokens; one in three is of the first data set."""
    rng = np.random.default_rng(1)
    run = run_of(closed_loop.closed(rng, 20, closed_loop.uniform, held_s, ramp_s=5.0), 20, followed)
    turns = (np.arange(run.requests.index.size) % 3 > 0).astype(np.int32)
    return dataclasses.replace(run, requests=dataclasses.replace(run.requests, dataset=turns))


def test_classes_of_a_window_add_up_to_what_it_holds() -> None:
    found = metrics.compute(mixed_loop(80), 2, steady=True)
    entries, throughput = found["classes"], found["throughput"]
    assert [entry["dataset"] for entry in entries] == ["chat", "gsm8k"]
    assert sum(entry["requests"] for entry in entries) == found["window"]["requests"]
    assert sum(entry["output_tokens_per_s"] for entry in entries) == pytest.approx(throughput["output_tokens_per_s"])
    assert entries[0]["output_tokens_per_s"] / throughput["output_tokens_per_s"] == pytest.approx(2 / 3, abs=0.03)
    ttft = sum(entry["ttft_ms"]["mean"] * entry["ttft_ms"]["n"] for entry in entries)
    assert ttft / found["latency"]["ttft_ms"]["n"] == pytest.approx(found["latency"]["ttft_ms"]["mean"])


def test_answers_in_one_piece_count_at_their_end_in_a_window() -> None:
    run = mixed_loop(80)
    requests = dataclasses.replace(run.requests, streamed=np.zeros(run.requests.index.size, np.bool_))
    found = metrics.compute(dataclasses.replace(run, requests=requests, stamps=None), 2, steady=True)
    rates = [entry["output_tokens_per_s"] for entry in found["classes"]]
    assert sum(rates) == pytest.approx(found["throughput"]["output_tokens_per_s"])
    assert found["classes"][0]["ttft_ms"] is None


def test_without_a_window_classes_have_counts_alone() -> None:
    found = metrics.compute(mixed_loop(3, followed=None), 2, steady=True)
    assert found["window"] is None
    assert sum(entry["requests"] for entry in found["classes"]) == found["requests"]["total"]
    for key in ("output_tokens_per_s", "ttft_ms"):
        assert found["classes"][0][key] is None
        assert found["absent"][f"classes.0.{key}"] == found["absent"]["window"]


# ---- what rows say


def built(folder: Path, *frames: bytes, rows: list[dict[str, Any]]) -> Run:
    journal = JournalWriter(folder / "journal.bin")
    journal.append(Kind.ROWS, 0, b"".join(json.dumps(row).encode() + b"\n" for row in rows))
    journal.append(Kind.FRAMES, 0, b"".join(frames))
    journal.close()
    return store.build(folder)


def sent(number: int, index: int, **fields: Any) -> bytes:
    return pack([Event(1), Event(2)], request_id=number, index=index, sent_ns=0, end_ns=3, streamed=1, **fields)


@pytest.mark.parametrize(
    ("row", "column", "line"),
    [
        ({"dataset": "d", "subset": "s", "model": "m"}, ("d", "m"), {"dataset": "d", "subset": "s", "model": "m"}),
        ({"prompt": "x", "dataset": "", "model": None}, (None, None), {}),
        ({"body": {"model": "recorded"}, "model": "other"}, (None, "recorded"), {"model": "recorded"}),
        ({"body": {"model": ["odd"]}, "model": "other"}, (None, "other"), {"model": "other"}),
    ],
)
def test_data_set_and_model_of_a_row_stand_in_the_files(tmp_path: Path, row: Any, column: Any, line: Any) -> None:
    built(tmp_path, sent(0, 0), rows=[{"id": "a", **row}])
    (got,) = pq.read_table(tmp_path / "requests.parquet").to_pylist()
    assert (got["dataset"], got["model"]) == column
    written = json.loads((tmp_path / "outputs.jsonl").read_bytes())
    assert {key: value for key, value in written.items() if key in ("dataset", "subset", "model")} == line


def test_every_attempt_has_what_its_row_says_and_one_without_a_row_has_nothing(tmp_path: Path) -> None:
    frames = [sent(0, 2, phase=WARMUP), sent(1, 0, error_class=1), sent(1, 0, attempt=1), sent(2, 1), sent(3, 9)]
    rows = [{"id": str(at), "dataset": name} for at, name in enumerate(("x", "y", "z"))]
    run = built(tmp_path, *frames, rows=rows)
    names = [run.requests.datasets[code] if code >= 0 else None for code in run.requests.dataset]
    assert names == ["z", "x", "x", "y", None]


# ---- the report


@pytest.mark.parametrize("width", [60, 80, 120])
def test_table_of_classes_fits_the_terminal(width: int) -> None:
    shown = terminal.render(computed(QUICK_ONE, SLOW_ONE, FAILED), None, width)
    assert max(map(len, shown.splitlines())) <= width
    assert "…" not in shown
    (line,) = [line for line in shown.splitlines() if line.split()[:2] == ["gsm8k", "small"]]
    assert line.split()[2] == "1"


def test_table_names_what_there_is_and_what_stands_for_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classes, "MOST", 2)
    plain = [row | {"dataset": ""} for row in (QUICK_ONE, QUICK_ONE, SLOW_ONE)]
    shown = terminal.render(computed(*plain, plain[0] | {"model": ""}, plain[0] | {"model": ""}), None)
    table = shown[shown.index("By class") :]
    assert "data set" not in table
    assert [line.split()[:3] for line in table.splitlines()[4:7]] == [
        ["(the", "run's", "own)"],
        ["small", "2", "0"],
        ["1", "others", "1"],
    ]


def test_report_of_one_class_has_no_table() -> None:
    assert "By class" not in terminal.render(computed(QUICK_ONE, QUICK_ONE), None)


# ---- a run


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    folder = tmp_path_factory.mktemp("mixed")
    names = {name: write_dataset(folder / f"{name}.jsonl", [name] * 10) for name in ("a", "b")}
    with start_simulator(QUICK) as simulator:
        return measure(
            folder / "run",
            simulator.url,
            dataset=tuple(map(str, names.values())),
            weights=(3.0, 1.0),
            model_weights={"large": 1.0, "small": 1.0},
            requests=80,
            concurrency=8,
            warmups=3,
        )


def test_mixed_run_has_its_shares_by_class(mixed: Finished) -> None:
    entries = mixed.metrics["classes"]
    places = [(entry["dataset"], entry["model"]) for entry in entries]
    assert places == [(f"{data}.jsonl", model) for data in "ab" for model in ("large", "small")]
    shares = {key: sum(entry["share"] for entry in entries if key in entry.values()) for key in ("a.jsonl", "large")}
    assert shares == pytest.approx({"a.jsonl": 0.75, "large": 0.5}, abs=0.03)
    rates = sum(entry["output_tokens_per_s"] for entry in entries)
    assert rates == pytest.approx(mixed.metrics["throughput"]["output_tokens_per_s"])


def test_mixed_run_tells_the_class_of_each_request(mixed: Finished) -> None:
    table, lines = mixed.requests(), mixed.outputs()
    pairs = zip(table["index"], table["dataset"], table["model"], table["phase"], strict=True)
    measured = sorted((index, data, model) for index, data, model, phase in pairs if phase == "measured")
    assert measured == sorted((line["index"], line["dataset"], line["model"]) for line in lines)
    assert {line["prompt"] + ".jsonl" == line["dataset"] for line in lines} == {True}
    assert None not in table["dataset"] + table["model"]
    assert "By class" in (mixed.folder / "report.txt").read_text()
