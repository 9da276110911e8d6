"""One load's measurements judged together, and what is said of why."""

from typing import Any

import pytest

from perfcore.analysis.decision import decide, grown, side_of
from perfcore.slo import parse
from tests.test_tune_search import P99, run_of

CLIENT = {"verdict": "client limited", "reasons": [{"level": "client limited", "what": "late", "remedy": "--workers"}]}
DRIFTS = {"verdict": "not_steady", "reasons": [{"what": "TTFT grew by 40 % over the window"}]}


def kind_of(*runs: dict[str, Any], last: bool = False) -> tuple[str, str | None]:
    found = decide(runs, P99, last)
    return found.kind, found.limit.kind if found.limit else None


@pytest.mark.parametrize(
    ("good", "n", "kind"), [(600, 600, "meets"), (500, 500, "undecided"), (90, 100, "fails"), (980, 1000, "fails")]
)
def test_a_load_is_decided_by_the_98_percent_interval(good: int, n: int, kind: str) -> None:
    assert kind_of(run_of(good, n))[0] == kind


def test_the_requests_of_all_runs_count() -> None:
    assert kind_of(run_of(400, 400)) == ("undecided", "queue")
    found = decide([run_of(400, 400), run_of(800, 800)], P99, last=False)
    assert (found.kind, found.objectives[0]["judged"]) == ("meets", 1200)


def test_what_met_in_a_run_that_was_not_steady_has_not_met() -> None:
    assert kind_of(run_of(900, 900) | {"steady": DRIFTS}) == ("undecided", "unsteady")
    assert kind_of(run_of(800, 900) | {"steady": DRIFTS}) == ("fails", "queue")


def test_without_a_window_nothing_fails_before_the_last_run() -> None:
    run = run_of(80, 100) | {"window": None}
    assert [kind_of(run, last=last)[0] for last in (False, True)] == ["undecided", "fails"]


def test_a_run_that_the_client_limited_is_repeated_and_then_is_the_clients_limit() -> None:
    run = run_of(900, 900) | {"validity": CLIENT}
    assert [kind_of(run, last=last) for last in (False, True)] == [("undecided", "client"), ("fails", "client")]
    assert kind_of(run, run_of(900, 900))[0] == "meets"


def test_failed_requests_are_named_where_they_are_what_misses() -> None:
    run = run_of(800, 1000) | {"requests": {"total": 1000, "failed": 150}}
    found = decide([run], P99, last=False)
    assert found.limit is not None and (found.limit.kind, found.kind) == ("errors", "fails")
    assert found.limit.what == "15.0 % of the requests failed, and those meet no objective"


def rate_run(value: float, half: float) -> dict[str, Any]:
    entry = {"objective": "", "limit": 1000.0, "share": None, "value": value, "ci95": [value - half, value + half]}
    return {"goodput": {"objectives": [entry]}}


def test_a_floor_that_is_missed_asks_for_more_load() -> None:
    floor = parse(["output_tokens_per_s>=1000"])
    assert decide([rate_run(900, 50)], floor, last=False).kind == "short"
    assert decide([rate_run(1010, 50)], floor, last=False).kind == "undecided"
    assert decide([rate_run(1010, 50)] * 40, floor, last=False).objectives[0]["ci95"] == pytest.approx(
        [1002.1, 1017.9], abs=0.1
    )


def test_the_objective_that_is_missed_most_is_the_limit() -> None:
    objectives = parse(["ttft_p99<=500ms", "tpot_p90<=50ms"])
    run = run_of(950, 1000)
    tpot = run_of(400, 1000)["goodput"]["objectives"][0] | {"share": 0.9, "objective": "tpot_p90<=50ms"}
    found = decide([{"goodput": {"objectives": [*run["goodput"]["objectives"], tpot]}}], objectives, last=False)
    assert found.limit is not None and found.limit[:2] == ("decode", "tpot_p90<=50ms")


def latencies(ttft: float, e2el: float) -> dict[str, Any]:
    means = {"ttft_from_intended_ms": ttft, "e2el_from_intended_ms": e2el, "tpot_ms": (e2el - ttft) / 100}
    return {"latency": {key: {"mean": value} for key, value in means.items()}}


def test_a_limit_on_e2el_is_laid_on_the_side_that_grew() -> None:
    before = latencies(100, 1000)
    assert side_of(before, latencies(700, 1700)) == "queue"
    assert side_of(before, latencies(150, 1700)) == "decode"
    assert grown(before, latencies(700, 1700)) == "mean TTFT went from 100 to 700 ms and mean TPOT went from 9 to 10 ms"
