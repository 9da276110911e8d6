"""`perfcore explain RUN --as TOOL`: the numbers of other tools, worked out by hand and by the tools themselves."""

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcore.analysis.absent import Absent
from perfcore.analysis.peers_told import TOOLS
from perfcore.analysis.peers_view import TOKENS, View, first, gaps, last, number, rank_floor, rank_up
from perfcore.report import explain
from perfcore.report import view as reading
from tests.exported import made_run
from tests.reference.records import MS

# ---- other tools on a record by hand


def view(*rows: dict[str, Any], **more: Any) -> View:
    """Requests of these times in ms, with `events` as (ms, kind)."""
    events = [(at, time, kind) for at, row in enumerate(rows) for time, kind in row["events"]]
    kinds = tuple(sorted({kind for _, _, kind in events})) or ("content",)

    def column(name: str, scale: int = MS) -> Any:
        return np.array([row[name] * scale if row[name] >= 0 else -1 for row in rows], np.int64)

    return View(
        due_ns=column("due"), sent_ns=column("sent"), end_ns=column("end"),
        first_token_ns=column("first"), last_output_ns=column("output"),
        ok=np.array([row["ok"] for row in rows]), streamed=np.array([row["streamed"] for row in rows]),
        input_tokens=column("input", 1), output_tokens=column("made", 1),
        event_ns=np.array([time * MS for _, time, _ in events], np.int64),
        event_of=np.array([at for at, _, _ in events], np.int64),
        event_kind=np.array([kinds.index(kind) for _, _, kind in events], np.int64),
        kinds=kinds,
        **({"concurrency": 2} | more),
    )  # fmt: skip


# Role at once, text at 110, 130 and 150, finish at 150, usage at 190, [DONE] at 200 ms; closed at 210.
LONG = {
    "due": 0, "sent": 10, "first": 110, "output": 150, "end": 210, "ok": True, "streamed": True, "input": 7, "made": 5,
    "events": [(20, "role"), (110, "reasoning"), (130, "content"), (150, "content"), (150, "finish"), (190, "usage"),
               (200, "done")],
}  # fmt: skip
# One token, whose event has the finish reason too.
SHORT = {
    "due": 200, "sent": 210, "first": 310, "output": 310, "end": 400, "ok": True, "streamed": True, "input": 3,
    "made": 1, "events": [(220, "role"), (310, "content"), (330, "usage"), (340, "done")],
}  # fmt: skip
BROKEN = {
    "due": 100, "sent": 100, "first": 120, "output": 120, "end": 510, "ok": False, "streamed": True, "input": -1,
    "made": -1, "events": [(120, "content")],
}  # fmt: skip

