"""Each benchmark runs, at sizes that say nothing about speed; no figure is asserted here."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmarks import loop, page, peers, preparation, stalls, stamps, whole
from benchmarks.figure import Figure, markdown, rows, with_unit
from perfcore.run.simulator import TRUTH_KINDS
from perfcore_ext.simserver import TRUTH_FIELDS

needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler for the bare libcurl loop")
SEEN = page.Circumstances("today", minutes=1.0, other=0.1, load=0.5, stolen=0.0, away=0.0, longest_ms=0.1)
SMALL = peers.Job(concurrency=2, requests=4, tokens=3)


@needs_compiler
def test_loop_and_bare_libcurl_get_the_same_events() -> None:
    keys = [figure.key for figure in loop.measure(loop.SMOKE)]
    assert keys == ["paced-200-ratio", "paced-200-cost", "burst-ratio", "burst-cost", "tiny-ratio", "tiny-cost"]


def test_every_event_of_a_run_is_found_in_the_log_of_the_simulator() -> None:
    figures = stamps.measure(stamps.SMOKE, stamps.OPEN_LOOP_SMOKE)
    assert [figure.key for figure in figures] == ["stamps-50k-p50", "stamps-50k-p99", "stamps-50k-ttft", "slip"]


@needs_compiler
def test_whole_runs_are_counted_by_stage() -> None:
    figures = {figure.key: figure for figure in whole.measure(whole.SMOKE, journal_requests=4)}
    assert {"whole-200-ratio", "whole-200-stored", "whole-tiny-finish", "idle", "journal", "help"} <= figures.keys()
    assert figures["whole-200-stored"].value > 0


def test_preparation_is_measured_by_time_and_memory() -> None:
    figures = {figure.key: figure.value for figure in preparation.measure(*preparation.SMOKE)}
    assert figures.keys() == {"preparation-rate", "preparation-growth"}
    assert min(figures.values()) > 0


def test_perfcore_is_compared_with_the_truth_of_its_own_run(tmp_path: Path) -> None:
    ran = peers.run("perfcore", peers.OWN["perfcore"], SMALL, tmp_path)
    assert ran.events >= SMALL.requests * SMALL.tokens
    assert ran.reported.ttft_ms is not None
    assert ran.reported.ttft_ms >= ran.true_ttft_ms >= peers.TTFT_MS


def test_peer_that_is_not_installed_is_said_to_be_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "FOLDER", tmp_path)
    one = peers.compared("aiperf", peers.PEERS["aiperf"], SMALL, SMALL)
    assert "make peers" in one.why
    assert peers.measure([one, one]) == []


def test_true_values_leave_out_streams_of_one_token(tmp_path: Path) -> None:
    records = [(0, "arrival", 0), (0, "token", 9), (1, "arrival", 1000), (1, "token", 1500), (1, "token", 3000)]
    log = np.zeros(len(records), np.dtype(TRUTH_FIELDS))
    for at, (request, kind, time_ms) in enumerate(records):
        log[at]["request"], log[at]["kind"], log[at]["time_ns"] = request, TRUTH_KINDS[kind], time_ms * 1_000_000
    log.tofile(tmp_path / "truth")
    assert peers.true_values(tmp_path / "truth") == (500.0, 1.0)


def test_keys_number_the_events_of_each_request_in_their_order() -> None:
    found = stamps.keys(np.array([7, 3, 7, 7, 3]))
    assert [(key >> stamps.EVENTS_BITS, key & 0xFFFFF) for key in found.tolist()] == [
        (7, 0),
        (3, 0),
        (7, 1),
        (7, 2),
        (3, 1),
    ]


@pytest.mark.parametrize(
    ("figure", "met"),
    [
        (Figure("a", "a", 1.0), None),
        (Figure("a", "a", 1.0, gate=1.0), True),
        (Figure("a", "a", 1.1, gate=1.0), False),
        (Figure("a", "a", 1.1, gate=1.0, least=True), True),
        (Figure("a", "a", 0.9, gate=1.0, least=True), False),
    ],
)
def test_gate_is_a_bound_of_its_side(figure: Figure, met: bool | None) -> None:
    assert figure.met is met


@pytest.mark.parametrize(
    ("value", "text"), [(0.0123, "0.012 s"), (0.5, "0.5 s"), (1.234, "1.23 s"), (12.34, "12.3 s"), (1234.5, "1,234 s")]
)
def test_numbers_have_as_many_digits_as_they_bear(value: float, text: str) -> None:
    assert with_unit(value, "s") == text


def test_ratios_come_first_in_the_table() -> None:
    table = rows([Figure("a", "cost", 2.0, "µs"), Figure("b", "ratio", 1.1, ratio=True)])
    assert [row[0] for row in table] == ["ratio", "cost"]
    assert markdown(("x",), [("1",)]) == "| x |\n| --- |\n| 1 |"


@pytest.mark.parametrize(("floor", "because"), [(1.5, "Bare libcurl"), (0.5, page.UNKNOWN)])
def test_gate_that_bare_libcurl_misses_too_is_not_held_against_the_loop(floor: float, because: str) -> None:
    assert page.reason(Figure("a", "a", 2.0, gate=1.0, floor=floor), SEEN).startswith(because)


def test_gaps_of_a_spinning_core_are_gaps() -> None:
    assert all(gap > stalls.GAP_NS for gap in stalls.spin(min(os.sched_getaffinity(0)), 0.01))


def test_page_names_each_gate_that_is_missed() -> None:
    job = {"requests": 1, "concurrency": 1, "tokens": 1, "ttft_ms": 1.0, "itl_ms": 1.0}
    written = page.page([Figure("a", "a cost", 2.0, "µs", gate=1.0)], "no peers", job, SEEN)
    assert "- a cost: 2 µs, where ≤ 1 µs is wanted." in written
    assert page.UNKNOWN in written
    assert "no peers" in written
