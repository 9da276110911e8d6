"""What the servers said of themselves, in the report: their load, caches, latencies beside ours, GPUs."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from perfcore.report.layout import framed
from perfcore.report.text import clean, number

LATENCIES = {"ttft_ms": "TTFT", "e2el_ms": "E2EL", "itl_ms": "ITL", "queue_ms": "Queue"}
PARTS = ("connect", "queue", "engine", "outside")


def parts(metrics: Mapping[str, Any]) -> Iterator[RenderableType]:
    """A table of what is known; nothing where no server told anything."""
    found = metrics.get("server")
    if not found:
        return
    rows = [row for row in lines(found) if row[1]]
    if not rows:
        return
    table = framed("Server")
    table.show_header = False
    table.add_column("", no_wrap=True)
    table.add_column("", overflow="fold")
    for name, words in rows:
        table.add_row(name, words)
    yield table
    yield Text("")


def lines(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Name and words of each row; no words where a server does not tell it."""
    kinds = [clean(str(one["kind"]), 60) for one in found["sources"] if one.get("kind")]
    yield "Metrics of", ", ".join(dict.fromkeys(kinds))
    requests, cache = found.get("requests") or {}, found.get("prefix_cache") or {}
    yield "Requests running", level(requests.get("running"))
    yield "Requests waiting", level(requests.get("waiting"))
    yield "KV cache in use", level((found.get("kv_cache") or {}).get("usage"), 100, " %")
    yield "Prefix cache", counted("{} of the tokens looked up were there", cache.get("hit_ratio"), 100, " %")
    yield "Speculation", speculation(found.get("speculative") or {})
    for name, label in LATENCIES.items():
        yield label, latency((found.get("latency") or {}).get(name))
    yield "TTFT is made of", made_of(found.get("ttft_parts_ms"))
    gpu = found.get("gpu") or {}
    yield "Energy", counted("{} J per output token", gpu.get("energy_per_output_token_j"))


def level(found: Mapping[str, Any] | None, factor: float = 1, unit: str = "") -> str:
    """Mean and maximum."""
    if not found:
        return ""
    return f"mean {number(found['mean'] * factor)}{unit}, max {number(found['max'] * factor)}{unit}"


def counted(words: str, value: float | None, factor: float = 1, unit: str = "") -> str:
    return "" if value is None else words.format(f"{number(value * factor)}{unit}")


def speculation(found: Mapping[str, Any]) -> str:
    """Acceptance in words."""
    length, rate = found.get("acceptance_length"), found.get("acceptance_rate")
    told = [counted("{} tokens a step", length), counted("{} of the drafted tokens accepted", rate, 100, " %")]
    positions = [number(100 * share) for share in found.get("by_position") or () if share is not None]
    told.append(f"by position {', '.join(positions)} %" if positions else "")
    return ", ".join(filter(None, told))


def latency(found: Mapping[str, Any] | None) -> str:
    """The server's mean beside ours."""
    if not found or found.get("mean") is None:
        return ""
    ours = (found.get("ours") or {}).get("mean")
    beside = "" if ours is None else f"; ours of the same requests {number(ours)} ms"
    return f"mean {number(found['mean'])} ms by the server's clock{beside}"


def made_of(found: Mapping[str, Any] | None) -> str:
    """Our TTFT taken apart."""
    known = {name: found[name] for name in PARTS if found.get(name) is not None} if found else {}
    return ", ".join(f"{name} {number(value)} ms" for name, value in known.items())
