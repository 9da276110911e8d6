"""A chat service on loopback that adds two numbers, well or badly as it is told to, and remembers what it was asked."""

import contextlib
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.loopback import Connection, serving

Reply = Callable[[int, int, int], str]  # of two numbers, and how often they were asked for before


def right(a: int, b: int, _: int) -> str:
    return f"{a} plus {b} is {a + b}.\n#### {a + b}"


def right_if_even(a: int, b: int, _: int) -> str:
    """Half of the sums are one too large."""
    return right(a, b, 0) if a % 2 == 0 else f"The answer is {a + b + 1}."


@dataclass
class Service:
    """`refused` requests are answered with 500 first; `wait_s` is how long an answer takes.

    `reader`, where there is one, answers whole bodies in the place of `reply`.
    """

    reply: Reply = right
    reader: Callable[[dict[str, Any]], str] | None = None
    refused: int = 0
    wait_s: float = 0.0
    name: str = "adder"
    url: str = ""
    asked: list[str] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)


@contextlib.contextmanager
def answering(service: Service) -> Iterator[Service]:
    """The service while it runs."""
    with serving(type("Answering", (Handler,), {"service": service})) as service.url:
        yield service


class Handler(Connection):
    """One connection."""

    service: Service

    def get(self) -> None:
        self.send(200, "application/json", json.dumps({"data": [{"id": self.service.name}]}).encode())

    def post(self, body: dict[str, Any]) -> None:
        service = self.service
        said = body["messages"][-1]["content"]
        time.sleep(service.wait_s)
        if service.refused > 0:
            service.refused -= 1
            return self.send(500, "application/json", b'{"error": {"message": "not now"}}')
        earlier = service.asked.count(said)
        service.asked.append(said)
        service.bodies.append(body)
        if service.reader is not None:
            return self.answer(service.reader(body))
        a, b = map(int, re.findall(r"\d+", said)[-2:])
        self.answer(service.reply(a, b, earlier))

    def answer(self, text: str) -> None:
        choice = {"index": 0, "delta": {"content": text}, "finish_reason": "stop"}
        event = json.dumps({"choices": [choice], "usage": {"prompt_tokens": 5, "completion_tokens": 3}}).encode()
        self.send(200, "text/event-stream", b"data: " + event + b"\n\ndata: [DONE]\n\n")


def sums(path: Path, number: int, **more: Any) -> Path:
    """A file of so many questions with their answers, in the form of GSM8K."""
    answers = {f"What is {a} plus 7?": f"It is {a + 7}.\n#### {a + 7}" for a in range(number)}
    rows = [{"question": question, "answer": answer, **more} for question, answer in answers.items()]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
