"""predictions/<model>/<dataset>.jsonl: the answers of an evaluation, one line for each question and repeat.

A line is one of outputs.jsonl with `question`, the key of what was asked; `index` is its place among the questions.
"""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from perfcore.errors import UserError

NULL = b"null"
Fields = dict[str, msgspec.Raw]


class Place(NamedTuple):
    """Which question a request asked: its place among the questions, its key, and which answer to it this is."""

    place: int
    key: str
    repeat: int


class Head(msgspec.Struct):
    """What says which answer a line is, and whether it is one."""

    question: str
    index: int
    repeat: int = 0
    error: str | None = None


class Kept(NamedTuple):
    """A line and what it is."""

    head: Head
    line: bytes


_head = msgspec.json.Decoder(Head)
_fields = msgspec.json.Decoder(Fields)
encode = msgspec.json.Encoder().encode


def read(path: Path) -> dict[tuple[str, int], Kept]:
    """The answers in a file by question and repeat; none where it is not there. Raises UserError for what is no line.

    A last line that a full disk or a kill has cut is passed over.
    """
    found: dict[tuple[str, int], Kept] = {}
    for number, line in lines_of(path):
        try:
            head = _head.decode(line)
        except msgspec.DecodeError as error:
            raise UserError(f"{path}, line {number}: {error}; take the line out, its question is asked again") from None
        found[head.question, head.repeat] = Kept(head, line)
    return found


def lines_of(path: Path) -> Iterator[tuple[int, bytes]]:
    """Whole lines with their numbers."""
    try:
        with path.open("rb") as file:
            yield from ((number, line) for number, line in enumerate(file, 1) if line.endswith(b"\n"))
    except FileNotFoundError:
        return
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; make it readable") from None


def merge(outputs: Iterable[Path], places: Mapping[Path, Sequence[Place]], path_of: Callable[[str], Path]) -> None:
    """Add the lines of runs' outputs.jsonl to the predictions; an answer takes the place of a failure alone.

    `places` has for each file what its rows asked, by their number; `path_of` gives the file of a data set.
    """
    kept: dict[Path, dict[tuple[str, int], Kept]] = {}
    for file in outputs:
        for _, line in lines_of(file):
            fields = _fields.decode(line)
            if bytes(fields["index"]) == NULL:
                continue
            one = Kept(*placed(fields, places[file][int(bytes(fields["index"]))]))
            target = path_of(text_of(fields.get("dataset")))
            there = kept.setdefault(target, {}) if target in kept else kept.setdefault(target, read(target))
            before = there.get((one.head.question, one.head.repeat))
            if before is None or before.head.error is not None:
                there[one.head.question, one.head.repeat] = one
    for target, lines in kept.items():
        write(target, lines.values())


def placed(fields: Fields, place: Place) -> tuple[Head, bytes]:
    """A line of outputs.jsonl as one of predictions."""
    error = fields.get("error")
    head = Head(place.key, place.place, place.repeat, None if error is None else msgspec.json.decode(error))
    own = {"question": place.key, "index": place.place, "repeat": place.repeat}
    raw = {name: msgspec.Raw(encode(value)) for name, value in own.items()}
    return head, encode(
        {"id": fields["id"], **raw, **{k: v for k, v in fields.items() if k not in (*own, "id")}}
    ) + b"\n"


def text_of(raw: msgspec.Raw | None) -> str:
    """Text of a field, empty where there is none."""
    return "" if raw is None else str(msgspec.json.decode(raw) or "")


def write(path: Path, lines: Iterable[Kept]) -> None:
    """Write a file as a whole, its lines in the order of questions and repeats."""
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            file.writelines(one.line for one in sorted(lines, key=lambda one: (one.head.index, one.head.repeat)))
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise UserError(
            f"cannot write {path}: {error.strerror}; the runs below {path.parents[2] / 'runs'} have all answers: make "
            "room and go on with --resume"
        ) from None
