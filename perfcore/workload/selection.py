"""Which rows of which data sets a run sends, in which order: offset, number, shuffle, mix, replay; and their models.

Rows that can be made anywhere (Made) stay so: what is chosen is their numbers. Rows of files pass through one by one,
unless they are shuffled, mixed by weights or sorted by time: then all of them are held in memory.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from perfcore.errors import UserError
from perfcore.workload.finishing import Finish, Trait
from perfcore.workload.mixture import mixture, turn_of_each
from perfcore.workload.picking import WINDOW, Held, Numbers, Picked, Which, in_windows, times_at, times_of
from perfcore.workload.registry import DataSet, as_text, files_of, open_dataset, resolved, settings_of
from perfcore.workload.row import Row, prompt_rows
from perfcore.workload.source import Made, Rows, Wanted

MIX, SHUFFLE = 0, 1  # set the seed apart from those of other draws
REMARK_ROWS = 10_000  # rows whose ids are compared with a LoRA map where rows are made elsewhere


@dataclass(frozen=True)
class Choice:
    """Which rows are taken. `weights` are shares of the data sets, in their order; none: one after the other."""

    offset: int = 0
    count: int | None = None
    shuffle: bool = False
    by_time: bool = False  # a replay: rows in the order of their recorded times
    weights: tuple[float, ...] = ()
    model_weights: Mapping[str, float] = field(default_factory=dict)
    lora: Mapping[str, str] = field(default_factory=dict)  # model by the id of a row
    draws: int | None = None  # fewer rows come again up to so many, where lengths of answers or models are drawn


class Selected(NamedTuple):
    """Rows to send. `remarks`, to be called when they have been made, gives what a user should know of them."""

    rows: Rows
    remarks: Callable[[], list[str]]
    ignore_eos: bool  # a preset asks for answers of exactly the length asked for
    sources: list[dict[str, Any]]  # name, reader, settings and files of each data set, as plain values
    cache_ratio: float | None  # share of input tokens that a prefix cache should serve, where the data set says so


def rows_of(
    names: Sequence[str],
    prompts: Sequence[str],
    choice: Choice,
    wanted: Wanted,
    *,
    args: Mapping[str, Any],
    dirs: Sequence[Path],
    config_dir: Path | None,
) -> Selected:
    """Rows that a run sends: of data sets by name or path, or of prompts where there are no names.

    `wanted.limit` is how many rows the run needs at most, those passed over included. The same arguments give the same
    rows each time. Raises UserError, also while the rows are gone through.
    """
    check(choice, names)
    found = [resolved(name, config_dir) for name in names]
    own = [args_of(one, args, several=len(found) > 1, names=[other.name for other in found]) for one in found]
    opened = [open_dataset(one, given, wanted, dirs) for one, given in zip(found, own, strict=True)]
    rows = taken(found, opened or [list(prompt_rows(prompts))], choice, wanted)
    unknown: Counter[str] = Counter()
    if choice.lora and not isinstance(rows, Made):
        rows = watched(rows, choice.lora, unknown)
    return Selected(
        rows,
        lambda: [*reader_remarks(found, opened), *lora_remarks(rows, choice.lora, unknown)],
        any(one.preset.ignore_eos for one in found),
        [described(one, given, dirs) for one, given in zip(found, own, strict=True)],
        intended_cache_ratio(opened),
    )


def intended_cache_ratio(opened: Sequence[Rows]) -> float | None:
    """What the only data set says of itself, if it does."""
    says: Callable[[], float | None] | None = getattr(opened[0], "intended_cache_ratio", None) if opened else None
    return says() if says is not None and len(opened) == 1 else None


def check(choice: Choice, names: Sequence[str]) -> None:
    """Raise UserError for a choice that contradicts itself."""
    if choice.weights and len(choice.weights) != len(names):
        raise UserError(f"--weights has {len(choice.weights)} shares for {len(names)} data sets; give one for each")
    if choice.by_time and (choice.shuffle or choice.weights):
        other = "--shuffle" if choice.shuffle else "--weights"
        raise UserError(
            f"a replay keeps the order of the recording, and {other} would change it; leave one of them out"
        )
    if choice.lora and choice.model_weights:
        raise UserError("--lora and --model-weights both say which model a row asks for; leave one of them out")


def args_of(found: DataSet, args: Mapping[str, Any], several: bool, names: Sequence[str]) -> dict[str, Any]:
    """Settings for one data set; of several, those below its name, over those for all."""
    if not several:
        return dict(args)
    own = args.get(found.name, {})
    if not isinstance(own, Mapping):
        raise UserError(f"--dataset-args {found.name} is {own!r:.40}; write {found.name}.KEY=VALUE for that data set")
    return {key: value for key, value in args.items() if key not in names} | dict(own)


def taken(found: Sequence[DataSet], sources: Sequence[Rows], choice: Choice, wanted: Wanted) -> Rows:
    """The rows that are taken, in their order."""
    made = all(isinstance(source, Made) for source in sources)
    limit = None if wanted.limit is None else max(0, wanted.limit - choice.offset)
    count = min((number for number in (limit, choice.count) if number is not None), default=None)
    finish = Finish(
        traits(found, wanted),
        wanted.seed,
        count,
        tuple(choice.model_weights),
        tuple(choice.model_weights.values()),
        dict(choice.lora),
    )
    draws = choice.draws if draws_anew(finish) and not choice.by_time else None
    in_order = not (choice.weights or choice.shuffle or choice.by_time)
    if not made and in_order and draws is None:
        return passing(found, sources, choice.offset, count, finish)
    most = choice.offset + count if in_order and count is not None else None
    held = [source if isinstance(source, Made) else list(itertools.islice(source, most)) for source in sources]
    which, at = ordered(found, held, choice, wanted.seed, count)
    if not len(at[choice.offset :]):
        raise nothing_left(found, choice.offset, len(at))
    cut = slice(choice.offset, None if count is None else choice.offset + count)
    which, at = None if which is None else which[cut], at[cut]
    if draws is not None and len(at) < draws:
        which, at = None if which is None else np.resize(which, draws), np.resize(np.asarray(at, np.int64), draws)
    picked = Picked(tuple(held), which, at, finish, choice.offset)
    return picked if made else in_windows(picked)


def draws_anew(finish: Finish) -> bool:
    """Whether rows that are alike may have answers of several lengths, or ask for several models."""
    return len(finish.models) > 1 or any(
        each.output_tokens is not None and not each.output_tokens.isdecimal() for each in finish.traits
    )


def traits(found: Sequence[DataSet], wanted: Wanted) -> tuple[Trait, ...]:
    """What the rows of each data set have; those of prompts have no data set."""
    return tuple(
        Trait(one.name, one.preset.max_tokens, wanted.output_tokens or as_text(one.preset.output_tokens))
        for one in found
    ) or (Trait("", None, wanted.output_tokens),)


def passing(
    found: Sequence[DataSet], sources: Sequence[Rows], offset: int, count: int | None, finish: Finish
) -> Iterator[Row]:
    """Rows of one source after the other, read as they are asked for."""
    rows = ((row, source) for source, rows in enumerate(sources) for row in one_by_one(rows))
    number = offset
    for number, (row, source) in enumerate(
        itertools.islice(rows, offset, None if count is None else offset + count), offset + 1
    ):
        yield finish.row(row, source, number - 1)
    if number == offset and count != 0:
        raise nothing_left(found, offset, None)


def one_by_one(rows: Rows) -> Iterator[Row]:
    """Rows as they are asked for."""
    if not isinstance(rows, Made):
        yield from rows
        return
    for start in range(0, len(rows), WINDOW):
        yield from rows.part(start, start + WINDOW)


def nothing_left(found: Sequence[DataSet], offset: int, size: int | None) -> UserError:
    """What to tell a user whose offset leaves no row."""
    names = ", ".join(one.name for one in found) or "the prompts"
    number = "all rows" if size is None else f"all {size} rows"
    return UserError(f"--offset {offset} passes over {number} of {names}; give a smaller one")


def ordered(
    found: Sequence[DataSet], held: Sequence[Held], choice: Choice, seed: int, count: int | None
) -> tuple[Which | None, Numbers | range]:
    """All rows in their order, before any are passed over: in which source each is (None: the first), and where in it.

    A mix without a number has as many rows as its data sets have together. A shuffle leaves rows that are made of a
    seed as they are: their number depends on that of the requests, and the order would with it.
    """
    sizes = [len(source) for source in held]
    if 0 in sizes:
        raise UserError(f"the data set {found[sizes.index(0)].name} gives no row; leave it out")
    mixes = [choice.shuffle and (not found or found[at].reader.needs_files) for at in range(len(held))]
    if choice.weights:
        total = choice.offset + (sum(sizes) if count is None else count)
        which = mixture(choice.weights, [seed, MIX], total)
        orders = [permuted(size, mixed, seed, at) for at, (size, mixed) in enumerate(zip(sizes, mixes, strict=True))]
        return which, cycled(orders, which)
    if len(held) == 1 and not choice.by_time and not mixes[0]:
        return None, range(sizes[0])
    which = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
    at = np.concatenate([np.arange(size, dtype=np.int64) for size in sizes])
    order = by_time(found, held, which, at) if choice.by_time else permuted(len(at), any(mixes), seed, 0)
    return which[order], at[order]


def permuted(size: int, mixed: bool, seed: int, source: int) -> Numbers:
    """Numbers below `size`, in their order or in one that the seed draws."""
    return np.random.default_rng([seed, SHUFFLE, source]).permutation(size) if mixed else np.arange(size)


def cycled(orders: Sequence[Numbers], which: Which) -> Numbers:
    """Numbers of the rows of a mix: each source in its order, again from its start when it is used up."""
    at = turn_of_each(which, len(orders))
    for source, order in enumerate(orders):
        places = np.flatnonzero(which == source)
        at[places] = order[at[places] % len(order)]
    return at


def by_time(found: Sequence[DataSet], held: Sequence[Held], which: Which, at: Numbers) -> Numbers:
    """Places of rows in the order of their recorded times; rows of one time keep theirs. Raises UserError."""
    times = times_of(held)
    if times is None:
        names = ", ".join(one.name for one in found) or "a prompt"
        raise UserError(
            f"a replay needs the time of each row, and not each of {names} has one; choose other --arrivals"
        )
    return np.argsort(times_at(times, which, at), kind="stable")


def watched(rows: Rows, lora: Mapping[str, str], unknown: Counter[str]) -> Iterator[Row]:
    """The rows; counts those that a LoRA map does not have."""
    for row in one_by_one(rows):
        unknown["rows"] += 1
        unknown["unknown"] += row.id not in lora
        yield row


def lora_remarks(rows: Rows, lora: Mapping[str, str], unknown: Counter[str]) -> list[str]:
    """How many rows ask for the model itself because a LoRA map does not have them."""
    if lora and isinstance(rows, Made):
        for _ in watched(rows.part(0, REMARK_ROWS), lora, unknown):
            pass
    of = f"of the first {unknown['rows']:,} rows" if isinstance(rows, Made) else f"of {unknown['rows']:,} rows"
    missing = unknown["unknown"]
    return [f"{missing:,} {of} are not in the file of --lora and ask for the model itself"] if missing else []


def reader_remarks(found: Sequence[DataSet], opened: Sequence[Rows]) -> list[str]:
    """What readers have to say of what they read."""
    pairs = zip(found, opened, strict=True)
    return [f"{one.name}: {remark}" for one, rows in pairs for remark in getattr(rows, "remarks", ())]


def described(found: DataSet, args: Mapping[str, Any], dirs: Sequence[Path]) -> dict[str, Any]:
    """What a data set is, as plain values: name, reader, settings and files."""
    settings = msgspec.to_builtins(settings_of(found, args))
    files = [str(path) for path in files_of(found, dirs)]
    return {"name": found.name, "reader": found.preset.reader, "settings": settings, "files": files}
