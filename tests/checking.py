"""What the tests of the check share: findings by name, of simulated, mannered and replayed services."""

from dataclasses import replace
from typing import Any

from perfcore.options import StressOptions
from perfcore.run.check import Report, check
from perfcore.run.check_finding import Finding
from perfcore.run.simulator import SimulatorSettings, start_simulator
from tests.obliging import Manners, obliging
from tests.replay import chunked, replay

PACED = SimulatorSettings(ttft_base_ms=5, itl_ms=1)


def checked(url: str, within_s: float = 20.0, **options: Any) -> dict[str, Finding]:
    """Findings by name."""
    report = reported(url, within_s=within_s, **options)
    return {finding.name: finding for finding in report.services[0].findings}


def reported(*urls: str, within_s: float = 20.0, **options: Any) -> Report:
    return check(StressOptions(url=urls, **options), within_s, lambda _: None)


def simulated(**settings: Any) -> dict[str, Finding]:
    with start_simulator(replace(PACED, **settings)) as running:
        return checked(running.url)


def mannered(**manners: Any) -> dict[str, Finding]:
    with obliging(Manners(**manners)) as url:
        return checked(url)


def stream_of(*events: str) -> list[bytes]:
    """A chunked response of server-sent events, each in a chunk of its own."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    return [head, *chunked([f"data: {event}\n\n".encode() for event in events])]


def replayed(pieces: list[bytes], pause_s: float = 0.002, **options: Any) -> dict[str, Finding]:
    """Findings about a service that always sends the same."""
    with replay(pieces, pause_s) as url:
        return checked(url, **{"model": "m", **options})
