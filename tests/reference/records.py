"""Records made by hand: a row is a dict of what matters to the test, everything else is absent or harmless."""

from typing import Any

import numpy as np

from perfcore.types import TOKEN_SOURCES, Damage, Reads, Requests, Run
from perfcore_ext import frame

MS = 1_000_000
S = 1_000_000_000

WARMUP, MEASURED, FILLER = range(3)

# What an attempt looks like when a test says nothing: streamed, measured, successful, without any time or token.
PLAIN: dict[str, Any] = {
    "repeat": 0,
    "worker": 0,
    "attempt": 0,
    "turn": 0,
    "target": 0,
    "due_ns": -1,
    "sent_ns": -1,
    "uploaded_ns": -1,
    "first_byte_ns": -1,
    "first_token_ns": -1,
    "first_answer_ns": -1,
    "last_token_ns": -1,
    "last_output_ns": -1,
    "end_ns": -1,
    "dns_ns": 0,
    "tcp_ns": 0,
    "tls_ns": 0,
    "new_connection": False,
    "http_status": 200,
    "error_class": "ok",
    "finish_reason": "stop",
    "input_tokens": -1,
    "output_tokens": -1,
    "reasoning_tokens": -1,
    "cached_tokens": -1,
    "token_source": "server",
    "input_token_source": "",
    "input_tokens_asked": -1,
    "input_tokens_counted": -1,
    "output_tokens_asked": -1,
    "token_events": 0,
    "events": 0,
    "bad_json": 0,
    "bytes_received": 0,
    "retry_after_ns": -1,
    "phase": MEASURED,
    "after_stop": False,
    "streamed": True,
    "dataset": "",
    "model": "",
}

TYPES: dict[str, Any] = {
    "worker": np.int32,
    "attempt": np.int32,
    "turn": np.int32,
    "target": np.int16,
    "http_status": np.int32,
    "new_connection": np.bool_,
    "after_stop": np.bool_,
    "streamed": np.bool_,
    "error_class": np.int16,
    "finish_reason": np.int16,
    "token_source": np.int16,
    "input_token_source": np.int16,
    "phase": np.int16,
    "dataset": np.int32,
    "model": np.int32,
}

ERROR_CLASSES = (*frame.ERROR_CLASSES, "http_500")
FINISH_REASONS = ("stop", "length")
DATASETS = ("gsm8k", "chat")
MODELS = ("large", "small")
WORDS = {
    "error_class": ERROR_CLASSES,
    "finish_reason": FINISH_REASONS,
    "token_source": TOKEN_SOURCES,
    "input_token_source": TOKEN_SOURCES,
    "dataset": DATASETS,
    "model": MODELS,
}


def requests(*rows: dict[str, Any]) -> Requests:
    """Columns of these attempts; `request_id` and `index` count the rows unless they are given."""
    whole = [PLAIN | {"request_id": number, "index": number} | row for number, row in enumerate(rows)]
    columns = {name: [row[name] for row in whole] for name in ("request_id", "index", *PLAIN)}
    for name, words in WORDS.items():
        columns[name] = [words.index(word) if word else -1 for word in columns[name]]
    arrays = {name: np.array(values, dtype=TYPES.get(name, np.int64)) for name, values in columns.items()}
    return Requests(
        **arrays, error_classes=ERROR_CLASSES, finish_reasons=FINISH_REASONS, datasets=DATASETS, models=MODELS
    )


def run(*rows: dict[str, Any], **more: Any) -> Run:
    """A run of these attempts that was ended in order; any field of Run can be given."""
    fields: dict[str, Any] = {
        "requests": requests(*rows),
        "gaps_ns": np.array([], dtype=np.int64),
        "reads": Reads(0, 0, None, None, None, None),
        "notes": ({"note": "end", "exit": 0},),
        "damage": Damage(),
        "error_samples": {},
    }
    return Run(**fields | more)


def streamed(due_ms: float, sent_ms: float, token_ms: float, output_ms: float, **more: Any) -> dict[str, Any]:
    """A streamed request by its times in ms; its first event is its first token, its last one ends the transfer."""
    token, output = int(token_ms * MS), int(output_ms * MS)
    return {
        "due_ns": int(due_ms * MS),
        "sent_ns": int(sent_ms * MS),
        "first_byte_ns": token,
        "first_token_ns": token,
        "first_answer_ns": token,
        "last_token_ns": output,
        "last_output_ns": output,
        "end_ns": output,
    } | more