GOLDEN = {
    "vllm": {
        "Successful requests": 2, "Failed requests": 1,
        "Benchmark duration": 0.51,  # 0 to 510
        "Output token throughput": 6 / 0.51, "Request throughput": 2 / 0.51, "Total token throughput": 16 / 0.51,
        "Peak output token throughput": 4,  # 3 and 1 chunks with output in the first second
        "Peak concurrent requests": 2,  # 10 to 150 and 210 to 310 touch the same second
        "Mean TTFT": 100,  # not the role
        "Mean TPOT": 10,  # (140 - 100) / 4
        "Mean ITL": 20,
        "Mean E2EL": 120,  # (140 + 100) / 2
    },
    "sglang": {
        "Mean TTFT": 100, "Mean E2E Latency": 160,  # [DONE]: 190 and 130
        "Mean TPOT": 22.5,  # (190 - 100) / 4
        "Mean ITL": 20, "Max ITL": 20, "Concurrency": 0.32 / 0.51, "Input token throughput": 10 / 0.51,
        "P95 E2E Latency": 187, "Peak output token throughput": 4, "Peak concurrent requests": 2,
    },
    "evalscope": {
        "Test Duration": 0.5,  # 10 to 510, where the failure ended
        "Req Throughput": 2 / 0.5, "Output Throughput": 6 / 0.5, "Total Throughput": 16 / 0.5,
        "Completion (steady)": 1 / 0.14,  # no end within 20 %: from the first at 190 to 330
        "Avg Latency": 0.15,  # the usage report: 180 and 120
        "Avg TTFT": 100, "Avg TPOT": 20,  # (180 - 100) / 4; one token has none
        "Avg ITL": 20, "TTFT 50%": 100, "Latency 50%": 0.12, "Latency 99%": 0.18, "Failed Requests": 1,
    },
    "aisbench": {
        "TTFT Average": 10, "E2EL Average": 150, "TPOT Average": (180 - 10) / 4 / 2, "TPOT Min": 0,
        "ITL Average": (90 + 20 + 20 + 0 + 40 + 90 + 20) / 7,
        "Benchmark Duration (total stage)": 320, "Concurrency (total stage)": 300 / 320,
        "Output Token Throughput (total stage)": 6 / 0.32, "Failed Requests (total stage)": 1,
        "OutputTokenThroughput Max": 5 / 0.18, "PrefillTokenThroughput Max": 700,
    },
    "aiperf": {
        "Time to First Token avg": 100, "Time to Second Token avg": 20,
        "Time to First Output Token avg": 110,  # (120 + 100) / 2
        "Request Latency avg": 120, "Inter Token Latency avg": 10,  # (140 - 100) / 4
        "Inter Chunk Latency avg": 20, "Output Token Throughput Per User avg": 100,
        "Benchmark Duration": 0.3, "Output Token Throughput": 20, "Request Count": 2,  # 10 to 310
    },
    "guidellm": {
        "TTFT mean": 100, "Request Latency mean": 0.195,  # 200 and 190
        "TPOT mean": (28 * 5 + 100) / 6,  # 140 / 5 = 28, weight 5; 100, weight 1
        "ITL mean": 10, "Requests Per Second mean": 4, "Output Tokens Per Second mean": 12,  # 10 to 510 ms
        "Request Concurrency mean": 0.39 / 0.5,
    },
    "mlperf": {
        "Completed samples per second": 1 / 0.31, "Completed tokens per second": 6 / 0.31,
        "Scheduled samples per second": 2 / 0.2, "Mean latency": 130e6, "50.00 percentile latency": 150e6,
        "Mean First Token latency": 110e6, "Mean Time to Output Token": 10e6,
    },
}  # fmt: skip


@pytest.mark.parametrize(("tool", "name"), [(tool, name) for tool, lines in GOLDEN.items() for name in lines])
def test_a_tool_would_have_reported_what_is_worked_out_by_hand(tool: str, name: str) -> None:
    told = {line.name: line.value for line in TOOLS[tool].told(view(LONG, SHORT, BROKEN))}
    assert told[name] == pytest.approx(GOLDEN[tool][name])


@pytest.mark.parametrize("tool", TOOLS)
def test_a_run_without_a_success_has_reasons_in_the_place_of_numbers(tool: str) -> None:
    lines = TOOLS[tool].told(view(BROKEN))
    assert all(isinstance(line.value, Absent) or np.isfinite(line.value) for line in lines)
    assert any(isinstance(line.value, Absent) for line in lines)


@pytest.mark.parametrize("sent", [0, 5])
@pytest.mark.parametrize("tool", TOOLS)
def test_an_answer_whose_events_come_all_at_once_has_numbers_or_reasons(tool: str, sent: int) -> None:
    at_once = SHORT | {"due": 0, "sent": sent, "first": 5, "output": 5, "end": 5, "events": [(5, "content")]}
    values = [line.value for line in TOOLS[tool].told(view(at_once))]
    assert values
    assert all(isinstance(value, Absent) or (np.isfinite(value) and value >= 0) for value in values)


