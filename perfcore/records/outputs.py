"""outputs.jsonl: one line for each measured request, with the row of the data set that it came from."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import compress, repeat
from typing import Any, BinaryIO, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from perfcore.records import counting, origin, think
from perfcore.records import frame as frames
from perfcore.records.assembly import Choice, ToolCall, assemble
from perfcore.records.counting import Counting
from perfcore.records.frame import Frames
from perfcore.records.origin import Origins
from perfcore.records.prompt_logprobs import PromptLogprobs
from perfcore.records.rows import Rows
from perfcore.records.think import Tags
from perfcore.types import Requests

RANGES = ("error", "content", "reasoning", "tool", "raw")


class Line(msgspec.Struct):
    """What one line holds; null where there is none, and what has a default is left out then."""

    id: msgspec.Raw
    index: int | None
    repeat: int | None
    turn: int
    prompt: msgspec.Raw
    prediction: str | None
    reasoning: str | None
    tool_arguments: str | None
    tool_calls: Sequence[ToolCall] | None
    finish_reason: str | None
    error: str | None
    reference: msgspec.Raw
    meta: msgspec.Raw
    dataset: str | msgspec.UnsetType = msgspec.UNSET
    subset: str | msgspec.UnsetType = msgspec.UNSET
    model: str | msgspec.UnsetType = msgspec.UNSET
    choices: list[str] | msgspec.UnsetType = msgspec.UNSET
    logprobs: Any = msgspec.UNSET
    prompt_logprobs: PromptLogprobs | msgspec.UnsetType = msgspec.UNSET


class Texts(NamedTuple):
    """What an answer says; `choices` only where there are several, of which the rest is the first."""

    content: str
    reasoning: str
    tool_calls: Sequence[ToolCall]
    finish_reason: str | None
    choices: list[str] | msgspec.UnsetType
    logprobs: Any
    prompt_logprobs: PromptLogprobs | None = None


_encode = msgspec.json.Encoder().encode


def write_frames(
    file: BinaryIO,
    cut: Frames,
    table_rows: NDArray[np.int64],
    requests: Requests,
    rows: Rows,
    tags: Tags | None,
    counts: Counting,
    origins: Origins,
) -> None:
    """A line for each frame whose row in `requests` is not negative. Reasoning between `tags` is told from the text.

    `counts` takes down the lengths of each, `origins` where it came from.
    """
    wanted = np.flatnonzero(table_rows >= 0)
    columns = [frames.ranges(cut, name) for name in RANGES]
    ranges: Iterator[tuple[bytes, ...]] = zip(*columns, strict=True)
    if wanted.size < len(cut):
        ranges = compress(ranges, table_rows >= 0)
    file.writelines(_lines(table_rows[wanted], requests, rows, ranges, tags, counts, origins))


def write_lost(
    file: BinaryIO,
    table_rows: NDArray[np.int64],
    requests: Requests,
    rows: Rows,
    counts: Counting,
    origins: Origins,
) -> None:
    """A line for each of these rows of `requests`, which left no frame."""
    file.writelines(_lines(table_rows, requests, rows, repeat((b"",) * len(RANGES)), None, counts, origins))


def _lines(
    table_rows: NDArray[np.int64],
    requests: Requests,
    rows: Rows,
    ranges: Iterable[tuple[bytes, ...]],
    tags: Tags | None,
    counts: Counting,
    origins: Origins,
) -> Iterator[bytes]:
    """One after the other: `ranges` has those of each row in the order of RANGES."""
    names = (*requests.finish_reasons, None)  # -1 is None
    columns = (requests.index, requests.repeat, requests.turn, requests.finish_reason, requests.error_class)
    values = zip(*(column[table_rows].tolist() for column in columns), strict=True)
    for at, (index, number, turn, finish, code), (error, content, reasoning, tool, raw) in zip(
        table_rows.tolist(), values, ranges, strict=False
    ):
        row = rows.row(index)
        counting.add(counts, at, row, turn, (reasoning, content, tool))
        origin.add(origins, index, row)
        said = _texts(content, reasoning, raw, names[finish], tags)
        line = Line(
            id=row.id,
            index=index if index >= 0 else None,
            repeat=number if number >= 0 else None,
            turn=max(turn, 0),
            prompt=row.asked(turn),
            prediction=said.content or None,
            reasoning=said.reasoning or None,
            tool_arguments=frames.text(tool) if tool else None,
            tool_calls=said.tool_calls or None,
            finish_reason=said.finish_reason,
            error=_error(requests.error_classes[code], error) if code else None,
            reference=row.reference,
            meta=row.meta,
            dataset=row.dataset or msgspec.UNSET,
            subset=row.subset or msgspec.UNSET,
            model=row.asked_model() or msgspec.UNSET,
            choices=said.choices,
            logprobs=said.logprobs,
            prompt_logprobs=said.prompt_logprobs or msgspec.UNSET,
        )
        yield _encode(line) + b"\n"


def _texts(content: bytes, reasoning: bytes, raw: bytes, finish: str | None, tags: Tags | None) -> Texts:
    """From the ranges of an answer; what its events hold beyond them is known only where these were kept."""
    choices = assemble(raw) if raw else []
    if len(choices) > 1:
        return _first_of(choices, tags)
    answer, thought = frames.text(content) if content else "", frames.text(reasoning) if reasoning else ""
    if not thought and think.may_have(content, tags):
        answer, thought = _parted(answer, "", tags)
    if not choices:
        return Texts(answer, thought, (), finish, msgspec.UNSET, msgspec.UNSET)
    calls, logprobs, of_prompt = choices[0].tool_calls, choices[0].logprobs, choices[0].prompt_logprobs
    return Texts(
        answer, thought, calls, finish, msgspec.UNSET, msgspec.UNSET if logprobs is None else logprobs, of_prompt
    )


def _first_of(choices: Sequence[Choice], tags: Tags | None) -> Texts:
    parted = [_parted(choice.text, choice.reasoning, tags) for choice in choices]
    (answer, thought), first = parted[0], choices[0]
    logprobs = msgspec.UNSET if first.logprobs is None else first.logprobs
    texts = [text for text, _ in parted]
    return Texts(answer, thought, first.tool_calls, first.finish_reason, texts, logprobs, first.prompt_logprobs)


def _parted(content: str, reasoning: str, tags: Tags | None) -> tuple[str, str]:
    """The answer and its reasoning, which may still be in the content."""
    found = think.split(content, tags) if tags is not None and not reasoning else None
    return (content, reasoning) if found is None else (found.answer, found.reasoning)


def _error(name: str, message: bytes) -> str:
    """The class of the failure and what the server said."""
    return f"{name}: {frames.error_text(message)}" if message else name
