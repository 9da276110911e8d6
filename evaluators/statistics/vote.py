"""Majority vote: the answer that most of several answers to one question agree on."""

import json
from collections.abc import Callable, Hashable, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from evaluators.formulas.latex import normal
from evaluators.formulas.numerals import number

LONGEST = 200  # characters of an answer that is read as a number or a formula
T = TypeVar("T")
Key = Callable[[Any], Hashable]


def same(value: Any) -> Hashable:
    """What two values that are equal have in common: a number's value, a formula's normal form, else the value itself.

    Of lists and objects it is their JSON. Formulas that are the same only by algebra are different.
    """
    if isinstance(value, str):
        return meaning(value.strip())
    return value if isinstance(value, Hashable) else json.dumps(value, sort_keys=True, default=repr)


@lru_cache(maxsize=65536)
def meaning(text: str) -> Hashable:
    """A text that is a number or a formula as what it means, so that 1/2, 0.5 and \\frac12 have one vote together."""
    if len(text) > LONGEST or text.isalpha():
        return text
    formula = normal(text) if "\\" in text or "$" in text else text
    found = number(formula)
    return formula if found is None else ("number", found.value)


def tally(values: Sequence[T | None], key: Key = same) -> list[tuple[T, int]]:
    """Each different answer with its votes, most votes first, of equal ones the one that was given first.

    None is no answer and has no vote. Equal is what has the same `key`; the first of equal answers stands for them.
    """
    first: dict[Hashable, T] = {}
    votes: dict[Hashable, int] = {}
    for value in values:
        if value is not None:
            name = key(value)
            first.setdefault(name, value)
            votes[name] = votes.get(name, 0) + 1
    return [(first[name], votes[name]) for name in sorted(votes, key=lambda name: -votes[name])]


def majority(values: Sequence[T | None], key: Key = same) -> T | None:
    """The answer with most votes; of several with as many the one that was given first. None where there is none."""
    counted = tally(values, key)
    return counted[0][0] if counted else None
