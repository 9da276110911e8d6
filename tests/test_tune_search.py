"""The search for the largest load, on made systems whose truth is known."""

import heapq
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from perfcore.analysis.decision import decide
from perfcore.analysis.search import Answer, Bounds, answer, next_load
from perfcore.analysis.slo import UNDECIDED, effective_of, verdict
from perfcore.analysis.steady.intervals import Interval, wilson
from perfcore.slo import Objective, parse

WHOLE = Bounds(1, 4096, 1, True, 0.05)
RATES = Bounds(1 / 64, 10_000.0, 1.0, False, 0.02)
LOOKS = 3
P99 = parse(["ttft_p99<=500ms"])


def searched(kind_of: Callable[[float], str], bounds: Bounds) -> tuple[Answer, list[float]]:
    """The answer, and the loads in the order in which they were measured."""
    found: dict[float, str] = {}
    while (load := next_load(found, bounds)) is not None:
        assert load not in found and bounds.low <= load <= bounds.high
        found[load] = kind_of(load)
    return answer(found, bounds), list(found)


def up_to(capacity: float) -> Callable[[float], str]:
    return lambda load: "meets" if load <= capacity else "fails"


def test_the_load_is_doubled_until_one_fails_and_then_the_range_is_halved() -> None:
    found, loads = searched(up_to(11), WHOLE)
    assert loads == [1, 2, 4, 8, 16, 12, 10, 11]
    assert found == Answer("found", 11, 12, ())


@pytest.mark.parametrize("capacity", [1, 2, 3, 7, 8, 100, 1000, 4095])
def test_a_concurrency_is_found_to_5_percent(capacity: int) -> None:
    found, loads = searched(up_to(capacity), WHOLE)
    assert found.meets is not None and found.fails is not None
    assert found.meets <= capacity < found.fails
    assert found.fails - found.meets <= max(1, 0.05 * found.meets)
    assert len(loads) <= 2 * math.log2(capacity + 1) + 3


@pytest.mark.parametrize("capacity", [0.02, 0.3, 1.0, 17.3, 4321.0])
def test_a_rate_is_found_to_2_percent_also_below_the_first_one(capacity: float) -> None:
    found, _ = searched(up_to(capacity), RATES)
    assert found.meets is not None and found.fails is not None
    assert found.meets <= capacity < found.fails <= found.meets * 1.0201


def test_nothing_meets() -> None:
    assert searched(up_to(0.5), WHOLE) == (Answer("nothing", None, 1, ()), [1])
    assert searched(up_to(0.001), RATES)[0].state == "nothing"


def test_all_meet_up_to_the_largest_that_may_be_tried() -> None:
    found, loads = searched(up_to(1e9), WHOLE._replace(high=100))
    assert (found, loads[-1]) == (Answer("found", 100, None, ()), 100)


def test_a_load_that_is_not_decided_lies_within_the_answer() -> None:
    found, _ = searched(lambda load: "undecided" if 40 <= load <= 44 else up_to(42)(load), WHOLE)
    assert found.state == "found" and found.meets is not None and found.fails is not None
    assert found.meets < 40 and found.fails > 44 and found.undecided


@pytest.mark.parametrize("kind_of", [lambda _: "undecided", lambda load: "meets" if load < 5 else "undecided"])
def test_where_nothing_is_known_to_fail_it_is_undecided(kind_of: Callable[[float], str]) -> None:
    assert searched(kind_of, WHOLE._replace(high=64))[0].state == "undecided"


def test_a_floor_is_reached_by_more_load() -> None:
    found, _ = searched(lambda load: "short" if load < 20 else up_to(50)(load), WHOLE)
    assert (found.state, found.meets) == ("found", 50)
    assert searched(lambda load: "short" if load < 70 else "fails", WHOLE)[0].state == "nothing"


def test_a_search_that_goes_on_measures_what_is_left() -> None:
    _, loads = searched(up_to(100), WHOLE)
    for known in range(len(loads)):
        found = {load: up_to(100)(load) for load in loads[:known]}
        assert next_load(found, WHOLE) == loads[known]


