import dataclasses
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcore.errors import UserError
from perfcore.run.simulation import pieces, read_script
from perfcore.run.simulator import RunningSimulator, start_simulator
from tests.simclient import AT_ONCE, CHAT, COMPLETIONS, ask, chat, events, full, post, raw, said


@pytest.fixture(scope="module")
def simulator() -> Iterator[RunningSimulator]:
    with start_simulator(AT_ONCE) as running:
        yield running


def test_stream_is_role_then_tokens_then_finish_then_usage(simulator: RunningSimulator) -> None:
    _, answer = ask(simulator, chat(tokens=3, stream_options={"include_usage": True}))
    role, *tokens, finish, usage = events(answer)
    assert role["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert [bool(token["choices"][0]["delta"]["content"]) for token in tokens] == [True] * 3
    assert (finish["choices"][0]["delta"], finish["choices"][0]["finish_reason"]) == ({}, "length")
    assert (usage["choices"], usage["usage"]["prompt_tokens"], usage["usage"]["completion_tokens"]) == ([], 3, 3)


def test_stream_has_no_usage_unless_asked(simulator: RunningSimulator) -> None:
    assert all("usage" not in event for event in events(ask(simulator, chat())[1]))


def test_answer_that_is_no_stream_has_text_finish_reason_and_usage(simulator: RunningSimulator) -> None:
    response, answer = ask(simulator, chat(stream=False))
    body = json.loads(answer)
    assert (response.status, body["object"], body["choices"][0]["finish_reason"]) == (200, "chat.completion", "length")
    assert len(full(answer).split()) == 4
    assert body["usage"] == {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}


def test_completions_stream_has_text_and_no_role(simulator: RunningSimulator) -> None:
    _, answer = ask(simulator, {"prompt": "x", "max_tokens": 2, "stream": True}, COMPLETIONS)
    first, second, finish = events(answer)
    assert first["choices"][0]["text"] and second["choices"][0]["text"]
    assert (finish["choices"][0]["text"], finish["choices"][0]["finish_reason"]) == ("", "length")


def test_completions_without_stream_have_text(simulator: RunningSimulator) -> None:
    answer = ask(simulator, {"prompt": [1, 2, 3], "max_tokens": 2}, COMPLETIONS)[1]
    assert len(full(answer).split()) == 2
    assert json.loads(answer)["usage"]["prompt_tokens"] == 3


def test_model_list_names_the_model(simulator: RunningSimulator) -> None:
    assert [model["id"] for model in json.loads(ask(simulator, None, "/v1/models", "GET")[1])["data"]] == ["simulated"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/health", None, 200),
        ("GET", "/nothing", None, 404),
        ("POST", "/v1/models", {}, 405),
        ("GET", CHAT, None, 405),
        ("HEAD", "/v1/models", None, 405),
        ("POST", CHAT, b"{", 400),
        ("POST", CHAT, b"[]", 400),
        ("POST", CHAT, b'{"messages": [}', 400),
        ("POST", CHAT, {"prompt": "x"}, 400),
        ("POST", COMPLETIONS, {"messages": []}, 400),
        ("POST", CHAT, {"messages": [], "max_tokens": 0}, 400),
        ("POST", CHAT, {"messages": [], "max_tokens": "many"}, 400),
        ("POST", CHAT, {"messages": [], "model": "another", "max_tokens": 1}, 200),
    ],
)
def test_request_gets_its_status(simulator: RunningSimulator, method: str, path: str, body: Any, status: int) -> None:
    response, answer = ask(simulator, body, path, method)
    assert response.status == status
    assert method == "HEAD" or isinstance(json.loads(answer), dict)


def test_another_model_is_unknown_where_the_setting_says_so() -> None:
    settings = dataclasses.replace(AT_ONCE, strict_model=True, model='m"é')
    with start_simulator(settings) as running:
        assert ask(running, chat(model="other"))[0].status == 404
        assert ask(running, chat(model='m"é'))[0].status == 200
        assert json.loads(ask(running, None, "/v1/models", "GET")[1])["data"][0]["id"] == 'm"é'


def test_length_without_a_limit_is_drawn_from_the_seed() -> None:
    settings = dataclasses.replace(AT_ONCE, output_tokens=(5, 50), seed=7)
    drawn = []
    for _ in range(2):
        with start_simulator(settings) as running:
            drawn.append([len(full(ask(running, chat(tokens=None, stream=False))[1]).split()) for _ in range(8)])
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) > 1 and all(5 <= length <= 50 for length in drawn[0])


def test_max_completion_tokens_goes_before_max_tokens(simulator: RunningSimulator) -> None:
    assert len(said(ask(simulator, chat(tokens=9, max_completion_tokens=2))[1]).split()) == 2


def test_event_may_carry_several_tokens() -> None:
    with start_simulator(dataclasses.replace(AT_ONCE, tokens_per_event=3)) as running:
        _, answer = ask(running, chat(tokens=7, stream_options={"include_usage": True}))
    counts = [len(event["choices"][0]["delta"].get("content", "").split()) for event in events(answer)[:-1]]
    assert counts == [0, 3, 3, 1, 0]
    assert events(answer)[-1]["usage"]["completion_tokens"] == 7


