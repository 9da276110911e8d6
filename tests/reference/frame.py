"""Frames packed and unpacked one field at a time, as perfcore_ext/frame.pxd describes them."""

import json
import struct
from dataclasses import dataclass
from typing import Any

from perfcore_ext import frame

HEADER = struct.Struct("<IIQ" + "q" * 21 + "I" * 10 + "H" * 4 + "B" * 7 + "x")
NAMES = [name for name, _ in frame.HEADER_FIELDS[:-1]]
ARRAYS = {"wake_ns": "q", "read_delay_ns": "I", "read_seq": "I", "chars": "I", "kinds": "H"}
ABSENT = {
    "uploaded_ns": -1,
    "first_byte_ns": -1,
    "first_token_ns": -1,
    "first_answer_ns": -1,
    "last_token_ns": -1,
    "last_output_ns": -1,
    "input_tokens": -1,
    "output_tokens": -1,
    "reasoning_tokens": -1,
    "cached_tokens": -1,
    "retry_after_ns": -1,
    "phase": frame.PHASES.index("measured"),
}


@dataclass(frozen=True)
class Event:
    t_ns: int
    kind: int = frame.EVENT_KINDS["content"]
    chars: int = 1
    read_seq: int = 0
    read_delay_ns: int = 0


def pack(events: list[Event] | None = None, **fields: Any) -> bytes:
    """A frame with these events, header fields and ranges (`content=b"..."` and so on); the rest is absent or 0.

    Counts and lengths follow from the events and ranges, and so do the times of the first and last token event, unless
    they are given.
    """
    events = events or []
    ranges = {name: fields.pop(name, b"") for name in frame.RANGES}
    body = b"".join(_arrays(events)) + b"".join(ranges.values())
    body += bytes(-(HEADER.size + len(body)) % 8)
    header = dict.fromkeys(NAMES, 0) | ABSENT | _counted(events) | fields
    header |= {"magic": int.from_bytes(frame.MAGIC, "little"), "length": HEADER.size + len(body), "events": len(events)}
    header |= {f"{name}_length": len(value) for name, value in ranges.items()}
    return HEADER.pack(*(header[name] for name in NAMES)) + body


def _arrays(events: list[Event]) -> list[bytes]:
    columns = {
        "wake_ns": [event.t_ns for event in events],
        "read_delay_ns": [event.read_delay_ns for event in events],
        "read_seq": [event.read_seq for event in events],
        "chars": [event.chars for event in events],
        "kinds": [event.kind for event in events],
    }
    return [struct.pack(f"<{len(events)}{form}", *columns[name]) for name, form in ARRAYS.items()]


def _counted(events: list[Event]) -> dict[str, int]:
    tokens = [event.t_ns for event in events if event.kind & frame.GENERATED]
    answers = [event.t_ns for event in events if event.kind & frame.GENERATED & ~frame.EVENT_KINDS["reasoning"]]
    outputs = [event.t_ns for event in events if event.kind & (frame.GENERATED | frame.EVENT_KINDS["finish"])]
    return {
        "token_events": len(tokens),
        "bad_json": sum(bool(event.kind & frame.EVENT_KINDS["bad_json"]) for event in events),
        "first_token_ns": tokens[0] if tokens else -1,
        "last_token_ns": tokens[-1] if tokens else -1,
        "first_answer_ns": answers[0] if answers else -1,
        "last_output_ns": outputs[-1] if outputs else -1,
    }


def unpack(data: bytes) -> list[dict[str, Any]]:
    """The frames of `data` as dicts: header fields, `events` as a list of Event, ranges as bytes."""
    found = []
    while len(data) >= HEADER.size:
        fields: dict[str, Any] = dict(zip(NAMES, HEADER.unpack_from(data), strict=True))
        if len(data) < fields["length"]:
            break
        found.append(_unpack_body(fields, data[HEADER.size : fields["length"]]))
        data = data[fields["length"] :]
    return found


def _unpack_body(fields: dict[str, Any], body: bytes) -> dict[str, Any]:
    arrays = {}
    for name, form in ARRAYS.items():
        layout = struct.Struct(f"<{fields['events']}{form}")
        arrays[name] = layout.unpack_from(body)
        body = body[layout.size :]
    order = ("wake_ns", "kinds", "chars", "read_seq", "read_delay_ns")
    fields["events"] = [Event(*values) for values in zip(*(arrays[name] for name in order), strict=True)]
    for name in frame.RANGES:
        fields[name] = body[: fields[f"{name}_length"]]
        body = body[fields[f"{name}_length"] :]
    return fields


def text(body: bytes) -> str:
    """What a JSON string body stands for, where it is valid."""
    return str(json.loads(b'"' + body + b'"'))
