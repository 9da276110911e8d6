"""`perfcore explain METRIC`: definitions, whose examples are what the code computes; and the command."""

import json
import re
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from perfcore.analysis import metrics, server, stats, windowed
from perfcore.analysis.windowed import Work
from perfcore.cli.explain import command
from perfcore.errors import UserError
from perfcore.pace import Arrivals
from perfcore.records.scrapes import of_texts
from perfcore.report.definitions import DEFINITIONS, named, of_key, statistic
from perfcore.report.layout import pick
from perfcore.slo import parse
from perfcore.types import Reads
from tests.documented import metrics as documented
from tests.exported import made_run
from tests.reference.records import MS, S, requests, run, streamed

# ---- definitions: the record that their examples are of

FIRST = streamed(
    10, 12, 112, 312, first_answer_ns=212 * MS, end_ns=313 * MS, input_tokens=7, output_tokens=11, token_events=5,
    cached_tokens=2, new_connection=True, dns_ns=MS, tcp_ns=2 * MS, tls_ns=4 * MS, bad_json=2,
    input_tokens_asked=5, output_tokens_asked=16, input_token_source="server",
)  # fmt: skip
SECOND = streamed(
    20, 24, 74, 174, end_ns=176 * MS, input_tokens=3, output_tokens=5, token_events=3, reasoning_tokens=4,
    cached_tokens=0, finish_reason="length", input_token_source="server",
)  # fmt: skip
THIRD: dict[str, Any] = {
    "due_ns": 60 * MS, "sent_ns": 60 * MS, "end_ns": 1010 * MS, "error_class": "http_500", "http_status": 500,
    "finish_reason": "", "after_stop": True, "request_id": 2, "index": 2,
}  # fmt: skip
CLOSED_LOOP = (
    {"note": "phase", "phase": "measured", "concurrency": 2},
    {"note": "worker", "worker": 0, "cpu_s": 0.1, "wall_s": 2.0},
    {"note": "end", "exit": 0},
)


