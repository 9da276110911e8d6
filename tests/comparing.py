"""Run folders made by hand for the tests of comparisons and queries."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from perfcore.records.journal import JournalWriter, Kind
from perfcore.report.finish import finish
from perfcore_ext import frame
from tests.reference.frame import Event, pack
from tests.reference.records import MS

RESET = frame.ERROR_CLASSES.index("reset")
START = 1000 * MS
DESCRIBED: dict[str, Any] = {
    "started": "2026-01-02T03:04:05+00:00",
    "command": ["perfcore", "stress"],
    "model": "m",
    "url": "http://server/v1/chat/completions",
    "simulated": False,
    "options": {"concurrency": 2, "out": "here"},
    "machine": {"cores": 2},
    "plan": {"warmups": 0},
    "rows": 1,
}


def answer(number: int, ttft_ms: float, gap_ms: float = 10.0, tokens: int = 5, **more: Any) -> bytes:
    """Sent at START and 50 ms times its number; a first token, and then another each `gap_ms`."""
    sent = START + number * 50 * MS
    stamps = [sent + int((ttft_ms + gap_ms * at) * MS) for at in range(tokens)]
    events = [Event(stamp, read_seq=at) for at, stamp in enumerate(stamps)]
    times = {"due_ns": sent - MS, "sent_ns": sent, "first_byte_ns": stamps[0], "end_ns": stamps[-1]}
    fields: dict[str, Any] = {"http_status": 200, "streamed": 1, "input_tokens": 7, "output_tokens": tokens}
    named = {"request_id": number, "sequence": number, "index": number}
    return pack(events, content=b"hello", finish=b"stop", **fields | times | named | more)


def failure(number: int, **more: Any) -> bytes:
    sent = START + number * 50 * MS
    times: dict[str, Any] = {"due_ns": sent, "sent_ns": sent, "end_ns": sent + 10 * MS}
    named = {"request_id": number, "sequence": number, "index": number}
    return pack(error_class=RESET, error=b"connection reset", **times | named | more)


def folder(path: Path, frames: Sequence[bytes], prompts: Sequence[str], **described: Any) -> Path:
    """A finished run of these attempts; `described` is of run.json."""
    path.mkdir(parents=True)
    (path / "run.json").write_text(json.dumps(DESCRIBED | described))
    journal = JournalWriter(path / "journal.bin")
    rows = [json.dumps({"id": f"row-{at}", "prompt": prompt}) for at, prompt in enumerate(prompts)]
    journal.append(Kind.ROWS, 0, ("\n".join(rows) + "\n").encode())
    journal.append(Kind.FRAMES, 0, b"".join(frames))
    phase = {"note": "phase", "phase": "measured", "start_ns": 0, "concurrency": 2, "rate": None}
    for note in (phase, {"note": "end", "exit": 0, "ended_by": "complete"}):
        journal.append(Kind.NOTE, 0, json.dumps(note).encode())
    journal.close()
    finish(path, page=False)
    return path


def run_of(path: Path, ttfts_ms: Sequence[float], prompt: str = "prompt", **described: Any) -> Path:
    """A finished run whose requests took so long to their first tokens, and each with a prompt of its own."""
    frames = [answer(number, ttft) for number, ttft in enumerate(ttfts_ms)]
    return folder(path, frames, [f"{prompt} {number}" for number in range(len(ttfts_ms))], **described)
