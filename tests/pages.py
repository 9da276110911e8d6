"""Pages for tests: made of runs, evaluations and sweeps that hold what hostile services could put into them."""

import json
from pathlib import Path
from typing import Any

from perfcore.records.journal import JournalWriter, Kind
from perfcore.report import figures, html_series, series
from perfcore.report.finish import finish
from perfcore_ext import frame
from tests.reference.frame import Event, pack
from tests.reference.records import MS

FAILED = frame.ERROR_CLASSES.index("error_in_band")
EVIL = "</script><script>window.hacked = 1</script><!--<img src=x onerror=hacked()> &lt; \u2028 ' \" `${1}`"
NOTES: list[dict[str, Any]] = [
    {"note": "phase", "phase": "measured", "start_ns": 0, "concurrency": 4, "rate": None},
    {"note": "worker", "worker": 0, "cpu_s": 0.1, "wall_s": 1.0, "requests": 40},
    {"note": "end", "exit": 0, "ended_by": "complete"},
]


def answer(number: int, **more: Any) -> bytes:
    """Sent 10 ms after the one before, first token after 50 to 89 ms, then one each 10 ms, ended after 100 ms more."""
    sent, first = number * 10, 50 + number % 40
    events = [Event((sent + first + 10 * at) * MS, read_seq=at) for at in range(10)]
    times = {"due_ns": sent * MS, "sent_ns": sent * MS, "end_ns": (sent + first + 100) * MS}
    fields: dict[str, Any] = {"http_status": 200, "streamed": 1, "output_tokens": 10, "input_tokens": 5 + number}
    return pack(
        events, request_id=number, sequence=number, content=b"word " * 10, finish=b"stop", **fields | times, **more
    )


def made(folder: Path, frames: list[bytes], described: dict[str, Any] | None = None) -> Path:
    """The folder of a run with these frames, finished; returns its page."""
    folder.mkdir(exist_ok=True)
    (folder / "run.json").write_text(json.dumps({"machine": {"cores": 2}, **(described or {})}))
    journal = JournalWriter(folder / "journal.bin")
    journal.append(Kind.ROWS, 0, b'{"id":"a","prompt":"hello"}\n')
    if frames:
        journal.append(Kind.FRAMES, 0, b"".join(frames))
    for note in NOTES:
        journal.append(Kind.NOTE, 0, json.dumps(note).encode())
    journal.close()
    finish(folder)
    return folder / "report.html"


def evaluated(folder: Path) -> None:
    """An evaluation of three answers and what hostile files may hold besides."""
    result = {"model": "m", "dataset": EVIL.replace("/", "|"), "measures": [{"name": "accuracy", "value": 0.5}]}
    (folder / "eval" / "summary").mkdir(parents=True)
    (folder / "eval" / "summary" / "summary.json").write_text(json.dumps({"results": [result]}))
    samples = folder / "eval" / "results" / "m"
    samples.mkdir(parents=True)
    lines = [
        json.dumps({"id": EVIL, "prompt": EVIL, "prediction": EVIL, "reference": "x", "score": 0.0, "correct": False}),
        json.dumps({"id": "big", "prediction": "<b>" * 350_000, "score": 1.0, "correct": True}),
        json.dumps({"id": "none", "prediction": None, "error": "empty_answer"}),
    ]
    broken = b'{"id":"broken","prediction":"\xff\xc3(\xed\xa0\x80","score":0,"correct":false}\n'
    (samples / f"{result['dataset']}.jsonl").write_bytes("\n".join([*lines, "no json", ""]).encode() + broken)


def hostile(folder: Path) -> Path:
    """The page of a run whose service, model and data are as hostile as they can be."""
    bad = pack(
        request_id=40,
        sequence=40,
        error_class=FAILED,
        error=EVIL.encode() + b"\xff\xfe\x1b[2J",
        due_ns=5 * MS,
        sent_ns=5 * MS,
        end_ns=90 * MS,
    )
    folder.mkdir()
    evaluated(folder)
    command = ["perfcore", "stress", "--prompt", EVIL, "--header", "Authorization: ***"]
    described = {
        "command": command,
        "model": EVIL,
        "options": {"prompt": [EVIL], "concurrency": 4},
        "versions": {EVIL: EVIL},
    }
    return made(folder, [*(answer(number) for number in range(40)), bad], described)


def held(page: Path) -> dict[str, Any]:
    return figures.content(page)


def block(page: Path, name: str) -> dict[str, Any]:
    """The plot, timeline or list of answers of this name."""
    blocks = (block for section in held(page)["sections"] for block in section["blocks"])
    return next(block for block in blocks if block.get("name") == name)


def sweep(folder: Path) -> Path:
    """The page of three loads; the folder of the second one has a page of its own."""
    found = {key: float(at) for at, key in enumerate(series.KEPT, 1)}
    points = [
        {
            "name": f"concurrency-{load}",
            "model": None,
            "dataset": EVIL,
            "load": "concurrency",
            "concurrency": load,
            "rate": None,
            "state": "finished",
            "error": None,
            "metrics": found | {"latency.ttft_ms.p99": float(load)},
            "unsupported": ["latency.ttft_ms.p99"],
            "verdict": "valid",
            "reasons": [],
        }
        for load in (1, 2, 16)
    ]
    (folder / "concurrency-2").mkdir()
    (folder / "concurrency-2" / "report.html").touch()
    return html_series.write_page({"points": points, "knees": [], "remarks": [EVIL]}, folder)
