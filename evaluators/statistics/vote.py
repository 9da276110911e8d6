"""Majority vote: the answer that most of several answers to one question agree on."""

import json
from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeVar

T = TypeVar("T")
Key = Callable[[Any], Hashable]


def same(value: Any) -> Hashable:
    """What two values that are equal have in common: the value itself, of lists and objects their JSON."""
    if isinstance(value, str):
        return value.strip()
    return value if isinstance(value, Hashable) else json.dumps(value, sort_keys=True, default=repr)


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
