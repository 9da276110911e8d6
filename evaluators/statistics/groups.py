"""Averages over the scores of several subsets or data sets."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from evaluators.statistics.result import Group, Measure


class Member(NamedTuple):
    """One score that goes into averages, its 95 % interval and standard error, and the items it is computed from."""

    value: float
    low: float | None
    high: float | None
    error: float | None
    items: int


def group_of(name: str, wanted: Sequence[str], found: Mapping[str, Member]) -> Group:
    """From those that are found, each named once; `missing` of the result has the others."""
    names = list(dict.fromkeys(wanted))
    present = [member for member in names if member in found]
    members = [found[member] for member in present]
    values = [member.value for member in members]
    items = [member.items for member in members]
    return Group(
        name=name,
        members=present,
        missing=[member for member in names if member not in found],
        items=sum(items),
        naive=average(f"{name} (naive average)", members, [1.0] * len(members)),
        weighted=average(f"{name} (weighted average)", members, [float(count) for count in items]),
        harmonic=harmonic_mean(values),
        deviation=standard_deviation(values),
        sum=math.fsum(values) if values else None,
    )


def average(name: str, members: Sequence[Member], weights: Sequence[float]) -> Measure:
    """Its interval takes the members for independent of each other and for fixed: other items, same subsets.

    It is made of those of the members by the method of variance estimates recovery (Zou and Donner, Statistics in
    Medicine 27, 2008), which stays right where some of them have only right answers.
    """
    value = weighted_mean([one.value for one in members], weights)
    below = spread([None if one.low is None else one.value - one.low for one in members], weights)
    above = spread([None if one.high is None else one.high - one.value for one in members], weights)
    known = value is not None and below is not None and above is not None
    return Measure(
        name=name,
        value=value,
        low=max(0.0, value - below) if value is not None and below is not None and known else None,
        high=min(1.0, value + above) if value is not None and above is not None and known else None,
        error=spread([one.error for one in members], weights),
        items=sum(one.items for one in members),
        how="from those of the members" if known else "",
    )


def weighted_mean(values: Sequence[float], weights: Sequence[float]) -> float | None:
    """Sum of weight x value over sum of weights; None where these are 0."""
    whole = math.fsum(weights)
    return math.fsum(v * w for v, w in zip(values, weights, strict=True)) / whole if whole else None


def spread(distances: Sequence[float | None], weights: Sequence[float]) -> float | None:
    """Of a weighted mean of independent values with these spreads: sqrt(sum of (w d)^2) / sum of w. None: unknown."""
    known = [distance for distance in distances if distance is not None]
    if len(known) < len(distances) or not math.fsum(weights):
        return None
    return math.sqrt(math.fsum((d * w) ** 2 for d, w in zip(known, weights, strict=True))) / math.fsum(weights)


def harmonic_mean(values: Sequence[float]) -> float | None:
    """m / sum of 1/value; 0 as soon as one value is, which is its limit."""
    if not values:
        return None
    return 0.0 if min(values) <= 0.0 else len(values) / math.fsum(1.0 / value for value in values)


def standard_deviation(values: Sequence[float]) -> float | None:
    """Of the population: the values are all there are."""
    if not values:
        return None
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values))
