"""`perfcore calibrate`: points of load judged, the whole command once in short, what it says and keeps."""

import json
import os
import signal
import subprocess
import tempfile
from pathlib import Path

import msgspec
import numpy as np
import pytest

from perfcore.cli.calibrate import numbers_of, usual, whole
from perfcore.errors import UserError
from perfcore.records.machine import SCHEMA, Calibration, Ceilings, Edge, keep
from perfcore.report.ceilings import table
from perfcore.run import calibration
from perfcore.run.bisection import Search, Try
from perfcore.run.calibration import CONNECTIONS, EVENTS, REQUESTS, Kind, blamed, edge_of, point
from perfcore.run.judgement import Seen, judged
from tests.endtoend import command, run_command

MS = 1_000_000
S = 1_000_000_000


def seen(
    slip_ms: float = 0.0, error_ms: float = 0.0, events: int = 1000, failed: float = 0.0, cpu: float = 0.5
) -> Seen:
    """A second of 1,000 requests and so many events, all of them equally late, after a lead of a second."""
    due = np.arange(S, 2 * S, MS)
    stamps = np.linspace(S, 2 * S - 1, events).astype(np.int64)
    errors = np.full(events, round(error_ms * MS))
    return Seen(0, due, due + round(slip_ms * MS), failed, stamps, errors, True, cpu)


@pytest.mark.parametrize(
    ("run", "passes", "far", "why"),
    [
        (seen(0.9, 0.9), True, False, "slip 0.9 ms, stamp error 0.9 ms"),
        (seen(slip_ms=1.1), False, False, "slip 1.1 ms"),
        (seen(error_ms=1.1), False, False, "stamp error 1.1 ms"),
        (seen(error_ms=11.0), False, True, "stamp error 11 ms"),
        (seen(events=800), False, False, "800 of 1,000 per second came about"),
        (seen(events=500), False, True, "500 of 1,000 per second came about"),
        (seen(failed=0.02), False, False, "2.0% of the requests failed"),
        (seen(events=0), False, True, "no stamp error could be measured, 0 of 1,000 per second came about"),
    ],
)
def test_point_passes_if_it_was_sent_and_stamped_in_time(run: Seen, passes: bool, far: bool, why: str) -> None:
    found = judged(run, 1000, S, S)
    assert (found.passes, found.far, found.why) == (passes, far, why)


def test_what_happens_outside_of_the_time_that_is_judged_is_not_held_against_the_client() -> None:
    early = seen(slip_ms=5.0)
    assert not judged(early, 1000, S, S).passes
    moved = Seen(-2 * S, early.due_ns, early.sent_ns, 0.0, early.stamp_ns, early.error_ns, True, 0.5)
    assert "no slip could be measured" in judged(moved, 1000, S, S).why


def test_client_is_the_limit_only_where_a_worker_was_busy() -> None:
    assert [judged(seen(slip_ms=2.0, cpu=cpu), 1000, S, S).client for cpu in (0.4, 0.9)] == [False, True]


def test_failure_beside_other_programs_is_told_and_makes_no_firm_ceiling() -> None:
    failed = Try(False, 1.0, "slip 2 ms")
    assert blamed(failed, 0.05) == failed
    assert blamed(failed, 0.4).why == "slip 2 ms, while other programs used 40% of the processors"
    assert not blamed(failed, 0.4).client


def test_ceiling_is_what_came_about_and_not_what_was_asked_for() -> None:
    search = Search(low=20_000, passed=Try(True, 19_800.0), failed={22_000.0: Try(False, 1.0, "slip 2 ms")}, points=3)
    assert edge_of(search) == Edge(19_800.0, 22_000.0, "slip 2 ms", True, 3)
    assert edge_of(Search(failed={10.0: Try(False, 0.0, "slip 9 ms", client=False)})).per_s is None


@pytest.mark.parametrize(("kind", "per_s"), [(EVENTS, 1_000), (REQUESTS, 300), (CONNECTIONS, 300)])
def test_small_load_comes_about_and_leaves_nothing_behind(
    kind: Kind, per_s: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    found = point(kind, 1, per_s, 0.5)
    assert found.per_s > 0.7 * per_s
    # What fails, as on a machine that is busy with other things, says only what it failed by.
    assert not found.passes or ("slip" in found.why and ("stamp error" in found.why) == (kind is EVENTS))
    assert list(tmp_path.iterdir()) == []


def test_several_simulators_are_compared_with_the_log_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "simulators", lambda workers: 2)
    assert point(EVENTS, 2, 1_000, 0.5).per_s > 700


@pytest.mark.parametrize(
    ("cores", "numbers"), [(1, [1]), (2, [1]), (3, [1, 2]), (4, [1, 2, 3]), (8, [1, 2, 4, 7]), (64, [1, 2, 4, 63])]
)
def test_usual_numbers_of_workers_leave_a_core(cores: int, numbers: list[int]) -> None:
    assert usual(cores) == numbers


def test_numbers_of_workers_are_read_from_a_list() -> None:
    assert numbers_of("4, 1,2,2") == [1, 2, 4]
    for text in ("", "0", "1,x", "2000"):
        with pytest.raises(UserError, match="wants numbers from 1 to 1024"):
            numbers_of(text)


def test_table_names_ceilings_failures_and_that_they_are_lower_bounds() -> None:
    edge = Edge(50_000.0, 55_000.0, "slip 1.4 ms", True, 5)
    none = Edge(None, 300.0, "slip 9 ms", False, 5)
    found = Calibration(SCHEMA, {}, "2026-11-20", 60.0, True, 0.2, [Ceilings(1, edge, edge, none)])
    text = table(found)
    for words in ("50,000; 55,000 failed: slip 1.4", "none passed; 300", "lower bounds", "20%", "--quick"):
        assert words in text


def test_command_keeps_what_it_found_and_shows_it_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    refused = run_command("calibrate", "--show")
    assert (refused.returncode, "not calibrated" in refused.stderr) == (2, True)
    monkeypatch.setattr(calibration, "QUICK_BUDGET_S", 0.0)  # one point of each kind
    found = calibration.calibrate([1], True, lambda _: None)
    assert [getattr(found.ceilings[0], kind.name).points for kind in calibration.KINDS] == [1, 1, 1]
    calibration_file = keep(found)
    assert not whole(lacking(found))
    shown = run_command("calibrate", "--show", "--json")
    assert json.loads(shown.stdout) == json.loads(calibration_file.read_text())


def lacking(found: Calibration) -> Calibration:
    none = msgspec.structs.replace(found.ceilings[0].events, per_s=None)
    return msgspec.structs.replace(found, ceilings=[msgspec.structs.replace(found.ceilings[0], events=none)])


def test_interrupt_ends_the_command_at_once_and_keeps_nothing(tmp_path: Path) -> None:
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(
        command("calibrate", "--workers", "1"),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stderr is not None
    assert "events/s" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    written, said = process.communicate(timeout=20)
    assert (process.returncode, written) == (130, "")
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == []
