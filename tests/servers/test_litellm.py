"""LiteLLM's proxy in front of `transformers serve`: the answers of the model come through it unchanged."""

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers.clients import ask
from tests.servers.installation import python_environment
from tests.servers.process import free_port, serving
from tests.servers.runs import Run, perfcore, stress
from tests.servers.transformers_server import MAX_TOKENS, MODEL, QUESTIONS, RIGHT, Server, right_answers

pytestmark = [pytest.mark.servers, pytest.mark.timeout(900)]

KEY_VARIABLE = "LITELLM_TEST_KEY"
NAME = "adder"


@dataclass(frozen=True)
class Proxy:
    url: str
    key: str


@pytest.fixture(scope="module")
def proxy(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    python = python_environment("litellm", ["litellm[proxy]==1.106.2"])
    folder = tmp_path_factory.mktemp("litellm")
    backend = {"model": f"openai/{MODEL}", "api_base": f"{server.url}/v1", "api_key": "none"}
    config = folder / "litellm.yaml"
    config.write_text(json.dumps({"model_list": [{"model_name": NAME, "litellm_params": backend}]}))
    port = free_port()
    command = [str(python.with_name("litellm")), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    proxied = Proxy(f"http://127.0.0.1:{port}", f"sk-{secrets.token_hex(24)}")
    environment = {"LITELLM_MASTER_KEY": proxied.key, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    health = f"{proxied.url}/health/liveliness"
    with serving([*command, "--telemetry", "False"], health, folder / "server.txt", 120, environment):
        yield proxied


@pytest.fixture(autouse=True)
def key(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, proxy.key)


def through(proxy: Proxy, folder: Path, *more: str) -> Run:
    base = ["--model", NAME, "--api-key-env", KEY_VARIABLE, "--max-tokens", MAX_TOKENS, "--body", "temperature=0"]
    return stress(proxy.url, QUESTIONS, folder, *base, *more)


@pytest.mark.parametrize("mode", ["stream", "whole"])
def test_the_answers_are_those_of_the_server_behind_it(proxy: Proxy, server: Server, tmp_path: Path, mode: str) -> None:
    run = through(proxy, tmp_path / "run", "--stream" if mode == "stream" else "--no-stream")
    arguments = [f"{server.url}/v1", str(MODEL), str(QUESTIONS), MAX_TOKENS, mode]
    direct = ask(server.python, "openai_client.py", arguments)
    assert [run.outputs[index]["prediction"] for index in range(90)] == [answer["text"] for answer in direct]
    assert right_answers(run.outputs.values()) == RIGHT
    counted = [(run.requests[index]["input_tokens"], run.requests[index]["output_tokens"]) for index in range(90)]
    assert counted == [(answer["input_tokens"], answer["output_tokens"]) for answer in direct]


def test_the_key_is_written_nowhere(proxy: Proxy, tmp_path: Path) -> None:
    through(proxy, tmp_path / "run", "--requests", "2")
    written = b"".join(file.read_bytes() for file in (tmp_path / "run").rglob("*") if file.is_file())
    assert written
    assert proxy.key.encode() not in written


def test_a_model_that_the_proxy_does_not_list_is_told_before_the_run(proxy: Proxy, tmp_path: Path) -> None:
    options = ["--model", "addr", "--api-key-env", KEY_VARIABLE, "--out", str(tmp_path / "run")]
    arguments = ["stress", "--url", proxy.url, "--prompt", "What is 1 plus 1?", *options]
    code, words = perfcore(arguments, tmp_path / "said.txt")
    assert (code, "the nearest one is 'adder'" in words) == (2, True), words
