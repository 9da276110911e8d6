"""Distributions of gaps with a mean of 1, in closed form where there is one."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def erlang(shape: int) -> Callable[[Floats], Floats]:
    """Gamma of a whole shape: 1 - exp(-kx) sum (kx)^i / i!."""

    def at(x: Floats) -> Floats:
        terms = [(shape * x) ** power / math.factorial(power) for power in range(shape)]
        found: Floats = 1 - np.exp(-shape * x) * np.sum(terms, axis=0)
        return found

    return at


def half(x: Floats) -> Floats:
    """Gamma of shape 1/2, the square of a normal variable."""
    return np.array([math.erf(math.sqrt(value / 2)) for value in x])


def flat(x: Floats) -> Floats:
    return np.clip(x / 2, 0, 1)


CLOSED: list[tuple[str, float, Callable[[Floats], Floats], float]] = [  # law, burstiness, distribution, deviation
    ("poisson", 1.0, erlang(1), 1.0),
    ("gamma", 1.0, erlang(1), 1.0),
    ("gamma", 4.0, erlang(4), 0.5),
    ("gamma", 0.5, half, 2**0.5),
    ("uniform", 1.0, flat, 3**-0.5),
]


def distance(sample: Floats, distribution: Callable[[Floats], Floats]) -> float:
    """Kolmogorov and Smirnov's: the largest difference between the shares of a sample and a distribution."""
    expected = distribution(np.sort(sample))
    below = np.arange(sample.size) / sample.size
    return float(np.maximum(expected - below, below + 1 / sample.size - expected).max())
