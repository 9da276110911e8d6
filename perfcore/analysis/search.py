"""The search for the largest load that meets its objectives: which load to measure next, and what has been found.

It supposes that a load above one that fails fails too, and measures none. Pure: what is known of the loads goes in, the
next load comes out, so that a search that was killed goes on where it was.
"""

from collections.abc import Mapping
from typing import NamedTuple

from perfcore.analysis.slo import FAILS, MEETS, UNDECIDED

# A floor (output_tokens_per_s>=1000) is missed and nothing else: more load may reach it.
SHORT = "short"

FOUND, NOTHING = "found", "nothing"
EXIT_CODES = {FOUND: 0, NOTHING: 3, UNDECIDED: 4}
DIGITS = 4  # of a rate
# Resolution beside loads that could not be decided: their neighbours are nearly as hard, and each costs seven runs.
ROUGH = 0.05


class Bounds(NamedTuple):
    """Loads from `low` to `high`, of which `start` is measured first.

    Of `whole` ones neighbours are one apart. `resolution` is the share of a load down to which it is searched.
    """

    low: float
    high: float
    start: float
    whole: bool
    resolution: float


class Answer(NamedTuple):
    """The largest load that meets and the smallest that fails, between which the truth lies; None where there is none.

    `state`: found; nothing (no load meets); undecided (none is known to meet, or what lies above is not known to fail).
    """

    state: str
    meets: float | None
    fails: float | None
    undecided: tuple[float, ...]  # loads that no measurement could decide, where they matter

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.state]


def next_load(found: Mapping[float, str], bounds: Bounds) -> float | None:
    """The load to measure next, None when the search is over; `found` has meets, fails, short or undecided by load."""
    if not found:
        return bounds.start
    fails = smallest_failing(found)
    below = {load: kind for load, kind in found.items() if fails is None or load < fails}
    if fails is None and max(found) < bounds.high:
        return min(2 * max(found), bounds.high)
    reached = [load for load, kind in below.items() if kind in (MEETS, SHORT)]
    if not reached:
        lowest = min(found)
        return max(lowest // 2 if bounds.whole else lowest / 2, bounds.low) if lowest > bounds.low else None
    left = max(reached)
    unsure = [load for load in below if load > left]
    if unsure:
        bounds = bounds._replace(resolution=max(bounds.resolution, ROUGH))
    right = min(unsure, default=fails)
    if right is not None and (middle := between(left, right, bounds)) is not None:
        return middle
    return between(max(unsure), fails, bounds) if unsure and fails is not None else None


def answer(found: Mapping[float, str], bounds: Bounds) -> Answer:
    """What has been found so far."""
    fails = smallest_failing(found)
    below = {load: kind for load, kind in found.items() if fails is None or load < fails}
    meets = max((load for load, kind in below.items() if kind == MEETS), default=None)
    unsure = tuple(sorted(load for load, kind in below.items() if kind == UNDECIDED and load > (meets or 0)))
    if meets is None:
        return Answer(UNDECIDED if unsure or not found else NOTHING, None, fails, unsure)
    ended = fails is not None or (meets >= bounds.high and not unsure)
    return Answer(FOUND if ended else UNDECIDED, meets, fails, unsure)


def smallest_failing(found: Mapping[float, str]) -> float | None:
    return min((load for load, kind in found.items() if kind == FAILS), default=None)


def between(left: float, right: float, bounds: Bounds) -> float | None:
    """A load in the middle of two, None where these are as near as is asked for."""
    if bounds.whole:
        near = right - left <= max(1, bounds.resolution * left)
        return None if near else (left + right) // 2
    if right <= left * (1 + bounds.resolution):
        return None
    middle = float(f"{(left * right) ** 0.5:.{DIGITS}g}")
    return middle if left < middle < right else None
