"""Answers of services that nothing was captured of, written in the form that each vendor's documentation shows.

The texts are made up; framing, order of events, names and places of values are those of the API reference named.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from tests.captures import Capture

SSE, NDJSON, JSON = "text/event-stream", "application/x-ndjson", "application/json"


@dataclass(frozen=True)
class Documented:
    """An answer and what a person reads in it: texts, finish reason, and tokens in, out, of reasoning, cached."""

    dialect: str
    content_type: str
    body: bytes
    content: str = ""
    reasoning: str = ""
    tool: str = ""
    finish: str = ""
    tokens: tuple[int, int, int, int] = field(default=(-1, -1, -1, -1))

    @property
    def streamed(self) -> bool:
        return self.content_type != JSON

    def capture(self, body: bytes | None = None) -> Capture:
        """The same as if it had been captured, or another body under its head."""
        head = f"HTTP/1.1 200 OK\r\ncontent-type: {self.content_type}\r\ntransfer-encoding: chunked\r\n\r\n"
        if not self.content_type:
            head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
        return Capture(self.dialect, self.streamed, head.encode(), self.body if body is None else body)


def sse(*events: Any, space: str = " ") -> bytes:
    """Server-sent events, a text as it is and everything else as JSON."""
    return b"".join(f"data:{space}{event if isinstance(event, str) else dumps(event)}\n\n".encode() for event in events)


def typed(*events: dict[str, Any]) -> bytes:
    """Server-sent events that are called as their type."""
    return b"".join(f"event: {event['type']}\ndata: {dumps(event)}\n\n".encode() for event in events)


def lines(*events: Any, ending: str = "\n") -> bytes:
    """A document a line."""
    return b"".join(dumps(event).encode() + ending.encode() for event in events)


def dumps(event: Any) -> str:
    return json.dumps(event, separators=(",", ":"))
