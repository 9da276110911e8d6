"""Files of data sets from the network: whole or not at all, and only where they are asked for."""

import fcntl
import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from perfcore.errors import UserError
from perfcore.run.download import MARK, PART, download
from perfcore.workload.registry import files_of, resolved
from tests.answering import Service, answering, right
from tests.endtoend import run_here

DATA = b'{"prompt": "1 plus 7"}\n' * 5000


class Files(BaseHTTPRequestHandler):
    """Serves DATA whole or from an offset, and what a server may do wrong."""

    protocol_version = "HTTP/1.1"
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(f"{self.path} {self.headers.get('Range', 'whole')}")
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/a.jsonl")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path == "/none":
            self.send_error(404)
        else:
            self.send_data()

    def send_data(self) -> None:
        part = self.headers.get("Range", "")
        start = int(part[6:-1]) if part and self.headers.get("If-Range") == '"v1"' else 0
        if start >= len(DATA):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("ETag", '"v1"')
        self.send_header("Content-Length", str(len(DATA) - start))
        self.end_headers()
        self.wfile.write(DATA[start : len(DATA) // 2] if self.path == "/cut" else DATA[start:])
        self.close_connection = self.path == "/cut"

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    Files.asked = []
    served = ThreadingHTTPServer(("127.0.0.1", 0), Files)
    thread = threading.Thread(target=served.serve_forever, args=[0.01])
    thread.start()
    yield f"http://127.0.0.1:{served.server_port}"
    served.shutdown()
    thread.join()
    served.server_close()


def config(folder: Path, url: str, more: str = "") -> Path:
    (folder / "datasets").mkdir(parents=True, exist_ok=True)
    text = f'reader = "rows"\nfolder = "own"\nfiles = ["a.jsonl"]\n[[fetch]]\nurl = "{url}"\nto = "a.jsonl"\n{more}'
    (folder / "datasets" / "own.toml").write_text(text)
    return folder


def fetched(folder: Path, url: str, more: str = "") -> list[str]:
    said: list[str] = []
    download(["own"], folder / "data", config(folder, url, more), said.append)
    return said


@pytest.mark.parametrize("path", ["a.jsonl", "moved"])
def test_a_file_that_is_not_there_is_fetched_into_the_data_folder(tmp_path: Path, server: str, path: str) -> None:
    digest = hashlib.sha256(DATA).hexdigest()
    said = fetched(tmp_path, f"{server}/{path}", f'sha256 = "{digest}"')
    there = files_of(resolved("own", tmp_path), [tmp_path / "data"])
    assert [file.read_bytes() for file in there] == [DATA]
    assert [file.name for file in there[0].parent.iterdir()] == ["a.jsonl"]
    assert said == [f"Fetching {server}/{path} to {there[0]}"]


def test_what_is_there_is_not_fetched_again(tmp_path: Path, server: str) -> None:
    fetched(tmp_path, f"{server}/a.jsonl")
    assert fetched(tmp_path, f"{server}/a.jsonl") == []
    assert Files.asked == ["/a.jsonl whole"]


def test_a_file_that_was_cut_is_gone_on_with(tmp_path: Path, server: str) -> None:
    with pytest.raises(UserError, match=r"cannot fetch .*/cut: .*--download goes on with it"):
        fetched(tmp_path, f"{server}/cut")
    half = tmp_path / "data/own" / f"a.jsonl{PART}"
    assert 0 < half.stat().st_size < len(DATA)
    assert fetched(tmp_path, f"{server}/a.jsonl")[0].endswith(", from where it stopped")
    assert (tmp_path / "data/own/a.jsonl").read_bytes() == DATA
    assert Files.asked == ["/cut whole", f"/a.jsonl bytes={len(DATA) // 2}-"]


@pytest.mark.parametrize("version", ['"v0"', ""])
def test_a_part_of_another_version_is_replaced(tmp_path: Path, server: str, version: str) -> None:
    part = tmp_path / "data/own" / f"a.jsonl{PART}"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"old" * 9)
    part.with_name(part.name + MARK).write_text(version)
    fetched(tmp_path, f"{server}/a.jsonl")
    assert (tmp_path / "data/own/a.jsonl").read_bytes() == DATA


def test_a_part_that_is_too_long_is_begun_anew(tmp_path: Path, server: str) -> None:
    part = tmp_path / "data/own" / f"a.jsonl{PART}"
    part.parent.mkdir(parents=True)
    part.write_bytes(DATA + b"more")
    part.with_name(part.name + MARK).write_text('"v1"')
    fetched(tmp_path, f"{server}/a.jsonl")
    assert (tmp_path / "data/own/a.jsonl").read_bytes() == DATA


def test_another_file_than_the_preset_means_is_dropped(tmp_path: Path, server: str) -> None:
    with pytest.raises(UserError, match="gave another file, which was dropped: its SHA-256 is"):
        fetched(tmp_path, f"{server}/a.jsonl", f'sha256 = "{"0" * 64}"')
    assert not list((tmp_path / "data/own").glob(f"*{PART}"))


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("{server}/none", "/none answered 404"),
        ("http://127.0.0.1:1/a.jsonl", "cannot fetch http://127.0.0.1:1/a.jsonl"),
        ("file:///etc/passwd", "no URL that can be fetched"),
        ("http://", "cannot fetch"),
    ],
)
def test_what_cannot_be_fetched_is_named(tmp_path: Path, server: str, url: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        fetched(tmp_path, url.format(server=server))
    assert not (tmp_path / "data/own/a.jsonl").exists()


def test_a_data_set_that_says_not_where_it_is_is_named_with_its_home(tmp_path: Path) -> None:
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets/own.toml").write_text('reader = "rows"\nfiles = ["a.jsonl"]\nhome = "https://example.org"')
    with pytest.raises(
        UserError, match=r"lacks a\.jsonl, which --download cannot fetch; get them from https://example"
    ):
        download(["own"], tmp_path, tmp_path, print)


def test_a_data_folder_that_cannot_be_written_is_named(tmp_path: Path, server: str) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(UserError, match=r"cannot write .*own/a\.jsonl"):
        fetched(tmp_path, f"{server}/a.jsonl")


def test_a_file_that_another_process_fetches_is_left_to_it(tmp_path: Path, server: str) -> None:
    part = tmp_path / "data/own" / f"a.jsonl{PART}"
    part.parent.mkdir(parents=True)
    with part.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(UserError, match="another process is fetching"):
            fetched(tmp_path, f"{server}/a.jsonl")


def test_an_evaluation_fetches_what_it_lacks(tmp_path: Path, server: str) -> None:
    where = ("--config-dir", config(tmp_path, f"{server}/a.jsonl"), "--data-dir", tmp_path / "data")
    with answering(Service(right)) as service:
        what = ("--dataset", "own", "--num-prompts", 1, "--evaluation", "evaluator=exact", "--out", tmp_path / "out")
        done = run_here("eval", "--url", service.url, "--no-check", *where, *what, "--download")
    assert done.exit_code == 0, done.stderr
    assert service.asked == ["1 plus 7"]
