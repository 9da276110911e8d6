"""Slow, obvious twins of the arithmetic of the steady state."""

from collections.abc import Sequence


def squared_errors(values: Sequence[float]) -> list[float]:
    """MSER: of each truncation up to half, the squared deviations of what is left over the square of its number."""
    found = []
    for dropped in range(len(values) // 2 + 1):
        left = values[dropped:]
        mean = sum(left) / len(left)
        found.append(sum((value - mean) ** 2 for value in left) / len(left) ** 2)
    return found


def score(values: Sequence[float]) -> int:
    """Mann-Kendall: pairs that rise less pairs that fall."""
    pairs = [(a, b) for i, a in enumerate(values) for b in values[i + 1 :]]
    return sum((b > a) - (b < a) for a, b in pairs)


def rates(stamps: Sequence[int], weights: Sequence[float], start: int, end: int, count: int) -> list[float]:
    """Weight per second of each of `count` equal intervals of `[start, end)`, times in ns."""
    sums = [0.0] * count
    for stamp, weight in zip(stamps, weights, strict=True):
        if start <= stamp < end:
            sums[(stamp - start) * count // (end - start)] += weight
    return [total * count * 1e9 / (end - start) for total in sums]


def stable_stage(starts: Sequence[int], ends: Sequence[int], asked: int) -> tuple[int, int] | None:
    """AISBench's stage: from the second start that fills `asked` exactly to the last event that does."""
    events = sorted([(time, 1) for time in starts] + [(time, -1) for time in ends])
    running, filling, last = 0, [], None
    for time, step in events:
        running += step
        if running == asked:
            last = time
            if step == 1:
                filling.append(time)
    return None if len(filling) < 2 or last is None else (filling[1], last)
