"""Conversations: a row with turns becomes a request for each, whose body has the turns before it as history."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from perfcore.workload.row import OF_A_TURN, Row

NS = 1_000_000_000

# Stands in the history where the answer to an earlier turn will go; made anew for each process, so no data set has it.
MARK = f"answer-{uuid.uuid4().hex}-{{}}-"


@dataclass(frozen=True)
class Turn:
    """One request. `splices`: (position in the body, earlier turn) of each answer that goes into it.

    `headers`: lines of this request alone.
    """

    body: bytes
    number: int = 0
    splices: tuple[tuple[int, int], ...] = ()
    think_ns: int = 0
    headers: tuple[str, ...] = ()


def turns(row: Row, encode: Callable[[Row], bytes], history: str, think_s: float) -> Iterator[Turn]:
    """The requests of a row: one, or for a row with `turns` one after the other.

    With `own` history the service's answers go into later bodies when they have come; with `data` history those that
    the data set gives, as messages of the assistant between the user's. A row's own `think_s` goes before the default,
    and the `think_s` and `max_tokens` of a message before those of its row.
    """
    headers = tuple(f"{name}: {value}" for name, value in row.headers.items())
    if row.turns is None:
        yield Turn(encode(row), headers=headers)
        return
    think_s = think_s if row.think_s is None else row.think_s
    messages: list[dict[str, Any]] = []
    number = 0
    for message in row.turns:
        if message["role"] == "assistant":
            if history == "data":
                messages.append(message)
            continue
        messages.append({key: value for key, value in message.items() if key not in OF_A_TURN})
        if message["role"] != "user":
            continue
        limit = own(message, "max_tokens", row.max_tokens)
        asked = msgspec.structs.replace(row, turns=None, messages=list(messages), max_tokens=limit)
        body, splices = opened(encode(asked), number)
        think_ns = round(own(message, "think_s", think_s) * NS) if number else 0
        yield Turn(body, number, splices, think_ns, headers)
        if history == "own":
            messages.append({"role": "assistant", "content": MARK.format(number)})
        number += 1


def own(message: dict[str, Any], key: str, otherwise: Any) -> Any:
    """What a message says of its request, else what holds for all of its row."""
    return otherwise if message.get(key) is None else message[key]


def opened(body: bytes, turns_before: int) -> tuple[bytes, tuple[tuple[int, int], ...]]:
    """The body without its marks, and where they were."""
    splices = []
    for turn in range(turns_before):
        mark = MARK.format(turn).encode()
        at = body.find(mark)
        if at >= 0:
            splices.append((at, turn))
            body = body[:at] + body[at + len(mark) :]
    return body, tuple(splices)
