"""The verdict: what each test sees, what it refuses, and what it tells to do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmarks import steady_truth
from benchmarks.steady_truth import Case
from perfcore.analysis.absent import Absent
from perfcore.analysis.steady import little, trend
from perfcore.analysis.steady.verdict import Verdict, decide, judge, no_plateau
from perfcore.analysis.steady.window import Window
from tests.closed_loop import LAWS, Simulated, closed, opened
from tests.reference import steady as reference

S = 1_000_000_000


def judged(run: Simulated, asked: int | None, client_limited: bool = False) -> Verdict:
    window = steady_truth.window_of(run, asked)
    assert isinstance(window, Window)
    columns = (run.sent_ns, run.sent_ns, run.ended_ns, run.ttft_ns, run.stamps_ns, run.weights)
    return judge(window, *columns, asked=asked, client_limited=client_limited)


def uniform(held_s: float, slots: int = 20, **more: object) -> Simulated:
    return closed(np.random.default_rng(4), slots, LAWS["uniform"], held_s, ramp_s=10.0, **more)  # type: ignore[arg-type]


@given(st.lists(st.integers(0, 9), min_size=6, max_size=25))
def test_the_trend_counts_the_pairs_that_rise(values: list[int]) -> None:
    found = trend.mann_kendall(np.array(values, np.float64))
    if found is not None and reference.score(values) == 0:
        assert found.p == 1.0


def test_a_rising_series_of_ten_has_the_p_of_the_tables() -> None:
    """S = 45, variance 10 x 9 x 25 / 18 = 125, z = 44 / 11.18 = 3.935, p = 8.3e-5; the drift is 10 / 5.5."""
    found = trend.mann_kendall(np.arange(1.0, 11.0))
    assert found is not None
    assert [found.p, found.drift, found.n] == pytest.approx([8.303e-5, 10 / 5.5, 10], rel=1e-3)


def test_equal_values_have_no_trend() -> None:
    found = trend.mann_kendall(np.full(10, 2.0))
    assert found is not None
    assert (found.p, found.drift, found.seen_from) == (1.0, 0.0, 0.0)


@pytest.mark.parametrize("values", [np.arange(5.0), np.zeros(10), np.zeros(0)])
def test_few_values_or_none_have_no_test(values: NDArray[np.float64]) -> None:
    assert trend.mann_kendall(values) is None


def test_correlation_makes_a_trend_less_sure() -> None:
    noise = np.random.default_rng(6).normal(size=64)
    assert trend.correction(np.convolve(noise, np.ones(8), "valid").astype(np.float64)) > 2.0
    assert trend.correction(np.tile([0.0, 1.0], 10)) == 1.0


def test_a_steady_run_has_no_reason_and_exit_code_0() -> None:
    verdict = judged(uniform(200.0), 20)
    assert (verdict.kind, verdict.reasons, verdict.exit_code) == ("steady", [], 0)
    assert verdict.tests["concurrency"] == {"asked": 20, "mean": pytest.approx(20.0), "max": 20}
    assert verdict.tests["trends"]["token_rate"]["seen_from"] < 0.2


@pytest.mark.parametrize(("law", "low", "high"), [("fixed decoding", 0.5, 1.0), ("uniform", -0.1, 0.4)])
def test_requests_that_take_equally_long_keep_their_phases(law: str, low: float, high: float) -> None:
    run = closed(np.random.default_rng(4), 20, LAWS[law], 300.0)
    assert low < judged(run, 20).tests["phases"]["kept"] < high


def test_a_window_of_less_than_three_latencies_is_too_short_and_says_how_long() -> None:
    verdict = judged(uniform(45.0), 20)
    assert (verdict.kind, verdict.exit_code) == ("too_short", 4)
    assert verdict.reasons[0]["test"] == "length"
    assert "--duration 35s" in verdict.reasons[0]["remedy"]


def test_a_server_that_slows_down_is_not_steady() -> None:
    verdict = judged(uniform(300.0, slowness=steady_truth.slowing(300.0, 0.2)), 20)
    assert (verdict.kind, verdict.exit_code) == ("not_steady", 3)
    assert "The token rate fell by" in verdict.reasons[0]["what"]


def test_an_overloaded_open_loop_is_told_to_lower_its_rate() -> None:
    run = opened(np.random.default_rng(1), 5.0, LAWS["uniform"], 300.0, slowness=2.0)
    reasons = {each["test"]: each["remedy"] for each in judged(run, None).reasons}
    assert "lower --rate" in reasons["trend_in_flight"]


def test_a_concurrency_that_is_not_held_is_not_steady() -> None:
    run = uniform(200.0, slots=19)
    pauses = (run.sent_ns > 80 * S) & (run.sent_ns < 100 * S) & (np.arange(run.sent_ns.size) % 2 == 0)
    kept = Simulated(
        run.sent_ns[~pauses],
        run.ended_ns[~pauses],
        run.ttft_ns[~pauses],
        run.tokens[~pauses],
        run.ok[~pauses],
        run.stamps_ns,
        run.weights,
        run.held_until_ns,
    )
    assert "concurrency" in {each["test"] for each in judged(kept, 20).reasons}


def test_more_in_flight_than_asked_is_a_broken_promise() -> None:
    verdict = judged(uniform(200.0), 19)
    assert "perfcore itself" in verdict.reasons[0]["remedy"]


def test_a_server_that_only_fails_does_no_work() -> None:
    assert judged(uniform(100.0, failing=1.0), 20).reasons[0]["test"] == "work"


def test_a_limited_client_measures_itself() -> None:
    assert judged(uniform(200.0), 20, client_limited=True).reasons[0]["test"] == "client"


def test_what_is_not_steady_comes_before_what_is_too_short() -> None:
    verdict = judged(uniform(45.0), 20, client_limited=True)
    assert verdict.kind == "not_steady"
    assert [each["test"] for each in verdict.reasons] == ["client", "length"]


def test_no_plateau_is_too_short() -> None:
    verdict = no_plateau("no request was sent")
    assert (verdict.kind, verdict.exit_code) == ("too_short", 4)
    assert "no request was sent" in verdict.reasons[0]["what"]


def test_the_verdict_is_decided_on_what_the_tests_saw_alone() -> None:
    verdict = judged(uniform(45.0), 20)
    assert decide(verdict.tests) == verdict


def test_littles_law_holds_by_hand() -> None:
    """Every second a request of 3 s: 3 in flight, 1 a second, 3 s each."""
    sent = np.arange(100) * S
    found = little.law(sent, sent + 3 * S, 10 * S, 70 * S, 3.0 * S, 20)
    assert isinstance(found, little.Little)
    assert (found.in_flight, found.arrivals_per_s, found.lifetime_s, found.ratio) == (3.0, 1.0, 3.0, 1.0)


def test_littles_law_sees_work_that_piles_up() -> None:
    """Requests take longer and longer: those in flight are younger than those that will be as old."""
    sent = np.arange(400) * S // 4
    lasted = np.linspace(1.0, 100.0, 400) * S
    found = little.law(sent, sent + lasted.astype(np.int64), 10 * S, 90 * S, 20.0 * S, 20)
    assert isinstance(found, little.Little)
    assert abs(found.ratio - 1.0) > 0.1


def test_an_empty_window_has_no_law() -> None:
    none = np.zeros(0, np.int64)
    assert isinstance(little.law(none, none, 0, S, 1.0, 20), Absent)


def test_steady_runs_are_accepted_and_drifting_ones_refused() -> None:
    """80 seeded runs of 40 latencies each; the benchmark does 1,000."""
    still = Case("over a ramp", lambda rng, held_s: steady_truth.drifting("uniform", 20, 0.0, rng, held_s), 20)
    slower = Case("over a ramp", lambda rng, held_s: steady_truth.drifting("uniform", 20, 0.1, rng, held_s), 20)
    accepted = steady_truth.repeat(still, 40, 80, None).verdicts.count("steady")
    refused = steady_truth.repeat(slower, 40, 80, None).verdicts.count("not_steady")
    assert (accepted >= 72, refused >= 76) == (True, True)
