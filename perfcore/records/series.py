"""The folder of several runs: what was asked for, and which of its runs are finished.

series.json says what was asked for, and is written once, before the first run. Whether a run is finished stands in that
run's own journal, so that no state has to be kept in step: whatever is killed, the folder says how far it came.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from perfcore.errors import UserError
from perfcore.option import INT64
from perfcore.records.folder import create_folder, unused
from perfcore.records.journal import Kind, read_blocks

SERIES_SCHEMA = "perfcore.series/1"
SERIES = "series.json"
ASIDE = ".unfinished"  # behind the name of a run's folder, and then a number where there are several
FINISHED = 0  # exit code of a run that needs not be run again


class Line(msgspec.Struct):
    """What is read of a line of outputs.jsonl."""

    index: int | None = None
    repeat: int | None = None


@dataclass(frozen=True)
class Ran:
    """A run as its folder tells it. Rows of the data set from `offset` up to `offset` + `used` have been sent."""

    folder: Path
    started: str
    exit_code: int | None  # None: it was killed
    offset: int
    rows: int  # in its request book
    used: int
    simulated: bool  # by a simulator of its own, which knows nothing of other runs
    to_the_end: bool  # the book holds all rows that the data set has from the offset on


def begin(given: Path | None, kind: str, command: Sequence[str], points: list[dict[str, Any]]) -> Path:
    """A new folder for several runs with its series.json; raises UserError for one that is not empty."""
    parent = create_folder(given, kind)
    content = {
        "schema": SERIES_SCHEMA,
        "started": datetime.now().astimezone().isoformat(timespec="milliseconds"),
        "command": ["perfcore", *command],
        "points": points,
    }
    new = parent / (SERIES + ".new")
    try:
        new.write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")
        new.replace(parent / SERIES)
    except OSError as error:
        raise UserError(f"cannot write {parent / SERIES}: {error.strerror}; make room or give access") from None
    return parent


def is_series(folder: Path) -> bool:
    """Whether a folder is one of several runs."""
    return (folder / SERIES).is_file()


def read_series(parent: Path) -> dict[str, Any]:
    """What was asked for; raises UserError where that cannot be told."""
    path = parent / SERIES
    try:
        found = msgspec.json.decode(path.read_bytes())
        if found["schema"] != SERIES_SCHEMA:
            raise UserError(f"{path} has the schema {found['schema']!r}, and this perfcore reads {SERIES_SCHEMA}")
        if not all(Path(point["name"]).name == point["name"] for point in found["points"]):
            raise KeyError("a name that is none of a folder")
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; give the folder of a sweep") from None
    except (msgspec.DecodeError, KeyError, TypeError) as error:
        raise UserError(f"{path} describes no runs ({error}); restore it, or choose another --out") from None
    return dict(found)


def reopen(parent: Path, points: list[dict[str, Any]]) -> None:
    """Raise UserError unless the folder was begun for the same points, with what differs."""
    found = differences(read_series(parent)["points"], points)
    if found:
        shown = "; ".join(found[:5]) + (f"; and {len(found) - 5} more" if len(found) > 5 else "")
        raise UserError(f"{parent} was begun with other options: {shown}. Give the same ones, or choose another --out")


def differences(before: list[dict[str, Any]], now: list[dict[str, Any]]) -> list[str]:
    """What differs between two lists of points, in words, each difference once."""
    names = [[point["name"] for point in points] for points in (before, now)]
    if names[0] != names[1]:
        return [f"its runs are {', '.join(names[0])}, and now {', '.join(names[1])}"]
    found = [line for old, new in zip(before, now, strict=True) for line in differing(old["options"], new["options"])]
    return list(dict.fromkeys(found))


def differing(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Options of one point that differ."""
    for key in sorted(before.keys() & now.keys()):
        if before[key] != now[key]:
            yield f"{key} was {shown(before[key])} and is {shown(now[key])} now"


def shown(value: Any) -> str:
    text = "not given" if value is None else msgspec.json.encode(value).decode()
    return text if len(text) <= 60 else text[:59] + "…"