@pytest.mark.parametrize("tool", TOOLS)
def test_an_answer_in_one_piece_has_no_times_of_events(tool: str) -> None:
    piece = LONG | {"streamed": False, "events": [(150, "content")], "first": -1}
    told = {line.name: line.value for line in TOOLS[tool].told(view(piece, piece))}
    word = {"evalscope": "Avg", "sglang": "Mean"}.get(tool)
    if word:
        assert (told[f"{word} TTFT"], told[f"{word} TPOT"]) == (200, 0)
    else:
        assert not any(isinstance(value, float) for name, value in told.items() if "TTFT" in name)


@pytest.mark.parametrize(
    ("tool", "name", "value"),
    [("aiperf", "Request Latency avg", 200), ("guidellm", "TPOT mean", 40), ("sglang", "Mean E2E Latency", 200)],
)
def test_the_latency_of_an_answer_in_one_piece_runs_to_its_end(tool: str, name: str, value: float) -> None:
    piece = LONG | {"streamed": False, "events": [], "first": -1}
    assert {line.name: line.value for line in TOOLS[tool].told(view(piece))}[name] == pytest.approx(value)


@pytest.mark.parametrize(("completions", "end"), [(False, 30), (True, 40)])
def test_vllm_counts_empty_pieces_of_a_chat_and_all_chunks_of_completions(completions: bool, end: float) -> None:
    events = [(5, "role"), (10, "other"), (20, "content"), (30, "other"), (40, "finish"), (50, "usage")]
    one = SHORT | {"sent": 0, "made": 3, "events": events[completions:]}
    told = {line.name: line.value for line in TOOLS["vllm"].told(view(one, completions=completions))}
    assert (told["Mean TTFT"], told["Mean E2EL"], told["Mean ITL"]) == (10, end, 10)


def test_a_peak_of_requests_counts_all_that_touch_a_second() -> None:
    """0 to 990, 995 to 1005, 1010 to 2500 ms: two in each of the first two seconds, never two at once."""
    ends = [SHORT | {"sent": sent, "events": [(end, "content")]} for sent, end in ((0, 990), (995, 1005), (1010, 2500))]
    told = {line.name: line.value for line in TOOLS["vllm"].told(view(*ends))}
    assert (told["Peak concurrent requests"], told["Peak output token throughput"]) == (2, 1)


def test_evalscope_counts_chunks_from_the_first_output_on_though_the_role_came_in_one_read_with_it() -> None:
    events = [(100, "role"), (100, "content"), (120, "content"), (130, "finish")]
    told = {line.name: line.value for line in TOOLS["evalscope"].told(view(LONG | {"made": 9, "events": events}))}
    assert told["Avg Decoded Tok/Iter"] == (9 - 1) / (3 - 1)


@given(st.lists(st.integers(0, 100), min_size=1, max_size=50), st.sampled_from([0.0, 1.0, 50.0, 90.0, 99.0, 100.0]))
def test_a_nearest_rank_is_a_value_of_the_sample(values: list[int], percent: float) -> None:
    sample = np.array(values, np.float64)
    up, floor = rank_up(sample, percent), rank_floor(sample, percent)
    assert up in sample and floor in sample and floor >= up
    assert (sample <= up).sum() >= sample.size * percent / 100


def test_gaps_do_not_cross_requests() -> None:
    assert gaps(view(LONG, SHORT), ("content",)).tolist() == [20 * MS]


# ---- real folders


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_run(tmp_path_factory.mktemp("told"))


@pytest.mark.parametrize("tool", TOOLS)
def test_what_is_beside_is_what_metrics_json_has(folder: Path, tool: str) -> None:
    told = explain.as_json(folder, tool)
    beside = [line for line in told["lines"] if line["ours"] is not None]
    assert beside and all(line["key"] for line in beside)
    assert all(line["value"] is not None or line["why"] for line in told["lines"])
    assert json.loads(json.dumps(told, allow_nan=False)) == told


def test_failures_that_others_take_for_successes_are_counted_above_the_table() -> None:
    told = explain.remarks("vllm", {"errors": {"empty_answer": 34, "reset": 2}})
    assert len(told) == 1 and "(34 empty_answer)" in told[0]
    assert explain.remarks("vllm", {"errors": {"reset": 2, "http_5xx": 1}}) == []


