"""What is done to the prompts of data sets of texts: what goes before them, and which lengths are taken."""

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Protocol, TypeVar

import msgspec
from msgspec import Meta

from perfcore.errors import UserError
from perfcore.paths import expanded
from perfcore.workload import tokens
from perfcore.workload.content import opening
from perfcore.workload.row import Row
from perfcore.workload.source import Wanted

CHARACTERS_PER_TOKEN = 4
BATCH = 256  # rows whose tokens are counted at once

Count = Callable[[Sequence[str]], list[int]]
T = TypeVar("T")

# Fields of the settings of every reader of texts.
System = Annotated[str, Meta(description="A system message to go first, where a row has none of its own.")]
PrefixFile = Annotated[str, Meta(description="Text file whose text goes before the first prompt of each row.")]
Least = Annotated[
    int, Meta(ge=0, description="Rows whose first request is shorter are left out: tokens, else characters.")
]
Most = Annotated[
    Annotated[int, Meta(ge=1)] | None,
    Meta(description="Rows whose first request is longer are left out: tokens, else characters."),
]


class Prompting(Protocol):
    """The settings that the readers of texts share."""

    @property
    def system(self) -> str: ...
    @property
    def prefix_file(self) -> str: ...
    @property
    def min_prompt_length(self) -> int: ...
    @property
    def max_prompt_length(self) -> int | None: ...


@dataclass(frozen=True)
class Sifted:
    """Rows that are read as they are gone through; `remarks` say which of those that were read were left out.

    `sift` gives them, and counts in what it is handed why rows are left out.
    """

    sift: Callable[["Counter[str]"], Iterator[Row]]
    left_out: "Counter[str]" = field(default_factory=Counter)

    def __iter__(self) -> Iterator[Row]:
        self.left_out.clear()
        return self.sift(self.left_out)

    @property
    def remarks(self) -> list[str]:
        """Numbers of the rows that were left out, in words."""
        return [f"rows left out: {count:,} ({why})" for why, count in self.left_out.most_common()]


def prompted(
    rows: Iterable[Row], settings: Prompting, wanted: Wanted, source: Sequence[Path], left_out: "Counter[str]"
) -> Iterator[Row]:
    """The rows with what goes before their prompts, less those that are too short or too long.

    Lengths are those of all texts of a row's first request, in tokens of the run's tokenizer, else in characters.
    Raises UserError for settings that cannot be met, also where no row is left.
    """
    least, most = settings.min_prompt_length, settings.max_prompt_length
    if most is not None and most < least:
        raise UserError(f"max_prompt_length is {most}; it has to be no less than min_prompt_length, which is {least}")
    prefix = read_text(settings.prefix_file) if settings.prefix_file else ""
    rows = (led(row, settings.system, prefix) for row in rows) if settings.system or prefix else rows
    yield from some(within(rows, least, most, wanted, left_out) if least or most else rows, source, left_out)


def read_text(path: str) -> str:
    """Text of a file that a setting names; raises UserError."""
    try:
        return expanded(path).read_text("utf-8")
    except OSError as error:
        raise UserError(f"cannot read prefix_file {path}: {error.strerror}; give a file of text") from None
    except UnicodeDecodeError:
        raise UserError(f"prefix_file {path} is not UTF-8; save it as UTF-8") from None


def within(
    rows: Iterable[Row], least: int, most: int | None, wanted: Wanted, left_out: "Counter[str]"
) -> Iterator[Row]:
    """Rows whose first request is no shorter and no longer."""
    count = counter(wanted) if wanted.tokenizer else lengths
    unit = "tokens" if wanted.tokenizer else "characters"
    for batch in batches(rows, BATCH):
        for row, length in zip(batch, count([first_request(row) for row in batch]), strict=True):
            if length < least:
                left_out[f"shorter than min_prompt_length, {least:,} {unit}"] += 1
            elif most is not None and length > most:
                left_out[f"longer than max_prompt_length, {most:,} {unit}"] += 1
            else:
                yield row


def some(rows: Iterable[Row], source: Sequence[Path], left_out: "Counter[str]") -> Iterator[Row]:
    """The rows; raises UserError, which says why they were left out, where there is not one."""
    found = False
    for row in rows:
        found = True
        yield row
    if not found:
        reasons = "; ".join(left_out)
        raise UserError(f"no row of {', '.join(map(str, source))} is left ({reasons}); give others, or wider limits")


def counter(wanted: Wanted) -> Count:
    """Function from texts to their numbers of tokens; without a tokenizer an estimate by characters."""
    tokenizer = tokens.opened(wanted.tokenizer, wanted.trust_remote_code)
    return estimates if tokenizer is None else tokenizer.counts


def estimates(texts: Sequence[str]) -> list[int]:
    """Tokens of each text without a tokenizer: one for four characters, as in English."""
    return [-(-len(text) // CHARACTERS_PER_TOKEN) for text in texts]


def lengths(texts: Sequence[str]) -> list[int]:
    """Characters of each text."""
    return [len(text) for text in texts]


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of up to `size` items."""
    there = iter(items)
    while batch := list(itertools.islice(there, size)):
        yield batch


def first_request(row: Row) -> str:
    """All texts of a row's first request."""
    if row.prompt is not None:
        return row.prompt
    messages = row.messages if row.messages is not None else opening(row.turns or [])
    return "\n".join(part for message in messages for part in texts_of(message.get("content")))


def texts_of(content: Any) -> list[str]:
    """Texts of a message's content, which is text or a list of parts."""
    parts = content if isinstance(content, list) else [content]
    found = [part.get("text") if isinstance(part, dict) else part for part in parts]
    return [text for text in found if isinstance(text, str)]


def led(row: Row, system: str, prefix: str) -> Row:
    """A row with a system message, unless it begins with one, and with a text before its first prompt."""
    if row.body is not None:
        return row
    if row.prompt is not None and not system:
        return msgspec.structs.replace(row, prompt=prefix + row.prompt)
    said = row.messages or row.turns or [{"role": "user", "content": row.prompt}]
    at = next((place for place, message in enumerate(said) if message["role"] == "user"), None)
    if at is not None and prefix:
        said = [*said[:at], {**said[at], "content": prefixed(said[at].get("content"), prefix)}, *said[at + 1 :]]
    if system and said[0]["role"] != "system":
        said = [{"role": "system", "content": system}, *said]
    key = "turns" if row.turns is not None else "messages"
    return msgspec.structs.replace(row, **{"prompt": None, key: said})


def prefixed(content: Any, prefix: str) -> Any:
    """A message's content with text before it."""
    return [{"type": "text", "text": prefix}, *content] if isinstance(content, list) else f"{prefix}{content or ''}"
