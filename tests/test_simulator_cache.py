"""The simulator's prefix cache: what was sent before takes no time and is reported, and what is new does."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from perfcore.run.simulator import RunningSimulator, SimulatorSettings, start_simulator
from tests.endtoend import measure


@pytest.fixture
def caching() -> Iterator[RunningSimulator]:
    with start_simulator(
        SimulatorSettings(prefix_cache_tokens=100_000, ttft_base_ms=0, itl_ms=0, events_per_send=0)
    ) as running:
        yield running


def cached(simulator: RunningSimulator, prompt: str) -> int:
    body = json.dumps({"prompt": prompt, "max_tokens": 1}).encode()
    request = urllib.request.Request(simulator.url + "/v1/completions", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as response:
        found = json.load(response)["usage"]["prompt_tokens_details"]["cached_tokens"]
    assert isinstance(found, int)
    return found


def test_leading_blocks_that_were_seen_are_cached_and_the_last_token_never_is(caching: RunningSimulator) -> None:
    shared = "a" * 640
    assert [cached(caching, shared + end) for end in ("b" * 64, "c" * 64, "c" * 64)] == [0, 144, 160]
    assert cached(caching, "x" + shared) == 0


def test_what_is_behind_a_new_block_is_new_wherever_it_was_before(caching: RunningSimulator) -> None:
    first, second = "a" * 640, "b" * 640
    assert cached(caching, first + second) == 0
    assert cached(caching, second) == 0
    assert cached(caching, first) == 144


def test_a_cache_has_no_more_room_than_it_was_given() -> None:
    with start_simulator(SimulatorSettings(prefix_cache_tokens=256, ttft_base_ms=0, itl_ms=0)) as running:
        prompts = [str(number) * 1280 for number in range(10)]
        assert [cached(running, prompt) for prompt in prompts * 2] == [0] * 20


def test_a_shared_prefix_shows_in_the_report_of_a_run(caching: RunningSimulator, tmp_path: Path) -> None:
    args = {"prefix_tokens": 512, "salt": "fixed"}
    finished = measure(
        tmp_path / "run", caching.url, dataset=("synthetic",), dataset_args=args, input_tokens="1024", requests=40
    )
    tokens = finished.metrics["tokens"]
    assert tokens["cached"] / tokens["input"] == pytest.approx(39 / 40 * 0.5, abs=0.05)
