"""Questions of one's own, free or multiple choice, and the file beside them that says how many are sent."""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from string import ascii_uppercase
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta

from evaluators.choice import letters_of
from evaluators.errors import EvaluationError
from perfcore.errors import UserError
from perfcore.paths import expanded
from perfcore.workload.fields import check_columns, identity, is_there, limit, reference, rest, text, wrong
from perfcore.workload.files import Record, json_kind, read_json, records
from perfcore.workload.lengths import lengths
from perfcore.workload.row import Row
from perfcore.workload.source import Reader, Wanted
from perfcore.workload.template import filled

BESIDE = ".meta.json"  # after the name of a data set: where its meta file is looked for
USED = {"id", "question", "answer", "max_tokens"}
LEAST_OPTIONS = 2
PROMPTS = {"qa": "Question: {question}\nAnswer:", "mcq": "Question: {question}\n{options}\nAnswer:"}
EXAMPLES = {
    "qa": '{"question": "What is 2 plus 3?", "answer": "5"}',
    "mcq": '{"question": "What is 2 plus 3?", "A": "4", "B": "5", "C": "6", "answer": "B"}',
}
META_KEYS = "request_count, sampling_mode and output_config, which has method and params"
SHARES_SUM_WITHIN = 1e-9
LENGTHS = "output_config"  # what the lengths of answers are called in messages
DRAWN_AT_ONCE = 4096
MOST_REQUESTS = 10**8

Length = Annotated[int, Meta(ge=1, le=2**31 - 1)]


