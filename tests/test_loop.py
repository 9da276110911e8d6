"""The load loop by itself, in this process, against real servers on loopback."""

import mmap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from perfcore.run.simulator import RunningSimulator, SimulatorSettings, read_truth, start_simulator
from perfcore_ext import control, ring
from perfcore_ext.clock import monotonic_ns
from perfcore_ext.curl import CurlError
from perfcore_ext.loop import Loop
from tests.endtoend import QUICK
from tests.harness import CHAT_BODY, Answer, answers, book_of, send
from tests.replay import replay

URL = "/v1/chat/completions"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n"
EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"%s"}}]}\n\n'
LAST = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'


@pytest.fixture(scope="module")
def simulator() -> Iterator[RunningSimulator]:
    with start_simulator(QUICK) as running:
        yield running


def body(limit: int) -> bytes:
    return CHAT_BODY[:-1] + b',"max_tokens":%d}' % limit


def in_pieces(*pieces: bytes) -> list[bytes]:
    return [HEAD % sum(map(len, pieces)), *pieces]


@pytest.mark.parametrize("use_timerfd", [False, True])
def test_both_ways_of_waiting_give_the_same_answers(simulator: RunningSimulator, use_timerfd: bool) -> None:
    found = send(simulator.url + URL, [body(5), body(9)], total=20, concurrency=4, use_timerfd=use_timerfd)
    assert [answer.error_class for answer in found] == ["ok"] * 20
    assert [answer.header["token_events"] for answer in found] == [5, 9] * 10


def test_an_event_gets_the_time_of_the_read_that_completes_it() -> None:
    pieces = in_pieces(EVENT % b"a" + EVENT[:20], EVENT[20:] % b"b" + LAST)
    with replay(pieces, pause_s=0.05) as url:
        first, second, _ = send(url)[0].events
    assert second.t_ns - first.t_ns > 40_000_000
    assert second.read_seq > first.read_seq


def test_events_of_one_read_share_their_stamp_and_say_so() -> None:
    with replay([b"".join(in_pieces(EVENT % b"a", EVENT % b"b", LAST))]) as url:
        first, second, _ = send(url)[0].events
    assert (first.t_ns, first.read_seq) == (second.t_ns, second.read_seq)


def test_empty_data_is_no_event() -> None:
    with replay([b"".join(in_pieces(b"data:\n\n", EVENT % b"a", b"data: \n\n", LAST))]) as url:
        answer = send(url)[0]
    assert (answer.error_class, answer.header["events"], answer.header["bad_json"]) == ("ok", 2, 0)


def test_an_answer_that_is_there_at_once_is_not_stamped_before_it_was_sent(tmp_path: Path) -> None:
    truth = tmp_path / "truth.bin"
    with start_simulator(SimulatorSettings(ttft_base_ms=0, itl_ms=0), truth) as running:
        found = send(running.url + URL, [body(1)], total=500, id_header=b"X-Request-Id: ")
    log = read_truth(truth)
    arrivals = dict(zip(log["client_request"].tolist(), log["time_ns"].tolist(), strict=True))
    assert all(answer.header["first_byte_ns"] >= answer.header["sent_ns"] for answer in found)
    assert len(arrivals) == 500


def test_a_ring_smaller_than_a_frame_loses_nothing(simulator: RunningSimulator) -> None:
    book = book_of([body(300)])
    memory = mmap.mmap(-1, control.control_bytes(1, 8))
    master = control.Control(memory, 1, 8)
    small = mmap.mmap(-1, ring.ring_bytes(4096))
    ring.create(small, 4096)
    urls = [simulator.url + URL]
    paths = [("content", "choices.0.delta.content", ""), ("finish", "choices.0.finish_reason", "")]
    loop = Loop(control=memory, worker=0, ring=small, book=book, urls=urls, stream_paths=paths, full_paths=paths)
    received = drained(loop, master, ring.Reader(small), total=24)
    assert [answer.header["token_events"] for answer in answers(received)] == [300] * 24
    assert master.counters(0)["ring_full_waits"] > 0


def drained(loop: Loop, master: control.Control, reader: ring.Reader, total: int) -> bytes:
    """All frames of a closed loop of 8, taken out slowly while it runs in a thread."""
    master.set_limit(0, 8)
    master.start_segment(
        number=1,
        phase=1,
        start_ns=monotonic_ns(),
        stop_ns=control.NO_LIMIT,
        first_request_id=0,
        total=total,
        ramp_interval_ns=0,
        open_loop=False,
    )
    thread = threading.Thread(target=loop.run)
    thread.start()
    received = bytearray()
    while thread.is_alive() or reader.available:
        first, second = reader.peek(1000)
        received += bytes(first) + bytes(second)
        reader.consume(len(first) + len(second))
        time.sleep(0.0002)
    thread.join()
    return bytes(received)


def test_the_request_id_is_sent_with_its_prefix(tmp_path: Path) -> None:
    truth = tmp_path / "truth.bin"
    with start_simulator(QUICK, truth) as running:
        send(running.url + URL, [body(1)], total=12, id_header=b"X-Request-Id: run7-")
    assert set(np.unique(read_truth(truth)["client_request"])) == set(range(12))


def test_headers_reach_the_server(simulator: RunningSimulator) -> None:
    found = send(simulator.url + URL, [body(1)], headers=["X-Extra: 1", "X-More: 2"])
    assert found[0].error_class == "ok"


def loop_on(book: bytes, **more: object) -> Loop:
    memory = mmap.mmap(-1, control.control_bytes(1, 1))
    control.Control(memory, 1, 1)
    events = mmap.mmap(-1, ring.ring_bytes(4096))
    ring.create(events, 4096)
    settings: dict[str, object] = {"control": memory, "worker": 0, "ring": events, "book": book, "urls": [b"http://x"]}
    return Loop(**{**settings, "stream_paths": [], "full_paths": [], **more})  # type: ignore[arg-type]


@pytest.mark.parametrize("book", [b"", b"PFBOOK03", book_of([b"a", b"b"])[:-20], b"x" * 100])
def test_what_is_no_request_book_is_refused(book: bytes) -> None:
    with pytest.raises(ValueError, match="request book"):
        loop_on(book)


def test_a_worker_that_the_block_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="control block"):
        loop_on(book_of([b"a"]), worker=1)


def test_an_option_that_libcurl_refuses_is_named() -> None:
    with pytest.raises(CurlError, match="9999"):
        loop_on(book_of([b"a"]), options=[(9999, 1)])


def finished(answers: list[Answer]) -> list[str]:
    return [answer.finish for answer in answers]


def test_a_closed_connection_is_replaced() -> None:
    with replay([b"".join(in_pieces(EVENT % b"a", LAST))], close=True) as url:
        found = send(url, total=5)
    assert finished(found) == ["stop"] * 5
    assert [answer.header["new_connection"] for answer in found] == [1] * 5
