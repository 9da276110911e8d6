"""The folder of several runs and its summary, of made runs."""

import csv
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from perfcore.errors import UserError
from perfcore.records import series
from perfcore.records.journal import JournalWriter, Kind
from perfcore.report import series as report
from perfcore.report.series_plots import draw

LATENCY = {"mean": 100.0, "p50": 90.0, "p90": 150.0, "p99": 200.0, "unsupported": ["p99"]}


def point(name: str, load: int | None = None, **more: Any) -> dict[str, Any]:
    asked = {"name": name, "model": None, "dataset": None, "load": load and "concurrency", "concurrency": load}
    return {**asked, "rate": None, "requests": 10, "options": {"max_tokens": 5, "model": None}, **more}


def begun(folder: Path, *loads: int) -> Path:
    """A series of these concurrencies."""
    return series.begin(folder, "sweep", ["stress"], [point(f"c-{load}", load) for load in loads])


def made_run(
    folder: Path, exit_code: int | None = 0, started: str = "1", offset: int = 0, rows: int = 10, claimed: int = 10
) -> Path:
    """A run folder with nothing but what a series looks at; without an exit code it was killed."""
    folder.mkdir()
    options = {"offset": offset, "requests": 10, "duration_s": None, "num_prompts": None, "warmups": 0}
    plan = {"warmups": 0, "concurrency": 2}
    told = {"started": started, "rows": rows, "simulated": False, "options": options, "plan": plan}
    (folder / "run.json").write_text(json.dumps(told))
    journal = JournalWriter(folder / "journal.bin")
    if exit_code is not None:
        for note in ({"note": "phase", "phase": "measured", "claimed": claimed}, {"note": "end", "exit": exit_code}):
            journal.append(Kind.NOTE, 0, msgspec.json.encode(note))
    journal.close()
    return folder


def metrics(tokens_per_s: float | None, e2el_ms: float, verdict: str = "valid") -> dict[str, Any]:
    """What the summary takes of a metrics.json."""
    reasons = [] if verdict == "valid" else [{"level": verdict, "what": "Slow client.", "remedy": ""}]
    return {
        "duration_s": 1.0,
        "requests": {"total": 10, "ok": 10, "failed": 0},
        "concurrency": {"mean": 1.5, "max": 2},
        "throughput": {"requests_per_s": 10.0, "output_tokens_per_s": tokens_per_s},
        "latency": {"ttft_ms": LATENCY, "tpot_ms": None, "e2el_ms": LATENCY | {"mean": e2el_ms}},
        "validity": {"verdict": verdict, "reasons": reasons},
    }


def filled(parent: Path, **found: dict[str, Any]) -> report.Summary:
    """A summary of runs with these metrics by name of their folder."""
    for place, name in enumerate(found):
        made_run(parent / name.replace("_", "-"), started=str(place), offset=10 * place)
    return report.write(parent, lambda folder: found.get(folder.name.replace("-", "_")))


def test_what_was_asked_for_is_read_back(tmp_path: Path) -> None:
    parent = begun(tmp_path / "s", 1, 2)
    assert series.is_series(parent)
    assert [one["name"] for one in series.read_series(parent)["points"]] == ["c-1", "c-2"]


def test_a_folder_that_is_not_empty_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    with pytest.raises(UserError, match="not empty"):
        begun(tmp_path, 1)


@pytest.mark.parametrize(
    ("now", "words"),
    [
        ([point("a", 1), point("b", 2)], "its runs are a, and now a, b"),
        (
            [point("a", 1, options={"max_tokens": 6, "model": "m"})],
            'max_tokens was 5 and is 6 now; model was not given and is "m"',
        ),
    ],
)
def test_a_series_that_was_begun_otherwise_is_not_gone_on_with(
    tmp_path: Path, now: list[dict[str, Any]], words: str
) -> None:
    parent = series.begin(tmp_path / "s", "sweep", [], [point("a", 1)])
    series.reopen(parent, [point("a", 1)])
    with pytest.raises(UserError, match=words):
        series.reopen(parent, now)


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", "null", '{"schema": "perfcore.series/9", "points": []}',
     '{"schema": "perfcore.series/1", "points": [{"name": "../x"}]}', '{"schema": "perfcore.series/1", "points": [1]}'],
)  # fmt: skip
def test_a_broken_series_json_is_one_sentence(tmp_path: Path, content: str) -> None:
    (tmp_path / "series.json").write_text(content)
    with pytest.raises(UserError, match=r"series\.json"):
        series.read_series(tmp_path)


def test_only_one_process_at_a_time_runs_in_a_folder(tmp_path: Path) -> None:
    parent = begun(tmp_path / "s", 1)
    with series.held(parent), pytest.raises(UserError, match="another perfcore"), series.held(parent):
        pass


@pytest.mark.parametrize("exit_code", [0, 1, 130, None])
def test_a_run_tells_how_it_ended(tmp_path: Path, exit_code: int | None) -> None:
    found = series.ran(made_run(tmp_path / "c-1", exit_code))
    assert found is not None
    assert found.exit_code == exit_code


@pytest.mark.parametrize(
    ("run", "used"),
    [({"claimed": 7}, 7), ({"claimed": 25}, 10), ({"claimed": 10, "rows": 4}, 4), ({"exit_code": None}, 2)],
)
def test_a_run_tells_how_many_rows_it_has_sent(tmp_path: Path, run: dict[str, Any], used: int) -> None:
    found = series.ran(made_run(tmp_path / "c-1", **run))
    assert found is not None
    assert found.used == used


