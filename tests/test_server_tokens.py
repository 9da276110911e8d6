"""The tokenizer of a service, against real HTTP servers that answer as vLLM, SGLang and llama.cpp do."""

import contextlib
import http.server
import json
import pickle
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from perfcore.errors import UserError
from perfcore.run.server_tokens import ServerTokenizer, find
from perfcore.workload.source import Wanted
from perfcore.workload.synthetic import Settings, synthetic
from perfcore.workload.tokens import LocalTokenizer, Tokenizer, load, user
from tests.tokenizers_made import made

MODEL = str(Path(__file__).parent / "data" / "tiny-add")


class Listening(http.server.ThreadingHTTPServer):
    """Takes as many connections at once as a real service does."""

    request_queue_size = 128


class Service(http.server.BaseHTTPRequestHandler):
    """A service with a tokenizer of this machine."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    kind = "vllm"
    tokenizer: LocalTokenizer

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        found = ANSWERS[self.kind](self.tokenizer, self.path, body)
        status, content = (404, {"error": "no such path"}) if found is None else (200, found)
        packed = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(packed)))
        self.end_headers()
        self.wfile.write(packed)


def vllm(tokenizer: LocalTokenizer, path: str, body: dict[str, Any]) -> Any:
    if path == "/detokenize":
        return {"prompt": tokenizer.decode([body["tokens"]])[0]}
    if path != "/tokenize" or ("prompt" not in body and not tokenizer.has_template):
        return None
    if "messages" in body:
        text, framed = tokenizer.rendered(body["messages"]), body["add_special_tokens"]
    else:
        text, framed = body.get("prompt", ""), body.get("add_special_tokens", True)
    ids = tokenizer.encode([text], framed=framed)[0]
    return {"count": len(ids), "max_model_len": 4096, "tokens": ids}


def llama_cpp(tokenizer: LocalTokenizer, path: str, body: dict[str, Any]) -> Any:
    if path == "/apply-template":
        return {"prompt": tokenizer.rendered(body["messages"])}
    if path == "/detokenize":
        return {"content": tokenizer.decode([body["tokens"]])[0]}
    if path != "/tokenize":
        return None
    return {"tokens": tokenizer.encode([body.get("content", "")], framed=body.get("add_special", False))[0]}


def sglang(tokenizer: LocalTokenizer, path: str, body: dict[str, Any]) -> Any:
    return vllm(tokenizer, path.removeprefix("/v1"), body) if path.startswith("/v1/") else None


ANSWERS = {
    "vllm": vllm,
    "sglang": sglang,
    "llamacpp": llama_cpp,
    "none": lambda *_: None,
    "other": lambda *_: {"tokens": "many"},
    "list": lambda *_: [1, 2],
}


@contextlib.contextmanager
def serving(kind: str, tokenizer: LocalTokenizer) -> Iterator[str]:
    """URL of requests of a service."""
    handler = type("OwnService", (Service,), {"kind": kind, "tokenizer": tokenizer})
    with Listening(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1/chat/completions"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("kind", ["vllm", "sglang", "llamacpp"])
def test_it_counts_as_the_service_does(kind: str) -> None:
    texts = ["Hello world", "", "äöü 漢字 \n", 'a "quoted" text', *(f"number {at}" for at in range(40))]
    with serving(kind, load(MODEL)) as url:
        tokenizer = find(url, [], [], "m")
        assert isinstance(tokenizer, Tokenizer)
        assert tokenizer.encode(texts) == load(MODEL).encode(texts)
        assert tokenizer.decode(tokenizer.encode(texts)) == texts
        assert tokenizer.prompt_counts(texts, chat=True) == load(MODEL).chat_counts([user(text) for text in texts])
        assert tokenizer.overhead(chat=True) == 11
        assert tokenizer.ahead(chat=True) == load(MODEL).ahead(chat=True)
        assert tokenizer.counts([]) == []


def test_a_plain_prompt_gets_the_token_of_the_beginning() -> None:
    with serving("vllm", made("bytes")) as url:
        tokenizer = find(url, [], [], None)
        assert tokenizer.overhead(chat=False) == tokenizer.ahead(chat=False) == 1
        assert not tokenizer.has_template


def test_its_ordinary_tokens_are_common_words() -> None:
    with serving("vllm", load(MODEL)) as url:
        plain = find(url, [], [], "m").plain
    assert len(plain.ids) > 50
    assert load(MODEL).decode([[*load(MODEL).encode(["a"])[0], int(plain.ids[0])]]) == [f"a{plain.texts[0]}"]


@pytest.mark.parametrize("kind", ["vllm", "llamacpp"])
def test_synthetic_lengths_are_exact_with_it(kind: str) -> None:
    with serving(kind, load(MODEL)) as url:
        tokenizer = pickle.loads(pickle.dumps(find(url, [], [], "m")))
        rows = synthetic(Settings(kind="tokenid"), Wanted(limit=20, tokenizer=tokenizer, input_tokens="uniform:15:60"))
        found = rows.part(0, 20)
    exact = load(MODEL).chat_counts([user(row.prompt or "") for row in found])
    assert [row.input_tokens for row in found] == exact == [row.counted_tokens for row in found]


@pytest.mark.parametrize("kind", ["none", "other", "list"])
def test_a_service_without_one_is_told_in_a_sentence(kind: str) -> None:
    with serving(kind, load(MODEL)) as url, pytest.raises(UserError, match=r"answered .* is no tokenizer, so give"):
        find(url, [], [], "m")


def test_a_service_that_is_gone_is_told_in_a_sentence() -> None:
    with serving("vllm", load(MODEL)) as url:
        tokenizer = find(url, [], [], "m")
    with pytest.raises(UserError, match="no answer from"):
        tokenizer.counts(["a"])


def test_keys_are_not_shown() -> None:
    assert "secret" not in repr(ServerTokenizer("http://h/tokenize", "vllm", "m", ("Authorization: secret",), ()))
