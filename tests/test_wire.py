"""Bytes of real servers, replayed as they came and cut at random places, against a slow reader of whole bodies."""

import random

import pytest

from tests.captures import CAPTURES, READS, Capture, load, load_reads
from tests.harness import Answer, send
from tests.reference.answer import Meaning
from tests.replay import cut, replay

STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def ask(capture: Capture, pieces: list[bytes], *, pause_s: float = 0.0, close: bool = False) -> Answer:
    with replay(pieces, pause_s, close=close) as url:
        [answer] = send(url, dialect=capture.dialect, stream=capture.stream_asked)
    return answer


def understood(answer: Answer) -> Meaning:
    kinds = [set(event.kinds) for event in answer.events]
    counts = {name: answer.header[name] for name in ("input_tokens", "output_tokens", "reasoning_tokens")}
    return Meaning(
        error_class=answer.error_class,
        content=answer.content,
        reasoning=answer.reasoning,
        tool=answer.tool,
        finish=answer.finish,
        cached_tokens=answer.header["cached_tokens"],
        kinds=kinds,
        **counts,
    )


@pytest.mark.parametrize("name", CAPTURES)
def test_what_a_real_server_sent_is_understood(name: str) -> None:
    capture = load(name)
    answer = ask(capture, capture.pieces([capture.body]))
    assert understood(answer) == capture.meaning()
    assert (answer.status, answer.header["bytes_received"]) == (capture.status, len(capture.body))


@pytest.mark.parametrize("name", CAPTURES)
def test_it_is_understood_the_same_wherever_it_is_cut(name: str) -> None:
    capture = load(name)
    for seed in range(3):
        rng = random.Random(f"{name} {seed}")
        sent = b"".join(capture.pieces(cut(capture.body, rng, rng.randrange(2, 40))))
        assert understood(ask(capture, cut(sent, rng, rng.randrange(2, 40)))) == capture.meaning()


@pytest.mark.parametrize("name", READS)
def test_it_is_understood_in_the_reads_in_which_it_came(name: str) -> None:
    reads = load_reads(name)
    head, _, body = b"".join(reads).partition(b"\r\n\r\n")
    chunks = [line for line in body.split(b"\r\n") if b"data: " in line]
    dialect = "triton-generate" if name == "triton" else "openai-chat"
    capture = Capture(dialect, True, head + b"\r\n\r\n", b"".join(chunks))
    assert understood(ask(capture, reads)) == capture.meaning()


@pytest.mark.parametrize("name", ["transformers-serve/chat_stream_usage", "litellm-proxy/chat_stream_usage"])
def test_every_byte_may_come_alone(name: str) -> None:
    capture = load(name)
    single = [capture.body[at : at + 1] for at in range(len(capture.body))]
    assert understood(ask(capture, capture.pieces(single))) == capture.meaning()


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("name", ["transformers-serve/chat_stream_usage", "llama-cpp-python/compl_stream"])
def test_a_connection_that_breaks_off_leaves_the_events_before_it(name: str, seed: int) -> None:
    capture = load(name)
    rng = random.Random(seed)
    body = capture.body[: rng.randrange(1, len(capture.body))]
    answer = ask(capture, capture.pieces(cut(body, rng, 5))[:-1], close=True)
    expected = capture.meaning(body)
    expected.error_class = "ok" if expected.finish else "truncated_stream"
    assert understood(answer) == expected


@pytest.mark.parametrize(
    ("name", "error_class", "status"),
    [
        ("transformers-serve/chat_stream_usage", "ok", 200),
        ("transformers-serve/chat_nonstream", "ok", 200),
        ("transformers-serve/chat_ignore_eos", "http_status", 422),
        ("transformers-serve/err_badpath", "not_found", 404),
        ("transformers-serve/err_nomessages", "http_status", 500),
        ("transformers-serve/err_toolong", "ok", 200),
        ("llama-cpp-python/chat_stream", "ok", 200),
        ("llama-cpp-python/err_toolong", "empty_answer", 200),
        ("llama-cpp-python/err_badtype", "http_status", 500),
        ("litellm-proxy/chat_stream_usage", "ok", 200),
        ("litellm-proxy/err_badmodel", "http_status", 400),
    ],
)
def test_each_failure_of_a_real_server_has_its_class(name: str, error_class: str, status: int) -> None:
    capture = load(name)
    answer = ask(capture, capture.pieces([capture.body]))
    assert (answer.error_class, answer.status) == (error_class, status)


