"""How often the intervals of `perfcore compare` hold a difference that is known, and how wide they are.

Of pairs of simulated runs, the second of which is 10 % slower; docs/compare.md has the table:

    python -m benchmarks.compare_truth 500
"""

import sys
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks.figure import with_unit
from perfcore.analysis.comparison import of_samples
from perfcore.analysis.pairing import Sample

Floats = NDArray[np.float64]
SLOWER = 0.1
IN_FLIGHT = 16.0
SHOWN = ("mean", "p50", "p90", "p99")


def correlated(rng: np.random.Generator, n: int, over: float) -> Floats:
    """Normal values whose correlation falls to 1/e over so many requests."""
    fall = np.exp(-1 / over)
    kernel = fall ** np.arange(int(5 * over))
    return np.convolve(rng.normal(size=n + kernel.size - 1) * (1 - fall**2) ** 0.5, kernel, "valid")


def outliers(rng: np.random.Generator, values: Floats) -> Floats:
    """Two in a hundred take five to fifteen times as long."""
    return np.where(rng.random(values.size) < 0.02, values * rng.uniform(5, 15, values.size), values)


def wandering(rng: np.random.Generator, n: int) -> Floats:
    return outliers(rng, 20 + 0.1 * correlated(rng, n, n / 20) + 0.02 * rng.normal(size=n))


def trending(rng: np.random.Generator, n: int) -> Floats:
    return outliers(rng, 20 + 0.2 * np.arange(n) / n + 0.02 * rng.normal(size=n))


# One run of each kind; `common` is what the same requests have in both runs.
CASES: dict[str, Callable[[np.random.Generator, int, Floats], Floats]] = {
    "independent": lambda rng, n, common: np.exp(rng.normal(size=n)),
    "pairs": lambda rng, n, common: np.exp(common + 0.3 * rng.normal(size=n)),
    "correlated over 10 requests": lambda rng, n, common: np.exp(correlated(rng, n, 10)),
    "pairs, correlated over 10 requests": lambda rng, n, common: np.exp(0.7 * common + 0.7 * correlated(rng, n, 10)),
    "heavy tail": lambda rng, n, common: 1 + rng.pareto(1.5, n),
    "whole milliseconds, many alike": lambda rng, n, common: np.round(5 * np.exp(0.4 * rng.normal(size=n))) + 5,
    "outliers": lambda rng, n, common: outliers(rng, 20 + rng.normal(size=n)),
    "small trend, outliers": lambda rng, n, common: trending(rng, n),
    "small slow wandering, outliers": lambda rng, n, common: wandering(rng, n),
}


def measured(name: str, n: int, seeds: int) -> dict[str, tuple[float, float]]:
    """Of each statistic the share of intervals that hold the truth, and the median of their widths, in per cent."""
    ends: dict[str, list[tuple[float, float]]] = {}
    paired = name.startswith("pairs")
    for seed in range(seeds):
        rng = np.random.default_rng([seed, n])
        common = correlated(rng, n, 10) if "correlated" in name else rng.normal(size=n)
        a, b = (CASES[name](rng, n, common) for _ in range(2))
        samples = [Sample(values, np.arange(n), n) for values in (a, (1 + SLOWER) * b)]
        found = of_samples(samples[0], samples[1], (IN_FLIGHT, IN_FLIGHT), paired, 20)
        for statistic in SHOWN:
            interval = found[statistic].relative_ci95
            if interval:
                ends.setdefault(statistic, []).append(interval)
    return {statistic: summary(np.array(kept)) for statistic, kept in ends.items()}


def summary(ends: Floats) -> tuple[float, float]:
    near = 1e-12
    held = (ends[:, 0] <= SLOWER + near) & (ends[:, 1] >= SLOWER - near)
    return 100 * float(held.mean()), 100 * float(np.median(ends[:, 1] - ends[:, 0]))


def main() -> None:
    """Print the rows of the table."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    for name in CASES:
        for n in (100, 400, 2000):
            found = measured(name, n, seeds)
            cells = (
                f"{found[kept][0]:.0f} ({with_unit(found[kept][1], '%')})" if kept in found else "" for kept in SHOWN
            )
            print(f"| {name} | {n:,} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
