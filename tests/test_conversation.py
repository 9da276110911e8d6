"""Conversations: turns in order, answers in the history, a failed turn ends them."""

import http.server
import json
import mmap
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from perfcore.run.book import BookWriter
from tests.harness import Answer, send

MARK = "ANSWER-%d"
SAID = ['Zero "quoted" \\ \n 漢字 🙂', "<think>hm</think>\n\nOne", "Two"]


class Talker(http.server.BaseHTTPRequestHandler):
    """Answers the n-th user message with SAID[n], the message FAIL with status 500; notes each request's messages."""

    protocol_version = "HTTP/1.1"
    heard: ClassVar[list[Any]] = []

    def do_POST(self) -> None:
        messages = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["messages"]
        self.heard.append((self.client_address, messages))
        if messages[-1]["content"] == "FAIL":
            self.reply(500, b"{}")
            return
        text = SAID[sum(message["role"] == "user" for message in messages) - 1]
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        self.reply(200, json.dumps({"choices": [choice]}).encode())

    def reply(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@contextmanager
def talking() -> Iterator[tuple[str, list[Any]]]:
    heard: list[Any] = []
    handler = type("Handler", (Talker,), {"heard": heard})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", heard
        server.shutdown()
        thread.join()


def conversation(*questions: str, think_ns: int = 0) -> bytes:
    """A book with one conversation."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "book"
        with BookWriter(path) as book:
            messages: list[dict[str, str]] = []
            for turn, question in enumerate(questions):
                messages.append({"role": "user", "content": question})
                body, splices = cut(json.dumps({"messages": messages}).encode(), turn)
                book.add(body, splices, turn, think_ns if turn else 0)
                messages.append({"role": "assistant", "content": MARK % turn})
        return path.read_bytes()


def cut(body: bytes, turns: int) -> tuple[bytes, list[tuple[int, int]]]:
    """Take the marks out of a body and note where they were."""
    splices = []
    for turn in range(turns):
        mark = (MARK % turn).encode()
        splices.append((body.index(mark), turn))
        body = body.replace(mark, b"")
    return body, splices


def talk(url: str, book: bytes, **more: Any) -> list[Answer]:
    memory = mmap.mmap(-1, len(book))
    memory[:] = book
    return send(url, book=memory, stream=False, **more)


def test_each_turn_has_the_answers_before_it_in_its_history() -> None:
    with talking() as (url, heard):
        found = talk(url, conversation("a", "b", "c"), total=1)
    assert [answer.header["turn"] for answer in found] == [0, 1, 2]
    assert [message["content"] for message in heard[2][1]] == ["a", SAID[0], "b", "One", "c"]


def test_a_conversation_stays_on_its_connection() -> None:
    with talking() as (url, heard):
        talk(url, conversation("a", "b", "c"), total=1)
    assert len({address for address, _ in heard}) == 1


def test_a_failed_turn_ends_the_conversation() -> None:
    with talking() as (url, heard):
        found = talk(url, conversation("a", "FAIL", "c"), total=2, concurrency=2)
    assert [(answer.header["turn"], answer.error_class) for answer in found] == [(0, "ok"), (1, "http_status")] * 2
    assert len(heard) == 4


def test_a_turn_is_due_when_the_user_has_thought() -> None:
    with talking() as (url, _):
        first, second = talk(url, conversation("a", "b", think_ns=30_000_000), total=1)
    assert second.header["due_ns"] == first.header["end_ns"] + 30_000_000
    assert second.header["sent_ns"] >= second.header["due_ns"]


def test_a_repeated_conversation_starts_without_history() -> None:
    with talking() as (url, heard):
        found = talk(url, conversation("a", "b"), total=3)
    assert [answer.header["repeat"] for answer in found] == [0, 0, 1, 1, 2, 2]
    assert [len(messages) for _, messages in heard] == [1, 3] * 3


@pytest.mark.parametrize("concurrency", [1, 7])
def test_many_conversations_keep_their_answers_apart(concurrency: int) -> None:
    with talking() as (url, heard):
        found = talk(url, conversation("a", "b", "c"), total=20, concurrency=concurrency)
    assert [answer.error_class for answer in found] == ["ok"] * 60
    assert all(messages[1]["content"] == SAID[0] for _, messages in heard if len(messages) > 1)


def test_clients_with_connections_of_their_own_share_none() -> None:
    with talking() as (url, heard):
        found = talk(url, conversation("a", "b", "c"), total=12, concurrency=4, own_connections=True)
    assert [answer.error_class for answer in found] == ["ok"] * 36
    assert len({address for address, _ in heard}) == 4
    assert sum(answer.header["new_connection"] for answer in found) == 4
