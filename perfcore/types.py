"""The words of a run: its records as columns, and what is known beside them."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

TOKEN_SOURCES = ("server", "tokenizer", "events")


@dataclass(frozen=True)
class Requests:
    """One row per attempt, warm-ups included, in order of request_id, then attempt; arrays of equal length.

    Times are ns of CLOCK_MONOTONIC. -1 stands for what is absent, unless the column says otherwise.
    """

    request_id: NDArray[np.int64]  # position in the order in which requests were claimed, warm-ups first
    index: NDArray[np.int64]  # row of the data set
    repeat: NDArray[np.int64]  # how often the data set had been used up before
    worker: NDArray[np.int32]
    attempt: NDArray[np.int32]  # from 0
    turn: NDArray[np.int32]  # of a conversation, from 0
    target: NDArray[np.int16]  # which of several URLs, from 0
    due_ns: NDArray[np.int64]  # when it should have been sent
    sent_ns: NDArray[np.int64]  # when it was handed to libcurl
    uploaded_ns: NDArray[np.int64]  # last body byte written
    first_byte_ns: NDArray[np.int64]
    first_token_ns: NDArray[np.int64]
    first_answer_ns: NDArray[np.int64]  # first token event that is not reasoning
    last_token_ns: NDArray[np.int64]
    last_output_ns: NDArray[np.int64]  # last event with generated text or a finish reason
    end_ns: NDArray[np.int64]
    dns_ns: NDArray[np.int64]  # durations of name lookup, TCP and TLS set-up: 0 on a reused connection
    tcp_ns: NDArray[np.int64]
    tls_ns: NDArray[np.int64]
    new_connection: NDArray[np.bool_]
    http_status: NDArray[np.int32]  # 0 if no response came
    error_class: NDArray[np.int16]  # position in `error_classes`; 0 is "ok"
    finish_reason: NDArray[np.int16]  # position in `finish_reasons`
    input_tokens: NDArray[np.int64]  # by `input_token_source`
    output_tokens: NDArray[np.int64]  # by `token_source`
    reasoning_tokens: NDArray[np.int64]
    cached_tokens: NDArray[np.int64]
    token_source: NDArray[np.int16]  # of output_tokens: position in TOKEN_SOURCES; "events" is an estimate
    input_token_source: NDArray[np.int16]  # position in TOKEN_SOURCES
    input_tokens_asked: NDArray[np.int64]  # length that the data set asked for
    input_tokens_counted: NDArray[np.int64]  # by our tokenizer, chat template included
    output_tokens_asked: NDArray[np.int64]  # the most that the request allowed
    token_events: NDArray[np.int64]  # events that carried generated text
    events: NDArray[np.int64]
    bad_json: NDArray[np.int64]  # events that were not valid JSON
    bytes_received: NDArray[np.int64]  # of the body
    retry_after_ns: NDArray[np.int64]  # duration the server asked to wait
    phase: NDArray[np.int16]  # position in perfcore_ext.frame.PHASES
    after_stop: NDArray[np.bool_]  # ended after sending had stopped
    streamed: NDArray[np.bool_]  # the response was read as a stream of events
    dataset: NDArray[np.int32]  # of its row: position in `datasets`
    model: NDArray[np.int32]  # that its row asked for in the place of the run's own: position in `models`
    error_classes: tuple[str, ...]
    finish_reasons: tuple[str, ...]
    datasets: tuple[str, ...]
    models: tuple[str, ...]


@dataclass(frozen=True)
class Events:
    """One row per event, those of a request in the order of arrival; arrays of equal length."""

    row: NDArray[np.int64]  # of the event's request in Requests
    request_id: NDArray[np.int64]
    t_ns: NDArray[np.int64]  # the wake-up that found the event's socket readable, ns of CLOCK_MONOTONIC
    read_delay_ns: NDArray[np.uint32]  # time of the read minus t_ns
    read_seq: NDArray[
        np.uint32
    ]  # number of the read that completed the event: equal numbers of a request shared a read
    kinds: NDArray[np.uint16]  # bits of perfcore_ext.frame.EVENT_KINDS
    chars: NDArray[np.uint32]  # code points of generated text


@dataclass(frozen=True)
class Stamps:
    """Token events of all attempts but warm-ups, those of an attempt side by side in the order of arrival."""

    t_ns: NDArray[np.int64]
    row: NDArray[np.int32]  # of the attempt in Requests


@dataclass(frozen=True)
class Reads:
    """How the events of measured requests were read; delays are from the wake-up to the read, None without events."""

    token_events: int
    shared_token_events: int  # of those, how many came in one read with another token event of their request
    read_delay_p50_ns: float | None
    read_delay_p90_ns: float | None
    read_delay_p99_ns: float | None
    read_delay_max_ns: float | None


@dataclass
class Damage:
    """What of a journal could not be read. A torn end alone means that the run was killed while it wrote."""

    corrupt_blocks: int = 0
    skipped_bytes: int = 0  # the corrupt blocks and the pieces of frames around them
    torn_bytes: int = 0  # the unfinished block, and unfinished frames, at the end


@dataclass
class Counted:
    """What the client's tokenizer counted after the run because no server had, and how long that took."""

    prompts: int = 0
    prompts_ns: int = 0
    answers: int = 0
    answers_ns: int = 0


@dataclass(frozen=True)
class Run:
    """A finished run: what the metrics are computed from."""

    requests: Requests
    gaps_ns: NDArray[np.int64]  # between successive token events of a request, pooled over successful measured requests
    reads: Reads
    notes: tuple[dict[str, Any], ...]  # the NOTE blocks of the journal, oldest first
    damage: Damage
    error_samples: dict[str, str]  # the first message of each error class
    counted: Counted = field(default_factory=Counted)
    stamps: Stamps | None = None  # kept where a window of the run is to be measured
