"""From what was given to the points of a series: a run each, in the order in which they are made."""

import dataclasses
import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from perfcore import values
from perfcore.config import Resolved, resolve
from perfcore.errors import UserError
from perfcore.options import StressOptions
from perfcore.records.series import Ran
from perfcore.redaction import redacted
from perfcore.workload.files import ENDINGS as OF_DATA

FLAGS = ("models", "datasets")  # of `perfcore stress`, which take several values each
# What says nothing of the runs themselves, so that it may change when a series goes on.
OF_THE_SERIES = ("out", "resume", "quiet", "json", "cooldown_s", "download")
NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._-]+")
# Endings of files of options and of data, which are no part of a name.
ENDINGS = {".toml", ".yaml", ".yml", ".py", ".gz", *OF_DATA}


@dataclass(frozen=True)
class Point:
    """A run of a series. `model` and `dataset` are what --models and --datasets name, None without them.

    `load` is the option that the series sweeps, None where it sweeps none.
    """

    name: str
    model: str | None
    dataset: str | None
    load: str | None
    options: StressOptions


class Wanted(NamedTuple):
    """The points, and what they were resolved to, an entry for each pair of a model and a data set."""

    points: list[Point]
    resolved: list[Resolved]

    @property
    def alone(self) -> bool:
        """Whether this is one run and no series."""
        only = self.points[0]
        return len(self.points) == 1 and only.model is None and only.dataset is None


def wanted(
    given: Mapping[str, object],
    config: Path | None,
    environment: Mapping[str, str],
    models: Sequence[str],
    datasets: Sequence[str],
    command: str = "stress",
) -> Wanted:
    """Points of all pairs of models and data sets, and of each load of a sweep. Raises UserError."""
    refuse_both(given, models, datasets)
    points: list[Point] = []
    found: list[Resolved] = []
    for model, dataset in itertools.product(names("--models", models), names("--datasets", datasets)):
        own: dict[str, object] = {"preset": model} if model is not None else {}
        own |= {"dataset": (dataset,)} if dataset is not None else {}
        found.append(resolve({**given, **own}, config, environment, command))
        points += points_of(found[-1], model, dataset)
    named = zip(points, folders(points), strict=True)
    return Wanted([dataclasses.replace(point, name=name) for point, name in named], found)


def refuse_both(given: Mapping[str, object], models: Sequence[str], datasets: Sequence[str]) -> None:
    """Raise UserError where one and several are given of the same."""
    for one, several in (("preset", models), ("dataset", datasets), ("prompt", datasets)):
        if several and given.get(one):
            flag = "--models" if one == "preset" else "--datasets"
            raise UserError(f"--{one} and {flag} exclude each other; leave one of them out")


def names(flag: str, given: Sequence[str]) -> list[str | None]:
    """Names and files, those in one text with commas apart; [None] where none is given."""
    try:
        return list(values.names(tuple(given))) if given else [None]
    except ValueError as error:
        raise UserError(f"{flag} {' '.join(given)!r}: {error}") from None


def points_of(resolved: Resolved, model: str | None, dataset: str | None) -> list[Point]:
    """The points of one pair: one for each value of the list, or one."""
    load = next((name for name in ("concurrency", "rate") if name in resolved.lists), None)
    if load is None:
        return [Point("", model, dataset, None, resolved.options)]
    loads = resolved.lists[load]
    requests = resolved.lists.get("requests", (resolved.options.requests,) * len(loads))
    return [
        Point("", model, dataset, load, dataclasses.replace(resolved.options, requests=number, **{load: value}))
        for value, number in zip(loads, requests, strict=True)
    ]


def folders(points: Sequence[Point]) -> list[str]:
    """A name for the folder of each point; those of a sweep sort by load, and no two are equal."""
    found: list[str] = []
    for point in points:
        parts = [stem(part) for part in (point.model, point.dataset) if part is not None]
        if point.load is not None:
            parts.append(f"{point.load}-{padded(getattr(point.options, point.load))}")
        name, number = "--".join(parts) or "run", 2
        while name in found:
            name, number = f"{'--'.join(parts)}-{number}", number + 1
        found.append(name)
    return found


def stem(name_or_file: str) -> str:
    """A name, or that of a file without its ending, as part of a folder's; dots of versions stay (Qwen2.5-7B)."""
    last = without_ending(Path(name_or_file).name)
    return NOT_IN_A_NAME.sub("-", last).strip(".-")[:60] or "run"


def without_ending(name: str) -> str:
    """The name of a file without what says how it is written and packed."""
    while (suffix := Path(name).suffix.lower()) in ENDINGS:
        name = name[: -len(suffix)]
    return name


def label(dataset: str) -> str:
    """A data set as the name of files: that of its preset, or of its own file without the ending."""
    path = Path(dataset)
    return stem(path.name) if path.is_file() else stem(dataset.partition(":")[0])


def padded(value: float) -> str:
    """A number in plain digits, at least four before the point, so that names sort."""
    whole, _, rest = f"{Decimal(repr(value)):f}".partition(".")
    return whole.zfill(4) + (f".{rest}" if rest.strip("0") else "")


def described(points: Iterable[Point]) -> list[dict[str, Any]]:
    """Points as series.json has them, without secrets."""
    return [
        {
            "name": point.name,
            "model": point.model,
            "dataset": point.dataset,
            "load": point.load,
            "concurrency": point.options.concurrency,
            "rate": point.options.rate,
            "requests": point.options.requests,
            "options": {key: value for key, value in redacted(point.options).items() if key not in OF_THE_SERIES},
        }
        for point in points
    ]


def pair(point: Point) -> tuple[str | None, str | None]:
    """What the points of one sweep have in common."""
    return point.model, point.dataset


def rows_wanted(options: StressOptions) -> int | None:
    """Rows that a point may need; None where that is as many as there are, or as time allows."""
    known = [number for number in (options.requests, options.num_prompts) if number is not None]
    return max(min(known), options.warmups) if known else None


def rows_there(base: int, earlier: Sequence[Ran]) -> int | None:
    """Rows of the data set from `base` on, if a run has come to its end; else None."""
    ends = [run.offset + run.rows for run in earlier if run.to_the_end]
    return max(min(ends) - base, 0) if ends else None


class Start(NamedTuple):
    """Where a point begins in the data set, and whether it does so because all that follows has been sent."""

    offset: int
    again: bool


def start(base: int, rows: int | None, earlier: Sequence[Ran], available: int | None) -> Start:
    """Where the next point begins: behind what the one before has sent, or again at `base`.

    `rows` is what it needs, by default what the last one sent; `available` is how many there are from `base` on, None
    if that is not known.
    """
    if not earlier:
        return Start(base, False)
    offset = earlier[-1].offset + earlier[-1].used
    needed = max(1, earlier[-1].used if rows is None else rows)
    if available is not None and offset + needed > base + available:
        return Start(base, True)
    return Start(offset, False)
