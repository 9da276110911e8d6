"""Sweeps and pairs from end to end: the command, real processes, and what lies in the parent folder afterwards."""

import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from perfcore.cli.main import cli
from perfcore.errors import UserError
from perfcore.run.simulator import RunningSimulator
from tests.endtoend import QUICK, SimulatorSettings, start_simulator, started, write_dataset
from tests.test_local import model as model
from tests.test_local import packages as packages

NAMES = ["concurrency-0001", "concurrency-0002", "concurrency-0003"]


@pytest.fixture(scope="module")
def simulator() -> Iterator[RunningSimulator]:
    with start_simulator(QUICK) as running:
        yield running


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("data") / "rows.jsonl", [f"number {at}" for at in range(40)])


def stress(*arguments: object) -> int:
    """Exit code of `perfcore stress` in this process."""
    given = ["stress", "--max-tokens", 4, "--cooldown", 0, *arguments]
    return int(cli.main(list(map(str, given)), prog_name="perfcore", standalone_mode=False))


def ids(folder: Path) -> list[str]:
    lines = (folder / "outputs.jsonl").read_text().splitlines()
    return sorted((json.loads(line)["id"] for line in lines), key=lambda name: int(name[4:]))


def row_ids(start: int, stop: int) -> list[str]:
    return [f"row-{at}" for at in range(start, stop)]


def summary(parent: Path) -> dict[str, Any]:
    return dict(json.loads((parent / "summary.json").read_text()))


def until(condition: Callable[[], object], what: str) -> None:
    """Wait for something that another process does."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.01)


def grown(path: Path, size: int) -> bool:
    return path.exists() and path.stat().st_size > size


@pytest.fixture(scope="module")
def swept(simulator: RunningSimulator, rows: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three points of 5, 7 and 9 requests."""
    parent = tmp_path_factory.mktemp("swept") / "sweep"
    load = ("--concurrency", "1,2,3", "--requests", "5,7,9")
    assert stress("--url", simulator.url, "--dataset", rows, *load, "--out", parent, "--quiet") == 0
    return parent


def test_each_point_has_a_run_folder_of_its_own(swept: Path) -> None:
    assert sorted(path.name for path in swept.iterdir() if path.is_dir()) == NAMES
    asked = [json.loads((swept / name / "metrics.json").read_text())["concurrency"]["asked"] for name in NAMES]
    assert asked == [1, 2, 3]


def test_no_point_sends_the_rows_of_an_earlier_one(swept: Path) -> None:
    assert [ids(swept / name) for name in NAMES] == [row_ids(0, 5), row_ids(5, 12), row_ids(12, 21)]
    assert summary(swept)["remarks"] == []


def test_the_summary_covers_all_points(swept: Path) -> None:
    points = summary(swept)["points"]
    assert [(point["state"], point["metrics"]["requests.ok"]) for point in points] == [
        ("finished", 5),
        ("finished", 7),
        ("finished", 9),
    ]
    names = {path.name for path in swept.iterdir() if path.is_file()}
    assert names >= {"summary.txt", "summary.md", "summary.csv", "throughput-latency.png", "load.png"}


def test_the_report_of_the_parent_is_the_summary(swept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (swept / "summary.txt").unlink()
    (swept / NAMES[1] / "metrics.json").unlink()
    cli.main(["report", str(swept)], prog_name="perfcore", standalone_mode=False)
    assert capsys.readouterr().out == (swept / "summary.txt").read_text()
    assert (swept / NAMES[1] / "metrics.json").exists()


def test_a_finished_sweep_that_goes_on_runs_nothing(
    swept: Path, simulator: RunningSimulator, rows: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journals = [(swept / name / "journal.bin").stat() for name in NAMES]
    load = ("--concurrency", "1,2,3", "--requests", "5,7,9")
    assert stress("--url", simulator.url, "--dataset", rows, *load, "--out", swept, "--resume", "--json") == 0
    assert [(swept / name / "journal.bin").stat().st_ino for name in NAMES] == [one.st_ino for one in journals]
    assert json.loads(capsys.readouterr().out) == summary(swept)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--concurrency", "1,2"), "its runs are concurrency-0001, concurrency-0002, concurrency-0003, and now"),
        (("--concurrency", "1,2,3", "--requests", 5), "requests was 7 and is 5 now"),
    ],
)
def test_a_sweep_goes_on_with_the_same_options_only(
    swept: Path, simulator: RunningSimulator, rows: Path, arguments: tuple[object, ...], words: str
) -> None:
    with pytest.raises(UserError, match=words):
        stress("--url", simulator.url, "--dataset", rows, *arguments, "--out", swept, "--resume")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--concurrency", "1,2", "--resume"), "name it with --out"),
        (("--concurrency", "1", "--resume", "--out", "x"), "this is one"),
        (("--concurrency", "1,2", "--dialect", "opneai-chat"), "opneai-chat"),
        (("--concurrency", "1,2", "--dataset", "nowhere.jsonl"), "nowhere.jsonl"),
        (("--datasets", "ROWS", "nowhere.jsonl"), "nowhere.jsonl"),
        (("--models", "vllm_api_general", "--local", "hf"), "--local starts a server"),
    ],
)
def test_what_no_run_could_do_with_is_said_before_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: Path, arguments: tuple[str, ...], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=words):
        stress(*(str(rows) if word == "ROWS" else word for word in arguments))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_runs_is_not_run_in_again(swept: Path, simulator: RunningSimulator) -> None:
    with pytest.raises(UserError, match="go on with them by --resume"):
        stress("--url", simulator.url, "--concurrency", "1,2", "--out", swept)


