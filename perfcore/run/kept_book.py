"""A request book that is kept (--book) and used again by runs that would prepare the same one.

Beside the bodies it holds the blocks of rows for the journal of each run, so that a run folder stays whole by itself,
and facts: JSON that says where they lie and everything that decided what is in the book. It gets its name when it is
whole; until then it is NAME.PID.partial.
"""

import os
import zlib
from array import array
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from perfcore.errors import UserError
from perfcore.options import StressOptions
from perfcore.paths import expanded
from perfcore.records.journal import JournalWriter, Kind
from perfcore.redaction import redacted_fields
from perfcore.run.book import HEADER, MAGIC, BookWriter, unwritable
from perfcore.run.part import Form, Part
from perfcore.run.writing import NS, Prepared, Tell, untold, write
from perfcore_ext.clock import monotonic_ns

FORMAT = 2  # of the facts, and of how rows are made: a new one makes old books useless
TOKENIZER_FILES = (".json", ".jinja", ".model", ".txt", ".py")
SHOWN = 60  # characters of a value in a message

# Options that decide which rows there are; `form_facts` has what decides their bodies.
DECIDING = (
    "dataset",
    "weights",
    "dataset_args",
    "num_prompts",
    "offset",
    "shuffle",
    "input_tokens",
    "output_tokens",
    "tokenizer",
    "trust_remote_code",
    "model_weights",
    "lora",
    "prompt",
    "seed",
    "timestamp_unit",
    "replay_start_s",
    "replay_end_s",
)


class Facts(msgspec.Struct):
    """What a kept book says of itself: of blocks of rows offset, length and CRC, of timestamps offset and length."""

    format: int
    decided: dict[str, Any]
    rows: int
    blocks: list[tuple[int, int, int]]
    timestamps: tuple[int, int]


def decisions(options: StressOptions, form: Form, files: Iterable[Path], limit: int | None) -> dict[str, Any]:
    """Everything that decides what is in a book, as JSON: of `files` (data sets, presets) and of those
    that options name size and age.

    `limit` is how many rows are taken at most.
    """
    chosen = {name: getattr(options, name) for name in DECIDING}
    states = {f"file {path}": state(path) for path in found([*files, *named_files(options)])}
    told = chosen | form_facts(form) | {"rows at most": limit} | states
    return dict(msgspec.json.decode(msgspec.json.encode(told, enc_hook=str)))


def form_facts(form: Form) -> dict[str, Any]:
    """What decides the bodies."""
    return {
        "dialect": msgspec.to_builtins(form.dialect),
        "model": form.model,
        "max_tokens": form.max_tokens,
        "stream": form.stream,
        "body": form.extra,
        "ignore_eos": form.exact,
        "history": form.history,
        "think_s": form.think_s,
    }


def named_files(options: StressOptions) -> Iterator[Path]:
    """Files that decide something beside the data sets: the tokenizer's, lists of lengths and of adapters."""
    lists = (told.removeprefix("file:") for told in (options.input_tokens, options.output_tokens) if told)
    yield from (path for path in map(Path, lists) if path.is_file())
    if options.lora is not None:
        yield options.lora
    if options.tokenizer is not None:
        folder = expanded(options.tokenizer)
        yield from sorted(path for suffix in TOKENIZER_FILES for path in folder.glob(f"*{suffix}"))


def found(files: Iterable[Path]) -> Iterator[Path]:
    """The files, and all that lie in those that are folders."""
    for path in files:
        yield from sorted(below for below in path.rglob("*") if below.is_file()) if path.is_dir() else (path,)


def state(path: Path) -> str:
    """Size of a file and when it was last written."""
    try:
        facts = path.stat()
    except OSError:
        return "missing"
    return f"{facts.st_size} bytes, written at {facts.st_mtime_ns} ns"


