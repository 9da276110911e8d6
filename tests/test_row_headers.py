"""Header lines that one request has and the next one has not; turns that have limits of their own."""

import http.server
import json
import tempfile
import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from perfcore.errors import UserError
from perfcore.run.book import BookWriter
from perfcore.run.part import Form, cut
from perfcore.workload.conversation import Turn, turns
from perfcore.workload.dataset import read_rows
from perfcore.workload.dialect import encoder, load_dialect
from perfcore.workload.row import Row
from tests.harness import send

ANSWER = json.dumps({"choices": [{"index": 0, "message": {"content": "ok"}, "finish_reason": "stop"}]}).encode()


class Noting(http.server.BaseHTTPRequestHandler):
    """Answers every request the same and notes its body and headers."""

    protocol_version = "HTTP/1.1"
    seen: ClassVar[list[tuple[bytes, dict[str, str]]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append((body, dict(self.headers.items())))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@contextmanager
def noting() -> Iterator[tuple[str, list[tuple[bytes, dict[str, str]]]]]:
    seen: list[tuple[bytes, dict[str, str]]] = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Noting,), {"seen": seen})) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v1/chat/completions", seen
        server.shutdown()
        thread.join()


def book(rows: Sequence[tuple[bytes, tuple[str, ...]]]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        with BookWriter(Path(folder) / "book") as writer:
            for body, headers in rows:
                writer.add(body, headers=headers)
        return (Path(folder) / "book").read_bytes()


def test_each_request_has_its_own_lines_and_the_common_ones() -> None:
    rows: list[tuple[bytes, tuple[str, ...]]] = [
        (b"0", ()),
        (b"1", ("X-A: 1",)),
        (b"2", ("X-A: 2", "X-B: b")),
        (b"3", ()),
    ]
    with noting() as (url, seen):
        send(url, book=book(rows), total=8, headers=["X-Common: c"], stream=False)
    own = [(body, headers.get("X-A"), headers.get("X-B"), headers["X-Common"]) for body, headers in seen]
    assert own == [(b"0", None, None, "c"), (b"1", "1", None, "c"), (b"2", "2", "b", "c"), (b"3", None, None, "c")] * 2


def made(row: Row) -> list[Turn]:
    encode = encoder(load_dialect("openai-chat"), model="m", max_tokens=None, stream=False, extra={})
    return list(turns(row, encode, "own", 1.0))


def asked(turn: Turn) -> Any:
    return json.loads(turn.body)


def test_a_turn_has_the_limit_and_the_pause_of_its_own_message() -> None:
    said: list[dict[str, Any]] = [
        {"role": "user", "content": "a", "max_tokens": 3},
        {"role": "user", "content": "b", "think_s": 0.25, "max_tokens": None},
        {"role": "user", "content": "c", "max_tokens": 7, "think_s": 0.0},
    ]
    found = made(Row(id="1", turns=said, max_tokens=5))
    assert [asked(turn)["max_tokens"] for turn in found] == [3, 5, 7]
    assert [turn.think_ns for turn in found] == [0, 250_000_000, 0]
    assert asked(found[0])["messages"] == [{"role": "user", "content": "a"}]
    assert [turn.think_ns for turn in made(Row(id="1", turns=[{"role": "user", "content": "a"}] * 2))] == [0, 10**9]


def test_the_lines_of_a_row_go_with_each_of_its_requests() -> None:
    row = Row(id="1", turns=[{"role": "user", "content": "a"}] * 2, headers={"X-Tenant": "blue"})
    assert [turn.headers for turn in made(row)] == [("X-Tenant: blue",)] * 2


@pytest.mark.parametrize("value", ["1\r\nX-Evil: 2", "1\nX-Evil: 2", "1\0"])
def test_a_header_that_is_more_than_one_line_is_refused(tmp_path: Path, value: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"prompt": "a", "headers": {"X-A": value}}))
    with pytest.raises(UserError, match=r"rows.jsonl, line 1: headers has 'X-A'"):
        list(read_rows(path))


def test_header_lines_go_to_the_service_and_not_into_the_records_of_the_run() -> None:
    form = Form(load_dialect("openai-chat"), "m", None, False, {}, False, "own", 0.0)
    part = next(cut([Row(id="1", prompt="a", headers={"Authorization": "Bearer sk-1"})], form))
    assert b"Authorization: Bearer sk-1\0" in part.bodies.data
    assert b"sk-1" not in zlib.decompress(part.packs[0].data[4 * part.rows :])
