"""The load loop against bare libcurl in C, on the same simulator, in turn: processor time per event and per request.

`python -m benchmarks.loop` prints the figures.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from benchmarks import baseline, client
from benchmarks.figure import Figure, median, rows, spread, text
from benchmarks.process import simulating

PATH = "/v1/chat/completions"
PACED: dict[str, Any] = {"ttft_base_ms": 20.0, "itl_ms": 20.0, "phase": "random"}
AT_ONCE: dict[str, Any] = {"ttft_base_ms": 0.0, "itl_ms": 0.0}


@dataclass(frozen=True)
class Load:
    """So many requests in so many streams, each answered with so many tokens; the simulator's settings."""

    key: str
    what: str
    streams: int
    requests: int
    tokens: int
    settings: dict[str, Any]
    stream: bool = True
    gate: float | None = None  # most processor time, as a multiple of bare libcurl's
    cost_gate_us: float | None = None
    pairs: int = 3
    extra: dict[str, Any] = field(default_factory=dict)

    def body(self) -> str:
        """Body of each request."""
        return body(self.tokens, self.stream)


LOADS = (
    Load("paced-200", "200 streams, one event every 20 ms", 200, 200, 400, PACED, gate=1.15, pairs=5),
    Load("paced-1000", "1,000 streams, one event every 20 ms", 1000, 1000, 300, PACED, gate=1.15),
    Load("burst", "burst", 16, 3000, 500, {**AT_ONCE, "events_per_send": 0}, cost_gate_us=0.4, pairs=5),
    Load("tiny", "tiny requests", 16, 40_000, 1, AT_ONCE, stream=False, cost_gate_us=20, pairs=5),
)
SMOKE = (
    Load("paced-200", "paced", 8, 8, 5, {**PACED, "itl_ms": 2.0}, pairs=1),
    Load("burst", "burst", 2, 20, 50, LOADS[2].settings, pairs=1),
    Load("tiny", "tiny", 2, 50, 1, AT_ONCE, stream=False, pairs=1),
)


def body(tokens: int, stream: bool) -> str:
    """A chat request for so many tokens."""
    asked: dict[str, Any] = {
        "model": "simulated",
        "messages": [{"role": "user", "content": "hello"}],
        "max_tokens": tokens,
        "stream": stream,
    }
    if stream:
        asked["stream_options"] = {"include_usage": True}
    return json.dumps(asked, separators=(",", ":"))


def measure(loads: tuple[Load, ...] = LOADS) -> list[Figure]:
    """The figures of each load."""
    return [figure for load in loads for figure in figures(load, *compare(load))]


def compare(load: Load) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The runs of bare libcurl and those of the loop; raises RuntimeError where they did not get the same answers."""
    bare: list[dict[str, Any]] = []
    ours: list[dict[str, Any]] = []
    with simulating(**load.settings) as simulator:
        url = simulator.url + PATH
        for _ in range(load.pairs):
            bare.append(baseline.run(url, load.streams, load.requests, load.body()))
            ours.append(client.run(url, load.streams, load.requests, load.body(), load.tokens))
            check(load, bare[-1], ours[-1])
    return bare, ours


def check(load: Load, bare: dict[str, Any], ours: dict[str, Any]) -> None:
    """Raise RuntimeError unless all requests succeeded and brought the same events."""
    seen = [(run["requests"], run["failed"], run["events"] if load.stream else 0) for run in (bare, ours)]
    if seen[0] != seen[1] or seen[0][:2] != (load.requests, 0):
        raise RuntimeError(
            f"{load.what}: (requests, failed, events) is {seen[0]} for bare libcurl, {seen[1]} for the loop"
        )


def figures(load: Load, bare: list[dict[str, Any]], ours: list[dict[str, Any]]) -> list[Figure]:
    """Ratio and cost."""
    unit = "event" if load.stream else "request"
    ratios = [cost_s(mine) / cost_s(other) for mine, other in zip(ours, bare, strict=True)]
    our_us, bare_us = (median([cost_us(load, run) for run in runs]) for runs in (ours, bare))
    rate = median([run["events" if load.stream else "requests"] / run["wall_s"] for run in ours])
    kernel = median([run["system_s"] / cost_s(run) for run in ours])
    return [
        Figure(
            f"{load.key}-ratio",
            f"loop CPU per {unit} / bare libcurl in C: {load.what}",
            median(ratios),
            gate=load.gate,
            ratio=True,
            note=spread(ratios),
        ),
        Figure(
            f"{load.key}-cost",
            f"loop CPU per {unit}: {load.what}",
            our_us,
            "µs",
            gate=load.cost_gate_us,
            floor=bare_us,
            note=f"bare libcurl {bare_us:.2f}; {rate:,.0f} {unit}s/s; {kernel:.0%} in the kernel",
        ),
    ]


def cost_s(run: dict[str, Any]) -> float:
    """Processor seconds."""
    return float(run["user_s"]) + float(run["system_s"])


def cost_us(load: Load, run: dict[str, Any]) -> float:
    """Processor time per event of a stream, or per request."""
    return cost_s(run) / float(run["events" if load.stream else "requests"]) * 1e6


if __name__ == "__main__":
    print(text(rows(measure())))
