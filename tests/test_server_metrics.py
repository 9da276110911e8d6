"""What servers said of a window: known texts in, known figures out."""

from typing import Any

import numpy as np
import pytest

from perfcore.analysis import server
from perfcore.analysis.absent import Absent
from perfcore.analysis.families import canonical, kind, recognised
from perfcore.analysis.tracks import quantile, span, told
from perfcore.records.scrapes import Scrapes, Series, of_texts
from tests.documented import metrics
from tests.reference.records import MS, WARMUP, S, requests

URL = "http://server/metrics"
NOBODY = requests()


def attempts(number: int, **more: Any) -> Any:
    """Requests that ended one by one within the window, each sent 200 ms before, its first token 150 ms later."""
    ends = [S + (at + 1) * 10 * S // (number + 1) for at in range(number)]
    rows = [{"sent_ns": end - 200 * MS, "first_token_ns": end - 50 * MS, "end_ns": end} | more for end in ends]
    return requests(*rows)


def seen(*texts: str, start_ns: int = S, end_ns: int = 11 * S, ours: Any = NOBODY) -> dict[str, Any]:
    """Texts that came at equal times from 1 s to 11 s."""
    times = np.linspace(S, 11 * S, len(texts)).astype(int).tolist()
    found = server.summary(of_texts(URL, list(zip(times, texts, strict=True))), start_ns, end_ns, ours)
    assert isinstance(found, dict)
    return found


def vllm(**more: Any) -> dict[str, Any]:
    return seen(metrics.vllm(0), metrics.vllm(0.5), metrics.vllm(1), **more)


def test_counters_are_those_of_the_window_alone() -> None:
    found = vllm()
    assert found["requests"]["finished"] == 20
    assert found["requests"]["finished_per_s"] == 2
    assert found["tokens"] == {"input": 2000, "output": 1000, "input_per_s": 200, "output_per_s": 100}
    assert found["kv_cache"]["preemptions"] == 1


def test_gauges_have_their_mean_and_maximum() -> None:
    found = vllm()
    assert found["requests"]["running"] == {"mean": 3, "max": 4}
    assert found["requests"]["waiting"] == {"mean": 2, "max": 4}
    assert found["kv_cache"]["usage"] == {"mean": 0.5, "max": 0.75}


def test_the_prefix_cache_has_tokens_asked_for_found_and_their_ratio() -> None:
    assert vllm()["prefix_cache"] == {"queried_tokens": 2000, "hit_tokens": 500, "hit_ratio": 0.25}


def test_speculative_decoding_counts_what_the_window_drafted() -> None:
    assert vllm()["speculative"] == {
        "drafts": 400,
        "draft_tokens": 800,
        "accepted_tokens": 600,
        "acceptance_rate": 0.75,
        "acceptance_length": 2.5,
        "by_position": [0.9, 0.6],
    }


def test_what_was_before_the_window_is_in_no_figure() -> None:
    found = seen(metrics.vllm(-5), metrics.vllm(0), metrics.vllm(1), start_ns=6 * S)
    assert found["speculative"]["drafts"] == 400
    assert found["window"]["inside"] and found["window"]["covered"] == 1


def test_a_histogram_gives_the_mean_exactly_and_percentiles_within_their_buckets() -> None:
    ttft = vllm()["latency"]["ttft_ms"]
    assert ttft["n"] == 20
    assert ttft["mean"] == pytest.approx(120)
    assert ttft["p75"] == pytest.approx(175)  # the 15th of 20: half way through the ten between 100 and 250 ms
    assert ttft["within"]["p75"] == [100, 250]


def test_our_figures_beside_it_are_of_the_requests_of_the_same_time() -> None:
    ttft = vllm(ours=attempts(20))["latency"]["ttft_ms"]
    assert ttft["ours"]["n"] == 20 and ttft["ours"]["mean"] == pytest.approx(150)
    assert ttft["difference"] == pytest.approx(30)


def test_our_first_token_is_explained_by_connection_queue_engine_and_what_lies_outside() -> None:
    parts = vllm(ours=attempts(20, dns_ns=MS, tcp_ns=2 * MS, tls_ns=2 * MS))["ttft_parts_ms"]
    assert parts == pytest.approx({"connect": 5, "queue": 20, "engine": 100, "outside": 25})


@pytest.mark.parametrize(
    ("cumulative", "rank", "expected"),
    [
        ([(10, 4), (20, 8), (float("inf"), 8)], 0.25, (5, 0, 10)),
        ([(10, 4), (20, 8), (float("inf"), 8)], 0.75, (15, 10, 20)),
        ([(10, 0), (20, 8), (float("inf"), 8)], 0.5, (15, 10, 20)),
    ],
)
def test_a_percentile_is_interpolated_within_its_bucket(cumulative: Any, rank: float, expected: Any) -> None:
    assert quantile(cumulative, rank) == expected


def test_a_percentile_beyond_the_last_bucket_has_no_value() -> None:
    found = quantile([(10, 4), (float("inf"), 8)], 0.9)
    assert isinstance(found, Absent) and "ends at 10" in found.reason


def test_a_restarted_server_counts_from_zero_and_is_suspect() -> None:
    texts = metrics.vllm(1), metrics.vllm(1, stop=5, output=50), metrics.vllm(1, stop=8, output=80)
    found = seen(*texts, ours=attempts(8))
    assert found["requests"]["finished"] == 8
    assert found["tokens"]["output"] == 80
    assert [(reason["level"], reason["seen"]) for reason in server.reasons(found)] == [("suspect", 1)]


def test_a_counter_that_appears_in_the_window_began_at_zero() -> None:
    later = metrics.TGI.format(requests=4, queue=0.2, output=40)
    assert seen("tgi_queue_size 0\n", later)["requests"]["finished"] == 4


def test_workers_of_one_model_tell_the_same_and_replicas_their_own() -> None:
    text = metrics.SGLANG.format(input=10, output=5, cached=4, requests=1, ttft=0.1)
    replica = 'sglang:num_running_reqs{dp_rank="1",model_name="m",pp_rank="0",tp_rank="0"} 3\n'
    assert seen(text + replica, text + replica)["requests"]["running"] == {"mean": 9, "max": 9}


def test_sglang_is_recognised() -> None:
    texts = (
        metrics.SGLANG.format(input=100 * n, output=50 * n, cached=25 * n, requests=n, ttft=0.2 * n) for n in (1, 3)
    )
    found = seen(*texts)
    assert found["prefix_cache"]["hit_ratio"] == 0.25
    assert found["speculative"] == {"acceptance_length": 2.5}
    assert found["latency"]["ttft_ms"]["mean"] == pytest.approx(200)
    assert found["kv_cache"]["usage"]["max"] == 0.28


def test_tgi_is_recognised() -> None:
    found = seen(*(metrics.TGI.format(requests=10 * n, queue=0.5 * n, output=100 * n) for n in (1, 2)))
    assert (found["requests"]["finished"], found["tokens"]["output"]) == (10, 100)
    assert found["latency"]["queue_ms"]["mean"] == pytest.approx(50)
    assert found["requests"]["running"]["mean"] == 8


def test_triton_counts_a_request_once_however_many_models_it_passes() -> None:
    found = seen(*(metrics.TRITON.format(requests=n, whole=9000 * n, part=7000 * n, queue=2000 * n) for n in (10, 20)))
    assert found["requests"]["finished"] == 10
    assert found["requests"]["waiting"]["mean"] == 5
    assert found["latency"]["e2el_ms"]["mean"] == 9 and found["latency"]["queue_ms"]["mean"] == 2
    assert isinstance(found["latency"]["ttft_ms"], Absent)


def test_llamacpp_counts_tokens_and_foreign_ones_are_told_by_them() -> None:
    texts = [metrics.LLAMACPP.format(input=10 * n, output=1000 * n) for n in (1, 2)]
    alone = seen(*texts, ours=attempts(20, output_tokens=50))
    shared = seen(*texts, ours=attempts(20, output_tokens=30))
    assert server.foreign(alone) is None
    assert alone["counted"]["unit"] == "output_tokens"
    assert shared["counted"]["foreign_share"] == 0.4
    assert isinstance(seen(*texts, ours=attempts(20))["counted"], Absent)


@pytest.mark.parametrize(
    ("number", "more", "level"),
    [(20, {}, None), (20, {"error_class": "http_500"}, None), (12, {}, "suspect"), (19, {}, None), (40, {}, "note")],
)
def test_requests_of_others_are_found_by_the_servers_count(number: int, more: Any, level: str | None) -> None:
    found = server.foreign(vllm(ours=attempts(number, **more)))
    assert (found and found["level"]) == level


def test_our_warmups_are_not_foreign() -> None:
    assert server.foreign(vllm(ours=attempts(20, phase=WARMUP))) is None


def test_requests_that_end_at_the_edges_may_be_counted_on_either_side() -> None:
    ends = [S - 100 * MS] * 10 + [11 * S + 100 * MS] * 10
    ours = requests(*({"sent_ns": end - 900 * MS, "end_ns": end} for end in ends))
    assert vllm(ours=ours)["counted"]["ours_most"] == 20
    assert server.foreign(vllm(ours=ours)) is None


def test_requests_whose_end_nobody_saw_may_be_the_servers() -> None:
    assert server.foreign(vllm(ours=requests(*({"sent_ns": S} for _ in range(20))))) is None


def test_several_servers_are_added_up() -> None:
    one = of_texts("http://a/metrics", [(S, metrics.vllm(0)), (11 * S, metrics.vllm(1))])
    two = of_texts("http://b/metrics", [(S, metrics.vllm(0)), (11 * S, metrics.vllm(2))])
    found = server.summary(joined(one, two), S, 11 * S, NOBODY)
    assert isinstance(found, dict)
    assert found["requests"]["finished"] == 60
    assert found["requests"]["running"]["max"] == 10
    assert found["latency"]["ttft_ms"]["n"] == 60


def joined(one: Scrapes, two: Scrapes) -> Scrapes:
    code = np.concatenate((one.code, two.code + len(one.series))).astype(np.int32)
    times, values = np.concatenate((one.t_ns, two.t_ns)), np.concatenate((one.value, two.value))
    return Scrapes(one.series + two.series, times, code, values)


def test_answers_that_failed_are_counted_by_their_reason() -> None:
    found = seen(metrics.vllm(0), "", "", metrics.vllm(1), ours=attempts(20))
    assert found["sources"][0]["errors"] == {"no answer": 2}
    assert found["requests"]["finished"] == 20
    assert [(reason["level"], reason["seen"]) for reason in server.reasons(found)] == [("note", 1), ("note", 0.5)]


@pytest.mark.parametrize("text", ["", "<html><body>hello</body></html>", "{}", "x" * 100_000, "\x00\xff"])
def test_no_answer_is_broken_enough_to_hurt(text: str) -> None:
    found = seen(text, text)
    assert isinstance(found["window"], Absent)
    assert found["sources"][0]["failed"] == 2
    assert server.foreign(found) is None


def test_nothing_collected_has_its_reason() -> None:
    assert server.summary(None, 0, 1, NOBODY) == Absent(server.OFF)
    assert server.reasons(Absent(server.OFF)) == []


def test_metrics_of_an_unknown_server_are_kept_and_tell_nothing() -> None:
    found = seen("my_requests_total 1\n", "my_requests_total 2\n")
    assert found["sources"][0]["kind"] == "other"
    assert isinstance(found["requests"]["finished"], Absent) and isinstance(found["speculative"], Absent)


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([1, 2, 3, 4, 5], (2, 4, True)),
        ([1, 3, 5], (1, 5, False)),
        ([1, 5], (1, 5, False)),
        ([3, 5], None),
        ([], None),
    ],
)
def test_a_window_is_read_from_its_first_answer_to_its_last(times: list[int], expected: Any) -> None:
    found = span(np.array(times, dtype=np.int64) * S, 2 * S, 4 * S)
    assert (found and (found.start_ns // S, found.end_ns // S, found.inside)) == expected


@pytest.mark.parametrize(("busy", "tokens"), [(50, 100.0), (100, 100.0)])
def test_energy_per_token_is_the_power_of_the_busy_devices_over_the_token_rate(busy: int, tokens: float) -> None:
    gpu = metrics.DCGM.format(power=500, busy=busy)
    found = seen(metrics.vllm(0) + gpu, metrics.vllm(1) + gpu)["gpu"]
    assert found["power_w"] == 500
    assert found["energy_per_output_token_j"] == 500 / tokens
    assert [device["idle"] for device in found["devices"]] == [False, True]
    assert found["devices"][0]["memory_bytes"]["max"] == 1 << 30


def test_power_that_changes_is_integrated_over_time() -> None:
    found = seen(*(metrics.DCGM.format(power=power, busy=9) for power in (100, 300, 100)))["gpu"]
    assert found["devices"][0]["energy_j"] == 2000
    assert found["devices"][0]["energy_from"] == "power"
    assert found["power_w"] == 200


def test_a_devices_own_meter_goes_before_its_power() -> None:
    texts = (metrics.DCGM.format(power=1, busy=9) + metrics.METER.format(energy=joules * 1000) for joules in (7, 1007))
    device = seen(*texts)["gpu"]["devices"][0]
    assert (device["energy_j"], device["energy_from"], device["power_w"]["mean"]) == (1000, "meter", 100)


def test_tokens_are_ours_where_no_server_counts_them() -> None:
    gpu = metrics.DCGM.format(power=500, busy=9)
    ours = requests(
        {"sent_ns": 0, "first_token_ns": S, "last_token_ns": 21 * S, "end_ns": 21 * S, "output_tokens": 200}
    )
    found = seen(gpu, gpu, ours=ours)["gpu"]
    assert found["tokens_from"] == "client"
    assert found["energy_per_output_token_j"] == pytest.approx(50)


@pytest.mark.parametrize(
    ("name", "known"),
    [("vllm:x", "vllm"), ("sglang:x", "sglang"), ("tgi_x", "tgi"), ("nv_x", "triton"), ("llamacpp:x", "llama.cpp")],
)
def test_servers_are_known_by_the_names_of_their_metrics(name: str, known: str) -> None:
    assert kind({name, "python_info"}) == known
    assert recognised(name) and not recognised("python_info")


def test_exporters_that_may_not_use_a_colon_are_known_too() -> None:
    assert canonical("vllm_num_requests_running") == "vllm:num_requests_running"


def test_the_slowest_answer_is_one_that_came() -> None:
    table = [Series("u", "up", {}), Series("u", "up", {"error": "e"}), Series("u", "scrape_duration_seconds", {})]
    times, codes = np.array([1, 1, 2, 2]), np.array([0, 2, 1, 2], np.int32)
    (one,) = told(Scrapes(tuple(table), times, codes, np.array([1, 0.25, 0, 10])))
    assert (one.took_s, one.asked, one.errors) == (0.25, 2, {"e": 1})
