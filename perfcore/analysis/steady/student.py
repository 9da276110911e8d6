"""Quantiles of Student's t distribution, which decide how wide an interval from a few batches has to be."""

import math
from functools import cache

TINY = 1e-300
ENOUGH = 1e-15  # relative change at which the continued fraction has converged
BISECTIONS = 200


@cache
def quantile(probability: float, freedom: float) -> float:
    """The value below which a t variable with `freedom` degrees of freedom lies with `probability`, inside (0, 1)."""
    if probability < 0.5:
        return -quantile(1.0 - probability, freedom)
    low, high = 0.0, 1.0
    while cdf(high, freedom) < probability:
        high *= 2.0
    for _ in range(BISECTIONS):
        middle = (low + high) / 2.0
        if middle in (low, high):
            break
        low, high = (middle, high) if cdf(middle, freedom) < probability else (low, middle)
    return (low + high) / 2.0


def cdf(value: float, freedom: float) -> float:
    """Probability that a t variable is below `value`, by the regularised incomplete beta function."""
    tail = beta(freedom / (freedom + value * value), freedom / 2.0, 0.5) / 2.0
    return 1.0 - tail if value > 0 else tail


def beta(x: float, a: float, b: float) -> float:
    """Regularised incomplete beta function I_x(a, b) by its continued fraction (DLMF 8.17.22)."""
    if x <= 0.0 or x >= 1.0:
        return float(x >= 1.0)
    if x > (a + 1.0) / (a + b + 2.0):
        return 1.0 - beta(1.0 - x, b, a)
    front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(front) / a * fraction(x, a, b)


def fraction(x: float, a: float, b: float) -> float:
    """The continued fraction of `beta`, evaluated by the modified Lentz method."""
    value, c, d = 1.0, 1.0, 0.0
    for step in range(1000):
        m = step // 2
        if step == 0:
            term = 1.0
        elif step % 2 == 0:
            term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        else:
            term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d = 1.0 / (1.0 + term * d or TINY)
        c = 1.0 + term / c or TINY
        value *= c * d
        if abs(1.0 - c * d) < ENOUGH:
            break
    return value - 1.0
