"""The simulated inference server: a single thread without the GIL."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, TypedDict

TRUTH_FIELDS: list[tuple[str, str]]
"""numpy's description of a truth record.

`request` counts the requests in the order in which they had been read, from 0; `client_request` is the integer that the
request's header `x-request-id` is, or that it ends in after a dash, else -1; `event` counts the events of a stream from
0, or is -1 where the record is not of an event; `kind` is a value of TRUTH_KINDS; `time_ns` is CLOCK_MONOTONIC right
before the send, for arrivals the time at which the request had been read completely.
"""
TRUTH_KINDS: dict[str, int]
FAULT_NAMES: tuple[str, ...]

class Settings(Protocol):
    """What a Simulator reads; ranges are the caller's to check."""

    @property
    def model(self) -> str: ...
    @property
    def strict_model(self) -> bool: ...
    @property
    def ttft_base_ms(self) -> float: ...
    @property
    def ttft_per_token_us(self) -> float: ...
    @property
    def itl_ms(self) -> float: ...
    @property
    def itl_jitter(self) -> float: ...
    @property
    def phase(self) -> str: ...
    @property
    def slots(self) -> int: ...
    @property
    def prefix_cache_tokens(self) -> int: ...
    @property
    def output_tokens(self) -> tuple[int, int]: ...
    @property
    def tokens_per_event(self) -> int: ...
    @property
    def events_per_send(self) -> int: ...
    @property
    def cut_bytes(self) -> int: ...
    @property
    def head_early(self) -> bool: ...
    @property
    def role_early(self) -> bool: ...
    @property
    def faults(self) -> Sequence[tuple[str, float, float | None]]: ...
    @property
    def seed(self) -> int: ...

class Counters(TypedDict):
    connections: int
    requests: int
    events: int
    segments: int
    bytes: int
    faults: int
    blocked: int

class BodyFacts(TypedDict):
    prompt_tokens: int
    has_messages: int
    has_prompt: int
    stream: int
    include_usage: int
    bad_limit: int
    max_tokens: int
    max_completion_tokens: int
    text: bytes

class Simulator:
    """A server that listens from its making on, and serves while `run` runs.

    `port` 0 takes a free one. `script` has (prompt, pieces of reasoning, pieces of answer) for each scripted answer:
    prompt as UTF-8, the pieces as bodies of JSON strings. `truth_log` is the file to write truth records to. Raises
    OSError where it cannot listen or write.
    """

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    def __init__(
        self,
        host: str,
        port: int,
        settings: Settings,
        script: Sequence[tuple[bytes, Sequence[bytes], Sequence[bytes]]] = (),
        truth_log: str | Path | None = None,
    ) -> None: ...
    def run(self) -> None:
        """Serve until `stop`; once. Python's signal handlers run meanwhile, and what they raise ends it."""

    def stop(self) -> None:
        """Make `run` return, from any thread or signal handler; the truth log is complete when it has."""

    def counters(self) -> Counters:
        """What has happened so far: `blocked` counts sends that a socket did not take whole."""

def due_times(
    settings: Settings, number: int, origin_ns: int, start_ns: int, prompt_tokens: int, events: int
) -> list[int]:
    """When a stream's token events are due in ns, where no slot is waited for.

    `number` is the request's, `start_ns` its arrival, `origin_ns` the zero of the grid that lockstep uses: the model of
    time without a server.
    """

def die_with_parent(parent: int) -> None:
    """Send this process SIGTERM when the thread that started it ends; SystemExit where `parent` is it no longer."""

def body_facts(body: bytes) -> BodyFacts | None:
    """What the simulator reads from a request's JSON; None where that is not an object. Limits not given are -1."""
