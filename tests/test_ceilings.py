"""The share that a run used of what its machine can."""

from typing import Any

import pytest

from perfcore.analysis.absent import Absent, settle
from perfcore.analysis.ceilings import Machine, machine
from perfcore.analysis.validity import Seen, certificate
from perfcore.records.machine import NEVER
from perfcore.report.ceilings import used


def ceiling(workers: int, per_s: float, firm: bool = True) -> dict[str, Any]:
    edge = {"per_s": per_s, "firm": firm}
    return {
        "workers": workers,
        "events": edge,
        "requests": edge | {"per_s": per_s / 10},
        "connections": edge,
    }


def told(*ceilings: dict[str, Any], workers: int = 1, events: int = 0, requests: int = 0) -> Machine | Absent:
    """Of a run of 10 s, whose counts are those of each worker."""
    counts = {"reads": events, "requests": requests, "connections": 3, "wall_s": 10.0}
    notes = [{"note": "worker", "worker": number} | counts for number in range(workers)]
    noted = {"note": "calibration", "calibrated": "2026-11-20T10:00:00", "ceilings": list(ceilings)}
    return machine([noted, *notes], events * workers)


def shares(found: Machine | Absent) -> dict[str, float]:
    assert isinstance(found, Machine)
    return {use.kind: use.share for use in found.used}


def test_share_is_load_per_second_against_the_ceiling() -> None:
    found = told(ceiling(1, 50_000), events=115_000, requests=1_000)
    # 11,500 of 50,000, 100 of 5,000 and 0.3 of 50,000 per second
    assert shares(found) == {"events": 0.23, "requests": 0.02, "connections": 0.3 / 50_000}
    assert isinstance(found, Machine) and found.most.kind == "events"


@pytest.mark.parametrize(("workers", "per_s"), [(1, 10_000), (2, 20_000), (3, 30_000), (4, 40_000), (9, 40_000)])
def test_ceiling_between_two_numbers_of_workers_lies_on_their_line(workers: int, per_s: float) -> None:
    found = told(ceiling(1, 10_000), ceiling(2, 20_000), ceiling(4, 40_000), workers=workers, events=100_000)
    assert shares(found)["events"] == pytest.approx(workers * 10_000 / per_s)


def test_more_workers_can_never_do_less() -> None:
    assert shares(told(ceiling(1, 50_000), ceiling(2, 30_000), workers=2, events=50_000))["events"] == 0.2


def test_fewer_workers_than_were_calibrated_have_no_share() -> None:
    found = told(ceiling(2, 50_000), workers=1, events=1)
    assert isinstance(found, Absent) and "not calibrated for 1 worker" in found.reason


@pytest.mark.parametrize("missing", ["events", "requests", "connections"])
def test_share_is_not_known_where_one_ceiling_was_not_found(missing: str) -> None:
    found = told(ceiling(1, 50_000) | {missing: {"per_s": None}}, events=1_000)
    assert isinstance(found, Absent) and "perfcore calibrate --workers 1" in found.reason


def test_events_that_came_in_one_read_count_once() -> None:
    counts = {"note": "worker", "worker": 0, "reads": 10_000, "requests": 1, "connections": 1, "wall_s": 10.0}
    noted = {"note": "calibration", "ceilings": [ceiling(1, 50_000)]}
    assert shares(machine([noted, counts], 1_000_000))["events"] == 0.02


@pytest.mark.parametrize(
    ("notes", "why"),
    [
        ([], "does not say"),
        ([{"note": "calibration"}], "does not say"),
        ([{"note": "calibration", "why": NEVER}], "not calibrated"),
        ([{"note": "calibration", "ceilings": [ceiling(1, 1)]}], "killed"),
        ([{"note": "calibration", "ceilings": [ceiling(1, 1)]}, {"note": "worker", "wall_s": 0.0}], "killed"),
    ],
)
def test_run_that_cannot_tell_says_why(notes: list[dict[str, Any]], why: str) -> None:
    found = machine(notes, 5)
    assert isinstance(found, Absent) and why in found.reason


@pytest.mark.parametrize(
    ("events", "firm", "level"),
    [(350_000, True, None), (360_000, True, "note"), (500_000, True, "note"), (510_000, True, "suspect"),
     (510_000, False, "note")],
)  # fmt: skip
def test_near_its_ceiling_a_run_gets_a_note_and_past_it_it_is_suspect(
    events: int, firm: bool, level: str | None
) -> None:
    found = certificate(Seen(requests=1, ok=1, machine=told(ceiling(1, 50_000, firm), events=events)))
    assert [reason["level"] for reason in found["reasons"]] == ([level] if level else [])


@pytest.mark.parametrize(
    ("ceilings", "cores", "remedy"),
    [
        ([ceiling(1, 50_000), ceiling(2, 90_000)], 8, "Use --workers 2."),
        ([ceiling(1, 50_000)], 8, "Use --workers 2, after perfcore calibrate --workers 2."),
        ([ceiling(1, 50_000)], 2, "For room lower the load to --concurrency 63, or send it from a larger machine."),
    ],
)
def test_remedy_of_a_high_share_is_an_option_with_its_value(ceilings: Any, cores: int, remedy: str) -> None:
    seen = Seen(requests=1, ok=1, cores=cores, concurrency_asked=100, machine=told(*ceilings, events=550_000))
    assert certificate(seen)["reasons"][0]["remedy"] == remedy


def test_line_of_the_report_names_shares_ceilings_and_day() -> None:
    found = certificate(Seen(requests=1, ok=1, machine=told(ceiling(1, 50_000), events=115_000, requests=100)))
    assert used(settle(found), {}) == (
        "This run used 23 % of what this machine can with 1 worker: 23 % of 50,000 events/s, less than 1 % of 5,000 "
        "requests/s, less than 1 % of 50,000 new connections/s (calibrated 2026-11-20)."
    )


@pytest.mark.parametrize(
    ("why", "line"),
    [
        (NEVER, None),
        ("the run does not say", None),
        ("the calibration kept is old: perfcore calibrate", "The calibration kept is old: perfcore calibrate."),
    ],
)
def test_calibration_that_is_not_used_is_said_and_none_is_not(why: str, line: str | None) -> None:
    assert used({"machine": None}, {"validity.machine": why}) == line
