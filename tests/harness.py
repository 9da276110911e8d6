"""The load loop in this process: requests in, what it made of the answers out."""

import mmap
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from perfcore.records import frame as frames
from perfcore.run.book import BookWriter
from perfcore.run.transport import Option, curl_options
from perfcore.workload.dialect import Dialect, is_streamed, load_dialect, response_paths
from perfcore_ext import control, frame, ring
from perfcore_ext.clock import monotonic_ns
from perfcore_ext.loop import Loop

RING_BYTES = 64 << 20
CHAT_BODY = b'{"model":"m","messages":[{"role":"user","content":"hello"}],"stream":true}'


@dataclass(frozen=True)
class Event:
    """One event of an answer; `kinds` are names of frame.EVENT_KINDS, `delay_ns` is from the wake-up to the read."""

    t_ns: int
    delay_ns: int
    read_seq: int
    chars: int
    kinds: frozenset[str]


@dataclass(frozen=True)
class Answer:
    """One attempt. `header` has every field of perfcore_ext.frame.HEADER_FIELDS as a number."""

    error_class: str
    status: int
    content: str
    reasoning: str
    tool: str
    finish: str
    error: str
    events: tuple[Event, ...]
    header: dict[str, int]


def send(
    url: str,
    bodies: Sequence[bytes] = (CHAT_BODY,),
    *,
    dialect: Dialect | str = "openai-chat",
    stream: bool = True,
    total: int | None = None,
    concurrency: int = 1,
    timeout_s: float = 10.0,
    headers: Sequence[str] = (),
    options: Sequence[Option] = (),
    book: mmap.mmap | bytes | None = None,
    **more: Any,
) -> list[Answer]:
    """Send `total` requests (each body once) in a closed loop to `url`; the answers in the order of requests and turns.

    `book` takes the place of `bodies`.

    `more` goes to perfcore_ext.loop.Loop as it stands: event_limit, id_header, use_timerfd.
    """
    spoken = load_dialect(dialect) if isinstance(dialect, str) else dialect
    control_memory = mmap.mmap(-1, control.control_bytes(1, concurrency))
    master = control.Control(control_memory, 1, concurrency)
    ring_memory = mmap.mmap(-1, ring.ring_bytes(RING_BYTES))
    ring.create(ring_memory, RING_BYTES)
    loop = Loop(
        control=control_memory,
        worker=0,
        ring=ring_memory,
        book=book_of(bodies) if book is None else book,
        urls=[url],
        headers=["Content-Type: application/json", "Expect:", *headers],
        options=[*curl_options(url, timeout_s, "perfcore-test"), *options],
        stream_paths=response_paths(spoken, True),
        full_paths=response_paths(spoken, False),
        framing=spoken.framing,
        done=spoken.done.encode(),
        complete=spoken.complete,
        stream=is_streamed(spoken, stream),
        cumulative=spoken.cumulative,
        **more,
    )
    master.set_limit(0, concurrency)
    loop.prepare()
    master.start_segment(
        number=1,
        phase=frame.PHASES.index("measured"),
        start_ns=monotonic_ns(),
        stop_ns=control.NO_LIMIT,
        first_request_id=0,
        total=len(bodies) if total is None else total,
        ramp_interval_ns=0,
        open_loop=False,
    )
    loop.run()
    return sorted(answers(taken(ring_memory)), key=lambda answer: (answer.header["request_id"], answer.header["turn"]))


def book_of(bodies: Sequence[bytes]) -> bytes:
    """A request book."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "book"
        with BookWriter(path) as book:
            for body in bodies:
                book.add(body)
        return path.read_bytes()


def taken(memory: mmap.mmap) -> bytes:
    """All that is in a ring."""
    first, second = ring.Reader(memory).peek()
    with first, second:
        return bytes(first) + bytes(second)


def answers(data: bytes) -> list[Answer]:
    """Frames decoded one by one."""
    cut, used, passed = frames.cut(data)
    assert (used, passed) == (len(data), 0)
    texts = zip(*([frames.text(raw) for raw in frames.ranges(cut, name)] for name in frame.RANGES[:4]), strict=True)
    errors = [frames.error_text(raw) for raw in frames.ranges(cut, "error")]
    found = []
    for row, ((content, reasoning, tool, finish), error) in enumerate(zip(texts, errors, strict=True)):
        header = {name: cut.headers[name][row].item() for name, _ in frame.HEADER_FIELDS if name != "reserved"}
        error_class = frame.ERROR_CLASSES[header["error_class"]]
        status = header["http_status"]
        found.append(Answer(error_class, status, content, reasoning, tool, finish, error, events_of(cut, row), header))
    return found


def events_of(cut: frames.Frames, row: int) -> tuple[Event, ...]:
    """The events of one frame."""
    alone = frames.Frames(cut.data, cut.offsets[row : row + 1], cut.headers[row : row + 1])
    events = frames.events(alone, np.zeros(1, np.int64))
    columns = (events.t_ns, events.read_delay_ns, events.read_seq, events.chars, events.kinds)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return tuple(Event(t, delay, read, chars, kind_names(kinds)) for t, delay, read, chars, kinds in rows)


def kind_names(kinds: int) -> frozenset[str]:
    """Names of the bits."""
    return frozenset(name for name, bit in frame.EVENT_KINDS.items() if kinds & bit)
