"""Recorded traffic of which only times and lengths are known: Mooncake's traces, Azure's of 2023, and BurstGPT.

What was read is a few numbers for each request. Their texts, which are a thousand times larger, are made where and when
they are needed; see perfcore/workload/filling.py.
"""

from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
import numpy as np
from msgspec import Meta

from perfcore.errors import UserError
from perfcore.workload.blocks import Ints, cut_blocks
from perfcore.workload.fields import is_there, wrong
from perfcore.workload.files import Record, json_kind, records
from perfcore.workload.filling import Ask, Prompt, prompts
from perfcore.workload.row import Row
from perfcore.workload.source import Reader, Wanted
from perfcore.workload.timestamps import timestamp_ns

MOST_TOKENS = 1 << 24  # a prompt of more is a mistake in the file: it would be 90 MB of text
UNKNOWN = -1
INT64 = 2**63 - 1

Tokens = Annotated[int, Meta(ge=1, le=MOST_TOKENS)]


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings that all traces have."""

    max_input_tokens: Annotated[Tokens | None, Meta(description="Longest prompt; `longer` says what happens then.")] = (
        None
    )
    max_output_tokens: Annotated[
        Tokens | None, Meta(description="Longest answer; `longer` says what happens then.")
    ] = None
    longer: Annotated[
        Literal["cap", "drop"], Meta(description="Whether requests that are too long are shortened or left out.")
    ] = "cap"
    scale: Annotated[float, Meta(gt=0, le=1000, description="Factor on all lengths, those of blocks too.")] = 1.0
    failures: Annotated[
        Literal["drop", "send"],
        Meta(description="Requests recorded without a token of prompt or answer: left out, or sent for one token."),
    ] = "drop"
    as_ids: Annotated[bool, Meta(description="Send prompts as token ids where the service takes them.")] = False
    check: Annotated[
        bool, Meta(description="Count each prompt with the tokenizer when it is made; without, it is made much faster.")
    ] = True
    seed: Annotated[
        Annotated[int, Meta(ge=0, le=INT64)] | None, Meta(description="Seed of the texts; else that of the run.")
    ] = None


class Mooncake(Settings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of the reader `mooncake`."""

    block_tokens: Annotated[Tokens, Meta(description="Tokens of the block that an entry of hash_ids stands for.")] = 512
    timestamp_unit: Annotated[Literal["ms", "s"], Meta(description="Unit of the timestamps.")] = "ms"