def test_connection_is_kept_and_requests_may_follow_without_waiting(simulator: RunningSimulator) -> None:
    body = json.dumps(chat(stream=False)).encode()
    answer = raw(simulator, post(body) + post(body) + b"GET /health HTTP/1.1\r\nconnection: close\r\n\r\n")
    assert answer.count(b"HTTP/1.1 200 OK") == 3
    assert answer.count(b"connection: close") == 1


def test_upload_in_chunks_is_joined(simulator: RunningSimulator) -> None:
    body = json.dumps(chat(stream=False)).encode()
    chunks = b"".join(b"%x;x=y\r\n%s\r\n" % (len(body[i : i + 7]), body[i : i + 7]) for i in range(0, len(body), 7))
    answer = raw(simulator, post(chunks + b"0\r\nt: 1\r\n\r\n", b"transfer-encoding: chunked\r\nconnection: close\r\n"))
    assert full(answer.split(b"\r\n\r\n")[1])


def test_expectation_is_met_before_the_body_comes(simulator: RunningSimulator) -> None:
    body = json.dumps(chat()).encode()
    request = post(body, b"expect: 100-continue\r\nconnection: close\r\n")
    with socket.create_connection((simulator.host, simulator.port), timeout=30) as client:
        client.sendall(request.removesuffix(body))
        assert client.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(body)
        assert client.recv(65536).startswith(b"HTTP/1.1 200 OK")


def test_request_may_come_byte_by_byte(simulator: RunningSimulator) -> None:
    request = post(json.dumps(chat(stream=False)).encode(), b"connection: close\r\n")
    with socket.create_connection((simulator.host, simulator.port), timeout=30) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(len(request)):
            client.send(request[at : at + 1])
        assert client.recv(65536).startswith(b"HTTP/1.1 200 OK")


def test_http_1_0_gets_no_chunks(simulator: RunningSimulator) -> None:
    head, _, answer = raw(simulator, post(json.dumps(chat()).encode(), version=b"1.0")).partition(b"\r\n\r\n")
    assert b"chunked" not in head
    assert len(said(answer).split()) == 4


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET /health HTTP/2.0\r\n\r\n", b"400"),
        (b"GET /health HTTP/1.1\r\nno colon\r\n\r\n", b"400"),
        (post(b"xyz\r\n", b"transfer-encoding: chunked\r\n"), b"400"),
        (post(b"").replace(b"length: 0", b"length: x"), b"400"),
        (post(b"").replace(b"length: 0", b"length: 268435457"), b"413"),
        (b"GET /" + b"x" * 70000, b"431"),
    ],
)
def test_bad_http_is_answered_and_closed(simulator: RunningSimulator, request_bytes: bytes, status: bytes) -> None:
    assert raw(simulator, request_bytes).startswith(b"HTTP/1.1 " + status)


def test_large_body_is_read_whole(simulator: RunningSimulator) -> None:
    answer = ask(simulator, chat("ä" * 4_000_000, stream=False))[1]
    assert json.loads(answer)["usage"]["prompt_tokens"] == 1_000_000


def test_scripted_prompt_gets_its_answer_however_it_is_escaped(tmp_path: Path) -> None:
    script = tmp_path / "script.jsonl"
    lines = [
        {"prompt": 'Wie "groß"\n😀?', "answer": "The answer\tis 4 😀.\n", "reasoning": "Two and two…"},
        {"prompt": "x", "answer": "y"},
    ]
    script.write_text("\n".join(map(json.dumps, lines)) + "\n")
    with start_simulator(dataclasses.replace(AT_ONCE, script=str(script))) as running:
        answers = [ask(running, chat(lines[0]["prompt"], None))[1]]
        answers.append(ask(running, json.dumps(chat(lines[0]["prompt"], None), ensure_ascii=False).encode())[1])
        whole = json.loads(ask(running, chat(lines[0]["prompt"], None, stream=False))[1])
        cut = json.loads(ask(running, chat(lines[0]["prompt"], 4, stream=False))[1])
        plain = json.loads(ask(running, {"prompt": "x"}, COMPLETIONS)[1])
    for answer in answers:
        assert (said(answer), said(answer, "reasoning_content")) == (lines[0]["answer"], lines[0]["reasoning"])
    message = whole["choices"][0]["message"]
    assert (message["content"], message["reasoning_content"]) == (lines[0]["answer"], lines[0]["reasoning"])
    assert whole["usage"]["completion_tokens_details"]["reasoning_tokens"] == 3
    assert (cut["choices"][0]["message"]["content"], cut["choices"][0]["finish_reason"]) == ("The", "length")
    assert (plain["choices"][0]["text"], plain["choices"][0]["finish_reason"]) == ("y", "stop")


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_pieces_of_an_answer_join_to_it(text: str) -> None:
    assert json.loads(b'"' + b"".join(pieces(text)) + b'"') == text


def test_bad_line_of_a_script_is_named(tmp_path: Path) -> None:
    (tmp_path / "s.jsonl").write_text('{"prompt": "a", "answer": "b"}\n{"prompt": 1}\n')
    with pytest.raises(UserError, match=r"s\.jsonl:2 "):
        read_script(tmp_path / "s.jsonl")
