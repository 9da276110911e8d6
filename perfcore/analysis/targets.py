"""Results by URL, where requests are dealt out over several."""

from typing import Any

import numpy as np

from perfcore.analysis import counts
from perfcore.analysis.absent import Absent
from perfcore.analysis.latency import NS_PER_MS, samples
from perfcore.analysis.measured import Measured, parts
from perfcore.analysis.notes import KILLED, Notes, of
from perfcore.types import Requests

NO_TOKEN = "no request to this URL succeeded with a streamed answer"


def by_url(requests: Requests, measured: Measured, notes: Notes) -> list[dict[str, Any]] | Absent:
    """Of each URL: the measured requests whose last attempt went there, how they ended, and their median TTFT."""
    urls = next((note.get("urls") for note in of(notes, "transport")), None)
    if not urls:
        return Absent(KILLED)
    sent_there = parts(measured, requests.target[measured.last], len(urls))
    return [entry(requests, part, url) for part, url in zip(sent_there, urls, strict=True)]


def entry(requests: Requests, part: Measured, url: str) -> dict[str, Any]:
    ttft = samples(requests, part)["ttft_ms"]
    median = float(np.median(ttft)) / NS_PER_MS if ttft.size else Absent(NO_TOKEN)
    return {"url": url, **counts.ended(part), "ttft_p50_ms": median}
