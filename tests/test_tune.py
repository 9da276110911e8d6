"""`perfcore tune` from end to end, on a simulator whose capacity is known: its slots."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from perfcore.cli.main import cli
from perfcore.errors import UserError
from perfcore.records import series
from perfcore.run.simulator import RunningSimulator
from tests.endtoend import SimulatorSettings, start_simulator, write_dataset

SLOTS = 3
# An answer takes 10 + 9 x 2 ms: with a client more than slots one request waits that long for its first token.
SETTINGS = SimulatorSettings(ttft_base_ms=10, itl_ms=2, slots=SLOTS)
SLO = ("--slo", "ttft_p90<=25ms,error_rate<=20%")


@pytest.fixture(scope="module")
def simulator() -> Iterator[RunningSimulator]:
    with start_simulator(SETTINGS) as running:
        yield running


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("data") / "rows.jsonl", [f"number {at}" for at in range(5000)])


def tune(*arguments: object) -> int:
    """Exit code of `perfcore tune` in this process."""
    given = ["tune", "--max-tokens", 10, "--cooldown", 0, "--duration", "1s", *arguments]
    return int(cli.main(list(map(str, given)), prog_name="perfcore", standalone_mode=False))


def told(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "tune.json").read_text()))


@pytest.fixture(scope="module")
def tuned(simulator: RunningSimulator, rows: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tuned") / "search"
    options = ("--url", simulator.url, "--dataset", rows, "--low", 2, "--high", 8, "--out", folder)
    assert tune(*SLO, *options, "--quiet") == 0
    return folder


def test_the_capacity_of_the_simulator_is_found(tuned: Path) -> None:
    found = told(tuned)
    assert found["interval"][0] <= SLOTS < found["interval"][1]
    assert (found["state"], found["exit_code"], found["answer"]) == ("found", 0, SLOTS)
    assert [(point["load"], point["verdict"]) for point in found["points"]] == [
        (2, "meets"),
        (4, "fails"),
        (3, "meets"),
    ]


def test_the_answer_says_that_requests_waited_in_the_queue(tuned: Path) -> None:
    limit = told(tuned)["limited_by"]
    assert (limit["kind"], limit["objective"], limit["load"]) == ("queue", "ttft_p90<=25ms", 4)
    lines = (tuned / "tune.txt").read_text()
    assert "The largest concurrency that meets ttft_p90<=25ms, error_rate<=20%: 3" in lines
    assert "the server's queue grows" in lines and (tuned / "tune.png").exists()


def test_the_report_of_the_folder_is_what_was_found(tuned: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for flags, name in ((), "tune.txt"), (("--json",), "tune.json"):
        cli.main(["report", str(tuned), *flags], prog_name="perfcore", standalone_mode=False)
        assert capsys.readouterr().out == (tuned / name).read_text()


def test_no_load_sends_rows_that_another_has_sent(tuned: Path) -> None:
    names = [name for point in told(tuned)["points"] for name in point["runs"]]
    runs = [run for name in names if (run := series.ran(tuned / name))]
    ends = [run.offset + run.used for run in runs]
    assert len(runs) == len(names) and [run.offset for run in runs] == [0, *ends[:-1]]


def test_a_finished_search_that_goes_on_measures_nothing(
    tuned: Path, simulator: RunningSimulator, rows: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, found = sorted(tuned.glob("concurrency-*")), told(tuned)
    journals = [(folder / "journal.bin").stat().st_mtime_ns for folder in before]
    options = ("--url", simulator.url, "--dataset", rows, "--low", 2, "--high", 8, "--out", tuned)
    assert tune(*SLO, *options, "--resume", "--json") == 0
    assert [(folder / "journal.bin").stat().st_mtime_ns for folder in before] == journals
    assert json.loads(capsys.readouterr().out) == found


def test_a_search_goes_on_with_the_same_options_only(tuned: Path, simulator: RunningSimulator, rows: Path) -> None:
    options = ("--url", simulator.url, "--dataset", rows, "--low", 2, "--high", 16, "--out", tuned)
    with pytest.raises(UserError, match=r"high was 8\.0 and is 16\.0 now"):
        tune(*SLO, *options, "--resume")
    with pytest.raises(UserError, match="has runs already"):
        tune(*SLO, *options)


def test_where_the_lowest_load_fails_nothing_meets(tmp_path: Path, simulator: RunningSimulator) -> None:
    options = ("--url", simulator.url, "--out", tmp_path / "none", "--quiet")
    assert tune("--slo", "ttft_p90<=5ms", *options) == 3
    assert told(tmp_path / "none")["answer"] is None
    assert "No concurrency from 1 on meets ttft_p90<=5ms" in (tmp_path / "none" / "tune.txt").read_text()


def test_an_objective_that_no_answer_has_ends_the_search(tmp_path: Path, simulator: RunningSimulator) -> None:
    with pytest.raises(UserError, match="cannot be judged: not streamed; choose other objectives"):
        tune("--slo", "ttft_p90<=5ms", "--url", simulator.url, "--out", tmp_path / "x", "--no-stream", "--quiet")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "tune wants objectives; give --slo"),
        ((*SLO, "--concurrency", 4), "--concurrency is what tune looks for"),
        ((*SLO, "--rate", 4), r"rate \(--rate\) makes an open loop"),
        ((*SLO, "--rate", 4, "--variable", "rate"), "--rate is what tune looks for"),
        ((*SLO, "--low", 8, "--high", 4), "--low 8 is larger than --high 4"),
        ((*SLO, "--low", 1.5), "whole numbers"),
        ((*SLO, "--book", "x"), "--book keeps the requests of one run"),
        ((*SLO, "--resume"), "name it with --out"),
        (("--slo", "ttft<=5"), "has no unit"),
    ],
)
def test_what_makes_no_search_is_refused(arguments: tuple[object, ...], words: str) -> None:
    with pytest.raises(UserError, match=words):
        tune(*arguments)


def test_the_options_of_a_search_can_be_looked_at(capsys: pytest.CaptureFixture[str]) -> None:
    assert tune(*SLO, "--variable", "rate", "--low", 5, "--dry-run", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["rate"]["value"], shown["slo"]["value"]) == (5.0, ["ttft_p90<=25ms", "error_rate<=20%"])
