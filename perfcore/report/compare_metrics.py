"""What of two runs is compared: names, titles, units, which way is better, and which are shown first."""

from typing import NamedTuple

from perfcore.analysis.comparison import STATISTICS
from perfcore.analysis.latency import LATENCIES

LOWER, HIGHER, NEITHER = "lower", "higher", "neither"


class Metric(NamedTuple):
    """A number of a run. `key`: where metrics.json has it; `unit`: ms, /s, pp (percentage points) or none."""

    title: str
    key: str
    unit: str
    better: str


TITLES = {
    "ttft": "TTFT",
    "ttft_from_intended": "TTFT from intended",
    "ttfa": "TTFA",
    "ttfa_from_intended": "TTFA from intended",
    "e2el": "E2EL",
    "e2el_from_intended": "E2EL from intended",
    "tpot": "TPOT",
    "itl": "ITL",
    "slip": "Slip",
    "connect": "Connect",
}

RATES = {
    "requests_per_s": Metric("Requests/s", "throughput.requests_per_s", "/s", HIGHER),
    "input_tokens_per_s": Metric("Input tokens/s", "throughput.input_tokens_per_s", "/s", HIGHER),
    "output_tokens_per_s": Metric("Output tokens/s", "throughput.output_tokens_per_s", "/s", HIGHER),
    "total_tokens_per_s": Metric("Total tokens/s", "throughput.total_tokens_per_s", "/s", HIGHER),
}
LEVELS = {"concurrency": Metric("In flight, mean", "concurrency.mean", "", NEITHER)}
GOODPUT = {
    "goodput": Metric("Goodput (requests/s)", "goodput.requests_per_s", "/s", HIGHER),
    "goodput_output_tokens_per_s": Metric("Goodput (output tokens/s)", "goodput.output_tokens_per_s", "/s", HIGHER),
}
SHARES = {
    "attainment": Metric("Attainment (%)", "goodput.attainment", "pp", HIGHER),
    "error_rate": Metric("Failed (%)", "", "pp", LOWER),
}
COUNTS = {"errors": Metric("Failed requests", "requests.failed", "", LOWER)}
LENGTHS = {
    "input_tokens_mean": Metric("Input tokens a request", "tokens.input_per_request.mean", "", NEITHER),
    "output_tokens_mean": Metric("Output tokens a request", "tokens.output_per_request.mean", "", NEITHER),
}


def of_latencies() -> dict[str, Metric]:
    """Every statistic of every latency."""
    shorts = {name.removesuffix("_ms"): name for name in LATENCIES}
    return {
        f"{short}_{statistic}": Metric(
            f"{TITLES[short]} {statistic.replace('_', '.')} (ms)", f"latency.{name}.{statistic}", "ms", LOWER
        )
        for short, name in shorts.items()
        for statistic in STATISTICS
    }


METRICS = RATES | LEVELS | GOODPUT | SHARES | COUNTS | LENGTHS | of_latencies()

# Rows of the table unless all are asked for.
HEADLINES = (
    *("requests_per_s", "output_tokens_per_s", "total_tokens_per_s", "concurrency"),
    *("goodput", "attainment", "errors", "error_rate", "input_tokens_mean", "output_tokens_mean"),
    *(f"ttft_{name}" for name in ("mean", "p50", "p90", "p99")),
    *(f"ttft_from_intended_{name}" for name in ("p50", "p99")),
    *(f"tpot_{name}" for name in ("mean", "p50", "p99")),
    *(f"itl_{name}" for name in ("mean", "p50", "p99")),
    *(f"e2el_{name}" for name in ("mean", "p50", "p90", "p99")),
)
# Of every point of a sweep.
FEW = (
    *("requests_per_s", "output_tokens_per_s", "errors", "ttft_p50", "ttft_p99"),
    *("tpot_mean", "itl_p99", "e2el_p50", "e2el_p99"),
)