def test_a_killed_sweep_goes_on_and_nothing_measured_is_lost(rows: Path, tmp_path: Path) -> None:
    parent = tmp_path / "s"
    with start_simulator(SimulatorSettings(ttft_base_ms=20, itl_ms=40)) as slow:
        load = ("--concurrency", "1,2", "--requests", "2,12", "--cooldown", 0, "--max-tokens", 6)
        given = ("--url", slow.url, "--dataset", rows, *load, "--out", parent, "--quiet")
        with started("stress", *given) as process:
            journal = parent / NAMES[1] / "journal.bin"
            until(lambda: process.poll() is not None or grown(journal, 6000), "answers of the second point")
            process.kill()
        kept = (parent / NAMES[0] / "journal.bin").stat().st_ino
        assert stress(*given, "--resume") == 0
    assert (parent / NAMES[0] / "journal.bin").stat().st_ino == kept
    aside = ids(parent / f"{NAMES[1]}.unfinished")
    again = ids(parent / NAMES[1])
    assert 0 < len(aside) < 12 == len(again)
    assert not set(aside) & set(again)


def test_an_interrupt_ends_the_sweep_and_the_summary_covers_what_there_is(
    simulator: RunningSimulator, tmp_path: Path
) -> None:
    parent = tmp_path / "s"
    load = ("--concurrency", "1,2", "--requests", 5, "--cooldown", "1h", "--max-tokens", 4)
    with started("stress", "--url", simulator.url, *load, "--out", parent) as process:
        until((parent / "summary.txt").exists, "the first point's summary")
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in errors) == (130, False)
    assert [point["state"] for point in summary(parent)["points"]] == ["finished", "not run"]
    assert f"Folder  {parent}" in out


def test_a_point_that_fails_does_not_keep_the_others_from_running(
    simulator: RunningSimulator, rows: Path, tmp_path: Path
) -> None:
    parent = tmp_path / "s"
    preset = tmp_path / "closed.toml"
    preset.write_text('dialect = "openai-chat"\nurl = "http://127.0.0.1:9"\n')
    working = tmp_path / "works.toml"
    working.write_text(f'dialect = "openai-chat"\nurl = "{simulator.url}"\n')
    load = ("--datasets", rows, "--requests", 3)
    assert stress("--models", preset, working, *load, "--out", parent, "--quiet") == 2
    points = {point["name"]: point for point in summary(parent)["points"]}
    assert [point["state"] for point in points.values()] == ["failed", "finished"]
    assert "127.0.0.1:9" in points["closed--rows"]["error"]
    assert not (parent / "closed--rows").exists()


def test_the_points_of_a_sweep_share_one_local_server(packages: Path, model: Path, tmp_path: Path) -> None:
    parent = tmp_path / "s"
    load = ("--rate", "100,200", "--requests", 2, "--prompt", "x", "--model", "tiny")
    local = ("--local", "hf", "--local-path", model, "--local-python", sys.executable)
    assert stress(*local, *load, "--out", parent, "--quiet") == 0
    told = [json.loads((parent / name / "run.json").read_text()) for name in ("rate-0100", "rate-0200")]
    assert told[0]["url"] == told[1]["url"]


def test_a_dry_run_prints_the_points(capsys: pytest.CaptureFixture[str]) -> None:
    stress("--dry-run", "--models", "vllm_api_general", "--rate", "1,2", "--requests", "5,6")
    assert capsys.readouterr().out.splitlines()[-3:] == [
        "2 runs",
        "vllm_api_general--rate-0001  rate 1, requests 5",
        "vllm_api_general--rate-0002  rate 2, requests 6",
    ]


def test_a_dry_run_for_programs_has_runs_and_options(capsys: pytest.CaptureFixture[str]) -> None:
    stress("--dry-run", "--concurrency", "1,2", "--json")
    told = json.loads(capsys.readouterr().out)
    assert [one["concurrency"] for one in told["runs"]] == [1, 2]
    assert told["options"][0]["concurrency"] == {"value": [1, 2], "origin": "--concurrency"}
