"""The largest load that a machine can take, by doubling, then by bisection, from measurements that err on one side.

What disturbs a measurement makes it look worse, never better: a load that was taken once can be taken. So what passes
is believed at once, what fails is looked at again, and when the search is over the smallest load that failed is tried
once more, in case something else kept the machine busy when it did. Loads are numbers above 0; time is the caller's.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

LOOKS = 3  # at a load that fails, unless it fails by far
REVISITS = 2  # of the upper end, when the search could end
LEAST = 1 / 256  # of the load that the search starts with: below, there is nothing to find


@dataclass(frozen=True)
class Try:
    """One measurement: whether the load was taken, how much of it really came about, and what went wrong.

    `far`: it failed by so much that a second look is a waste. `client`: it was the client that failed.
    """

    passes: bool
    per_s: float
    why: str = ""
    far: bool = False
    client: bool = True


@dataclass
class Search:
    """Where it stands: the largest load that passed, with what was measured there, and all larger ones that failed."""

    low: float | None = None
    passed: Try | None = None
    failed: dict[float, Try] = field(default_factory=dict)
    points: int = 0
    revisited: list[float] = field(default_factory=list)

    @property
    def high(self) -> float | None:
        """The smallest load that failed."""
        return min(self.failed, default=None)


def find_edge(
    measure: Callable[[float], Try],
    start: float,
    most: float,
    resolution: float,
    goes_on: Callable[[], bool],
) -> Search:
    """Close in on the edge until it lies between two loads whose ratio is `resolution`, or `goes_on` says no more.

    Loads above `most` are not tried. At least one is measured.
    """
    search = Search()
    load: float | None = min(start, most)
    while load is not None and (search.points == 0 or goes_on()):
        look(search, load, measure, goes_on)
        load = following(search, start, most, resolution)
        if load is None and revisits(search):
            load = search.high
            search.revisited.append(search.high or 0.0)
    return search


def look(search: Search, load: float, measure: Callable[[float], Try], goes_on: Callable[[], bool]) -> None:
    """Measure a load, one that fails again, and move the end that it belongs to."""
    tried = measure(load)
    search.points += 1
    again = 1
    while not tried.passes and not tried.far and again < LOOKS and goes_on():
        tried = min(tried, measure(load), key=lambda each: not each.passes)
        search.points += 1
        again += 1
    if not tried.passes:
        search.failed[load] = tried
        return
    search.low, search.passed = load, tried
    search.failed = {other: seen for other, seen in search.failed.items() if other > load}


def following(search: Search, start: float, most: float, resolution: float) -> float | None:
    """The load to try next; None where the edge is known as well as it is to be."""
    if search.low is None:
        assert search.high is not None
        return search.high / 2 if search.high / 2 >= start * LEAST else None
    if search.high is None:
        return min(2 * search.low, most) if search.low < most else None
    return math.sqrt(search.low * search.high) if search.high > resolution * search.low else None


def revisits(search: Search) -> bool:
    """Whether the load that failed deserves a last look: once each, and not without end."""
    unseen = search.high is not None and search.high not in search.revisited
    return search.low is not None and unseen and len(search.revisited) < REVISITS