class BurstGpt(Settings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of the reader `burstgpt`."""

    models: Annotated[list[str], Meta(description="Models whose requests are taken; else all.")] = []
    log_types: Annotated[list[str], Meta(description="Kinds of log whose requests are taken; else all.")] = []


class Entry(NamedTuple):
    """One recorded request. No hashes: it shares no prefix with any other. `text` goes before a length."""

    timestamp_ns: int
    input_tokens: int
    output_tokens: int
    hashes: Sequence[int] = ()
    text: str | None = None
    meta: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Trace:
    """Rows of a recording, which are made when they are asked for. `remarks` say what has become of which rows."""

    numbers: Ints  # of the rows in their files, from 1
    timestamps_ns: Ints
    input_tokens: Ints
    output_tokens: Ints
    hash_ends: Ints  # in `hashes`, of each row
    hashes: Ints
    texts: dict[int, str]
    metas: list[dict[str, Any]]
    meta_at: Ints  # in `metas`, of each row
    block_tokens: int
    seed: int
    wanted: Wanted
    as_ids: bool
    check: bool
    remarks: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.numbers)

    def part(self, start: int, stop: int) -> list[Row]:
        """Rows from `start` up to `stop`."""
        places = range(*slice(start, stop).indices(len(self)))
        asks = [ask(self, at) for at in places if at not in self.texts]
        made = prompts(asks, self.seed, self.wanted, as_ids=self.as_ids, check=self.check)
        return [row(self, at, Prompt(self.texts[at]) if at in self.texts else next(made)) for at in places]


def ask(trace: Trace, at: int) -> Ask:
    """What the prompt of a row is made of: its blocks, or one that no other row has."""
    tokens = int(trace.input_tokens[at])
    ids = trace.hashes[trace.hash_ends[at - 1] if at else 0 : trace.hash_ends[at]]
    if not len(ids):
        return Ask(tokens, np.array([-int(trace.numbers[at])]), np.array([tokens]))
    return Ask(tokens, ids, cut_blocks(tokens, len(ids), trace.block_tokens))


def row(trace: Trace, at: int, prompt: Prompt) -> Row:
    """One row with its prompt."""
    asked, answer = int(trace.input_tokens[at]), int(trace.output_tokens[at])
    return Row(
        id=str(trace.numbers[at]),
        prompt=prompt.text,
        token_ids=prompt.ids,
        max_tokens=None if answer == UNKNOWN else answer,
        meta=trace.metas[trace.meta_at[at]],
        timestamp_ns=int(trace.timestamps_ns[at]),
        input_tokens=None if asked == UNKNOWN else asked,
        counted_tokens=prompt.counted,
    )


def read_mooncake(paths: Sequence[Path], settings: Mooncake, wanted: Wanted) -> Trace:
    """Rows of JSON lines with `timestamp`, `input_length` or `input_text`, `output_length` and `hash_ids`.

    Rows whose hash_ids begin alike have prompts that begin alike, `block_tokens` tokens for each.
    """
    return read(paths, lambda record: mooncake_entry(record, settings), settings, wanted, settings.block_tokens)


def read_azure(paths: Sequence[Path], settings: Settings, wanted: Wanted) -> Trace:
    """Rows of CSV with `TIMESTAMP`, `ContextTokens` and `GeneratedTokens`; no prompt shares a prefix with another."""
    return read(paths, azure_entry, settings, wanted)


def read_burstgpt(paths: Sequence[Path], settings: BurstGpt, wanted: Wanted) -> Trace:
    """Rows of CSV with `Timestamp`, `Request tokens`, `Response tokens` and, as `meta`, `Model` and `Log Type`."""
    return read(paths, lambda record: burstgpt_entry(record, settings), settings, wanted)


def mooncake_entry(record: Record, settings: Mooncake) -> Entry:
    """Request of a record; raises UserError where its hash_ids do not fit its length."""
    given, text = record.fields, record.fields.get("input_text")
    at_ns = timestamp_ns(given.get("timestamp"), settings.timestamp_unit, record.place)
    answer = length(record, "output_length") if is_there(record, "output_length") else UNKNOWN
    if text is not None:
        if not isinstance(text, str) or not text:
            raise wrong(record, f"input_text is {text!r:.60}; it has to be text, or give an input_length")
        return Entry(at_ns, UNKNOWN, answer, text=text)
    tokens, hashes = length(record, "input_length"), hash_ids(record)
    blocks = -(-tokens // settings.block_tokens)
    if hashes and len(hashes) != blocks:
        raise wrong(
            record,
            f"hash_ids has {len(hashes)} entries where an input_length of {tokens} takes {blocks} blocks of "
            f"{settings.block_tokens}; correct one of them, or set block_tokens",
        )
    return Entry(at_ns, tokens, answer, hashes)


def hash_ids(record: Record) -> list[int]:
    """Ids of a record's blocks, or none."""
    found = record.fields.get("hash_ids")
    if found is None:
        return []
    if not isinstance(found, list) or not all(type(item) is int and 0 <= item <= INT64 for item in found):
        raise wrong(record, "hash_ids is no list of whole numbers; give one for each block of the prompt")
    return found


def azure_entry(record: Record) -> Entry:
    """Request of a record."""
    at_ns = timestamp_ns(record.fields.get("TIMESTAMP"), "s", record.place, "TIMESTAMP")
    return Entry(at_ns, length(record, "ContextTokens"), length(record, "GeneratedTokens"))


def burstgpt_entry(record: Record, settings: BurstGpt) -> Entry | None:
    """Request of a record, or None for one of another model or kind of log than is asked for."""
    model, log = (str(record.fields.get(name, "")) for name in ("Model", "Log Type"))
    if (settings.models and model not in settings.models) or (settings.log_types and log not in settings.log_types):
        return None
    at_ns = timestamp_ns(record.fields.get("Timestamp"), "s", record.place, "Timestamp")
    meta = (("model", model), ("log_type", log))
    return Entry(at_ns, length(record, "Request tokens"), length(record, "Response tokens"), meta=meta)


def length(record: Record, name: str) -> int:
    """A number of tokens, also written as text."""
    value = record.fields.get(name)
    try:
        number = float(UNKNOWN if value is None or isinstance(value, bool) else value)
        whole = int(number) if number.is_integer() else UNKNOWN
    except (TypeError, ValueError, OverflowError):
        whole = UNKNOWN
    if 0 <= whole <= MOST_TOKENS:
        return whole
    wanted = f"it has to be a whole number of tokens from 0 to {MOST_TOKENS:,}"
    if value is None:
        there = ", ".join(record.fields)
        raise wrong(record, f"has no {name}; {wanted} (it has {there})")
    shown = f"a JSON {json_kind(value)}" if isinstance(value, (list, dict)) else f"{value!r:.60}"
    raise wrong(record, f"{name} is {shown}; {wanted}")


def read(
    paths: Sequence[Path],
    entry_of: Callable[[Record], Entry | None],
    settings: Settings,
    wanted: Wanted,
    block_tokens: int = 512,
) -> Trace:
    """The requests of files one after the other, as many as are wanted, with their lengths as the settings have them.

    Raises UserError where none is left.
    """
    tally: Counter[str] = Counter()
    numbers, timestamps, inputs, outputs, ends, hashes, meta_at = (array("q") for _ in range(7))
    texts, metas = dict[int, str](), dict[tuple[tuple[str, str], ...], int]()
    for entry in entries(paths, entry_of, settings, tally):
        if entry.text is not None:
            texts[len(numbers)] = entry.text
        numbers.append(tally["read"])
        timestamps.append(entry.timestamp_ns)
        inputs.append(entry.input_tokens)
        outputs.append(entry.output_tokens)
        hashes.extend(entry.hashes)
        ends.append(len(hashes))
        meta_at.append(metas.setdefault(entry.meta, len(metas)))
        if len(numbers) == wanted.limit:
            break
    if not numbers:
        raise UserError(f"{paths[0]}: none of {tally['read']:,} requests is left ({'; '.join(remarks(tally))})")
    return Trace(
        numbers=as_ints(numbers),
        timestamps_ns=as_ints(timestamps),
        input_tokens=as_ints(inputs),
        output_tokens=as_ints(outputs),
        hash_ends=as_ints(ends),
        hashes=as_ints(hashes),
        texts=texts,
        metas=[dict(pairs) for pairs in metas],
        meta_at=as_ints(meta_at),
        block_tokens=max(1, round(block_tokens * settings.scale)),
        seed=wanted.seed if settings.seed is None else settings.seed,
        wanted=wanted,
        as_ids=settings.as_ids,
        check=settings.check,
        remarks=remarks(tally),
    )


def as_ints(column: "array[int]") -> Ints:
    """A column as numpy has it."""
    return np.frombuffer(column, np.int64).copy() if len(column) else np.zeros(0, np.int64)


def entries(
    paths: Sequence[Path], entry_of: Callable[[Record], Entry | None], settings: Settings, tally: "Counter[str]"
) -> Iterator[Entry]:
    """The requests that take part, scaled and cut; `tally` counts what was read and what was done to it."""
    for path in paths:
        for record in records(path):
            tally["read"] += 1
            entry = entry_of(record)
            if entry is None:
                tally["other"] += 1
            elif (fitted := fit(entry, settings, tally)) is not None:
                yield fitted


def fit(entry: Entry, settings: Settings, tally: "Counter[str]") -> Entry | None:
    """A request with its lengths scaled and cut, or None where it is left out."""
    if entry.input_tokens == 0 or entry.output_tokens == 0:
        tally[f"failures {settings.failures}"] += 1
        if settings.failures == "drop":
            return None
    asked, answer = scaled(entry.input_tokens, settings.scale), scaled(entry.output_tokens, settings.scale)
    most, most_answer = settings.max_input_tokens or MOST_TOKENS, settings.max_output_tokens or MOST_TOKENS
    if asked > most or answer > most_answer:
        tally[f"longer {settings.longer}"] += 1
        if settings.longer == "drop":
            return None
    return Entry(entry[0], min(asked, most), min(answer, most_answer), *entry[3:])


def scaled(tokens: int, factor: float) -> int:
    """A length times a factor, at least 1; what is not known stays so."""
    return tokens if tokens == UNKNOWN else max(1, round(tokens * factor)) if factor != 1 else tokens or 1


REMARKS = {
    "longer cap": "are longer than max_input_tokens or max_output_tokens and were shortened",
    "longer drop": "are longer than max_input_tokens or max_output_tokens and were left out",
    "failures drop": "were recorded without a token of prompt or answer and were left out",
    "failures send": "were recorded without a token of prompt or answer and are sent for one",
    "other": "are of other models or kinds of log and were left out",
}


def remarks(tally: "Counter[str]") -> tuple[str, ...]:
    """What was done to the requests of a trace, in words."""
    return tuple(
        f"{tally[key]:,} of {tally['read']:,} requests {words}" for key, words in REMARKS.items() if tally[key]
    )


READERS = {
    "mooncake": Reader(read_mooncake, Mooncake, "Mooncake's traces: times, lengths, and blocks that prompts share."),
    "azure": Reader(read_azure, Settings, "Azure's LLM inference traces of 2023: times and lengths."),
    "burstgpt": Reader(read_burstgpt, BurstGpt, "BurstGPT: times, lengths, models and kinds of log."),
}
