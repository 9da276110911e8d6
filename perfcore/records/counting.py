"""Numbers of tokens that no server reported: asked for by the rows, and counted by the client when the run is over."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from perfcore.records import frame as frames
from perfcore.records.rows import Row
from perfcore.types import TOKEN_SOURCES, Counted, Requests

TOKENIZER, EVENTS = TOKEN_SOURCES.index("tokenizer"), TOKEN_SOURCES.index("events")
UNKNOWN = -1
BATCH_CHARS = 4 << 20  # texts that wait to be counted together: enough for all cores, and little memory


class Counter(NamedTuple):
    """What counts tokens, many texts at a time.

    `texts` counts answers, without what marks the end of one. `prompts` counts what rows ask (a text, messages or
    token ids) as the service gets it, its chat template included; -1 for what it cannot count.
    """

    texts: Callable[[list[str]], list[int]]
    prompts: Callable[[list[Any]], list[int]]


class Limits(NamedTuple):
    """Most tokens of an answer: what goes before a row's own number, and what holds where it has none."""

    given: int | None = None
    otherwise: int | None = None


@dataclass
class Batch:
    """Texts that wait to be counted, and the rows of Requests that they belong to."""

    rows: list[int] = field(default_factory=list)
    asked: list[Any] = field(default_factory=list)
    chars: int = 0


@dataclass
class Counting:
    """Fills what the columns of `requests` lack, answer by answer. `clock` gives ns; without `counter` none counts."""

    requests: Requests
    counter: Counter | None
    limits: Limits
    clock: Callable[[], int]
    answers: Batch = field(default_factory=Batch)
    prompts: Batch = field(default_factory=Batch)
    counted: Counted = field(default_factory=Counted)


def add(counting: Counting, at: int, row: Row, turn: int, texts: tuple[bytes, ...]) -> None:
    """Take down the lengths of the answer in row `at` of Requests; `texts` are its parts as JSON string bodies."""
    requests = counting.requests
    limit = asked_limit(row, turn, counting.limits)
    requests.output_tokens_asked[at] = UNKNOWN if limit is None else limit
    if row.turns is None:
        requests.input_tokens_asked[at] = UNKNOWN if row.input_tokens is None else row.input_tokens
        requests.input_tokens_counted[at] = UNKNOWN if row.counted_tokens is None else row.counted_tokens
    if requests.input_tokens[at] < 0:
        add_prompt(counting, at, row)
    if counting.counter is not None and requests.token_source[at] == EVENTS and any(texts):
        collect(counting.answers, at, "".join(frames.text(part) for part in texts))
    if counting.answers.chars + counting.prompts.chars > BATCH_CHARS:
        flush(counting)


def asked_limit(row: Row, turn: int, limits: Limits) -> int | None:
    """The most tokens that a request allowed; a recorded body says that for itself."""
    if bytes(row.body) != b"null":
        return row.max_tokens
    given = row.limit(turn) if limits.given is None else limits.given
    return limits.otherwise if given is None else given


def add_prompt(counting: Counting, at: int, row: Row) -> None:
    """The length of a prompt that the server did not count. That of a later turn depends on answers: it stays open."""
    requests = counting.requests
    if row.turns is not None:
        return
    if row.counted_tokens is not None:
        requests.input_tokens[at], requests.input_token_source[at] = row.counted_tokens, TOKENIZER
    elif counting.counter is not None:
        asked = msgspec.json.decode(row.asked(0))
        if asked is not None:
            collect(counting.prompts, at, asked)


def collect(batch: Batch, at: int, asked: Any) -> None:
    batch.rows.append(at)
    batch.asked.append(asked)
    batch.chars += len(asked) if isinstance(asked, str) else len(msgspec.json.encode(asked))


def flush(counting: Counting) -> None:
    """Count what waits."""
    if counting.counter is None:
        return
    requests, counted = counting.requests, counting.counted
    start_ns = counting.clock()
    rows, numbers = emptied(counting.prompts, counting.counter.prompts)
    requests.input_tokens[rows] = requests.input_tokens_counted[rows] = numbers
    requests.input_token_source[rows] = TOKENIZER
    counted.prompts += len(rows)
    counted.prompts_ns += counting.clock() - start_ns
    start_ns = counting.clock()
    rows, numbers = emptied(counting.answers, counting.counter.texts)
    requests.output_tokens[rows] = numbers
    requests.token_source[rows] = TOKENIZER
    counted.answers += len(rows)
    counted.answers_ns += counting.clock() - start_ns


def emptied(batch: Batch, count: Callable[[list[Any]], list[int]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of a batch, and the numbers counted for them, without those that could not be."""
    numbers = np.array(count(batch.asked) if batch.asked else [], np.int64)
    rows = np.array(batch.rows, np.int64)
    batch.rows, batch.asked, batch.chars = [], [], 0
    known = numbers >= 0
    return rows[known], numbers[known]
