"""outputs.jsonl as a table: what was asked and answered, with the identity of its request."""

import json
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from perfcore.errors import UserError

TEXTS = ("prediction", "reasoning", "tool_arguments", "finish_reason", "error", "dataset", "subset", "model")
VALUES = ("id", "prompt", "tool_calls", "reference", "meta")  # of any kind: texts as they are, all else as JSON
NULL = msgspec.Raw(b"null")


class Line(msgspec.Struct):
    """What is read of a line."""

    index: int | None = None
    repeat: int | None = None
    turn: int | None = None
    id: msgspec.Raw = NULL
    prompt: msgspec.Raw = NULL
    tool_calls: msgspec.Raw = NULL
    reference: msgspec.Raw = NULL
    meta: msgspec.Raw = NULL
    prediction: msgspec.Raw = NULL
    reasoning: msgspec.Raw = NULL
    tool_arguments: msgspec.Raw = NULL
    finish_reason: msgspec.Raw = NULL
    error: msgspec.Raw = NULL
    dataset: msgspec.Raw = NULL
    subset: msgspec.Raw = NULL
    model: msgspec.Raw = NULL


# What tells the requests of a run apart: row of the data set, how often it was used up before, turn. -1 is unknown.
Key: TypeAlias = tuple[int, int, int]
KEY = ("index", "repeat", "turn")

_decode = msgspec.json.Decoder(Line).decode
_any = msgspec.json.Decoder().decode


def answers(run_dir: Path) -> pa.Table:
    """One row per line. Raises UserError where the file cannot be read."""
    lines = read(run_dir)
    identity = identities(run_dir)
    columns: dict[str, Any] = {
        "request_id": pa.array([identity.get(key_of(line)) for line in lines], pa.int64()),
    }
    for name in KEY:
        columns[name] = pa.array([getattr(line, name) for line in lines], pa.int64())
    for name in (*VALUES, *TEXTS):
        columns[name] = pa.array([text(getattr(line, name)) for line in lines], pa.large_string())
    return pa.table(columns)


def read(run_dir: Path) -> list[Line]:
    """The lines of outputs.jsonl; raises UserError for one that is none."""
    path = run_dir / "outputs.jsonl"
    try:
        with path.open("rb") as file:
            return [_decode(line) for line in file]
    except (OSError, msgspec.DecodeError) as error:
        raise UserError(f"cannot read {path} ({error}); make it again with: perfcore report {run_dir}") from None


def key_of(line: Line) -> Key:
    return known(line.index), known(line.repeat), known(line.turn)


def known(number: int | None) -> int:
    return -1 if number is None else number


def identities(run_dir: Path) -> dict[Key, int]:
    """request_id of each measured request by its key."""
    names = [*KEY, "request_id", "phase"]
    table = pq.read_table(run_dir / "requests.parquet", columns=names).to_pydict()
    rows = zip(*(table[name] for name in names), strict=True)
    return {
        (known(index), known(repeat), known(turn)): identity
        for index, repeat, turn, identity, phase in rows
        if phase == "measured"
    }


def text(raw: msgspec.Raw) -> str | None:
    """A JSON text without its quotes, anything else as it stands; halves of surrogate pairs as their escapes."""
    written = bytes(raw)
    if written == b"null":
        return None
    if not written.startswith(b'"'):
        return written.decode(errors="replace")
    try:
        return str(_any(written))
    except msgspec.DecodeError:
        return str(json.loads(written)).encode("utf-8", "backslashreplace").decode()
