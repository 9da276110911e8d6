"""While a steady run goes on: when its window begins, when it may end, and when nothing in it is open any more.

The window that the report uses is found afterwards in the records. What is decided here, on counters that are looked at
ten times a second, is only how long the load is held: long enough for a window of the length that was asked for, and on
until every request that was due in it has ended, so that no measured request ever runs on a server that empties.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from perfcore.options import StressOptions
from perfcore_ext.clock import monotonic_ns
from perfcore_ext.control import Control
from perfcore_ext.histogram import Histogram

SAMPLE_NS = 100_000_000
MOST_SAMPLES = 20_000  # of a run of half an hour; those of a longer one lie farther apart
JUDGE_NS = 1_000_000_000  # between two looks for the plateau
LEAST_PRECISE_NS = 10_000_000_000  # a shorter window says nothing of how much longer ones vary
GROWING_NS = 20_000_000_000  # after which a queue that grows is not taken for a start
GROWTH = 1.15  # from each quarter of the run to the next; a queue that only grows has 3, 1.7 and 1.4
QUEUE = 10.0  # in flight at the end, below which growth is chance
UNSENT_NS = 30_000_000_000  # that requests which are due and find no room may take to be sent


@dataclass(frozen=True)
class Series:
    """Counters of the run over time, cumulative but for `in_flight`; arrays of equal length."""

    time_ns: NDArray[np.int64]
    tokens: NDArray[np.int64]
    completed: NDArray[np.int64]
    in_flight: NDArray[np.int64]
    ttft_count: NDArray[np.int64]
    ttft_sum_ns: NDArray[np.int64]


class Judge(Protocol):
    """The mathematics, which belongs to the analysis and is handed down."""

    def plateau_start(self, series: Series, asked: int | None) -> int | None:
        """Sample at which the plateau begins, None if none is seen yet; `asked`: in flight, of a closed loop."""

    def relative_half_width(self, series: Series, start: int) -> float | None:
        """Half the width of the 95 % interval of output tokens per second since a sample, as a share of it."""


@dataclass(frozen=True)
class Goal:
    """What ends the window; None for what does not. `longest_ns` ends the search for one too."""

    duration_ns: int | None
    requests: int | None
    precision: float | None
    longest_ns: int


@dataclass(frozen=True)
class Hold:
    """How a steady run is held."""

    judge: Judge
    goal: Goal
    given: StressOptions  # as the user gave them, before the length of the run was derived from them


class Plateau:
    """Looks at the run each time that it is called, and ends its sending when everything in the window has ended."""

    def __init__(
        self,
        control: Control,
        judge: Judge,
        goal: Goal,
        asked: int | None,
        due_ns: NDArray[np.int64] | None,
        alive: Callable[[], list[int]],
    ) -> None:
        self._control = control
        self._judge = judge
        self._goal = goal
        self._asked = asked
        self._due_ns = due_ns  # offsets of an open loop
        self._alive = alive  # numbers of the workers that live
        self._began_ns = 0
        self._samples: list[tuple[int, ...]] = []
        self._every_ns = SAMPLE_NS
        self._judged_ns = 0
        self.start_ns: int | None = None
        self.end_ns: int | None = None
        self.end_reason = ""
        self.followed = False

    def begin(self, start_ns: int) -> None:
        """The measured phase starts at this time."""
        self._began_ns = start_ns

    def __call__(self) -> None:
        now = monotonic_ns()
        if self.end_ns is not None:
            self._follow(now)
        elif not self._samples or now - self._samples[-1][0] >= self._every_ns:
            self._samples.append(self._sample(now))
            self._samples, self._every_ns = thinned(self._samples, self._every_ns)
            if now - self._judged_ns >= JUDGE_NS:
                self._judged_ns = now
                self._decide(now)

    def facts(self) -> dict[str, Any]:
        """What the journal keeps of it."""
        return {
            "plateau_ns": self.start_ns,
            "end_ns": self.end_ns,
            "end_reason": self.end_reason or "interrupt",
            "followed": self.followed,
        }

    def _decide(self, now: int) -> None:
        series = Series(*np.array(self._samples, np.int64).T)
        start = self._judge.plateau_start(series, self._asked)
        self.start_ns = None if start is None else int(series.time_ns[start])
        reason = self._reason(series, start, now)
        if reason:
            self.end_ns, self.end_reason = now, reason
            if start is None:  # there is no window whose requests would have to be followed
                self._cut_off()

    def _reason(self, series: Series, start: int | None, now: int) -> str:
        """Why the window ends now, or an empty text."""
        goal = self._goal
        if now - self._began_ns >= goal.longest_ns:
            return "max_duration"
        if start is None:
            return "growing" if self._due_ns is not None and grows(series) else ""
        length_ns = now - int(series.time_ns[start])
        if goal.duration_ns is not None and length_ns >= goal.duration_ns:
            return "duration"
        if goal.requests is not None and series.completed[-1] - series.completed[start] >= goal.requests:
            return "requests"
        if goal.precision is not None and length_ns >= LEAST_PRECISE_NS:
            width = self._judge.relative_half_width(series, start)
            if width is not None and width <= goal.precision:
                return "precision"
        return ""

    def _follow(self, now: int) -> None:
        """Once all that was due in the window has ended, stop sending and cut off what runs."""
        assert self.end_ns is not None
        if self._unsent(self.end_ns) and now - self.end_ns < UNSENT_NS:
            return
        if any(self._open(worker, self.end_ns) for worker in self._alive()):
            return
        self.followed = not self._unsent(self.end_ns)
        self._cut_off()

    def _cut_off(self) -> None:
        self._control.stop()
        self._control.abort()

    def _open(self, worker: int, end_ns: int) -> bool:
        return any(due < end_ns and sent != -2 for _, _, _, due, sent in self._control.claimed_slots(worker))

    def _unsent(self, end_ns: int) -> bool:
        """Whether an open loop has requests due in the window that have found no room yet."""
        if self._due_ns is None:
            return False
        claimed = self._control.claimed
        return bool(claimed < self._due_ns.size and self._began_ns + int(self._due_ns[claimed]) < end_ns)

    def _sample(self, now: int) -> tuple[int, ...]:
        tokens = completed = in_flight = 0
        ttft = Histogram()
        for worker in range(self._control.workers):
            counters = self._control.counters(worker)
            tokens += counters["token_events"]
            completed += counters["completed"]
            in_flight += counters["in_flight"]
            ttft.merge(Histogram(self._control.ttft_buffer(worker)))
        return now, tokens, completed, in_flight, ttft.count, round((ttft.mean or 0.0) * ttft.count)


def grows(series: Series) -> bool:
    """Whether more and more requests are in flight: an open loop whose service does not keep up finds no plateau."""
    if series.time_ns[-1] - series.time_ns[0] < GROWING_NS:
        return False
    quarters = [float(quarter.mean()) for quarter in np.array_split(series.in_flight, 4)]
    growing = all(after >= GROWTH * before for before, after in itertools.pairwise(quarters))
    return growing and quarters[-1] >= QUEUE


def thinned(samples: list[tuple[int, ...]], every_ns: int) -> tuple[list[tuple[int, ...]], int]:
    """The samples and the time between them; of a long run every other one, as each second all are looked at."""
    if len(samples) <= MOST_SAMPLES:
        return samples, every_ns
    return samples[::2], 2 * every_ns
