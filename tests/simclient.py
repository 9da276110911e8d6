"""Asks the simulator what a client would, and takes its answers apart."""

import http.client
import json
import socket
from typing import Any

from perfcore.run.simulator import RunningSimulator, SimulatorSettings

AT_ONCE = SimulatorSettings(ttft_base_ms=0, itl_ms=0)
CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"
DONE = b"data: [DONE]\n\n"


def chat(text: str = "hello there", tokens: int | None = 4, **more: Any) -> dict[str, Any]:
    limit = {} if tokens is None else {"max_tokens": tokens}
    return {"messages": [{"role": "user", "content": text}], "stream": True, **limit, **more}


def ask(
    running: RunningSimulator, body: Any = None, path: str = CHAT, method: str = "POST", **headers: str
) -> tuple[http.client.HTTPResponse, bytes]:
    client = http.client.HTTPConnection(running.host, running.port, timeout=30)
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    client.request(method, path, data, {name.replace("_", "-"): value for name, value in headers.items()})
    response = client.getresponse()
    try:
        return response, response.read()
    finally:
        client.close()


def events(answer: bytes) -> list[Any]:
    assert answer.endswith(DONE)
    return [json.loads(event.removeprefix(b"data: ")) for event in answer.removesuffix(DONE).split(b"\n\n")[:-1]]


def said(answer: bytes, key: str = "content") -> str:
    return "".join(event["choices"][0]["delta"].get(key, "") for event in events(answer) if event["choices"])


def full(answer: bytes) -> str:
    message = json.loads(answer)["choices"][0]
    return str(message["message"]["content"] if "message" in message else message["text"])


def raw(running: RunningSimulator, request: bytes) -> bytes:
    """All bytes that come back until the server closes."""
    with socket.create_connection((running.host, running.port), timeout=30) as client:
        client.sendall(request)
        return b"".join(iter(lambda: client.recv(65536), b""))


def post(body: bytes, head: bytes = b"", version: bytes = b"1.1") -> bytes:
    length = b"" if b"chunked" in head else b"content-length: %d\r\n" % len(body)
    return b"POST %s HTTP/%s\r\n%s%s\r\n%s" % (CHAT.encode(), version, length, head, body)
