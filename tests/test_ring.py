import mmap
import os
import random
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfcore_ext import ring
from tests.reference.ring import Ring

# Run as the other process: writes the numbered frames of `frames(seed)` into the ring in file descriptor argv[1].
WRITER = """
import mmap, sys, time
from perfcore_ext import ring
from tests.test_ring import frames
writer = ring.Writer(mmap.mmap(int(sys.argv[1]), 0))
for frame in frames(int(sys.argv[2]), int(sys.argv[3])):
    for at in range(0, len(frame), 7):
        writer.put(frame[at:at + 7])
    writer.commit()
while writer.flush():
    time.sleep(0)
"""


def frames(seed: int, count: int) -> list[bytes]:
    rng = random.Random(seed)
    return [b"%d:" % number + rng.randbytes(int(rng.paretovariate(0.8)) % 3000) for number in range(count)]


def new_ring(capacity: int) -> tuple[ring.Writer, ring.Reader]:
    memory = mmap.mmap(-1, ring.ring_bytes(capacity))
    ring.create(memory, capacity)
    return ring.Writer(memory), ring.Reader(memory)


def take(reader: ring.Reader, limit: int = -1) -> bytes:
    first, second = reader.peek(limit)
    taken = bytes(first) + bytes(second)
    reader.consume(len(taken))
    return taken


@contextmanager
def no_more_memory() -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * mmap.PAGESIZE
    resource.setrlimit(resource.RLIMIT_AS, (used + (8 << 20), limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)


def test_reader_sees_a_frame_only_after_commit() -> None:
    writer, reader = new_ring(64)
    writer.put(b"half ")
    assert reader.available == 0
    writer.put(b"whole")
    writer.commit()
    assert take(reader) == b"half whole"


def test_bytes_that_wrap_around_come_as_two_views() -> None:
    writer, reader = new_ring(8)
    writer.put(b"012345")
    writer.commit()
    reader.consume(6)
    writer.put(b"abcde")
    writer.commit()
    assert [bytes(view) for view in reader.peek()] == [b"ab", b"cde"]
    assert [bytes(view) for view in reader.peek(1)] == [b"a", b""]


def test_full_ring_keeps_bytes_waiting_and_loses_none() -> None:
    writer, reader = new_ring(8)
    for number in range(10):
        writer.put(b"%03d" % number)
        writer.commit()
    assert (writer.waiting_bytes, writer.full_waits, writer.peak_waiting_bytes) == (22, 8, 22)
    received = b""
    while chunk := take(reader):
        received += chunk
        writer.flush()
    assert received == b"".join(b"%03d" % number for number in range(10))
    assert writer.waiting_bytes == 0


def test_frame_larger_than_the_ring_goes_through_in_pieces() -> None:
    writer, reader = new_ring(16)
    frame = random.Random(1).randbytes(200_000)
    writer.put(frame)
    writer.commit()
    received = bytearray()
    while chunk := take(reader):
        received += chunk
        writer.flush()
    assert received == frame


def test_waiting_bytes_stay_in_front_of_newer_ones() -> None:
    writer, reader = new_ring(4)
    writer.put(b"abcdef")
    writer.commit()
    assert take(reader) == b"abcd"
    writer.put(b"g")
    writer.commit()
    assert take(reader) == b"efg"


def test_frame_that_runs_out_of_memory_leaves_those_before_it_whole() -> None:
    writer, reader = new_ring(8)
    writer.put(b"first frame")
    writer.commit()
    writer.put(b"second ")
    too_large = bytes(1 << 30)  # more than a process that ran many tests has free within what it holds
    with no_more_memory(), pytest.raises(MemoryError):
        writer.put(too_large)
    writer.put(b"third")
    writer.commit()
    received = take(reader)
    assert writer.flush() == 0
    assert received + take(reader) == b"first framethird"


def test_views_cannot_change_the_ring() -> None:
    writer, reader = new_ring(8)
    writer.put(b"a")
    writer.commit()
    with pytest.raises(TypeError):
        reader.peek()[0][0] = 0


@pytest.mark.parametrize("capacity", [0, -1, 3, 100])
def test_capacity_that_is_no_power_of_two_is_refused(capacity: int) -> None:
    with pytest.raises(ValueError, match="power of two"):
        ring.ring_bytes(capacity)


@pytest.mark.parametrize("end", [ring.Writer, ring.Reader])
def test_memory_without_a_ring_is_refused(end: type) -> None:
    with pytest.raises(ValueError, match="no ring"):
        end(bytearray(4096))


def test_ring_cut_short_is_refused() -> None:
    memory = bytearray(ring.ring_bytes(64))
    ring.create(memory, 64)
    with pytest.raises(ValueError, match="no ring"):
        ring.Reader(memory[:-1])


def test_consuming_more_than_there_is_raises() -> None:
    _, reader = new_ring(8)
    with pytest.raises(ValueError, match="cannot consume 1 of 0 bytes"):
        reader.consume(1)


OPERATIONS = st.one_of(
    st.tuples(st.just("put"), st.integers(0, 40)),
    st.tuples(st.just("put"), st.sampled_from([65_536, 70_000])),
    st.tuples(st.just("commit"), st.just(0)),
    st.tuples(st.just("flush"), st.just(0)),
    st.tuples(st.just("take"), st.integers(0, 70_000)),
)


@settings(deadline=None)
@given(st.sampled_from([1, 2, 16, 64, 1024, 1 << 17]), st.lists(OPERATIONS, max_size=60))
def test_ring_does_what_its_twin_does(capacity: int, operations: list[tuple[str, int]]) -> None:
    (writer, reader), twin, rng = new_ring(capacity), Ring(capacity), random.Random(0)
    for name, number in operations:
        if name == "put":
            data = rng.randbytes(number)
            writer.put(data)
            twin.put(data)
        elif name == "commit":
            writer.commit()
            twin.commit()
        elif name == "flush":
            assert writer.flush() == twin.flush()
        else:
            assert take(reader, number) == twin.take(number)
        assert (reader.available, writer.full_waits) == (len(twin.visible), twin.full_waits)
        assert writer.waiting_bytes == len(twin.waiting) + len(twin.uncommitted)


@pytest.mark.parametrize(("capacity", "count"), [(1, 10), (64, 300), (65_536, 3000)])
def test_two_processes_pass_every_byte_in_order(capacity: int, count: int) -> None:
    expected = b"".join(frames(capacity, count))
    descriptor = os.memfd_create("ring")
    os.ftruncate(descriptor, ring.ring_bytes(capacity))
    memory = mmap.mmap(descriptor, 0)
    ring.create(memory, capacity)
    reader, received = ring.Reader(memory), bytearray()
    command = [sys.executable, "-c", WRITER, str(descriptor), str(capacity), str(count)]
    with subprocess.Popen(command, pass_fds=[descriptor], cwd=Path(__file__).parents[1]) as writer:
        while writer.poll() is None or reader.available:
            received += take(reader, 1000)
    os.close(descriptor)
    assert received == expected
