"""`make bench`: all benchmarks in one run, one table, and docs/performance.md."""

import os
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from benchmarks import choice, html_report, loop, math_scoring, peers, preparation, stalls, stamps, whole
from benchmarks.figure import Figure, markdown, rows, text
from benchmarks.page import HEAD, Circumstances, page, summary
from benchmarks.process import ROOT, machine_busy_s, own_busy_s

PAGE = ROOT / "docs" / "performance.md"
PARTS: dict[str, Callable[[], list[Figure]]] = {
    "loop": loop.measure,
    "stamps": stamps.measure,
    "whole": whole.measure,
    "preparation": preparation.measure,
    "html_report": html_report.measure,
    "choice": choice.measure,
    "math_scoring": math_scoring.measure,
}


def main(path: Path = PAGE) -> None:
    """Measure everything, print the table, write the page."""
    load, began, stalled = os.getloadavg()[0], time.monotonic(), [stalls.measure()]
    busy_s, own_s, stolen_s = machine_busy_s(), own_busy_s(), stalls.stolen_s()
    figures: list[Figure] = []
    for name, part in PARTS.items():
        print(f"measuring: {name} ...", flush=True)
        figures += part()
        stalled.append(stalls.measure())
    print("measuring: peers ...", flush=True)
    found = peers.compare()
    figures += peers.measure(found)
    all_s = (time.monotonic() - began) * (os.cpu_count() or 1)
    other_s = machine_busy_s() - busy_s - (own_busy_s() - own_s)
    seen = Circumstances(
        date=f"{datetime.now():%Y-%m-%d %H:%M}",
        minutes=(time.monotonic() - began) / 60,
        other=max(0.0, other_s / all_s),
        load=load,
        stolen=(stalls.stolen_s() - stolen_s) / all_s,
        away=statistics.median(each.share for each in stalled),
        longest_ms=max(each.longest_ms for each in stalled),
    )
    print(text([HEAD, *rows(figures)]), text([peers.HEAD, *peers.table(found)]), summary(figures), sep="\n\n")
    job = {**asdict(peers.Job()), "ttft_ms": peers.TTFT_MS, "itl_ms": peers.ITL_MS}
    path.write_text(page(figures, markdown(peers.HEAD, peers.table(found)), job, seen))
    print(f"\nwritten to {path}")


if __name__ == "__main__":
    main()