def test_numbers_that_a_tool_defines_as_we_do_are_the_same(folder: Path) -> None:
    told = {line["name"]: line for line in explain.as_json(folder, "aiperf")["lines"]}
    for name in ("Time to First Token avg", "Time to First Token p99", "Inter Chunk Latency avg", "Request Count"):
        assert told[name]["difference_percent"] == pytest.approx(0, abs=1e-9)


def test_events_of_retries_and_turns_go_to_their_own_attempt(folder: Path) -> None:
    """Requests 0, 1 (second attempt), 2 (two turns) and 3: role, tokens, finish, usage and [DONE] of each."""
    seen = reading.read(folder)
    assert np.bincount(seen.event_of, minlength=seen.ok.size).tolist() == [7, 6, 5, 8, 1]
    assert seen.ok.tolist() == [True, True, True, True, False]
    assert seen.due_ns.tolist() == [0, 10 * MS, 20 * MS, 200 * MS, 300 * MS]
    assert (first(seen, TOKENS)[seen.ok] - seen.sent_ns[seen.ok]).tolist() == [100 * MS] * 4


# ---- the tools themselves, where they are installed

PEERS = Path(__file__).parents[1] / ".cache" / "peers"
GUIDELLM = """
import json, sys
from guidellm.schemas.base.info import RequestInfo, RequestTimings
from guidellm.schemas.base.request import UsageMetrics
from guidellm.schemas.base.request_stats import GenerativeRequestStats
from guidellm.schemas.base.statistics import DistributionSummary
told = []
for number, row in enumerate(json.load(sys.stdin)):
    times = RequestTimings(request_start=row["sent"], request_end=row["end"], resolve_start=row["sent"],
                           resolve_end=row["end"], first_token_iteration=row["first"],
                           last_token_iteration=row["last"], token_iterations=row["events"])
    told.append(GenerativeRequestStats(request_id=str(number), info=RequestInfo(request_id=str(number), timings=times),
                input_metrics=UsageMetrics(text_tokens=row["in"]), output_metrics=UsageMetrics(text_tokens=row["out"])))
found = {
    "TTFT": [one.time_to_first_token_ms for one in told],
    "TPOT": [(one.time_per_output_token_ms, one.output_tokens) for one in told],
    "ITL": [(one.inter_token_latency_ms or 0.0, one.output_tokens - 1.0) for one in told],
    "Request Latency": [one.request_latency for one in told],
}
summaries = {name: DistributionSummary.from_values(values) for name, values in found.items()}
print(json.dumps({f"{name} {key}": value for name, one in summaries.items()
                  for key, value in (("mean", one.mean), ("median", one.median), ("p95", one.percentiles.p95))}))
"""


@pytest.mark.skipif(not (PEERS / "guidellm" / "bin" / "python").exists(), reason="guidellm is not there: make peers")
def test_guidellm_itself_reports_what_we_say_it_would(folder: Path) -> None:
    seen = reading.read(folder)
    begun, ended, events = first(seen, TOKENS), last(seen, TOKENS), number(seen, TOKENS)
    rows = [
        {
            "sent": seen.sent_ns[at] / 1e9,
            "end": seen.end_ns[at] / 1e9,
            "first": begun[at] / 1e9,
            "last": ended[at] / 1e9,
            "events": int(events[at]),
            "in": int(seen.input_tokens[at]),
            "out": int(seen.output_tokens[at]),
        }
        for at in np.flatnonzero(seen.ok)
    ]
    command = [str(PEERS / "guidellm" / "bin" / "python"), "-c", GUIDELLM]
    done = subprocess.run(command, input=json.dumps(rows), capture_output=True, text=True, check=True)
    ours = {line["name"]: line["value"] for line in explain.as_json(folder, "guidellm")["lines"]}
    for name, value in json.loads(done.stdout.splitlines()[-1]).items():
        assert ours[name] == pytest.approx(value, rel=1e-6), name
