"""The clock of the load loop, for Python code that compares its times with the loop's."""


def monotonic_ns() -> int:
    """Nanoseconds of CLOCK_MONOTONIC: the time base of every stamp of a run."""
    return now_ns()
