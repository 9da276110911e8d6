"""`python -m benchmarks.steady_truth`: the steady state's numbers against simulated loops whose truth is known.

For each case 1,000 seeded runs go through the whole analysis: window, estimates, intervals, verdict. The tables say how
often the 95 % intervals hold the truth, how far the estimates are off, and how often steady and drifting runs are told
apart; the last one what the published algorithms of other tools make of the same runs.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from perfcore.analysis import peers
from perfcore.analysis.absent import Absent
from perfcore.analysis.steady import batches, intervals, verdict
from perfcore.analysis.steady.intervals import Interval
from perfcore.analysis.steady.window import Window, find_window
from tests import closed_loop
from tests.closed_loop import LAWS, MEAN_S, Simulated

Rng = np.random.Generator
Simulate = Callable[[Rng, float], Simulated]  # of a run whose load is held for so many seconds
NUMBERS = ("tokens/s", "TTFT mean", "TTFT p90", "TTFT p99", "E2EL p90")
LONG_S = 40_000.0  # of the run that stands for the truth where there is no formula
EARLY_S = 2_000.0  # of it that is not looked at
DRIFTS = (0.0, 0.1, 0.2)  # of the service time while the load is held


@dataclass(frozen=True)
class Case:
    name: str
    simulate: Simulate
    slots: int | None  # None: an open loop
    lengths: tuple[int, ...] = (3, 10, 30)  # of the window, in mean latencies


@dataclass
class Found:
    """What came of the repetitions of a case at one length."""

    errors: dict[str, list[float]] = field(default_factory=dict)
    covered: dict[str, list[bool]] = field(default_factory=dict)
    widths: dict[str, list[float]] = field(default_factory=dict)
    verdicts: list[str] = field(default_factory=list)
    tests: list[str] = field(default_factory=list)
    multiples: list[float] = field(default_factory=list)


def slowing(until_s: float, by: float) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    return lambda now: 1.0 + by * now / until_s


def wandering(
    rng: Rng, until_s: float, tau_s: float = 5.0, deviation: float = 0.05
) -> Callable[..., NDArray[np.float64]]:
    """A server whose speed wanders: an Ornstein-Uhlenbeck process, the same for all requests."""
    step_s = tau_s / 10
    kept, noise = np.exp(-step_s / tau_s), rng.normal(size=int(until_s / step_s) + 2)
    values = np.empty(noise.size)
    values[0] = noise[0]
    for i in range(1, noise.size):
        values[i] = kept * values[i - 1] + (1 - kept**2) ** 0.5 * noise[i]
    places = np.arange(noise.size) * step_s
    return lambda now: np.exp(deviation * np.interp(now, places, values))


def closed(law: str, slots: int, rng: Rng, held_s: float, ramp_s: float = 0.0, **more: object) -> Simulated:
    return closed_loop.closed(rng, slots, LAWS[law], held_s, ramp_s=ramp_s, **more)  # type: ignore[arg-type]


def wandered(law: str, slots: int, rng: Rng, held_s: float) -> Simulated:
    speed = wandering(rng, 2 * held_s + 100)
    return closed_loop.closed(rng, slots, LAWS[law], held_s, ramp_s=MEAN_S, slowness=speed)


def queued(law: str, slots: int, rng: Rng, held_s: float) -> Simulated:
    return closed_loop.prefilled(rng, slots, LAWS[law], held_s, ramp_s=MEAN_S, share=0.3)


def opened(law: str, rate: float, rng: Rng, held_s: float) -> Simulated:
    return closed_loop.opened(rng, rate, LAWS[law], held_s)


STEADY = (
    *(Case(f"{law}, {slots} slots", partial(closed, law, slots), slots) for law in LAWS for slots in (4, 20)),
    Case("fixed, 20 slots over a ramp", partial(closed, "fixed", 20, ramp_s=10.0), 20),
    Case("uniform, 20 slots over a ramp", partial(closed, "uniform", 20, ramp_s=10.0), 20),
    Case("lengths, 64 slots over a ramp", partial(closed, "lengths", 64, ramp_s=10.0), 64),
    Case("uniform, 20 slots, 10 % fail", partial(closed, "uniform", 20, failing=0.1), 20),
    Case("uniform, 20 slots, tokens at random times", partial(closed, "uniform", 20, spread=True), 20),
    Case("uniform, 20 slots, first tokens queue", partial(queued, "uniform", 20), 20),
    Case("uniform, 20 slots, wandering server", partial(wandered, "uniform", 20), 20),
    Case("uniform, open loop at 2/s", partial(opened, "uniform", 2.0), None),
    Case("lengths, open loop at 2/s", partial(opened, "lengths", 2.0), None),
)


def truth(case: Case) -> dict[str, float]:
    """Of a run that is so long that its noise is far below that of the runs that are tested."""
    slots = case.slots or 20
    run = case.simulate(np.random.default_rng(987_654_321), LONG_S * max(1.0, 20 / slots))
    start, end = int(EARLY_S * 1e9), run.held_until_ns
    return estimates(run, start, end)


def estimates(run: Simulated, start: int, end: int) -> dict[str, float]:
    ttft, latency, _ = due_in(run, start, end)
    rate = float(batches.rates(run.stamps_ns, run.weights, start, end, 1)[0])
    return dict(
        zip(
            NUMBERS,
            (rate, float(ttft.mean()), *np.percentile(ttft, (90, 99)).tolist(), float(np.percentile(latency, 90))),
            strict=True,
        )
    )


def due_in(run: Simulated, start: int, end: int) -> tuple[NDArray[np.int64], ...]:
    inside = (run.sent_ns >= start) & (run.sent_ns < end) & run.ok
    return run.ttft_ns[inside], (run.ended_ns - run.sent_ns)[inside], run.sent_ns[inside]


def sure(run: Simulated, window: Window, seed: int) -> dict[str, Interval | Absent]:
    ttft, latency, due = due_in(run, window.start_ns, window.end_ns)
    edges, most = (window.start_ns, window.end_ns), window.most_batches
    return {
        "tokens/s": intervals.rate_interval(run.stamps_ns, run.weights, *edges, window.cycle_ns),
        "TTFT mean": intervals.mean_interval(ttft, due, most),
        "TTFT p90": intervals.percentile_interval(ttft, 90, seed, due, most),
        "TTFT p99": intervals.percentile_interval(ttft, 99, seed, due, most),
        "E2EL p90": intervals.percentile_interval(latency, 90, seed, due, most),
    }


def window_of(run: Simulated, slots: int | None) -> Window | Absent:
    return find_window(
        run.sent_ns,
        run.ended_ns,
        run.ttft_ns,
        run.stamps_ns,
        run.weights,
        begin_ns=0,
        held_until_ns=run.held_until_ns,
        asked=slots,
        end_reason="held",
    )


def judged(run: Simulated, window: Window, slots: int | None) -> verdict.Verdict:
    return verdict.judge(
        window,
        run.sent_ns,
        run.sent_ns,
        run.ended_ns,
        run.ttft_ns,
        run.stamps_ns,
        run.weights,
        asked=slots,
        client_limited=False,
    )


def repeat(case: Case, length: int, repetitions: int, true: dict[str, float] | None) -> Found:
    """Seeded runs of a case whose load is held for about `length` mean latencies after its start."""
    found = Found()
    for seed in range(repetitions):
        run = case.simulate(np.random.default_rng((seed, length)), held_s(case, length))
        window = window_of(run, case.slots)
        if isinstance(window, Absent):
            found.verdicts.append("none")
            continue
        seen = judged(run, window, case.slots)
        found.verdicts.append(seen.kind)
        found.tests += [each["test"] for each in seen.reasons]
        found.multiples.append((window.end_ns - window.start_ns) / window.cycle_ns)
        if true is not None:
            note(found, estimates(run, window.start_ns, window.end_ns), sure(run, window, seed), true)
    return found


def held_s(case: Case, length: int) -> float:
    """Ramp or filling, the first requests, and the window: with a little more, so that it is not cut short."""
    return (length + (3.2 if "ramp" in case.name or case.slots is None else 2.2)) * MEAN_S


def note(found: Found, values: dict[str, float], ends: dict[str, Interval | Absent], true: dict[str, float]) -> None:
    for name in NUMBERS:
        interval = ends[name]
        found.errors.setdefault(name, []).append(values[name] / true[name] - 1.0)
        if not isinstance(interval, Absent):
            slack = 1e-9 * true[name]  # an interval without width holds what is equal but for rounding
            found.covered.setdefault(name, []).append(interval.low - slack <= true[name] <= interval.high + slack)
            found.widths.setdefault(name, []).append((interval.high - interval.low) / 2 / true[name])


def coverage(repetitions: int) -> None:
    heading("case", "length", *NUMBERS, "steady")
    for case in STEADY:
        true = truth(case)
        for length in case.lengths:
            found = repeat(case, length, repetitions, true)
            steady = np.mean([kind == "steady" for kind in found.verdicts])
            row(case.name, str(length), *(cell(found, name) for name in NUMBERS), f"{100 * steady:.1f}")
            print(dict(zip(*np.unique(found.tests, return_counts=True), strict=True)), file=sys.stderr, flush=True)


def cell(found: Found, name: str) -> str:
    """Coverage, half width and bias, in per cent; nothing where fewer than half of the runs have an interval."""
    hits, widths = found.covered.get(name, []), found.widths.get(name, [])
    if 2 * len(hits) < len(found.errors.get(name, ())) or not hits:
        return ""
    bias = 100 * float(np.mean(found.errors[name]))
    return f"{100 * np.mean(hits):.1f} (±{100 * np.median(widths):.2g}; {bias:+.2f})"


def drifting(law: str, slots: int, by: float, rng: Rng, held_s: float) -> Simulated:
    return closed_loop.closed(rng, slots, LAWS[law], held_s, ramp_s=MEAN_S, slowness=slowing(held_s, by))


def drifts(repetitions: int) -> None:
    heading("case", "length", *(f"{100 * by:.0f} %" for by in DRIFTS))
    for law in ("uniform", "lengths"):
        for slots in (20, 64):
            for length in (10, 20, 40):
                cases = [Case("over a ramp", partial(drifting, law, slots, by), slots) for by in DRIFTS]
                found = [repeat(case, length, repetitions, None).verdicts for case in cases]
                refused = [100 * np.mean([kind == "not_steady" for kind in kinds]) for kinds in found]
                row(f"{law}, {slots} slots", str(length), *(f"{share:.1f}" for share in refused))


def others(repetitions: int) -> None:
    """The same runs through the algorithms of other tools: tokens/s against the truth, and how often there is none."""
    heading("case", "length", "AISBench", "AISBench before", "EvalScope", "guidellm", "perfcore")
    for law, failing in (("fixed", 0.0), ("uniform", 0.0), ("lengths", 0.0), ("uniform", 0.1)):
        name = f"{law}, 20 slots" + (", 10 % fail" if failing else "")
        for length in (2, 5, 10, 40):
            seen = [compared(law, failing, length, seed) for seed in range(repetitions)]
            row(name, str(length), *(ratios([each[tool] for each in seen]) for tool in range(5)))


def compared(law: str, failing: float, length: int, seed: int) -> list[float | None]:
    """Tokens/s over the truth by each tool, perfcore last, of one run whose load ends with its requests."""
    rng = np.random.default_rng((seed, length))
    cycle_s = MEAN_S * (1.0 - 0.9 * failing)
    true = 20 * (1.0 - failing) * closed_loop.MEAN_TOKENS / cycle_s
    run = closed_loop.closed(rng, 20, LAWS[law], length * cycle_s, failing=failing, kept_up=False)
    columns = (run.sent_ns, run.ended_ns, run.ttft_ns, run.tokens, run.ok)
    found = (
        peers.aisbench(*columns, 20),
        peers.aisbench_before(*columns, 20),
        peers.evalscope(*columns),
        peers.guidellm(*columns),
    )
    reported = [None if isinstance(each, Absent) else each.output_tokens_per_s / true for each in found]
    window = window_of(run, 20)
    if isinstance(window, Absent):
        return [*reported, None]
    return [*reported, estimates(run, window.start_ns, window.end_ns)["tokens/s"] / true]


def ratios(values: list[float | None]) -> str:
    """Median and the range of 95 % of what is there, and in how many runs there is nothing."""
    known = [value for value in values if value is not None]
    missing = len(values) - len(known)
    if not known:
        return "none"
    low, middle, high = np.quantile(known, (0.025, 0.5, 0.975))
    return f"{middle:.3f} ({low:.3f} to {high:.3f})" + (
        f", none in {100 * missing / len(values):.0f} %" if missing else ""
    )


def heading(*names: str) -> None:
    print()
    row(*names)
    row(*("---" for _ in names))


def row(*cells: str) -> None:
    print("|", " | ".join(cells), "|", flush=True)


PARTS = {"coverage": coverage, "drifts": drifts, "others": others}


def main(repetitions: int = 1000, part: str = "") -> None:
    for name, run in PARTS.items():
        if part in ("", name):
            run(repetitions)


if __name__ == "__main__":
    main(*(kind(text) for kind, text in zip((int, str), sys.argv[1:], strict=False)))
