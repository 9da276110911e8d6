"""The bare libcurl loop in C, compiled where it is run: what this machine and its libcurl allow."""

import importlib
import json
import subprocess
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from benchmarks.process import output, start

SOURCE = Path(__file__).with_name("baseline.c")
MAPS = Path("/proc/self/maps")


@cache
def program() -> Path:
    """The compiled program; raises CalledProcessError where there is no C compiler."""
    target = Path(mkdtemp(prefix="perfcore-")) / "baseline"
    subprocess.run(["cc", "-O2", "-o", str(target), str(SOURCE), "-ldl"], check=True)
    return target


def library() -> Path:
    """The libcurl that pycurl is linked to; raises RuntimeError where it is a part of pycurl's own module."""
    importlib.import_module("pycurl")
    mapped = (Path(line.split(maxsplit=5)[-1]) for line in MAPS.read_text().splitlines() if "/" in line)
    found = next((path for path in mapped if path.name.startswith("libcurl")), None)
    if found is None:
        raise RuntimeError("pycurl here has libcurl built in, so bare C cannot use the same; install its wheel")
    return found


def run(url: str, streams: int, requests: int, body: str, stamps: Path | None = None) -> dict[str, Any]:
    """Send the requests; returns requests, failed, events, bytes, user_s, system_s, wall_s.

    Into `stamps` go the events of each stream's last request: int64 stream, number of the event, ns of its wake-up.
    """
    command = [program(), library(), url, streams, requests, body, *([stamps] if stamps else [])]
    measured: dict[str, Any] = json.loads(output(start([str(word) for word in command])))
    return measured
