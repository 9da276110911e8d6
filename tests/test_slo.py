"""Service levels: from text to objectives, and which requests and runs meet them."""

import io
import json
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from perfcore.analysis import slo
from perfcore.analysis.absent import Absent, settle
from perfcore.analysis.measured import select
from perfcore.report import levels
from perfcore.slo import parse, texts
from tests.reference.records import MS, requests, streamed


@pytest.mark.parametrize(
    ("text", "metric", "statistic", "limit", "share"),
    [
        ("ttft_p99<=500ms", "ttft", "p99", 500e6, 0.99),
        ("TPOT_p99.9 <= .05s", "tpot", "p99.9", 50e6, 0.999),
        ("e2el_mean≤3s", "e2el", "mean", 3e9, None),
        ("itl_p50<800us", "itl", "p50", 800e3, 0.5),
        ("error_rate<=1%", "error_rate", "", 0.01, None),
        ("output_tokens_per_s>=1000/s", "output_tokens_per_s", "", 1000.0, None),
    ],
)
def test_objectives_are_read(text: str, metric: str, statistic: str, limit: float, share: float | None) -> None:
    (found,) = parse([text])
    assert (found.metric, found.statistic, found.limit, found.share) == (metric, statistic, limit, share)
    assert parse([found.text]) == (found,)