@contextlib.contextmanager
def held(parent: Path) -> Iterator[None]:
    """Keep other processes from running in the folder; raises UserError where one does. Ends with the process."""
    file = os.open(parent / SERIES, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise UserError(f"another perfcore is running in {parent}; wait for it, or choose another --out") from None
    finally:
        os.close(file)


def set_aside(folder: Path) -> None:
    """Give an unfinished run another name, so that it can be run again and nothing of it is lost."""
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
    elif folder.exists():
        folder.rename(unused(folder.with_name(folder.name + ASIDE)))


def runs_of(parent: Path, name: str) -> list[Ran]:
    """The runs of one point, those that were set aside too, in the order in which they were started."""
    folders = [parent / name, *parent.glob(f"{name}{ASIDE}*")]
    return sorted(filter(None, map(ran, folders)), key=lambda run: run.started)


def ran(folder: Path) -> Ran | None:
    """What a folder tells of its run; None where nothing was sent."""
    try:
        told = msgspec.json.decode((folder / "run.json").read_bytes())
        blocks = read_blocks(folder / "journal.bin", kinds=[Kind.NOTE])
        return run_of(folder, told, [msgspec.json.decode(block.payload) for block in blocks])
    except (OSError, UserError, msgspec.DecodeError, KeyError, TypeError, AttributeError):
        return None  # no run.json, or one that somebody else wrote


def run_of(folder: Path, told: Mapping[str, Any], notes: Sequence[Mapping[str, Any]]) -> Ran:
    """A run of what its run.json and the notes in its journal tell."""
    ends = [note for note in notes if note.get("note") == "end"]
    return Ran(
        folder=folder,
        started=told["started"],
        exit_code=ends[-1]["exit"] if ends else None,
        offset=told["options"].get("offset", 0),
        rows=told["rows"],
        used=used(folder, told, notes),
        simulated=bool(told["simulated"]),
        to_the_end=told["rows"] < limit(told["options"], told.get("command") or []),
    )


def limit(options: Mapping[str, Any], command: Sequence[str] = ()) -> int:
    """Rows that a run with these options takes at most; of a steady run `requests` are those of its window."""
    by_time = options.get("duration_s") is not None or list(command[1:2]) == ["steady"]
    given = (None if by_time else options.get("requests"), options.get("num_prompts"))
    known = [number for number in given if number is not None]
    return max(min(known), options.get("warmups", 0)) if known else INT64


def used(folder: Path, told: Mapping[str, Any], notes: Sequence[Mapping[str, Any]]) -> int:
    """How many rows of its book a run has sent."""
    warmups, rows = int(told["plan"]["warmups"]), int(told["rows"])
    claims = [note["claimed"] - warmups for note in notes if note.get("phase") == "measured" and "claimed" in note]
    claimed = claims[-1] if claims else claimed_before_a_kill(folder, told["plan"].get("concurrency") or 0)
    return min(rows, max(warmups, claimed))


def claimed_before_a_kill(folder: Path, in_flight: int) -> int:
    """How far a run came that had no time to note it; what was in flight is nowhere, so as many as could be count."""
    decode = msgspec.json.Decoder(Line).decode
    with contextlib.suppress(OSError), (folder / "outputs.jsonl").open("rb") as lines:
        found = [decode(line) for line in lines]
        if any(line.repeat for line in found):
            return INT64  # all rows
        return max((line.index + 1 for line in found if line.index is not None), default=0) + in_flight
    return in_flight


def note_failure(folder: Path, message: str) -> None:
    """Keep why a run could not be made beside where it would be."""
    with contextlib.suppress(OSError):  # a full disk may be the reason
        failure_file(folder).write_text(message + "\n", encoding="utf-8", errors="backslashreplace")


def failure(folder: Path) -> str | None:
    """Why a run could not be made, if it was tried last and could not."""
    with contextlib.suppress(OSError):
        return failure_file(folder).read_text(encoding="utf-8").strip()
    return None


def forget_failure(folder: Path) -> None:
    """The run is tried anew."""
    failure_file(folder).unlink(missing_ok=True)


def failure_file(folder: Path) -> Path:
    return folder.with_name(folder.name + ".failed.txt")
