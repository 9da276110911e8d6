"""The rows of a run: what its options choose of its data sets, as plain values for perfcore/workload."""

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from perfcore.errors import UserError
from perfcore.options import StressOptions
from perfcore.run.asking import of_each_subset
from perfcore.workload.dialect import Dialect
from perfcore.workload.excerpt import excerpt
from perfcore.workload.registry import data_dirs
from perfcore.workload.row import Row
from perfcore.workload.selection import Choice, Selected, rows_of
from perfcore.workload.source import Made, Rows, Wanted
from perfcore.workload.template import placeholders
from perfcore.workload.tokens import Tokenizer

ASKED_IDS = {"token_ids", "input"}  # placeholders where a prompt may stand as token ids
LEAST_DRAWS = 10_000  # lengths of answers, or models, that a run by time draws before the first ones come again


def select(
    options: StressOptions, dialect: Dialect, tokenizer: Tokenizer | None = None, draws: int | None = None
) -> Selected:
    """The rows that a run sends; a tokenizer that is given goes before the one that the options name.

    Where lengths or models are drawn, fewer rows than `draws` come again with others. Rows of files are read as they
    are asked for. Raises UserError, also then.
    """
    found = rows_of(
        options.dataset,
        options.prompt,
        choice_of(options, draws),
        wanted_of(options, dialect, tokenizer),
        args=options.dataset_args,
        dirs=data_dirs(options.data_dir),
        config_dir=options.config_dir,
    )
    if options.limit is not None:
        found = found._replace(rows=of_each_subset(found.rows, options.limit))
    if options.arrivals != "replay":
        return found
    return found._replace(rows=excerpt(found.rows, options.replay_start_s, options.replay_end_s))


def draws_of(options: StressOptions) -> int | None:
    """How many lengths or models a run draws at least; None where rows are sent once, or the user says how many."""
    if options.num_prompts is not None or (options.requests is None and options.duration_s is None):
        return None
    return LEAST_DRAWS if options.duration_s is not None else options.requests


def choice_of(options: StressOptions, draws: int | None) -> Choice:
    """Which rows of the data sets are taken."""
    return Choice(
        offset=options.offset,
        count=options.num_prompts,
        shuffle=options.shuffle,
        by_time=options.arrivals == "replay",
        weights=options.weights,
        model_weights=options.model_weights,
        lora=read_lora(options.lora) if options.lora is not None else {},
        draws=draws,
    )


def wanted_of(options: StressOptions, dialect: Dialect, tokenizer: Tokenizer | None) -> Wanted:
    """What the run tells its data sets."""
    places = placeholders(dialect.request)
    return Wanted(
        seed=options.seed,
        limit=most_rows(options),
        input_tokens=options.input_tokens,
        output_tokens=options.output_tokens,
        tokenizer=tokenizer or options.tokenizer,
        trust_remote_code=options.trust_remote_code,
        chat="messages" in places,
        takes_ids=bool(places & ASKED_IDS),
        timestamp_unit=options.timestamp_unit,
    )


def most_rows(options: StressOptions) -> int | None:
    """Rows that the run needs at most, those passed over included; None where only its data says."""
    if options.requests is None or options.duration_s is not None or options.arrivals == "replay":
        return None if options.num_prompts is None else options.offset + options.num_prompts
    return options.offset + max(options.requests, options.warmups)


def read_lora(path: Path) -> dict[str, str]:
    """Adapter by the id of a row; raises UserError for what is no JSON object of texts."""
    try:
        found = msgspec.json.decode(path.read_bytes(), type=dict[str, str])
    except OSError as error:
        raise UserError(f"cannot read --lora {path}: {error.strerror}; give a file that can be read") from None
    except msgspec.DecodeError as error:
        raise UserError(f'--lora {path}: {error}; write an object such as {{"row-1": "adapter-a"}}') from None
    return found


def peeked(rows: Rows) -> tuple[Row, Rows]:
    """The first row, and all of them. Raises UserError where there is none."""
    if isinstance(rows, Made):
        first = rows.part(0, 1) if len(rows) else []
        rest: Rows = rows
    else:
        source: Iterator[Row] = iter(rows)
        first = list(itertools.islice(source, 1))
        rest = itertools.chain(first, source)
    if not first:
        raise UserError("the data set gives no row; choose fewer rows to pass over, or another data set")
    return first[0], rest


def files_of(sources: Iterable[dict[str, Any]]) -> list[Path]:
    """All files that decide what the rows are."""
    return [Path(file) for source in sources for file in source.get("files", ())]
