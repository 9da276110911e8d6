"""The tools whose reports can be made from our records, by name."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from perfcore.analysis import peers_bench, peers_loads, peers_suites
from perfcore.analysis.peers_view import Line, View


class Tool(NamedTuple):
    """A tool: what it is called, the version its formulas are of, and what it would report."""

    title: str
    version: str
    told: Callable[[View], list[Line]]


TOOLS: Mapping[str, Tool] = {
    "vllm": Tool("vllm bench serve", "0.33", peers_bench.vllm),
    "sglang": Tool("sglang.bench_serving", "0.5.23", peers_bench.sglang),
    "evalscope": Tool("evalscope perf", "1.14", peers_suites.evalscope),
    "aisbench": Tool("AISBench", "3.1, August 2026", peers_suites.aisbench),
    "aiperf": Tool("aiperf", "0.13", peers_loads.aiperf),
    "guidellm": Tool("guidellm", "0.8", peers_loads.guidellm),
    "mlperf": Tool("MLPerf LoadGen, Server scenario with token latencies", "August 2026", peers_loads.mlperf),
}