def prepare(
    path: Path,
    decided: dict[str, Any],
    parts: Generator[Part, None, None],
    total: int | None,
    journal: JournalWriter,
    tell: Tell = untold,
) -> Prepared:
    """Use the book at `path` if it is there, else write it from `parts`; the rows go into the journal in either case.

    Raises UserError where the file is no book, or one of other requests: it says what differs.
    """
    facts = read_facts(path)
    if facts is None:
        return made(path, decided, parts, total, journal, tell)
    parts.close()
    refuse_other(path, facts, decided)
    return reused(path, facts, journal)


def made(
    path: Path,
    decided: dict[str, Any],
    parts: Generator[Part, None, None],
    total: int | None,
    journal: JournalWriter,
    tell: Tell,
) -> Prepared:
    """Write a book, which has its name when it is whole."""
    blocks: list[tuple[int, int, int]] = []
    with becoming(path) as partial, BookWriter(partial, "--book") as book:
        done = write(
            book,
            parts,
            total,
            journal,
            tell,
            lambda block: blocks.append((book.add_aside(block), len(block), zlib.crc32(block))),
        )
        stamps = done.timestamps_ns.tobytes()
        place = (book.add_aside(stamps), len(stamps))
        book.close(msgspec.json.encode(Facts(FORMAT, decided, done.rows, blocks, place)))
    return done


@contextmanager
def becoming(path: Path) -> Iterator[Path]:
    """A name to write to, which becomes `path` if the block ends well and is gone if it does not."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        rename(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def rename(partial: Path, path: Path) -> None:
    """Give a file its name."""
    try:
        partial.replace(path)
    except OSError as error:
        raise unwritable(path, error, "--book") from None


def read_facts(path: Path) -> Facts | None:
    """What a kept book says of itself; None where there is no file. Raises UserError for one that is no kept book."""
    try:
        with path.open("rb") as file:
            head = HEADER.unpack(file.read(HEADER.size).ljust(HEADER.size, b"\0"))
            size = os.fstat(file.fileno()).st_size
            if head[0] != MAGIC or head[3] != size or not head[7] or head[6] + head[7] > size:
                raise ValueError("it is no kept request book of this version, or is cut short")
            file.seek(head[6])
            return msgspec.json.decode(file.read(head[7]), type=Facts)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UserError(f"cannot read --book {path}: {error.strerror}; give another name") from None
    except (ValueError, msgspec.DecodeError) as error:
        raise UserError(f"--book {path} cannot be used ({error}): delete it, or give another name") from None


def refuse_other(path: Path, facts: Facts, decided: Mapping[str, Any]) -> None:
    """Raise UserError that says what differs where a book holds other requests."""
    before, now = {"format": facts.format, **facts.decided}, {"format": FORMAT, **decided}
    keys = [key for key in {**before, **now} if before.get(key) != now.get(key)]
    if not keys:
        return
    shown = ", ".join(f"{key} was {in_words(key, before)} and is {in_words(key, now)}" for key in keys[:3])
    more = f", and {len(keys) - 3} more differ" if len(keys) > 3 else ""
    raise UserError(f"--book {path} holds other requests: {shown}{more}; delete it, or give another name")


def in_words(key: str, values: Mapping[str, Any]) -> str:
    """A value in a message."""
    if key not in values:
        return "not there"
    text = msgspec.json.encode(redacted_fields(values[key])).decode()
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def reused(path: Path, facts: Facts, journal: JournalWriter) -> Prepared:
    """Copy the rows of a book into the journal."""
    start_ns = monotonic_ns()
    done = Prepared(rows=facts.rows, reused=True)
    with path.open("rb") as file:
        for offset, length, crc in facts.blocks:
            file.seek(offset)
            block = file.read(length)
            if zlib.crc32(block) != crc:
                raise UserError(f"--book {path} is damaged at byte {offset:,}: delete it, or give another name")
            journal.append(Kind.PACKED_ROWS, 0, block)
        file.seek(facts.timestamps[0])
        done.timestamps_ns = array("q", file.read(facts.timestamps[1]))
    done.wall_s = (monotonic_ns() - start_ns) / NS
    return done