def run_of(good: int, n: int, objective: Objective = P99[0], effective: float | None = None) -> dict[str, Any]:
    """metrics.json of a steady run, as far as decisions need it."""
    interval = wilson(good, n, effective)
    assert isinstance(interval, Interval)
    ci95 = [interval.low, interval.high]
    entry = {"objective": objective.text, "limit": 500.0, "share": objective.share, "value": good / n, "ci95": ci95}
    entry |= {"good": good, "judged": n, "effective_n": effective or float(n)}
    entry["verdict"] = verdict(objective, good / n, ci95)
    return {"goodput": {"objectives": [entry]}, "steady": {"verdict": "steady"}, "validity": {"verdict": "valid"}}


def noisy(capacity: float, steepness: float, requests: int, rng: np.random.Generator) -> Callable[[float], str]:
    """A service of which 1 % of the requests miss at its capacity, and more the larger the load is."""

    def run(load: float, times: int) -> dict[str, Any]:
        misses = min(1.0, 0.01 * (load / capacity) ** steepness)
        n = requests * times
        return run_of(n - int(rng.binomial(n, misses)), n)

    return lambda load: measured(run, load, P99)


def measured(run: Callable[[float, int], dict[str, Any]], load: float, objectives: Sequence[Objective]) -> str:
    """What a load comes to that is measured up to three times, each time twice as long."""
    runs: list[dict[str, Any]] = []
    while True:
        runs.append(run(load, 2 ** len(runs)))
        kind = decide(runs, objectives, last=len(runs) == LOOKS).kind
        if kind != UNDECIDED or len(runs) == LOOKS:
            return kind


@pytest.mark.parametrize("bounds", [WHOLE, RATES])
@pytest.mark.parametrize(("steepness", "requests"), [(2, 400), (5, 1000), (20, 400)])
def test_the_answer_holds_the_truth_in_at_least_95_of_100_searches(
    bounds: Bounds, steepness: float, requests: int
) -> None:
    held, widths = [], []
    for seed in range(400):
        rng = np.random.default_rng(seed)
        capacity = float(np.exp(rng.uniform(np.log(3), np.log(500))))
        found, _ = searched(noisy(capacity, steepness, requests, rng), bounds)
        assert found.meets is not None and found.fails is not None
        held.append(found.meets <= capacity < found.fails)
        widths.append(found.fails / found.meets)
    assert sum(held) >= 380
    assert np.median(widths) < 2.5 if steepness < 5 else np.median(widths) < 1.4


def queue(rng: np.random.Generator, seconds: float) -> Callable[[float], str]:
    """Six slots that hold each of Poisson's requests for 48 ms; at most 20 ms are to be waited, by 90 % of them."""
    objectives = parse(["ttft_p90<=30ms"])

    def run(load: float, times: int) -> dict[str, Any]:
        due_s = np.cumsum(rng.exponential(1 / load, int(load * seconds * times) + 200))
        free = [0.0] * 6
        waits = []
        for due in due_s:
            start = max(due, heapq.heappop(free))
            waits.append(start - due)
            heapq.heappush(free, start + 0.048)
        met = np.array(waits[200:]) <= 0.020
        effective = effective_of(met, (due_s[200:] * 1e9).astype(np.int64))
        return run_of(int(met.sum()), met.size, objectives[0], effective)

    return lambda load: measured(run, load, objectives)


def test_the_answer_holds_the_truth_where_neighbours_wait_in_one_queue() -> None:
    truth = 88.8  # of 400,000 requests at this rate 90.0 % wait at most 20 ms
    found = [searched(queue(np.random.default_rng(seed), 10.0), RATES._replace(start=20))[0] for seed in range(40)]
    assert sum((one.meets or 0) <= truth + 0.5 and (one.fails or 1e9) > truth - 0.5 for one in found) >= 36
    assert np.median([(one.fails or 1e9) / (one.meets or 1) for one in found]) < 1.25
