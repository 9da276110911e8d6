"""Metrics are collected beside a run, and whatever servers do, the run goes on."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pycurl
import pytest

from perfcore.analysis import server
from perfcore.analysis.families import recognised
from perfcore.errors import UserError
from perfcore.records import scrapes, store
from perfcore.run import gpu
from perfcore.run.scraper import scraping
from perfcore.run.scraping import MOST_BYTES, Source, find_sources, metrics_url, reads_gpus, source_of
from perfcore.run.transport import Option
from perfcore.workload.dialect import load_dialect
from tests.documented import metrics
from tests.endtoend import QUICK, measure, start_simulator
from tests.metricserver import serving
from tests.reference.records import requests

CHAT = load_dialect("openai-chat")
LINE = b"vllm:request_success_total 1\n"
NOBODY = requests()
PLAIN: list[Option] = [(pycurl.PROXY, "")]


def collected(folder: Path, sources: list[Source], rounds: int, interval_s: float = 60.0) -> scrapes.Scrapes:
    """What is kept when sources are asked at the start, at the end, and so often between."""
    with scraping(sources, folder, interval_s) as scraper:
        assert scraper is not None
        for _ in range(rounds):
            scraper.now()
    found = scrapes.build(folder, recognised)
    assert found is not None
    return found


def source(url: str) -> Source:
    return source_of(url, [url], [], PLAIN)


def errors(found: scrapes.Scrapes) -> list[str]:
    return [series.labels["error"] for series in found.series if "error" in series.labels]


def sources(given: tuple[str, ...], urls: tuple[str, ...], say: Callable[[str], None] = lambda _: None) -> list[Source]:
    return find_sources(given, urls, CHAT, ["Authorization: Bearer s3cret"], PLAIN, say)


def test_answers_are_kept_from_the_first_to_the_last(tmp_path: Path) -> None:
    with serving(lambda number: (200, metrics.vllm(number).encode())) as running:
        found = collected(tmp_path, [source(running.base + "/metrics")], 0)
        summary = server.summary(found, int(found.t_ns.min()), int(found.t_ns.max()), NOBODY)
    assert isinstance(summary, dict)
    assert len(running.heads) == 2
    assert summary["requests"]["finished"] == 20
    assert summary["speculative"]["acceptance_length"] == 2.5


def test_the_table_has_every_sample_with_its_labels(tmp_path: Path) -> None:
    with serving(lambda _: (200, b'vllm:x{a="b"} 1\nown_total 2\n')) as running:
        found = collected(tmp_path, [source(running.base)], 0)
    rows = pq.read_table(tmp_path / "server_metrics.parquet").to_pylist()
    assert [row["value"] for row in rows if row["name"] == "own_total"] == [2, 2]
    assert [json.loads(row["labels"]) for row in rows if row["name"] == "vllm:x"] == [{"a": "b"}] * 2
    assert {series.name for code, series in enumerate(found.series) if code in found.code} == {
        "vllm:x",
        "up",
        "scrape_duration_seconds",
    }
    assert list(rows[0]) == ["t_ns", "url", "name", "labels", "value"]


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (404, b'{"detail":"Not Found"}', "answered 404"),
        (500, b"", "answered 500"),
        (200, b"<!doctype html><html><body>a 1</body></html>", scrapes.NO_METRICS),
        (200, b"", scrapes.NO_METRICS),
        (200, bytes(range(256)) * 64, scrapes.NO_METRICS),
        (200, b"a" * (MOST_BYTES + 1), "longer than 8 MiB"),
    ],
)
def test_what_goes_wrong_is_counted_and_said(tmp_path: Path, status: int, body: bytes, error: str) -> None:
    with serving(lambda _: (status, body)) as running:
        assert errors(collected(tmp_path, [source(running.base)], 0)) == [error]


def test_a_server_that_is_not_there_is_said_to_be_so(tmp_path: Path) -> None:
    assert "connect" in errors(collected(tmp_path, [source("http://127.0.0.1:9/metrics")], 0))[0]


def test_a_server_that_never_answers_delays_neither_the_others_nor_the_end(tmp_path: Path) -> None:
    with serving(lambda _: (200, LINE)) as running:
        found = collected(tmp_path, [source(running.base + "/hangs"), source(running.base + "/metrics")], 0)
    told = [(series.url.rpartition("/")[2], series.labels) for series in found.series if series.name == "up"]
    assert told == [("metrics", {}), ("hangs", {"error": "no answer until the end"})]


def test_each_source_is_asked_again_and_again(tmp_path: Path) -> None:
    often = threading.Event()

    def reply(number: int) -> tuple[int, bytes]:
        if number >= 5:
            often.set()
        return 200, LINE

    with serving(reply) as running, scraping([source(running.base)], tmp_path, 0.1):
        assert often.wait(20)


def test_what_a_killed_run_has_collected_is_there(tmp_path: Path) -> None:
    with serving(lambda _: (200, LINE)) as running:
        code = (
            "import os, pathlib, sys\nfrom perfcore.run.scraper import scraping\n"
            "from perfcore.run.scraping import Source\n"
            f"with scraping([Source({running.base!r}, 'shown')], pathlib.Path({str(tmp_path)!r}), 60.0):\n"
            "    os.kill(os.getpid(), 9)\n"
        )
        killed = subprocess.run([sys.executable, "-c", code], timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    found = scrapes.build(tmp_path, recognised)
    assert found is not None and found.series[0].url == "shown"


def test_a_torn_end_loses_one_answer_and_no_more(tmp_path: Path) -> None:
    path = tmp_path / scrapes.SOURCE
    writer = scrapes.ScrapeWriter(path)
    for t_ns in (1, 2, 3):
        writer.append(scrapes.Scrape("u", t_ns, t_ns), LINE)
    writer.close()
    os.truncate(path, path.stat().st_size - 1)
    assert [scrape.t_ns for scrape, _ in scrapes.read(path)] == [1, 2]


def test_a_run_without_sources_starts_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    with scraping([], tmp_path, 1.0) as scraper:
        assert scraper is None
    assert list(tmp_path.iterdir()) == []
    assert scrapes.build(tmp_path, recognised) is None


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://h:1/v1/chat/completions", "http://h:1/metrics"),
        ("https://h/gate/v1/chat/completions", "https://h/gate/metrics"),
        ("http://h:1/openai/deployments/x/chat/completions?api-version=1", None),
    ],
)
def test_metrics_are_looked_for_beside_the_service(url: str, expected: str | None) -> None:
    assert metrics_url(url, CHAT).startswith(expected or "http://h:1/openai/deployments/x/metrics")


def test_the_service_is_asked_for_its_metrics_with_the_headers_of_the_load() -> None:
    with serving(lambda _: (200, LINE)) as running:
        found = sources((), (running.base + "/v1/chat/completions",))
    assert [one.url for one in found] == [running.base + "/metrics"]
    assert running.heads[0]["authorization"] == "Bearer s3cret"


def test_a_service_without_metrics_is_left_in_silence() -> None:
    said: list[str] = []
    with serving(lambda _: (404, b"")) as running:
        assert sources((), (running.base + "/v1/chat/completions",), said.append) == []
    assert said == []


def test_a_url_that_was_given_is_asked_although_it_gives_nothing_yet() -> None:
    said: list[str] = []
    with serving(lambda _: (503, b"")) as running:
        found = sources((running.base.replace("http://", "http://user:s3cret@"),), ("http://other/v1",), said.append)
    assert len(found) == 1 and "answered 503" in said[0] and "s3cret" not in said[0] + found[0].shown


def test_another_server_is_told_none_of_the_loads_secrets() -> None:
    with serving(lambda _: (200, LINE)) as running:
        sources((running.base,), ("http://127.0.0.1:1/v1/chat/completions",))
    assert "authorization" not in running.heads[0]


def test_another_server_is_not_asked_through_the_loads_unix_socket() -> None:
    options: list[Option] = [(pycurl.UNIX_SOCKET_PATH, "/tmp/s"), (pycurl.TIMEOUT_MS, 1), (pycurl.SSL_VERIFYPEER, 0)]
    assert source_of("http://a/metrics", ["http://b/v1"], [], options).options == [(pycurl.SSL_VERIFYPEER, 0)]
    assert (pycurl.UNIX_SOCKET_PATH, "/tmp/s") in source_of("http://b/metrics", ["http://b/v1"], [], options).options


def test_off_collects_nothing() -> None:
    assert sources(("off",), ("http://127.0.0.1:1/v1",)) == []


@pytest.mark.parametrize("url", ["ftp://h/metrics", "http://", "http://h: 1/"])
def test_a_bad_url_is_named_with_its_flag(url: str) -> None:
    with pytest.raises(UserError, match=r"--server-metrics .*write it like http://localhost:8000/metrics"):
        sources((url,), ("http://h/v1",))


class Nvml:
    """What nvidia-ml-py answers on a machine with these devices: (power in mW, or None where it tells none)."""

    class NVMLError(Exception):
        pass

    def __init__(self, *power_mw: int | None) -> None:
        self.power_mw = power_mw

    def nvmlInit(self) -> None:  # noqa: N802
        if not self.power_mw:
            raise self.NVMLError("NVML Shared Library Not Found")

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return len(self.power_mw)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        return index

    def nvmlDeviceGetName(self, handle: int) -> bytes:  # noqa: N802
        return b'NVIDIA "H200"'

    def nvmlDeviceGetUUID(self, handle: int) -> str:  # noqa: N802
        return f"GPU-{handle}"

    def nvmlDeviceGetPowerUsage(self, handle: int) -> int:  # noqa: N802
        power = self.power_mw[handle]
        if power is None:
            raise self.NVMLError("Not Supported")
        return power

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: int) -> int:  # noqa: N802
        raise self.NVMLError("Not Supported")

    def nvmlDeviceGetUtilizationRates(self, handle: int) -> Any:  # noqa: N802
        return type("Rates", (), {"gpu": 40, "memory": 10})

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> Any:  # noqa: N802
        return type("Memory", (), {"used": 1 << 30})


def test_gpus_are_read_as_metrics_with_power_and_utilisation() -> None:
    text = gpu.text(gpu.find_gpus(Nvml(250_000)))
    found = server.summary(scrapes.of_texts(gpu.URL, [(0, text), (10**9, text)]), 0, 10**9, NOBODY)
    assert isinstance(found, dict)
    device = found["gpu"]["devices"][0]
    assert (device["uuid"], device["name"], device["energy_j"]) == ("GPU-0", "NVIDIA 'H200'", 250)
    assert device["utilization"] == {"mean": 0.4, "max": 0.4} and device["memory_bytes"]["max"] == 1 << 30


def test_what_a_device_does_not_tell_is_left_out() -> None:
    text = gpu.text(gpu.find_gpus(Nvml(None)))
    assert "power" not in text and "utilization" in text


def test_a_machine_without_a_driver_says_what_the_library_says() -> None:
    with pytest.raises(gpu.NoGpuError, match="Shared Library Not Found; is the driver installed here"):
        gpu.find_gpus(Nvml())


def test_gpus_that_are_not_there_are_an_error_only_where_they_were_asked_for() -> None:
    if not no_gpu():
        pytest.skip("this machine has a GPU")
    assert not reads_gpus("auto", ["http://127.0.0.1:1/v1"], lambda _: None)
    with pytest.raises(UserError, match=r"--gpu on: .*leave --gpu out"):
        reads_gpus("on", ["http://127.0.0.1:1/v1"], lambda _: None)


def no_gpu() -> bool:
    try:
        gpu.find_gpus()
    except gpu.NoGpuError:
        return True
    return False


@pytest.mark.parametrize(("asked", "url"), [("off", "http://127.0.0.1:1/v1"), ("auto", "http://gpu-host:1/v1")])
def test_gpus_of_this_machine_say_nothing_of_another(asked: str, url: str) -> None:
    assert not reads_gpus(asked, [url], lambda _: None)


@pytest.mark.parametrize(("others", "reason"), [(0, None), (25, "suspect")])
def test_a_run_is_compared_with_what_its_server_says(tmp_path: Path, others: int, reason: str | None) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    finished = [0]

    def reply(number: int) -> tuple[int, bytes]:
        return 200, metrics.vllm(0, stop=100 + finished[0], all=50 + number).encode()

    with start_simulator(QUICK) as simulator, serving(reply) as running:
        with scraping([source(running.base + "/metrics")], kept, 0.1) as scraper:
            done = measure(tmp_path / "run", simulator.url, requests=50, concurrency=4, prompt=("Hi",))
            finished[0] = 50 + others
            assert scraper is not None
            scraper.now()
        ours = store.build(tmp_path / "run").requests
    found = scrapes.build(kept, recognised)
    assert done.exit_code == 0 and found is not None
    last_ns = int(found.t_ns.max())
    told = server.summary(found, int(ours.due_ns.min()) - 10**9, last_ns, ours)
    assert isinstance(told, dict)
    assert told["requests"]["finished"] == 50 + others
    verdict = server.foreign(told)
    assert (verdict and verdict["level"]) == reason
