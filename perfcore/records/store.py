"""From the journal of a run to the rest of its folder.

The journal is read twice, a batch of frames at a time. The first pass takes the headers and makes the table of
requests; so the second, which writes events and texts, knows which row a frame is and whether it was the last attempt.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from perfcore.errors import UserError
from perfcore.records import columns, counting, frame, origin, outputs, tables, think, timing
from perfcore.records.columns import Columns, Labels, Table
from perfcore.records.counting import Counter, Counting, Limits
from perfcore.records.frame import Frames
from perfcore.records.journal import Kind, read_blocks
from perfcore.records.origin import Origins
from perfcore.records.rows import Rows
from perfcore.records.stream import read_frames
from perfcore.records.think import Tags
from perfcore.records.timing import Timing
from perfcore.types import Damage, Events, Run
from perfcore_ext.clock import monotonic_ns
from perfcore_ext.frame import PHASES

JOURNAL = "journal.bin"
WARMUP, MEASURED = PHASES.index("warmup"), PHASES.index("measured")
FINISH_ROOM, ERROR_ROOM = 1 << 20, 64 << 20


@dataclass(frozen=True)
class Source:
    """A journal as it was when the build began: its path and size, and what it holds beside frames."""

    path: Path
    size: int
    rows: Rows
    notes: list[dict[str, Any]]
    lost: list[dict[str, Any]]


def build(run_dir: Path, think_tags: str = "auto", counter: Counter | None = None, stamps: bool = False) -> Run:
    """Write requests.parquet, events.parquet and outputs.jsonl from journal.bin; return what the metrics need.

    `think_tags` says what marks reasoning within a text: auto, off, or OPEN,CLOSE. `counter` counts the tokens that no
    server reported. `stamps` keeps the time of each token event for the analysis of a window.
    Works on the journal of a killed run, and any number of times. The files are replaced when all of them are written.
    Raises UserError when the journal is missing or none, or a file cannot be written.
    """
    damage, tags = Damage(), think.tags_of(think_tags)
    with opened(run_dir / JOURNAL) as source:
        table, messages = read_requests(source, damage, tags)
        with replaced(run_dir, "requests.parquet", "events.parquet", "outputs.jsonl") as (requests, events, texts):
            counts = Counting(table.requests, counter, limits(source.notes), monotonic_ns)
            origins = origin.unread(len(source.rows))
            seen = write_events_and_texts(source, table, events, texts, tags, counts, origins, Timing(stamps))
            counting.flush(counts)
            whole = origin.labelled(table.requests, origins, source.rows)
            tables.write_requests(requests, whole, table.error, messages)
    return Run(
        requests=whole,
        gaps_ns=timing.gaps(seen),
        reads=timing.reads(seen),
        notes=tuple(source.notes),
        damage=damage,
        error_samples=error_samples(table, messages),
        counted=counts.counted,
        stamps=timing.stamps(seen),
    )


def notes_of(run_dir: Path) -> list[dict[str, Any]]:
    """What the master noted in the journal, oldest first; reads nothing else of it."""
    blocks = read_blocks(run_dir / JOURNAL, kinds=[Kind.NOTE])
    return [msgspec.json.decode(block.payload) for block in blocks]


@contextmanager
def opened(path: Path) -> Iterator[Source]:
    """Everything of the journal but its frames."""
    blocks = read_blocks(path, kinds=[Kind.ROWS, Kind.PACKED_ROWS, Kind.LOST, Kind.NOTE])
    notes: list[dict[str, Any]] = []
    lost: list[dict[str, Any]] = []
    with Rows(path) as rows:
        size = path.stat().st_size
        for block in blocks:
            if block.kind in (Kind.ROWS, Kind.PACKED_ROWS):
                rows.add(block)
            elif block.kind == Kind.LOST:
                lost.extend(msgspec.json.decode(block.payload))
            else:
                notes.append(msgspec.json.decode(block.payload))
        yield Source(path, size, rows, notes, lost)


def read_requests(source: Source, damage: Damage, tags: Tags | None) -> tuple[Table, list[str]]:
    """The first pass: the table, and the error messages that it refers to by number."""
    finish, errors = Labels(FINISH_ROOM), Labels(ERROR_ROOM)
    parts = [header_columns(frames, finish, errors, tags) for frames in read_frames(source.path, damage, source.size)]
    parts.append(columns.of_lost(source.lost, len(source.rows)))
    claimed = max((int(note.get("claimed") or 0) for note in source.notes), default=0)
    unsent = {number for note in source.notes for number in note.get("unsent") or ()}
    forgotten = [{"request_id": number} for number in columns.missing(parts, claimed).tolist() if number not in unsent]
    parts.append(columns.of_lost(forgotten, len(source.rows)))
    messages = [frame.error_text(raw) for raw in errors.raw]
    return columns.table(parts, [frame.text(raw) for raw in finish.raw], messages), messages


def header_columns(frames: Frames, finish: Labels, errors: Labels, tags: Tags | None) -> Columns:
    error = [errors.code(raw[: frame.MAX_ERROR_BYTES]) for raw in frame.ranges(frames, "error")]
    found = columns.of_frames(frames.headers, [finish.code(raw) for raw in frame.ranges(frames, "finish")], error)
    think.mend_first_answer(frames, found["first_answer_ns"], tags)
    return found


def write_events_and_texts(
    source: Source,
    table: Table,
    events_path: Path,
    texts_path: Path,
    tags: Tags | None,
    counts: Counting,
    origins: Origins,
    seen: Timing,
) -> Timing:
    """The second pass."""
    requests = table.requests
    measured = requests.phase == MEASURED
    wanted = measured & columns.last_attempts(requests)
    successful = measured & (requests.error_class == 0)
    counted = requests.phase != WARMUP
    done = 0
    with tables.events_writer(events_path) as events_file, texts_path.open("wb") as texts_file:
        for frames in read_frames(source.path, Damage(), source.size):
            rows = table.row_of_frame[done : done + len(frames)]
            done += len(frames)
            events = frame.events(frames, rows)
            think.mend_events(frames, events, tags)
            events = first_of_each(events)
            timing.add(seen, events, measured, successful)
            timing.add_stamps(seen, events, counted)
            tables.write_events(events_file, events)
            kept = np.where((rows >= 0) & wanted[rows], rows, -1)
            outputs.write_frames(texts_file, frames, kept, requests, source.rows, tags, counts, origins)
        wanted[table.row_of_frame[:done]] = False
        outputs.write_lost(texts_file, np.flatnonzero(wanted), requests, source.rows, counts, origins)
    return seen


def first_of_each(events: Events) -> Events:
    """Without the events of frames that repeat one read before."""
    kept = events.row >= 0
    if kept.all():
        return events
    return replace(events, **{name: column[kept] for name, column in vars(events).items()})


def limits(notes: Sequence[dict[str, Any]]) -> Limits:
    """Most tokens of an answer, as the master noted it when it made the requests."""
    told = next((note for note in notes if note.get("note") == "preparation"), {})
    return Limits(told.get("max_tokens"), told.get("max_tokens_otherwise"))


def error_samples(table: Table, messages: list[str]) -> dict[str, str]:
    """The first message of each error class that has one."""
    rows = np.flatnonzero((table.error >= 0) & (table.requests.error_class > 0))
    classes, first = np.unique(table.requests.error_class[rows], return_index=True)
    names = table.requests.error_classes
    pairs = zip(classes.tolist(), table.error[rows[first]].tolist(), strict=True)
    return {names[code]: messages[error] for code, error in pairs}


@contextmanager
def replaced(folder: Path, *names: str) -> Iterator[list[Path]]:
    """Paths to write to; they take the names' places when the block ends, and go away if it fails."""
    new = [folder / f"{name}.new" for name in names]
    try:
        yield new
        for path, name in zip(new, names, strict=True):
            path.replace(folder / name)
    except OSError as error:
        raise UserError(
            f"cannot write to {folder}: {error.strerror or error}; free space there and try again"
        ) from error
    finally:
        for path in new:
            path.unlink(missing_ok=True)
