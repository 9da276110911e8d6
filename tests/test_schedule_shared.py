"""A schedule over several workers: they claim its requests by one counter, so it is the same for any number of them."""

import mmap
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from perfcore.pace import Arrivals
from perfcore.run.simulator import RunningSimulator, SimulatorSettings, start_simulator
from perfcore.run.transport import curl_options
from perfcore.workload.dialect import load_dialect, response_paths
from perfcore.workload.schedule import offsets
from perfcore_ext import control, frame, ring
from perfcore_ext.clock import monotonic_ns
from perfcore_ext.loop import Loop
from tests.harness import CHAT_BODY, RING_BYTES, answers, book_of, taken

DUE = offsets(Arrivals("poisson", 300), 90, None, 8)
SLOTS = 32


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with start_simulator(SimulatorSettings(ttft_base_ms=1, itl_ms=0)) as running:
        yield address(running)


def address(running: RunningSimulator) -> str:
    return running.url + "/v1/chat/completions"


def due_by_worker(url: str, workers: int) -> list[list[int]]:
    """Due times, from the start, of the requests that each worker sent."""
    memory = mmap.mmap(-1, control.control_bytes(workers, SLOTS))
    master = control.Control(memory, workers, SLOTS)
    rings = [mmap.mmap(-1, ring.ring_bytes(RING_BYTES >> 4)) for _ in range(workers)]
    spoken, book = load_dialect("openai-chat"), book_of([CHAT_BODY[:-1] + b',"max_tokens":1}'])
    loops = []
    for worker, buffer in enumerate(rings):
        ring.create(buffer, RING_BYTES >> 4)
        loop = Loop(
            control=memory,
            worker=worker,
            ring=buffer,
            book=book,
            due_offsets_ns=DUE.tobytes(),
            urls=[url],
            headers=["Content-Type: application/json"],
            options=curl_options(url, 10.0, "perfcore-test"),
            stream_paths=response_paths(spoken, True),
            full_paths=response_paths(spoken, False),
        )
        master.set_limit(worker, SLOTS)
        loop.prepare()
        loops.append(loop)
    start_ns = monotonic_ns() + 20_000_000
    master.start_segment(
        number=1,
        phase=frame.PHASES.index("measured"),
        start_ns=start_ns,
        stop_ns=control.NO_LIMIT,
        first_request_id=0,
        total=DUE.size,
        ramp_interval_ns=0,
        open_loop=True,
    )
    threads = [threading.Thread(target=loop.run) for loop in loops]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [[answer.header["due_ns"] - start_ns for answer in answers(taken(buffer))] for buffer in rings]


@pytest.mark.parametrize("workers", [1, 2, 7])
def test_any_number_of_workers_sends_the_same_schedule(url: str, workers: int) -> None:
    found = due_by_worker(url, workers)
    assert sorted(due for part in found for due in part) == DUE.tolist()
    assert sum(bool(part) for part in found) == workers


def test_the_first_request_is_due_at_the_start() -> None:
    assert DUE[0] == 0
    assert (np.diff(DUE) > 0).all()
