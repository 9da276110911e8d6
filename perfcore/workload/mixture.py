"""Mixes: which of several things comes when, so that each has its share at any time, in an irregular order."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def mixture(weights: Sequence[float], seed: Sequence[int], count: int) -> npt.NDArray[np.int32]:
    """Which of the things comes at each of `count` places; weights are their shares, times any factor.

    A thing of share p stands once in each stretch of 1/p places, at a random one, so it has had its share to within one
    at any place but for what the others push it. A longer mix begins with a shorter one of the same seed.
    """
    shares = np.asarray(weights, np.float64) / np.sum(weights)
    numbers = [int(np.ceil(share * (count + len(shares) + 1))) + 2 for share in shares]
    places = [
        (np.arange(number) + np.random.default_rng([*seed, thing]).random(number)) / share
        for thing, (number, share) in enumerate(zip(numbers, shares, strict=True))
    ]
    which = np.repeat(np.arange(len(shares), dtype=np.int32), numbers)
    return which[np.argsort(np.concatenate(places), kind="stable")][:count]


def turn_of_each(which: npt.NDArray[np.int32], things: int) -> npt.NDArray[np.int64]:
    """How often the thing at each place has come before it."""
    turns = np.empty(len(which), np.int64)
    for thing in range(things):
        places = np.flatnonzero(which == thing)
        turns[places] = np.arange(len(places))
    return turns
