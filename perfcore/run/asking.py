"""The questions of an evaluation: which there are, which were answered, and which are still to be asked."""

import hashlib
import itertools
import math
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from perfcore.workload.picking import WINDOW
from perfcore.workload.row import Row
from perfcore.workload.source import Made, Rows

UNSENT = ("id", "reference", "meta", "dataset", "subset", "timestamp_ns", "headers")  # of a row: decide no answer


class Question(NamedTuple):
    """A row of a data set. `key` names it within an evaluation, `digest` stands for what is sent of it."""

    key: str
    digest: str
    subset: str


class Asked(NamedTuple):
    """A question that is sent once: its place among the questions, its key, and which of its answers this will be."""

    place: int
    key: str
    repeat: int


def questions(rows: Rows) -> Iterator[tuple[Question, Row]]:
    """Each row with its question."""
    return ((Question(key, digest(row), row.subset), row) for key, row in keyed(rows))


def keyed(rows: Rows) -> Iterator[tuple[str, Row]]:
    """Each row with its key, made of data set, subset and id; ids that come twice are numbered."""
    seen: Counter[str] = Counter()
    for row in one_by_one(rows):
        name = "/".join(part for part in (row.dataset, row.subset, row.id) if part)
        seen[name] += 1
        yield name if seen[name] == 1 else f"{name}#{seen[name]}", row


def one_by_one(rows: Rows) -> Iterator[Row]:
    """Rows, made as they are asked for."""
    if not isinstance(rows, Made):
        yield from rows
        return
    for start in range(0, len(rows), WINDOW):
        yield from rows.part(start, min(start + WINDOW, len(rows)))


def digest(row: Row) -> str:
    """Stands for all that a row sends: 16 hex digits of a hash."""
    plain = msgspec.to_builtins(row)
    sent = {key: value for key, value in plain.items() if key not in UNSENT}
    return hashlib.blake2b(msgspec.json.encode(sent, order="deterministic"), digest_size=8).hexdigest()


def missing(asked: Sequence[Question], repeats: int, there: Collection[tuple[str, int]]) -> list[Asked]:
    """What is to be asked: every question so often, all of them once before any of them again, less what is there."""
    return [
        Asked(place, question.key, repeat)
        for repeat in range(repeats)
        for place, question in enumerate(asked)
        if (question.key, repeat) not in there
    ]


def picker(wanted: Sequence[Asked]) -> Callable[[Rows], Rows]:
    """What makes of all rows of the data sets those that are asked, in the order of `wanted`.

    Rows are gone through once for each number of a repeat, so that none is held.
    """

    def pick(rows: Rows) -> Rows:
        rounds = [list(group) for _, group in itertools.groupby(wanted, key=lambda one: one.repeat)]
        held = rows if isinstance(rows, Made) or len(rounds) <= 1 else list(rows)
        return itertools.chain.from_iterable(at_places(held, [one.place for one in each]) for each in rounds)

    return pick


def at_places(rows: Rows, places: Sequence[int]) -> Iterator[Row]:
    """The rows at these places, which rise."""
    wanted = iter(places)
    place = next(wanted, None)
    for number, row in enumerate(one_by_one(rows)):
        if place is None:
            return
        if number == place:
            yield row
            place = next(wanted, None)


def of_each_subset(rows: Rows, limit: float) -> Iterator[Row]:
    """The first rows of each subset: so many, or this share of them, of which each gives one at least."""
    if limit >= 1:
        yield from first_of_each(one_by_one(rows), lambda _: int(limit))
        return
    held, number = list(one_by_one(rows)), numbering(lambda row: (row.dataset, row.subset))
    sizes: dict[tuple[str, str], int] = {}
    for row in held:
        sizes[row.dataset, row.subset] = max(sizes.get((row.dataset, row.subset), 0), number(row) + 1)
    yield from first_of_each(held, lambda part: max(1, round(sizes[part] * limit)))


def first_of_each(rows: Iterable[Row], most: Callable[[tuple[str, str]], int]) -> Iterator[Row]:
    """Rows of the questions up to the number that their subset may have."""
    number = numbering(lambda row: (row.dataset, row.subset))
    return (row for row in rows if number(row) < most((row.dataset, row.subset)))


def numbered(offset: int, count: int | None) -> Callable[[Row], bool]:
    """Whether a row is one of so many questions of its data set, behind those that are passed over."""
    number = numbering(lambda row: row.dataset)
    end = math.inf if count is None else offset + count
    return lambda row: offset <= number(row) < end


def numbering(part: Callable[[Row], Hashable]) -> Callable[[Row], int]:
    """What gives the question of each row a number from 0 on within its part, where rows are told one by one.

    The rows of the labels of one question have one number, wherever they stand.
    """
    sizes: Counter[Hashable] = Counter()
    items: dict[Hashable, int] = {}

    def number(row: Row) -> int:
        own = part(row)
        item = (own, row.subset, row.meta["item"]) if row.meta.keys() >= {"item", "label"} else None
        if item in items:
            return items[item]
        sizes[own] += 1
        if item is not None:
            items[item] = sizes[own] - 1
        return sizes[own] - 1

    return number


def changed(asked: Sequence[Question], before: Mapping[str, str]) -> str | None:
    """Key of the first question that was there before and is sent in other words now, or None."""
    return next((one.key for one in asked if before.get(one.key, one.digest) != one.digest), None)
