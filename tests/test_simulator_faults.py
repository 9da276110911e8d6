import dataclasses
import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from perfcore.run.simulation import SimulatorSettings
from perfcore.run.simulator import TRUTH_KINDS, RunningSimulator, read_truth, start_simulator
from tests.simclient import AT_ONCE, DONE, ask, chat, events, full, post, said


@pytest.fixture(scope="module")
def simulator() -> Iterator[RunningSimulator]:
    with start_simulator(AT_ONCE) as running:
        yield running


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("kind", "failure"),
    [
        ("refuse", http.client.RemoteDisconnected),
        ("reset", ConnectionResetError),
        ("cut", http.client.IncompleteRead),
    ],
)
def test_connection_breaks(simulator: RunningSimulator, kind: str, failure: type[Exception], stream: bool) -> None:
    with pytest.raises(failure):
        ask(simulator, chat(f"[[fault:{kind}]]", stream=stream))


@pytest.mark.parametrize(("kind", "after"), [("429=7", "7"), ("503", "1"), ("500", None)])
def test_status_is_an_error(simulator: RunningSimulator, kind: str, after: str | None) -> None:
    response, answer = ask(simulator, chat(f"please [[fault:{kind}]] now"))
    assert (response.status, response.getheader("retry-after")) == (int(kind[:3]), after)
    assert json.loads(answer)["error"]["code"] == int(kind[:3])


def test_error_comes_inside_a_200(simulator: RunningSimulator) -> None:
    response, answer = ask(simulator, chat("[[fault:error]]"))
    assert response.status == 200
    assert [*map(list, events(answer))][-1] == ["error"]
    assert list(json.loads(ask(simulator, chat("[[fault:error]]", stream=False))[1])) == ["error"]


def test_page_comes_instead_of_json(simulator: RunningSimulator) -> None:
    response, answer = ask(simulator, chat("[[fault:html]]"))
    assert (response.status, response.getheader("content-type")) == (200, "text/html")
    assert answer.startswith(b"<!DOCTYPE html>")


def plain_stream(simulator: RunningSimulator, kind: str, tokens: int = 4) -> bytes:
    return ask(simulator, chat(f"[[fault:{kind}]]", tokens, stream_options={"include_usage": True}))[1]


@pytest.mark.parametrize(
    ("kind", "done", "usage", "finish"),
    [("no_done", 0, 1, 1), ("no_usage", 1, 0, 1), ("no_finish", 0, 0, 0), ("empty", 1, 1, 1), ("merged", 1, 1, 1)],
)
def test_part_of_the_stream_is_missing(
    simulator: RunningSimulator, kind: str, done: int, usage: int, finish: int
) -> None:
    answer = plain_stream(simulator, kind)
    found = [answer.count(part) for part in (DONE, b'"usage"', b'"finish_reason":"')]
    assert found == [done, usage, finish]
    assert answer.count(b'"content":" ') == (0 if kind == "empty" else 4)


def test_line_ends_are_crlf(simulator: RunningSimulator) -> None:
    answer = plain_stream(simulator, "crlf")
    assert answer.count(b"\n") == answer.count(b"\r\n") == 2 * answer.count(b"data: ")


def test_comments_stand_between_events(simulator: RunningSimulator) -> None:
    answer = plain_stream(simulator, "comments")
    assert answer.count(b": ping\n\n") == answer.count(b"data: ") == 8


def test_one_event_is_huge(simulator: RunningSimulator) -> None:
    answer = ask(simulator, chat("[[fault:huge=3]]"))[1]
    assert max(map(len, said(answer).split())) >= 3 * 2**20
    assert len(ask(simulator, chat("[[fault:huge=0.5]]", stream=False))[1]) >= 2**19


def test_one_event_is_not_json(simulator: RunningSimulator) -> None:
    answer = plain_stream(simulator, "malformed").split(b"\n\n")
    assert [event for event in answer if b'"broken' in event] == [answer[3]]
    with pytest.raises(json.JSONDecodeError):
        json.loads(answer[3].removeprefix(b"data: "))


def test_characters_are_cut_between_sends(simulator: RunningSimulator) -> None:
    assert said(ask(simulator, chat("[[fault:split_utf8]]", 8))[1]) == " héllo 世界 привет 😀" * 2


def test_stream_is_refused_with_plain_json(simulator: RunningSimulator) -> None:
    response, answer = ask(simulator, chat("[[fault:non_stream]]"))
    assert response.getheader("content-type") == "application/json"
    assert len(full(answer).split()) == 4


@pytest.mark.parametrize("kind", ["stall=0.02", "slow_head=0.02", "bytes"])
@pytest.mark.parametrize("stream", [True, False])
def test_slow_answer_is_complete(simulator: RunningSimulator, kind: str, stream: bool) -> None:
    answer = ask(simulator, chat(f"[[fault:{kind}]]", stream=stream))[1]
    assert len((said(answer) if stream else full(answer)).split()) == 4


def test_stall_lasts_until_the_client_goes(simulator: RunningSimulator) -> None:
    with socket.create_connection((simulator.host, simulator.port), timeout=0.1) as client:
        client.sendall(post(json.dumps(chat("[[fault:stall]]", 4)).encode()))
        received = b""
        with pytest.raises(TimeoutError):
            while True:
                received += client.recv(65536)
    assert received.count(b'"content":" ') == 2
    assert ask(simulator, chat())[0].status == 200


def test_share_of_requests_fails_by_rate_and_seed() -> None:
    settings = dataclasses.replace(AT_ONCE, faults=(("500", 0.3, None), ("429", 0.2, 5.0)), seed=1)
    runs = []
    for _ in range(2):
        with start_simulator(settings) as running:
            runs.append([ask(running, chat())[0].status for _ in range(60)])
    assert runs[0] == runs[1]
    assert set(runs[0]) == {200, 429, 500}


def test_unknown_fault_in_a_prompt_is_text(simulator: RunningSimulator) -> None:
    assert len(said(ask(simulator, chat("[[fault:nothing]] [[fault:"))[1]).split()) == 4


@pytest.mark.parametrize("cut", [1, 7])
def test_cut_segments_carry_the_same_bytes(simulator: RunningSimulator, cut: int) -> None:
    with start_simulator(dataclasses.replace(AT_ONCE, cut_bytes=cut)) as running:
        assert len(said(ask(running, chat())[1]).split()) == 4


def test_client_that_does_not_read_delays_no_other_and_loses_nothing(simulator: RunningSimulator) -> None:
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect((simulator.host, simulator.port))
        slow.sendall(post(json.dumps(chat(tokens=50_000)).encode(), b"connection: close\r\n"))
        assert slow.recv(1) == b"H"
        assert len(said(ask(simulator, chat())[1]).split()) == 4
        received = b"".join(iter(lambda: slow.recv(1 << 20), b""))
    assert received.count(b'"content":" ') == 50_000
    assert received.endswith(b"0\r\n\r\n")


def test_thousand_connections_are_served_at_a_time(tmp_path: Path) -> None:
    request = post(json.dumps(chat(tokens=3)).encode(), b"connection: close\r\n")
    with start_simulator(SimulatorSettings(ttft_base_ms=50, itl_ms=1, phase="lockstep"), tmp_path / "t") as running:
        clients = [socket.create_connection((running.host, running.port), timeout=30) for _ in range(900)]
        for client in clients:
            client.sendall(request)
        for client in clients:
            assert b"".join(iter(lambda: client.recv(65536), b"")).endswith(b"0\r\n\r\n")  # noqa: B023
            client.close()
    assert (read_truth(tmp_path / "t")["kind"] == TRUTH_KINDS["done"]).sum() == 900