def found(*rows: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Metrics of these attempts."""
    objectives = parse(["ttft<=80ms"])
    told: dict[str, Any] = json.loads(
        json.dumps(metrics.compute(run(*rows, **more), objectives=objectives), allow_nan=False)
    )
    return told


def three() -> dict[str, Any]:
    return found(
        FIRST,
        SECOND,
        THIRD,
        notes=CLOSED_LOOP,
        gaps_ns=np.array([18, 20]) * MS,
        reads=Reads(16, 4, None, None, None, None),
    )


def open_loop(rate: float, due_ms: tuple[float, ...], sent_ms: tuple[float, ...]) -> dict[str, Any]:
    """Metrics of requests that are due and sent at these times."""
    rows = [streamed(due, sent, sent + 1, sent + 2) for due, sent in zip(due_ms, sent_ms, strict=True)]
    arrivals = {**asdict(Arrivals("constant", rate)), "count": len(rows)}
    note = {"note": "phase", "phase": "measured", "start_ns": 0, "rate": rate, "arrivals": arrivals}
    return found(*rows, notes=(note, {"note": "end", "exit": 0}))


TEN = partial(open_loop, 10, (0, 100, 200), (0, 100, 250))
ONE = partial(open_loop, 1, (0, 1000, 2000, 3000), (0, 1000, 2500, 3000))


def of_vllm() -> dict[str, Any]:
    """What a server says of a window whose counters are known."""
    texts = list(zip((S, 6 * S, 11 * S), (documented.vllm(0), documented.vllm(0.5), documented.vllm(1)), strict=True))
    told = server.summary(of_texts("http://server/metrics", texts), S, 11 * S, requests())
    assert isinstance(told, dict)
    return told


def of_window() -> float:
    """3 + 4 tokens of successes and 2 of a failure within 0.1 s."""
    amounts, ok = np.array([3.0, 4.0, 2.0]), np.array([True, True, False])
    return windowed.rate(Work(np.array([150, 120, 130]) * MS, amounts, ok), 100 * MS, 200 * MS)


# Where the value of an example is not under its key in the metrics of the three requests.
ELSEWHERE: dict[str, Any] = {
    "latency.itl_ms": lambda: three()["latency"]["itl_ms"]["mean"],
    "tokens.counted": lambda: three()["tokens"]["counted"]["reasoning"],
    "lengths.input": lambda: three()["lengths"]["input"]["differences"]["server_less_asked"]["by"]["mean"],
    "lengths.output": lambda: three()["lengths"]["output"]["differences"]["got_less_asked"]["by"]["mean"],
    "requests.retries": lambda: found(FIRST, SECOND, THIRD, THIRD | {"attempt": 1})["requests"]["retries"],
    "errors": lambda: three()["errors"]["http_500"],
    "retried": lambda: found(FIRST, THIRD, THIRD | {"attempt": 1})["retried"]["http_500"],
    "finish_reasons": lambda: three()["finish_reasons"]["stop"],
    "connections.reused": lambda: three()["connections"]["reused"],
    "throughput_all.output_tokens_per_s": of_window,
    "rate.asked": lambda: TEN()["rate"]["asked"],
    "rate.achieved": lambda: TEN()["rate"]["achieved"],
    "arrivals.planned_per_s": lambda: ONE()["arrivals"]["planned_per_s"],
    "arrivals.gaps.sent_cv": lambda: ONE()["arrivals"]["gaps"]["sent_cv"],
    "classes.share": lambda: found(
        *(FIRST | {"dataset": "gsm8k"} for _ in range(2)), *(SECOND | {"dataset": "chat"} for _ in range(2))
    )["classes"][0]["share"],
    "window.length_s": lambda: 12.9 - 3.4,
    "window.e2el_multiples": lambda: 9 / 3,
    "summary.mean": lambda: of_five()["mean"],
    "summary.std": lambda: of_five()["std"],
    "summary.percentile": lambda: of_five()["p90"],
    "workers.cpu_share": lambda: three()["workers"][0]["cpu_share"],
    "server.prefix_cache.hit_ratio": lambda: of_vllm()["prefix_cache"]["hit_ratio"],
    "server.speculative.acceptance_rate": lambda: of_vllm()["speculative"]["acceptance_rate"],
    "server.speculative.acceptance_length": lambda: of_vllm()["speculative"]["acceptance_length"],
    "server.gpu.energy_per_output_token_j": lambda: 500 / 100,
}


def of_five() -> dict[str, Any]:
    summary = stats.summary(np.arange(1.0, 6.0))
    assert summary is not None
    return summary


def computed(key: str) -> float:
    """What the code gives for the example of a definition."""
    if key in ELSEWHERE:
        return float(ELSEWHERE[key]())
    value = pick(three(), key)
    if isinstance(value, dict):
        of_one = found(FIRST)
        value = value["mean"] if not key.startswith("latency.") else pick(of_one, key)["mean"]
    return float(value)


@pytest.mark.parametrize("key", [one.key for one in DEFINITIONS.values() if one.example])
def test_an_example_ends_in_the_number_that_the_code_computes(key: str) -> None:
    last = re.findall(r"= (-?[\d.]+)", DEFINITIONS[key].example)[-1]
    decimals = len(last.partition(".")[2])
    assert round(computed(key), decimals) == float(last)


def test_the_parts_of_an_example_are_what_its_formula_takes() -> None:
    """Of `(a - b) / c = d` the left side is d."""
    for one in DEFINITIONS.values():
        sums = re.findall(r"(?<![\d.,])([-+*/()\d. ]*[-+*/][-+*/()\d. ]*) = (-?[\d.]+)", one.example)
        for sum_, value in sums:
            assert eval(sum_) == pytest.approx(float(value), abs=6e-4), one.key


def test_every_number_of_a_report_has_a_definition() -> None:
    def keys(tree: dict[str, Any], prefix: str = "") -> list[str]:
        return [
            key
            for name, value in tree.items()
            for key in (keys(value, f"{prefix}{name}.") if isinstance(value, dict) and value else [f"{prefix}{name}"])
        ]

    assert [key for key in keys(three()) if of_key(key) is None] == []


@pytest.mark.parametrize("one", DEFINITIONS.values(), ids=lambda one: one.key)
def test_a_definition_is_whole(one: Any) -> None:
    assert one.title and one.text.endswith(".") and all(case.endswith((".", ").")) for case in one.edge_cases)
    assert one.direction in ("lower is better", "higher is better", "neither is better")


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("ttft", ["latency.ttft_ms"]),
        ("TTFT p99", ["latency.ttft_ms", "summary.percentile"]),
        ("latency.ttft_ms.p99_9", ["latency.ttft_ms", "summary.percentile"]),
        ("Time to first token", ["latency.ttft_ms"]),
        ("inter-token latency", ["latency.itl_ms"]),
        ("qps", ["throughput.requests_per_s"]),
        ("output tokens/s", ["throughput.output_tokens_per_s"]),
        ("mean", ["summary.mean"]),
        ("p95", ["summary.percentile"]),
    ],
)
def test_a_metric_is_found_by_what_people_call_it(name: str, keys: list[str]) -> None:
    assert [one.key for one in named(name)] == keys


def test_an_unknown_metric_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(UserError, match=r"no metric 'tfft'; did you mean ttft"):
        named("tfft")


def test_a_statistic_is_defined_under_any_metric() -> None:
    assert statistic("p99") is DEFINITIONS["summary.percentile"]
    assert statistic("ttft") is None


# ---- the command


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_run(tmp_path_factory.mktemp("explained"))


def invoked(*words: str) -> Any:
    return CliRunner().invoke(command, words)


def test_the_command_tells_a_metric_a_list_and_a_run(folder: Path) -> None:
    assert "TTFT = first token event - sent" in invoked("ttft").output
    assert "latency.slip_ms" in invoked().output
    assert "Mean TTFT" in invoked(str(folder), "--as", "vllm").output
    assert json.loads(invoked("ttft_p99", "--json").output)[0]["key"] == "latency.ttft_ms"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--as", "vllm"), "needs the folder of a run"),
        (("nonsense",), "no metric"),
        (("gone", "--as", "vllm"), "not a folder"),
    ],
)
def test_mistakes_are_told_in_a_sentence(words: tuple[str, ...], said: str) -> None:
    error = invoked(*words).exception
    assert isinstance(error, UserError) and said in str(error)


def test_a_run_without_as_is_asked_as_which_tool(folder: Path) -> None:
    assert "say as which tool" in str(invoked(str(folder)).exception)
