"""A chat service on loopback that honours, ignores or refuses parameters as it is told to."""

import contextlib
import http.server
import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.loopback import serving

WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
SHORT, LONG = 2, 100
PARAMETERS = frozenset({"max_tokens", "min_tokens", "ignore_eos", "seed", "stop", "n"})


@dataclass
class Manners:
    """How the service behaves. `pause_s` lies between two tokens, `wait_s` before the first one."""

    honoured: frozenset[str] = PARAMETERS
    refused: frozenset[str] = frozenset()
    usage: str = "own"  # own, finish, every, none
    role: str = "with"  # none, with (the first token), early
    held: bool = False  # the answer is sent when it is whole
    thoughts: str = ""  # reasoning_content before the answer
    opening: str = ""  # text before the answer
    hidden: int = 0  # tokens of thoughts that are counted and not shown
    keep: bool = True  # connections
    pause_s: float = 0.0003
    wait_s: float = 0.0
    status: int = 200
    location: str = ""
    repeat_key: bool = False
    entry: dict[str, Any] = field(default_factory=lambda: {"id": "m"})


@contextlib.contextmanager
def obliging(manners: Manners) -> Iterator[str]:
    """The base URL of the service."""
    with serving(type("Obliging", (Handler,), {"manners": manners})) as url:
        yield url


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    manners: Manners

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def do_GET(self) -> None:
        self.whole(200, {"object": "list", "data": [self.manners.entry]})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        manners = self.manners
        bad = sorted(name for name in manners.refused if asked.get(name))
        if manners.status != 200:
            words = self.headers["Authorization"] if manners.repeat_key else "no"
            self.whole(manners.status, {"error": {"message": words}}, {"Location": manners.location})
        elif bad:
            self.whole(422, {"detail": f"Unexpected fields in the request: {bad}"})
        elif asked.get("stream"):
            self.stream(events(asked, manners))
        else:
            words, finish = answer(asked, manners)
            self.whole(200, {"choices": [{"message": {"content": " ".join(words)}, "finish_reason": finish}]})

    def whole(self, status: int, document: Any, more: dict[str, str] | None = None) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in (more or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def stream(self, found: Iterator[dict[str, Any] | None]) -> None:
        """Send events, those between two pauses (None) at once."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        if not self.manners.keep:
            self.send_header("Connection", "close")
        self.end_headers()
        held = b""
        for event in found:
            if event is not None:
                held += b"data: " + json.dumps(event).encode() + b"\n\n"
                continue
            if held and not self.manners.held:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(held), held))
                held = b""
            time.sleep(self.manners.pause_s)
        held += b"data: [DONE]\n\n"
        self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(held), held))


def events(asked: dict[str, Any], manners: Manners) -> Iterator[dict[str, Any] | None]:
    """The answer, with None where time passes."""
    words, finish = answer(asked, manners)
    numbers = range(asked.get("n", 1) if "n" in manners.honoured else 1)
    hidden = min(manners.hidden, asked.get("max_tokens", LONG))
    if manners.hidden and hidden + len(words) > asked.get("max_tokens", LONG + hidden):
        words, finish = words[: asked["max_tokens"] - hidden], "length"
    counts = {"prompt_tokens": 9, "completion_tokens": hidden + len(words) * len(numbers)}
    every = {"usage": counts} if manners.usage == "every" else {}
    if manners.role == "early":
        yield chunk(0, {"role": "assistant"})
        yield None
    time.sleep(manners.wait_s)
    if manners.role == "with":
        yield chunk(0, {"role": "assistant", "content": ""})
    if manners.thoughts:
        yield chunk(0, {"reasoning_content": manners.thoughts})
        yield None
    for at, word in enumerate(words):
        for number in numbers:
            text = manners.opening + word if at == 0 else f" {word}"
            yield chunk(number, {"content": text}) | every
        yield None
    last = {"usage": counts} if manners.usage == "finish" else {}
    for number in numbers:
        yield chunk(number, {}, finish) | last
    if manners.usage == "own":
        yield {"choices": [], "usage": counts}


def chunk(number: int, delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": number, "delta": delta, "finish_reason": finish}]}


def answer(asked: dict[str, Any], manners: Manners) -> tuple[list[str], str]:
    """Words, and why there are no more."""
    given = {name: value for name, value in asked.items() if name in manners.honoured}
    length = SHORT if "single word" in asked["messages"][-1]["content"] else LONG
    length = max(length, given.get("min_tokens", 0), given.get("max_tokens", 0) if given.get("ignore_eos") else 0)
    rng = random.Random(given.get("seed"))
    words = rng.choices(WORDS, k=length)
    limit = given.get("max_tokens", length)
    finish = "length" if limit < length or given.get("ignore_eos") else "stop"
    words = words[:limit]
    for at, word in enumerate(words):
        if any(text in word for text in given.get("stop", ())):
            return words[:at], "stop"
    return words, finish
