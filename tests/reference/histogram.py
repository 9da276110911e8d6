"""The histogram as a sorted list of the values themselves."""


class Histogram:
    def __init__(self) -> None:
        self.values: list[int] = []

    def record(self, value: int) -> None:
        self.values.append(min(max(value, 0), 2**44 - 1))

    def percentile(self, q: float) -> float | None:
        if not self.values:
            return None
        ordered = sorted(self.values)
        rank = q / 100 * (len(ordered) - 1)
        low, high = ordered[int(rank)], ordered[min(int(rank) + 1, len(ordered) - 1)]
        return low + (high - low) * (rank - int(rank))
