"""Answers in every built-in dialect, as its vendor documents them, whole and cut at random places."""

import random
from dataclasses import replace
from pathlib import Path

import pytest

from perfcore.workload.dialect import builtin, load_dialect
from tests.captures import Capture
from tests.documented.answers import DOCUMENTED, FAILURES
from tests.documented.form import JSON, Documented, sse
from tests.endtoend import measure
from tests.harness import Answer, send
from tests.reference.answer import SPEECHES, Meaning
from tests.replay import cut, replay


def ask(capture: Capture, pieces: list[bytes], *, close: bool = False) -> Answer:
    with replay(pieces, close=close) as url:
        [answer] = send(url, dialect=capture.dialect, stream=capture.stream_asked)
    return answer


def understood(answer: Answer) -> Meaning:
    return Meaning(
        error_class=answer.error_class,
        content=answer.content,
        reasoning=answer.reasoning,
        tool=answer.tool,
        finish=answer.finish,
        input_tokens=answer.header["input_tokens"],
        output_tokens=answer.header["output_tokens"],
        reasoning_tokens=answer.header["reasoning_tokens"],
        cached_tokens=answer.header["cached_tokens"],
        kinds=[set(event.kinds) for event in answer.events],
    )


def expected(capture: Capture) -> Meaning:
    """What the slow reader says; halves of a character that came in two events are one there too."""
    found = capture.meaning()
    for name in ("content", "reasoning", "tool"):
        setattr(found, name, getattr(found, name).encode("utf-16", "surrogatepass").decode("utf-16"))
    return found


def test_every_built_in_dialect_is_read_streamed_and_not() -> None:
    read = {(answer.dialect, answer.streamed) for answer in DOCUMENTED.values()}
    streamed = {(name, True) for name in builtin() if load_dialect(name).framing != "json"}
    captured = {("openai-completions", True), ("openai-completions", False), ("triton-generate", True)}
    assert read | captured == streamed | {(name, False) for name in builtin()}
    assert set(SPEECHES) == set(FAILURES) == set(builtin())


@pytest.mark.parametrize("name", DOCUMENTED)
def test_an_answer_is_what_a_person_reads_in_it(name: str) -> None:
    wanted = DOCUMENTED[name]
    capture = wanted.capture()
    found = understood(ask(capture, capture.pieces([capture.body])))
    assert found.error_class == "ok"
    assert (found.content, found.reasoning, found.tool) == (wanted.content, wanted.reasoning, wanted.tool)
    tokens = (found.input_tokens, found.output_tokens, found.reasoning_tokens, found.cached_tokens)
    assert (found.finish, tokens) == (wanted.finish, wanted.tokens)


@pytest.mark.parametrize("name", DOCUMENTED)
def test_it_is_understood_the_same_wherever_it_is_cut(name: str) -> None:
    capture = DOCUMENTED[name].capture()
    for seed in range(3):
        rng = random.Random(f"{name} {seed}")
        sent = b"".join(capture.pieces(cut(capture.body, rng, rng.randrange(2, 20))))
        assert understood(ask(capture, cut(sent, rng, rng.randrange(2, 40)))) == expected(capture)


@pytest.mark.parametrize("dialect", FAILURES)
def test_an_error_within_an_answer_is_a_failure_with_its_words(dialect: str) -> None:
    content_type, body = FAILURES[dialect]
    capture = Documented(dialect, content_type, body).capture()
    answer = ask(capture, capture.pieces([body]))
    assert understood(answer) == expected(capture)
    assert (answer.error_class, answer.error) == ("error_in_band", "out of memory")


@pytest.mark.parametrize("name", [name for name, answer in DOCUMENTED.items() if answer.streamed])
def test_a_stream_that_stops_before_its_end_is_cut_unless_nothing_marks_the_end(name: str) -> None:
    whole = DOCUMENTED[name]
    events = whole.body.replace(b"\r\n", b"\n").split(b"\n\n" if b"data:" in whole.body else b"\n")
    first = events[0] + (b"\n\n" if b"data:" in whole.body else b"\n")
    capture = whole.capture(first)
    answer = ask(capture, capture.pieces([first]))
    assert understood(answer) == expected(capture)
    assert answer.error_class == ("ok" if whole.dialect == "vllm-generate" else "truncated_stream")


@pytest.mark.parametrize("dialect", ["openai-embeddings", "rerank"])
def test_an_answer_without_numbers_is_empty(dialect: str) -> None:
    capture = Documented(dialect, JSON, b'{"data":[],"results":[]}').capture()
    assert ask(capture, capture.pieces([capture.body])).error_class == "empty_answer"


def test_the_type_in_the_event_goes_before_its_name() -> None:
    body = DOCUMENTED["responses-text"].body.replace(b"event: response.output_text.delta", b"event: other")
    capture = DOCUMENTED["responses-text"].capture(body)
    assert ask(capture, capture.pieces([body])).content == "Four"


def test_the_name_of_an_event_is_its_type_where_nothing_else_says_it() -> None:
    body = b'event: response.output_text.delta\ndata: {"delta":"a"}\n\nevent: other\ndata: {"delta":"b"}\n\n'
    capture = DOCUMENTED["responses-text"].capture(body)
    assert ask(capture, capture.pieces([body])).content == "a"


def test_a_whole_document_in_the_place_of_a_stream_is_told() -> None:
    capture = replace(DOCUMENTED["messages-document"].capture(), stream_asked=True)
    assert ask(capture, capture.pieces([capture.body])).error_class == "unexpected_non_stream"


def test_text_so_far_counts_as_what_it_has_grown_by() -> None:
    capture = DOCUMENTED["sglang"].capture()
    answer = ask(capture, capture.pieces([capture.body]))
    assert [event.chars for event in answer.events] == [2, 5, 1, 0]


def test_the_last_event_of_mindie_does_not_repeat_the_text() -> None:
    repeated = sse({"token": {"text": "ab"}}, {"token": {"text": "c"}, "generated_text": "abc"})
    capture = Documented("mindie-infer", "text/event-stream", repeated).capture()
    assert ask(capture, capture.pieces([repeated])).content == "abc"


@pytest.mark.parametrize("name", ["ollama-chat", "vllm", "embeddings", "messages-tool"])
def test_a_whole_run_speaks_a_dialect_that_is_not_openais(tmp_path: Path, name: str) -> None:
    wanted = DOCUMENTED[name]
    capture = wanted.capture()
    with replay(capture.pieces([capture.body])) as url:
        run = measure(tmp_path / "run", url, dialect=wanted.dialect, model="m", prompt=("Hi",), requests=3, check=False)
    assert run.metrics["requests"]["ok"] == 3
    assert [line["prediction"] for line in run.outputs()] == [wanted.content or None] * 3
    counted = run.metrics["tokens"]["input"]
    assert counted == (3 * wanted.tokens[0] if wanted.tokens[0] >= 0 else counted)
