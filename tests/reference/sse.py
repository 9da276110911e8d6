"""Bodies decoded into events by the letter of the rules, the whole body at once."""

import re

Event = tuple[bytes, bytes]


def decode(body: bytes, framing: str) -> list[Event]:
    """(data, event name) of each event of a whole body."""
    if framing == "sse":
        return decode_sse(body)[0]
    if framing == "ndjson":
        lines = [line[:-1] if line.endswith(b"\r") else line for line in body.split(b"\n")]
        return [(line, b"") for line in lines if line.strip(b" \t\r")]
    return [(body, b"")] if body else []


def decode_sse(body: bytes) -> tuple[list[Event], int]:
    """The events, and how many bytes of lines (comments aside) come after the last blank line."""
    if body[:3] == b"\xef\xbb\xbf":
        body = body[3:]
    events: list[Event] = []
    data: list[bytes] = []
    name = b""
    pending = 0
    *lines, cut = re.split(rb"\r\n|\r|\n", body)
    for line in lines:
        if not line:
            if data:
                events.append((b"\n".join(data), name))
            data, name, pending = [], b"", 0
            continue
        pending += kept(line)
        field, _, value = line.partition(b":")
        value = value[1:] if value.startswith(b" ") else value
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value
    return events, pending + kept(cut)


def kept(line: bytes) -> int:
    return 0 if line.startswith(b":") else len(line)
