"""Results by URL, where requests are dealt out over several."""

from typing import Any

import numpy as np

from perfcore.analysis.absent import Absent
from perfcore.analysis.latency import NS_PER_MS, since
from perfcore.analysis.measured import Measured
from perfcore.analysis.notes import KILLED, Notes, of
from perfcore.types import Requests

NO_TOKEN = "no request to this URL succeeded with a streamed answer"


def by_url(requests: Requests, measured: Measured, notes: Notes) -> list[dict[str, Any]] | Absent:
    """Of each URL: the measured requests whose last attempt went there, how they ended, and their median TTFT."""
    urls = next((note.get("urls") for note in of(notes, "transport")), None)
    if not urls:
        return Absent(KILLED)
    return [entry(requests, measured, number, url) for number, url in enumerate(urls)]


def entry(requests: Requests, measured: Measured, number: int, url: str) -> dict[str, Any]:
    here = requests.target[measured.last] == number
    rows = measured.last[here & measured.ok]
    rows = rows[requests.streamed[rows]]
    ttft = since(requests.sent_ns[rows], requests.first_token_ns[rows])
    total, ok = int(here.sum()), int((here & measured.ok).sum())
    return {
        "url": url,
        "requests": total,
        "ok": ok,
        "failed": total - ok,
        "ttft_p50_ms": float(np.median(ttft)) / NS_PER_MS if ttft.size else Absent(NO_TOKEN),
    }