@pytest.mark.parametrize("name", [name for name in CAPTURES if load(name).status != 200])
def test_what_a_server_says_of_a_failure_is_kept(name: str) -> None:
    capture = load(name)
    answer = ask(capture, capture.pieces([capture.body]))
    assert answer.error == capture.body.decode()


@pytest.mark.parametrize(
    ("name", "tokens", "text"),
    [
        ("transformers-serve/chat_stream_usage", (19, 8), "\n\n\n begin begin begin begin begin"),
        ("transformers-serve/chat_nonstream", (19, 8), "\n\n\n begin begin begin begin begin"),
        ("llama-cpp-python/chat_stream_usage", (-1, -1), " p plu plu plus"),
        ("llama-cpp-python/chat_nonstream", (20, 8), " p plu plu plus"),
    ],
)
def test_texts_and_token_counts_are_those_that_a_reader_finds(name: str, tokens: tuple[int, int], text: str) -> None:
    capture = load(name)
    answer = ask(capture, capture.pieces([capture.body]))
    assert answer.content == text
    assert (answer.header["input_tokens"], answer.header["output_tokens"]) == tokens


def test_the_role_that_comes_before_the_prefill_is_no_first_token() -> None:
    capture = load("transformers-serve/chat_stream_usage")
    role, rest = capture.body.split(b"\n\n", 1)
    answer = ask(capture, capture.pieces([role + b"\n\n", rest]), pause_s=0.02)
    first, second = answer.events[:2]
    assert [set(first.kinds), set(second.kinds)] == [{"role"}, {"content"}]
    assert answer.header["first_token_ns"] == second.t_ns > first.t_ns


# What no capture has: thoughts and calls of tools, spelled as vLLM's documentation shows them.
SPOKEN = {
    "reasoning": [
        '{"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}',
        '{"choices":[{"index":0,"delta":{"reasoning_content":"Let me \\ud83e"},"finish_reason":null}]}',
        '{"choices":[{"index":0,"delta":{"reasoning_content":"\\udd14."},"finish_reason":null}]}',
        '{"choices":[{"index":0,"delta":{"content":"4"},"finish_reason":"stop"}]}',
        '{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":7,'
        '"completion_tokens_details":{"reasoning_tokens":5},"prompt_tokens_details":{"cached_tokens":8}}}',
        "[DONE]",
    ],
    "tools": [
        '{"choices":[{"index":0,"delta":{"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"c1",'
        '"type":"function","function":{"name":"add","arguments":""}}]},"finish_reason":null}]}',
        '{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\\"a\\": "}}]}}]}',
        '{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"2}"}}]}}]}',
        '{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}',
        "[DONE]",
    ],
    "failed": ['{"choices":[{"index":0,"delta":{"content":"4"}}]}', '{"error":{"message":"out of memory"}}', "[DONE]"],
}


@pytest.mark.parametrize("name", SPOKEN)
@pytest.mark.parametrize("seed", range(5))
def test_thoughts_and_tool_calls_are_read_as_well(name: str, seed: int) -> None:
    body = "".join(f"data: {event}\n\n" for event in SPOKEN[name]).encode()
    capture = Capture("openai-chat", True, STREAM_HEAD, body)
    found = understood(ask(capture, capture.pieces(cut(body, random.Random(seed), 20))))
    expected = capture.meaning()
    expected.reasoning = expected.reasoning.encode("utf-16", "surrogatepass").decode("utf-16")
    assert found == expected
