"""What every kind of data set is to the rest: a reader of files, its settings, and the rows that it gives."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

import msgspec

from perfcore.workload.row import Row
from perfcore.workload.tokens import Tokenizer


@dataclass(frozen=True)
class Wanted:
    """What a run tells its data sets. It can be pickled, as rows are made in several processes."""

    seed: int = 0
    limit: int | None = None  # rows that are needed at most, those passed over included; None: all that there are
    input_tokens: str | None = None  # lengths, see perfcore/workload/lengths.py
    output_tokens: str | None = None
    tokenizer: str | Tokenizer | None = None  # its name, or itself where it is in the service
    trust_remote_code: bool = False
    chat: bool = True  # prompts go through the service's chat template
    takes_ids: bool = False  # the service takes prompts as token ids
    timestamp_unit: str = "s"


@runtime_checkable
class Made(Protocol):
    """Rows that do not depend on each other and are made where they are needed, in any process: it can be pickled."""

    def __len__(self) -> int:
        """How many rows there are."""

    def part(self, start: int, stop: int) -> list[Row]:
        """Rows from `start` up to `stop`; the same ones whenever and wherever they are asked for."""


Rows: TypeAlias = "Iterable[Row] | Made"
Read: TypeAlias = Callable[[Sequence[Path], Any, Wanted], Rows]


class Reader(NamedTuple):
    """A kind of data set. `settings` is a msgspec.Struct with forbid_unknown_fields whose fields all have defaults.

    `read` gets the files (none where `needs_files` is false), an instance of `settings`, and what the run wants. It
    raises UserError that names file, line (or row) and field.
    """

    read: Read
    settings: type[msgspec.Struct]
    about: str
    needs_files: bool = True
