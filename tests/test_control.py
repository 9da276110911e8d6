"""The control block as the master sees it."""

import mmap

import pytest

from perfcore_ext.control import Control, control_bytes
from perfcore_ext.histogram import Histogram


def block(workers: int = 2, slots: int = 3) -> Control:
    return Control(mmap.mmap(-1, control_bytes(workers, slots)), workers, slots)


def test_a_formatted_block_is_found_again() -> None:
    memory = mmap.mmap(-1, control_bytes(2, 3))
    Control(memory, 2, 3)
    again = Control(memory)
    assert (again.workers, again.slots) == (2, 3)


def test_memory_that_was_not_formatted_is_refused() -> None:
    with pytest.raises(ValueError, match="not a control block"):
        Control(mmap.mmap(-1, control_bytes(1, 1)))


def test_memory_that_is_too_small_is_refused() -> None:
    with pytest.raises(ValueError, match="too small"):
        Control(mmap.mmap(-1, 4096), 2, 3)


def test_a_fresh_block_has_no_claims_and_no_counts() -> None:
    control = block()
    assert control.claimed_slots(0) == []
    assert not control.is_ready(1)
    assert set(control.counters(1).values()) == {0}


def test_workers_become_ready_one_by_one() -> None:
    control = block()
    control.set_ready(1)
    assert (control.is_ready(0), control.is_ready(1)) == (False, True)


def test_claims_are_counted_up_to_the_total_of_the_segment() -> None:
    control = block()
    control.start_segment(
        number=4,
        phase=1,
        start_ns=0,
        stop_ns=1,
        first_request_id=0,
        total=10,
        ramp_interval_ns=0,
        open_loop=False,
    )
    assert (control.segment_number, control.claimed) == (4, 0)


@pytest.mark.parametrize("worker", [-1, 2])
def test_a_worker_that_does_not_exist_is_refused(worker: int) -> None:
    with pytest.raises(IndexError):
        block().counters(worker)


def test_a_limit_beyond_the_slot_table_is_refused() -> None:
    with pytest.raises(ValueError, match="slot table"):
        block(slots=3).set_limit(0, 4)


def test_each_worker_has_a_histogram_of_its_own_in_the_block() -> None:
    control = block()
    Histogram(control.ttft_buffer(1)).record(5_000_000)
    assert (Histogram(control.ttft_buffer(0)).count, Histogram(control.ttft_buffer(1)).count) == (0, 1)