def test_the_rows_of_a_killed_run_are_those_answered_and_those_that_may_have_been_in_flight(tmp_path: Path) -> None:
    folder = made_run(tmp_path / "c-1", None)
    (folder / "outputs.jsonl").write_text('{"index":0,"repeat":0}\n{"index":4,"repeat":0}\n')
    found = series.ran(folder)
    assert found is not None
    assert found.used == 7


@pytest.mark.parametrize("content", [None, "", "{", "[]", "{}", '{"started": 1}'])
def test_a_folder_in_which_no_run_began_is_none(tmp_path: Path, content: str | None) -> None:
    JournalWriter(tmp_path / "journal.bin").close()
    if content is not None:
        (tmp_path / "run.json").write_text(content)
    assert series.ran(tmp_path) is None


def test_runs_that_are_set_aside_stay_and_are_found(tmp_path: Path) -> None:
    for started in "123":
        series.set_aside(tmp_path / "c-1")
        made_run(tmp_path / "c-1", None, started)
    assert [run.folder.name for run in series.runs_of(tmp_path, "c-1")] == ["c-1.unfinished", "c-1.unfinished-2", "c-1"]


def test_an_empty_folder_is_not_set_aside(tmp_path: Path) -> None:
    (tmp_path / "c-1").mkdir()
    series.set_aside(tmp_path / "c-1")
    assert list(tmp_path.iterdir()) == []


def test_the_summary_has_a_row_for_each_point_and_marks_weak_percentiles(tmp_path: Path) -> None:
    parent = begun(tmp_path / "s", 1, 2, 4)
    filled(parent, c_1=metrics(100.0, 10.0), c_2=metrics(190.0, 11.0, "suspect"))
    lines = (parent / "summary.txt").read_text().splitlines()
    assert lines[1].split()[:3] == ["concurrency", "flight", "/s"]
    assert lines[2].split() == "1 1.500 10.00 100.0 100.0 90.00 200.0* - - 200.0* 0 valid".split()  # noqa: SIM905
    assert lines[4].split() == ["4", *"-" * 10, "not", "run"]
    assert "c-2: suspect: Slow client." in lines


def test_the_summary_is_plain_numbers_in_csv_and_json(tmp_path: Path) -> None:
    parent = begun(tmp_path / "s", 1, 2)
    summary = filled(parent, c_1=metrics(100.0, 10.0))
    with (parent / "summary.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["state"] for row in rows] == ["finished", "not run"]
    assert (rows[0]["throughput.output_tokens_per_s"], rows[0]["latency.tpot_ms.mean"]) == ("100.0", "")
    assert rows[0]["unsupported"] == "latency.ttft_ms.p99 latency.e2el_ms.p99"
    assert json.loads((parent / "summary.json").read_text()) == summary


def test_markdown_has_a_table_whose_rows_are_equally_wide(tmp_path: Path) -> None:
    parent = series.begin(tmp_path / "s", "pairs", [], [point("a", model="x|y", dataset="d")])
    report.write(parent, lambda _: None)
    table = [line for line in (parent / "summary.md").read_text().splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in table} == {14}
    assert table[2].startswith(r"| x\|y | d | - |")


def test_the_knee_is_found_over_loads_in_ascending_order(tmp_path: Path) -> None:
    parent = begun(tmp_path / "s", 8, 1, 4, 2)
    curve = {8: (400.0, 20.0), 1: (100.0, 10.0), 4: (400.0, 10.0), 2: (200.0, 10.0)}
    summary = filled(parent, **{f"c_{load}": metrics(*values) for load, values in curve.items()})
    assert [found["at"] for found in summary["knees"]] == [4]
    assert "Knee: concurrency 4, where" in (parent / "summary.txt").read_text()


def test_without_tokens_the_knee_is_that_of_requests(tmp_path: Path) -> None:
    found = filled(begun(tmp_path / "s", 1, 2, 4), c_1=metrics(None, 9.0), c_2=metrics(5.0, 5.0), c_4=metrics(9.0, 9.0))
    assert found["knees"][0]["at"] == 2


def test_rows_sent_twice_are_remarked_on(tmp_path: Path) -> None:
    parent = begun(tmp_path / "s", 1, 2)
    for name, started, offset in (("c-1", "1", 0), ("c-2.unfinished", "2", 10), ("c-2", "3", 15)):
        made_run(parent / name, 0, started, offset)
    assert report.write(parent, lambda _: None)["remarks"] == [
        "c-2 sent rows that an earlier run had sent: a service that caches prefixes may have answered them faster."
    ]


def test_a_point_that_could_not_be_run_says_why(tmp_path: Path) -> None:
    parent = begun(tmp_path / "s", 1)
    series.note_failure(parent / "c-1", "no answer")
    summary = report.write(parent, lambda _: None)
    assert (summary["points"][0]["state"], summary["points"][0]["exit_code"]) == ("failed", 2)
    assert "c-1: no answer" in (parent / "summary.txt").read_text()


def test_plots_are_drawn_of_what_there_is_and_removed_where_there_is_nothing(tmp_path: Path) -> None:
    parent = begun(tmp_path / "s", 1, 2, 4, 64)
    curve = {1: (100.0, 10.0), 2: (200.0, 10.0), 4: (210.0, 20.0), 64: (None, 320.0)}
    draw(filled(parent, **{f"c_{load}": metrics(*values) for load, values in curve.items()}), parent)
    drawn = [parent / "throughput-latency.png", parent / "load.png"]
    assert all(path.read_bytes()[:4] == b"\x89PNG" for path in drawn)
    draw(report.summarised(parent, lambda _: None), parent)
    assert not any(path.exists() for path in drawn)
