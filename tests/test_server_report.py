"""Metrics of a server in a run of the command: scraped beside the load, in metrics.json, in the report."""

import json
from pathlib import Path

import pytest

from perfcore.report import service
from tests.endtoend import run_command
from tests.metricserver import serving

TEXT = """\
vllm:num_requests_running{{model_name="m"}} {running}
vllm:num_requests_waiting{{model_name="m"}} 0
vllm:request_success_total{{model_name="m",finished_reason="stop"}} {finished}
vllm:prompt_tokens_total{{model_name="m"}} {prompt}
vllm:generation_tokens_total{{model_name="m"}} {made}
vllm:prefix_cache_queries_total{{model_name="m"}} {prompt}
vllm:prefix_cache_hits_total{{model_name="m"}} {hits}
"""


def told(number: int) -> tuple[int, bytes]:
    """Counters that grow with each answer."""
    values = {"running": 4, "finished": 10 * number, "prompt": 400 * number, "made": 640 * number, "hits": 100 * number}
    return 200, TEXT.format(**values).encode()


def test_what_a_server_tells_is_in_the_metrics_and_in_the_report(tmp_path: Path) -> None:
    with serving(told) as server:
        flags = ("--server-metrics", f"{server.base}/metrics", "--server-metrics-interval", "200ms", "--gpu", "off")
        done = run_command(
            "stress", "--duration", "2s", "--concurrency", "4", "--max-tokens", "16", *flags, "--out", tmp_path / "run"
        )
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "run" / "metrics.json").read_bytes())["server"]
    assert found["prefix_cache"]["hit_ratio"] == pytest.approx(0.25)
    assert found["requests"]["running"] == {"mean": 4.0, "max": 4.0}
    assert (tmp_path / "run" / "server_metrics.parquet").exists()
    assert "25.00 % of the tokens looked up were there" in done.stdout


def test_nothing_is_shown_of_a_server_that_tells_nothing() -> None:
    assert list(service.parts({})) == []
    assert list(service.parts({"server": None})) == []
    assert list(service.parts({"server": {"sources": []}})) == []