def test_a_list_of_texts_and_one_with_commas_say_the_same() -> None:
    assert texts("ttft_p99<=0.5s, tpot_p99<=50ms") == texts(["ttft_p99<=.5s", "tpot_p99<=50ms"])
    assert texts("") == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ttft_p99<=500", "has no unit; write 500ms or 500s"),
        ("ttft<=5m", "'m' is no unit"),
        ("ttfb<=1s", "nearest is 'ttf"),
        ("ttft>=1s", "ttft wants <="),
        ("output_tokens_per_s<=1000", "wants >="),
        ("output_tokens_per_s_p99>=1000", "one number of the run"),
        ("ttft_p100<=1s", "between p0 and p100"),
        ("error_rate<=0.01", "per cent"),
        ("error_rate<=0%", "between 0% and 100%"),
        ("ttft<=0ms", "above 0"),
        ("ttft", "is no objective"),
        ("ttft_p99<=1s,ttft_p99<=2s", "two limits for the same"),
        ("attainment>=95%", "share of requests that meet objectives"),
    ],
)
def test_what_is_no_objective_is_refused_with_the_remedy(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        texts(text)


def test_objectives_without_a_share_ask_for_99_percent_of_the_requests_unless_another_is_given() -> None:
    assert [one.text for one in parse(["ttft<=1s"])] == ["ttft<=1s", "attainment>=99%"]
    assert [one.text for one in parse(["ttft<=1s,attainment>=90%"])] == ["ttft<=1s", "attainment>=90%"]


def found_of(text: str, *rows: dict[str, Any], window_s: float = 1.0, **more: Any) -> dict[str, Any]:
    """`goodput` of these attempts, after a trip through JSON."""
    table = requests(*rows)
    found = settle({"goodput": slo.goodput(table, select(table), parse([text]), window_s, **more)})
    told: dict[str, Any] = json.loads(json.dumps(found, allow_nan=False))
    return {**told["goodput"], "absent": told["absent"]}


def answer(ttft_ms: int, more_ms: int = 100, tokens: int = 11, **more: Any) -> dict[str, Any]:
    """A request that was due at 10 ms and sent at 12: its TTFT from intended, and the time from there to the end."""
    first = 10 + ttft_ms
    return streamed(10, 12, first, first + more_ms, output_tokens=tokens) | more


FAILED = streamed(10, 12, 20, 30, error_class="truncated_stream")


def test_goodput_counts_what_met_every_objective() -> None:
    rows = [answer(100), answer(100, more_ms=500), answer(900), answer(100), FAILED]
    found = found_of("ttft_p99<=500ms,tpot_p99<=20ms", *rows, window_s=2.0)
    assert (found["good"], found["judged"], found["attainment"]) == (2, 5, 0.4)  # 10, 50, 10 and 10 ms of TPOT
    assert (found["requests_per_s"], found["output_tokens_per_s"]) == (1.0, 11.0)
    assert [one["value"] for one in found["objectives"]] == [0.6, 0.6]


def test_a_request_waits_from_when_it_was_due() -> None:
    late = streamed(0, 400, 600, 700, output_tokens=2)  # TTFT 200 ms from sent, 600 ms from due
    assert found_of("ttft<=500ms", late)["good"] == 0
    assert found_of("ttft<=600ms", late)["good"] == 1


def test_a_value_at_the_limit_meets_it() -> None:
    assert found_of("ttft<=500ms,e2el<=600ms,tpot<=10ms", answer(500))["good"] == 1


def test_itl_of_a_request_is_the_mean_gap_between_its_token_events() -> None:
    row = answer(100, 90) | {"last_token_ns": 200 * MS, "token_events": 10}  # (200 - 110) / 9
    assert [found_of(f"itl<={limit}ms", row)["good"] for limit in (9, 10)] == [0, 1]


def test_an_answer_without_a_value_is_neither_good_nor_bad() -> None:
    found = found_of("tpot_p99<=20ms", answer(100), answer(100, tokens=1))
    assert (found["good"], found["judged"], found["not_judged"], found["attainment"]) == (1, 1, 1, 1.0)


def test_an_answer_that_missed_one_objective_is_bad_whatever_the_others_would_say() -> None:
    found = found_of("tpot_p99<=20ms,ttft_p99<=500ms", answer(900, tokens=1), answer(100))
    assert (found["good"], found["judged"], found["not_judged"]) == (1, 2, 0)


def test_an_objective_that_no_answer_has_a_value_for_is_absent() -> None:
    found = found_of("ttft_p99<=500ms", answer(100) | {"streamed": False}, FAILED)
    assert found["requests_per_s"] is found["attainment"] is found["objectives"][0]["value"] is None
    assert found["absent"]["goodput.attainment"] == "ttft_p99<=500ms cannot be judged: not streamed"
    assert found["verdict"] == "undecided"


def test_without_any_success_nothing_is_good() -> None:
    found = found_of("ttft_p99<=500ms", *[FAILED] * 50)
    assert (found["attainment"], found["requests_per_s"], found["verdict"]) == (0.0, 0.0, "fails")


def test_a_request_that_was_tried_again_counts_once_from_its_first_due_time() -> None:
    again = {"request_id": 7, "attempt": 1}
    found = found_of("ttft<=500ms", FAILED | {"request_id": 7}, streamed(400, 400, 600, 700) | again)
    assert (found["good"], found["judged"]) == (0, 1)  # 590 ms since 10 ms


def test_objectives_of_the_run_have_their_own_numbers() -> None:
    rows = [answer(100), answer(300), FAILED, answer(200)]
    known, intervals = {"output_tokens_per_s": 500.0}, {"output_tokens_per_s": [450.0, 550.0]}
    objectives = "ttft_mean<=150ms,error_rate<=1%,output_tokens_per_s>=400"
    found = found_of(objectives, *rows, throughput=known, intervals=intervals)
    assert [one["value"] for one in found["objectives"]] == [200.0, 0.25, 500.0]
    assert found["objectives"][2]["verdict"] == "meets"
    assert found["absent"]["goodput.requests_per_s"] == "no objective is of single requests"


@pytest.mark.parametrize(("n", "every", "verdict"), [(400, 500, "meets"), (300, 500, "undecided"), (100, 12, "fails")])
def test_a_run_meets_or_fails_by_its_whole_interval(n: int, every: int, verdict: str) -> None:
    rows = [answer(900 if at % every == every - 1 else 100) for at in range(n)]
    assert found_of("ttft_p99<=500ms", *rows)["verdict"] == verdict


def test_objectives_without_a_share_are_judged_together() -> None:
    rows = [answer(100, more_ms=300 if at % 2 else 100) for at in range(600)]
    found = found_of("ttft<=500ms,tpot<=20ms", *rows)
    assert [one["verdict"] for one in found["objectives"]] == [None, None, "fails"]
    assert [one["value"] for one in found["objectives"]] == [1.0, 0.5, 0.5]


def test_neighbours_that_miss_together_say_less_than_as_many_alone() -> None:
    alone = [answer(900 if at % 20 == 0 else 100) | {"due_ns": (10 + at) * MS} for at in range(400)]
    together = [answer(900 if 200 <= at < 220 else 100) | {"due_ns": (10 + at) * MS} for at in range(400)]
    widths = [np.diff(found_of("ttft_p90<=600ms", *rows)["attainment_ci95"])[0] for rows in (alone, together)]
    assert widths[1] > 1.5 * widths[0]


def test_the_report_shows_what_was_found() -> None:
    found = found_of("ttft<=500ms,tpot_mean<=20ms,error_rate<=1%", *[answer(100)] * 600)
    target = io.StringIO()
    Console(file=target, width=120).print(*levels.parts({"goodput": found, "absent": found["absent"]}))
    text = " ".join(target.getvalue().split())
    assert "ttft<=500ms - 100 % 99.364 % to 100 % 600 -" in text
    assert "tpot_mean<=20ms 20.00 10.00 10.00 to 10.00 600 meets" in text
    assert "Goodput 600.0 requests/s, 6,600 output tokens/s: 100 % of 600 requests meet every objective" in text
    assert list(levels.parts({"absent": {}})) == []


def test_without_a_window_there_is_no_rate_but_a_share() -> None:
    table = requests(answer(100))
    found = slo.goodput(table, select(table), parse(["ttft<=1s"]), Absent("no window"))
    assert (found["requests_per_s"], found["attainment"]) == (Absent("no window"), 1.0)