class Custom(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of the reader `custom`."""

    kind: Annotated[
        Literal["auto", "qa", "mcq"],
        Meta(description="Free questions or multiple choice; auto: multiple choice where columns A and B are there."),
    ] = "auto"
    check_answers: Annotated[
        bool, Meta(description="Refuse answers to multiple choice that name none of the choices.")
    ] = True
    meta_file: Annotated[
        str, Meta(description="Meta file with request_count, sampling_mode, output_config; else FILE.meta.json.")
    ] = ""
    template: Annotated[
        str, Meta(description="Prompt with {question}, {options} and other columns in the place of the usual one.")
    ] = ""


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a method of `output_config` needs."""

    min_value: Length | None = None
    max_value: Length | None = None
    percentage_distribute: list[tuple[Length, Annotated[float, Meta(gt=0, le=1)]]] | None = None


class OutputConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long answers are to be."""

    method: Literal["uniform", "percentage"]
    params: Params


class MetaFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """AISBench's meta file of a custom data set."""

    request_count: Annotated[int, Meta(ge=1, le=MOST_REQUESTS)] | None = None
    sampling_mode: Literal["default", "random", "shuffle"] = "default"
    output_config: OutputConfig | None = None


def read_custom(paths: Sequence[Path], settings: Custom, wanted: Wanted) -> Iterator[Row]:
    """Rows of files with `question`, optionally options `A`, `B` and so on, `answer`, `max_tokens` and `id`.

    A meta file repeats or cuts the rows to its number, draws them, and draws the lengths of their answers, which go
    before those of the rows. Rows are held in memory only where they are drawn. Raises UserError.
    """
    meta = meta_of(settings.meta_file, paths[0])
    kinds = {path: settings.kind if settings.kind != "auto" else guessed(path) for path in paths}

    def source() -> Iterator[tuple[str, Record]]:
        return ((kinds[path], record) for path in paths for record in records(path))

    lengths = lengths_of(meta, source, wanted)
    for (kind, record), length in zip(drawn(source, meta, wanted.seed), lengths, strict=False):
        row = row_of(record, kind, settings.template, settings.check_answers)
        yield row if length is None else msgspec.structs.replace(row, max_tokens=length)


def guessed(path: Path) -> str:
    """qa or mcq, by the columns of the first row."""
    fields = next(records(path)).fields
    return "mcq" if all(letter in fields for letter in ascii_uppercase[:LEAST_OPTIONS]) else "qa"


def row_of(record: Record, kind: str, template: str, check_answers: bool) -> Row:
    """Row of a question; raises UserError, with an example of a right row."""
    try:
        return row_from(record, kind, template, check_answers)
    except UserError as error:
        raise UserError(f"{error}; a right row is {EXAMPLES[kind]}") from None


def row_from(record: Record, kind: str, template: str, check_answers: bool) -> Row:
    """Row of a question; raises UserError."""
    text(record, "question")
    options = options_of(record) if kind == "mcq" else []
    if options and check_answers:
        check_answer(record, dict(options))
    words = record.fields | {"options": "\n".join(f"{letter}. {option}" for letter, option in options)}
    check_columns(record, template, words)
    return Row(
        id=identity(record),
        prompt=str(filled(template or PROMPTS[kind], words)),
        max_tokens=limit(record),
        reference=reference(record),
        meta=rest(record, USED),
    )


def options_of(record: Record) -> list[tuple[str, str]]:
    """(letter, text) of the options of a multiple choice question; raises UserError where one is left out."""
    letters = [letter for letter in ascii_uppercase if letter in record.fields and is_there(record, letter)]
    gap = next((due for due, letter in zip(ascii_uppercase, letters, strict=False) if due != letter), None)
    if gap is not None:
        raise wrong(record, f"has an option {letters[-1]} and no {gap}; give all of them from A on")
    if len(letters) < LEAST_OPTIONS:
        raise wrong(record, f"has {len(letters)} options; multiple choice wants 2 to 26, or set kind=qa")
    return [(letter, option_text(record, letter)) for letter in letters]


def check_answer(record: Record, options: dict[str, str]) -> None:
    """Raise UserError where the answer names none of the options, as `choice` reads it; it may be missing."""
    answer = reference(record)
    if answer is None:
        return
    try:
        letters_of(answer, "".join(options), options, record.place)
    except EvaluationError:
        letters = ", ".join(options)
        raise wrong(
            record, f"answer is {answer!r:.60}; it has to be among the letters {letters}, unless check_answers=false"
        ) from None


def option_text(record: Record, letter: str) -> str:
    """Text of one option, which may be a number; raises UserError."""
    value = record.fields[letter]
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise wrong(record, f"{letter} is a JSON {json_kind(value)}; an option has to be text or a number")
    return str(value)


def meta_of(given: str, path: Path) -> MetaFile:
    """What the meta file says that was given or lies beside the data set; raises UserError that names file and key."""
    beside = path.with_name(path.name + BESIDE)
    if not given and not beside.exists():
        return MetaFile()
    file = expanded(given) if given else beside
    try:
        meta = msgspec.convert(read_json(file), MetaFile, strict=False)
        check(meta.output_config)
    except msgspec.ValidationError as error:
        raise UserError(f"{file}: {error}; its keys are {META_KEYS}") from None
    except ValueError as error:
        raise UserError(f"{file}: {error}") from None
    return meta


def check(output: OutputConfig | None) -> None:
    """Raise ValueError for parameters that are missing or do not go together."""
    if output is None:
        return
    low, high, shares = output.params.min_value, output.params.max_value, output.params.percentage_distribute
    if output.method == "uniform":
        if low is None or high is None:
            raise ValueError("output_config.params of method uniform lacks min_value or max_value; give both")
        if low > high:
            raise ValueError(f"min_value {low} is more than max_value {high}; exchange them")
    elif not shares:
        raise ValueError("output_config.params lacks percentage_distribute; give it as [[LENGTH, FRACTION], ...]")
    elif not math.isclose(total := sum(share for _, share in shares), 1, abs_tol=SHARES_SUM_WITHIN):
        raise ValueError(f"the fractions of percentage_distribute sum to {total:.6g}; they have to sum to 1")


def drawn(source: Callable[[], Iterator[Any]], meta: MetaFile, seed: int) -> Iterator[Any]:
    """What the source gives, as often and in the order that the meta file asks for."""
    if meta.sampling_mode == "default":
        again = itertools.chain.from_iterable(source() for _ in itertools.count())
        return source() if meta.request_count is None else itertools.islice(again, meta.request_count)
    held = list(source())
    order = places(meta.sampling_mode, len(held), meta.request_count or len(held), np.random.default_rng([seed, 0]))
    return (held[place] for place in order)


def places(mode: str, rows: int, count: int, random: np.random.Generator) -> Iterator[int]:
    """Which rows are taken: `random` draws each from all; `shuffle` takes every row once before any comes again."""
    size = rows if mode == "shuffle" else DRAWN_AT_ONCE
    for start in range(0, count, size):
        drawn = random.permutation(rows) if mode == "shuffle" else random.integers(0, rows, size)
        yield from drawn[: count - start].tolist()


def lengths_of(meta: MetaFile, source: Callable[[], Iterator[Any]], wanted: Wanted) -> Iterator[int | None]:
    """Length of each row's answer, without end, or None where the meta file says nothing of it.

    Shares are exact over the rows that the run needs, else over all that there are.
    """
    if meta.output_config is None:
        return itertools.repeat(None)
    shares = meta.output_config.method == "percentage"
    count = (meta.request_count or sum(1 for _ in source())) if shares else None
    count = count if count is None or wanted.limit is None else min(count, max(1, wanted.limit))
    law = lengths(grammar(meta.output_config.params, shares), wanted.seed, count, LENGTHS)
    starts = itertools.count(0, DRAWN_AT_ONCE)
    return itertools.chain.from_iterable(law.draw(start, start + DRAWN_AT_ONCE).tolist() for start in starts)


def grammar(params: Params, shares: bool) -> str:
    """Parameters in the words of lengths.py."""
    if shares:
        return "table:" + ",".join(f"{length}={share}" for length, share in params.percentage_distribute or ())
    return f"uniform:{params.min_value}:{params.max_value}"


READERS = {"custom": Reader(read_custom, Custom, "Questions of one's own, free or multiple choice, with a meta file.")}
