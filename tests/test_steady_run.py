"""`perfcore steady` against the simulator: the window, its numbers against the truth, every way in which it ends."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from perfcore.analysis.steady import online
from perfcore.options import StressOptions
from perfcore.report.finish import finish, finish_steady
from perfcore.run.master import steady
from perfcore.run.simulator import TRUTH_KINDS, RunningSimulator, SimulatorSettings, read_truth, start_simulator
from tests.endtoend import Finished, measure, run_command, started

# Requests queue for slots, first tokens depend on prompts, intervals vary: nothing moves in lockstep.
BUSY = SimulatorSettings(
    ttft_base_ms=20, ttft_per_token_us=100, itl_ms=4, itl_jitter=0.5, phase="random", slots=12, output_tokens=(20, 60)
)
CLIENTS = 16


@pytest.fixture(scope="module")
def truth_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("truth") / "log"


@pytest.fixture(scope="module")
def simulator(truth_log: Path) -> Iterator[RunningSimulator]:
    with start_simulator(BUSY, truth_log) as running:
        yield running


def held(folder: Path, url: str, **options: Any) -> Finished:
    """`perfcore steady` in this process."""
    prompts = tuple("word " * (20 * number) for number in range(1, 8))
    given = StressOptions(url=(url,), out=folder, prompt=prompts, **options)
    outcome = steady(given, online, lambda _: None, lambda _: None)
    return Finished(folder, outcome.exit_code, finish(folder, page=False))


@pytest.fixture(scope="module")
def closed(simulator: RunningSimulator, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return held(tmp_path_factory.mktemp("closed") / "run", simulator.url, concurrency=CLIENTS, duration_s=6.0)


def test_the_token_rate_of_the_window_is_the_servers_own(closed: Finished, truth_log: Path) -> None:
    window, columns, events = closed.metrics["window"], closed.requests(), closed.events()
    truth = read_truth(truth_log)
    truth = truth[(truth["time_ns"] >= min(columns["sent_ns"])) & (truth["kind"] == TRUTH_KINDS["token"])]
    truth = truth[truth["time_ns"] <= max(columns["end_ns"])]  # other tests ask the same server
    owners, came = (np.array(events[name])[np.array(events["chars"]) > 0] for name in ("request_id", "t_ns"))
    sent = [truth["time_ns"][truth["client_request"] == number] for number in np.unique(owners)]
    counts = np.unique(owners, return_counts=True)[1]
    known = np.concatenate([times[:count] for times, count in zip(sent, counts, strict=True)])
    assert known.size == came.size  # each token that came is one that the server sent

    def inside(times: Any) -> int:
        return int(np.count_nonzero((times >= window["start_ns"]) & (times < window["end_ns"])))

    assert inside(known) == inside(truth["time_ns"])  # and none that it sent in the window is missing
    rate = closed.metrics["throughput"]["output_tokens_per_s"]
    assert rate * window["length_s"] == pytest.approx(inside(came))


def test_no_more_requests_are_in_flight_than_were_asked_for(closed: Finished) -> None:
    concurrency = closed.metrics["concurrency"]
    assert concurrency["mean"] <= concurrency["max"] <= concurrency["asked"] == CLIENTS


def test_every_request_that_was_due_in_the_window_has_been_followed_to_its_end(closed: Finished) -> None:
    window, columns = closed.metrics["window"], closed.requests()
    inside = [window["start_ns"] <= due < window["end_ns"] for due in columns["due_ns"]]
    errors = {error for error, of_it in zip(columns["error_class"], inside, strict=True) if of_it}
    assert errors == {"ok"}
    assert sum(inside) == closed.metrics["requests"]["total"] == window["requests"]


def test_the_load_was_held_beyond_the_end_of_the_window(closed: Finished) -> None:
    columns, end_ns = closed.requests(), closed.metrics["window"]["end_ns"]
    assert max(columns["sent_ns"]) > end_ns
    assert max(columns["end_ns"]) > end_ns


def test_numbers_come_with_their_intervals(closed: Finished) -> None:
    throughput = closed.metrics["throughput"]
    low, high = throughput["ci95"]["output_tokens_per_s"]
    assert low < throughput["output_tokens_per_s"] < high
    low, high = closed.metrics["latency"]["ttft_ms"]["ci95"]["mean"]
    assert low < closed.metrics["latency"]["ttft_ms"]["mean"] < high


def test_a_window_ends_after_so_many_requests(simulator: RunningSimulator, tmp_path: Path) -> None:
    found = held(tmp_path / "run", simulator.url, concurrency=CLIENTS, requests=200)
    assert found.metrics["window"]["requests"] >= 150
    assert "as many requests" in found.metrics["window"]["end_reason"]


def test_a_search_ends_after_the_longest_time(simulator: RunningSimulator, tmp_path: Path) -> None:
    found = held(tmp_path / "run", simulator.url, concurrency=CLIENTS, duration_s=600.0, max_duration_s=3.0)
    assert found.metrics["duration_s"] < 20
    assert found.metrics["steady"]["verdict"] in ("too_short", "not_steady", "steady")


def test_an_open_loop_is_held_like_a_closed_one(simulator: RunningSimulator, tmp_path: Path) -> None:
    found = held(tmp_path / "run", simulator.url, rate=30.0, arrivals="poisson", duration_s=5.0)
    assert found.metrics["rate"]["achieved"] == pytest.approx(30, rel=0.4)
    assert found.metrics["requests"]["failed"] == 0


def test_an_interrupted_run_reports_what_there_is(simulator: RunningSimulator, tmp_path: Path) -> None:
    arguments = ("steady", "--url", simulator.url, "--prompt", "x", "--concurrency", 8, "--duration", "10m", "--out")
    with started(*arguments, tmp_path / "run") as process:
        assert process.stderr is not None
        while "done" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert json.loads((tmp_path / "run" / "metrics.json").read_bytes())["steady"]["verdict"]


def test_a_stress_run_is_analysed_and_told_what_it_lacks(simulator: RunningSimulator, tmp_path: Path) -> None:
    before = measure(tmp_path / "run", simulator.url, prompt=("x",), concurrency=CLIENTS, duration_s=4.0)
    found = finish_steady(tmp_path / "run", page=False)
    assert found["window"]["length_s"] < before.metrics["duration_s"]
    assert json.loads((tmp_path / "run" / "metrics.json").read_bytes()) == before.metrics
    assert (tmp_path / "run" / "steady.json").exists()


def test_the_command_ends_with_the_code_of_its_verdict(simulator: RunningSimulator, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    done = run_command(
        *("steady", "--url", simulator.url, "--prompt", "x", "--concurrency", CLIENTS, "--duration", "3s", "--out"),
        folder,
    )
    verdict = json.loads((folder / "metrics.json").read_bytes())["steady"]["verdict"]
    assert done.returncode == {"steady": 0, "not_steady": 3, "too_short": 4}[verdict]
    again = run_command("steady", folder, "--quiet")
    assert (again.returncode, again.stdout) == (done.returncode, "")


def test_options_of_load_do_not_go_with_a_run_that_was_made(tmp_path: Path) -> None:
    done = run_command("steady", tmp_path, "--concurrency", 4)
    assert done.returncode == 2
    assert "--concurrency says how to send" in done.stderr
