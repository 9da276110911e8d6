"""Averages over the scores of several subsets or data sets."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from evaluators.intervals import effective
from evaluators.result import Group, Measure


class Member(NamedTuple):
    """One score that goes into averages: its standard error (None if unknown) and the items it is computed from."""

    value: float
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
    """Its interval takes the members for independent of each other and for fixed: other items, same subsets."""
    value, items = weighted_mean([member.value for member in members], weights), sum(one.items for one in members)
    error = error_of([member.error for member in members], weights)
    if value is None or error is None or items < 2:
        return Measure(name=name, value=value, items=items)
    found = effective(value, error, items)
    return Measure(name=name, value=value, low=found.low, high=found.high, error=error, items=items, how=found.how)


def weighted_mean(values: Sequence[float], weights: Sequence[float]) -> float | None:
    """Sum of weight x value over sum of weights; None where these are 0."""
    whole = math.fsum(weights)
    return math.fsum(v * w for v, w in zip(values, weights, strict=True)) / whole if whole else None


def error_of(errors: Sequence[float | None], weights: Sequence[float]) -> float | None:
    """Standard error of a weighted mean of independent values; None if one of them has none."""
    known = [error for error in errors if error is not None]
    if len(known) < len(errors) or not math.fsum(weights):
        return None
    return math.sqrt(math.fsum((e * w) ** 2 for e, w in zip(known, weights, strict=True))) / math.fsum(weights)


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
