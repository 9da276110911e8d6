"""A finished run whose records are known: answers with all kinds of events, a retry, two turns, a failure."""

import json
from pathlib import Path
from typing import Any

from perfcore.records.journal import JournalWriter, Kind
from perfcore.report.finish import finish
from perfcore_ext import frame
from tests.reference.frame import Event, pack
from tests.reference.records import MS

KIND = frame.EVENT_KINDS
SECRET_PROMPT, SECRET_ANSWER, SECRET_ERROR = '=lighthouse, "now"', "\u2028papaya\nanswer", "no such quagmire"
DESCRIBED = {
    "started": "2026-08-22T10:00:00.000+00:00",
    "model": "org/tiny model",
    "dialect": "openai-chat",
    "url": "http://127.0.0.1:8000/v1/chat/completions",
    "options": {"seed": 1, "concurrency": 2, "prompt": [SECRET_PROMPT], "stream": True},
    "datasets": [{"name": "gsm8k", "reader": "gsm8k", "settings": {"path": SECRET_PROMPT}, "files": []}],
    "versions": {"perfcore": "0.1.0"},
    "machine": {"cores": 2},
}
NOTES: list[dict[str, Any]] = [
    {"note": "phase", "phase": "measured", "start_ns": 0, "concurrency": 2, "rate": None},
    {"note": "transport", "urls": ["http://127.0.0.1:8000/v1/chat/completions"]},
    {"note": "worker", "worker": 0, "cpu_s": 0.1, "wall_s": 1.0, "requests": 4},
    {"note": "end", "exit": 0, "ended_by": "complete"},
]


def answer(number: int, start_ms: int, tokens: int = 3, **more: Any) -> bytes:
    """Due, 2 ms later sent, the role after 10 ms, text every 20 ms from 100 ms, finish, usage and [DONE] after it."""
    sent = start_ms + 2
    kinds = [(10, KIND["role"], 0), *((100 + 20 * at, KIND["content"], 1) for at in range(tokens))]
    done = kinds[-1][0]
    kinds += [(done + 1, KIND["finish"], 0), (done + 5, KIND["usage"], 0), (done + 6, KIND["done"], 0)]
    events = [Event((sent + at) * MS, kind, chars, read_seq=at) for at, kind, chars in kinds]
    times = {"due_ns": start_ms * MS, "sent_ns": sent * MS, "end_ns": (sent + done + 8) * MS}
    fields: dict[str, Any] = {"index": number, "http_status": 200, "streamed": 1, "output_tokens": tokens} | times
    text = SECRET_ANSWER.encode()
    return pack(
        events,
        request_id=number,
        sequence=number,
        content=text,
        finish=b"stop",
        **({"input_tokens": 5} | fields | more),
    )


def failure(number: int, start_ms: int, **more: Any) -> bytes:
    """An attempt with one event that fails."""
    times: dict[str, Any] = {"due_ns": start_ms * MS, "sent_ns": start_ms * MS, "end_ns": (start_ms + 40) * MS}
    broken = {"index": number, "error_class": frame.ERROR_CLASSES.index("reset"), "streamed": 1, "http_status": 200}
    events = [Event((start_ms + 20) * MS)]
    return pack(events, request_id=number, sequence=number, error=SECRET_ERROR.encode(), **(times | broken | more))


def made_run(folder: Path, **described: Any) -> Path:
    """Write the run and finish it; four requests, of which one is tried twice and one fails."""
    (folder / "run.json").write_text(json.dumps(DESCRIBED | described))
    rows = b"".join(json.dumps({"id": str(at), "prompt": SECRET_PROMPT}).encode() + b"\n" for at in range(4))
    frames = [
        answer(0, 0),
        failure(1, 10),
        answer(1, 60, tokens=2, attempt=1),
        answer(2, 20, tokens=1, cached_tokens=2),
        answer(2, 200, tokens=4, turn=1),
        failure(3, 300),
    ]
    journal = JournalWriter(folder / "journal.bin")
    journal.append(Kind.ROWS, 0, rows)
    journal.append(Kind.FRAMES, 0, b"".join(frames))
    for note in NOTES:
        journal.append(Kind.NOTE, 0, json.dumps(note).encode())
    journal.close()
    finish(folder)
    return folder
