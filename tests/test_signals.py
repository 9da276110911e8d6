"""Killed workers, a killed master, interrupts: what was measured is never lost, and the report says what happened."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from perfcore.run.simulator import RunningSimulator
from tests.endtoend import Finished, SimulatorSettings, reopened, run_command, start_simulator, started
from tests.processes import children

SLOW = SimulatorSettings(ttft_base_ms=20, itl_ms=5)


@pytest.fixture(scope="module")
def simulator() -> Iterator[RunningSimulator]:
    with start_simulator(SLOW) as running:
        yield running


def until(condition: Callable[[], object], what: str) -> None:
    """Wait for something that another process does."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.01)


def grown(folder: Path, size: int) -> Callable[[], bool]:
    journal = folder / "journal.bin"
    return lambda: journal.exists() and journal.stat().st_size > size


def workers_of(pid: int) -> list[psutil.Process]:
    return children(pid, "perfcore.run.worker")


def arguments(url: str, folder: Path, *more: object) -> tuple[object, ...]:
    return ("stress", "--url", url, "--out", folder, "--prompt", "x", "--max-tokens", "40", *more)


def disturbed(url: str, folder: Path, disturb: Callable[[int], None], *more: object) -> Finished:
    """A run of 8 streams over 2 workers, disturbed once frames have reached the journal."""
    with started(*arguments(url, folder, "--concurrency", "8", "--workers", "2", *more)) as process:
        until(grown(folder, 20_000), "frames in the journal")
        disturb(process.pid)
        _, errors = process.communicate(timeout=60)
    assert process.returncode is not None
    assert "Traceback" not in errors
    return reopened(folder, process.returncode)


def kill_one_worker(pid: int) -> None:
    workers_of(pid)[0].kill()


def kill_all_workers(pid: int) -> None:
    for worker in workers_of(pid):
        worker.kill()


def test_a_run_goes_on_without_a_killed_worker(tmp_path: Path, simulator: RunningSimulator) -> None:
    finished = disturbed(simulator.url, tmp_path / "run", kill_one_worker, "--requests", "120")
    requests = finished.requests()
    lost = [at for at, name in enumerate(requests["error_class"]) if name == "lost_worker"]
    assert finished.exit_code == 1
    assert requests["request_id"] == list(range(120))
    assert 1 <= len(lost) <= 4
    assert {requests["error_class"][at] for at in range(120) if at not in lost} == {"ok"}
    assert any(
        "died" in reason["what"] or "killed" in reason["what"] for reason in finished.metrics["validity"]["reasons"]
    )


def test_the_slots_of_a_killed_worker_go_to_the_others(tmp_path: Path, simulator: RunningSimulator) -> None:
    finished = disturbed(simulator.url, tmp_path / "run", kill_one_worker, "--requests", "160")
    requests = finished.requests()
    assert finished.metrics["concurrency"]["max"] == 8
    last = max(sent for sent in requests["sent_ns"] if sent)
    pairs = zip(requests["sent_ns"], requests["end_ns"], strict=True)
    assert sum(sent <= last <= end for sent, end in pairs if sent and end) == 8


def test_a_run_whose_workers_are_all_killed_reports_what_there_is(tmp_path: Path, simulator: RunningSimulator) -> None:
    finished = disturbed(simulator.url, tmp_path / "run", kill_all_workers, "--duration", "60")
    assert finished.exit_code == 1
    assert finished.metrics["requests"]["ok"] > 0
    assert finished.metrics["errors"]["lost_worker"] == 8


def test_report_finishes_the_folder_of_a_killed_run(tmp_path: Path, simulator: RunningSimulator) -> None:
    folder = tmp_path / "run"
    with started(*arguments(simulator.url, folder, "--duration", "60", "--workers", "2")) as process:
        until(grown(folder, 20_000), "frames in the journal")
        workers = workers_of(process.pid)
        process.kill()
        process.wait()
    until(lambda: not any(worker.is_running() for worker in workers), "the workers end with their master")
    reported = run_command("report", folder)
    assert reported.returncode == 0, reported.stderr
    finished = reopened(folder, -9)
    assert finished.metrics["requests"]["ok"] > 0
    assert len(finished.outputs()) == finished.metrics["requests"]["total"]


def test_one_interrupt_lets_running_requests_finish(tmp_path: Path, simulator: RunningSimulator) -> None:
    finished = disturbed(simulator.url, tmp_path / "run", lambda pid: os.kill(pid, signal.SIGINT), "--duration", "60")
    assert finished.exit_code == 130
    assert set(finished.requests()["error_class"]) == {"ok"}
    assert sum(finished.requests()["after_stop"]) == 8


def test_two_interrupts_cut_off_what_runs(tmp_path: Path) -> None:
    def twice(pid: int) -> None:
        os.kill(pid, signal.SIGINT)
        time.sleep(0.1)
        os.kill(pid, signal.SIGINT)

    with start_simulator(SimulatorSettings(ttft_base_ms=20, itl_ms=200)) as running:
        folder = tmp_path / "run"
        with started(
            *arguments(running.url, folder, "--concurrency", "4", "--duration", "60", "--warmups", "0")
        ) as process:
            until(lambda: (folder / "run.json").exists(), "a run folder")
            until(lambda: workers_of(process.pid), "workers")
            time.sleep(1.0)
            twice(process.pid)
            process.communicate(timeout=30)
        finished = reopened(folder, process.returncode)
    assert finished.exit_code == 130
    assert finished.metrics["errors"] == {"cancelled": 4}


def test_terminate_is_one_interrupt(tmp_path: Path, simulator: RunningSimulator) -> None:
    finished = disturbed(simulator.url, tmp_path / "run", lambda pid: os.kill(pid, signal.SIGTERM), "--duration", "60")
    assert finished.exit_code == 130
    assert set(finished.requests()["error_class"]) == {"ok"}


def test_the_grace_bounds_what_an_interrupt_waits_for(tmp_path: Path) -> None:
    with start_simulator(SimulatorSettings(ttft_base_ms=5, itl_ms=500)) as running:
        folder = tmp_path / "run"
        with started(*arguments(running.url, folder, "--duration", "60", "--grace", "0.2s")) as process:
            until(lambda: workers_of(process.pid), "workers")
            time.sleep(1.0)
            os.kill(process.pid, signal.SIGINT)
            process.communicate(timeout=15)
        assert set(reopened(folder, 130).metrics["errors"]) == {"cancelled"}
