"""What it costs to cut one event from a stream and to find ten JSON paths in it, beside two general JSON decoders.

Run with `python benchmarks/parsing.py`: prints nanoseconds per event, the best of several rounds.
"""

import json
import time
from collections.abc import Callable

import msgspec

from perfcore_ext.paths import PathSet
from perfcore_ext.sse import EventReader

EVENTS = 1000
ROUNDS = 200
PATHS = [
    "choices.0.delta.content",
    "choices.0.delta.reasoning_content",
    "choices.0.delta.reasoning",
    "choices.0.delta.tool_calls.*.function.arguments",
    "choices.0.delta.role",
    "choices.0.finish_reason",
    "usage.prompt_tokens",
    "usage.completion_tokens",
    "usage.prompt_tokens_details.cached_tokens",
    "usage.completion_tokens_details.reasoning_tokens",
    "error.message",
    "error",
]
CHUNK = (
    b'{"id":"chatcmpl-123","object":"chat.completion.chunk","created":1720000000,"model":"m","choices":'
    b'[{"index":0,"delta":{"content":"%s"},"logprobs":null,"finish_reason":null}]}'
)
WORDS = [b" hello", b",", b" a", b" straightforward", b" the", b"\\n\\n", b" na\xc3\xafve"]


def nanoseconds_per_event(run: Callable[[], object]) -> float:
    best = min(timed(run) for _ in range(ROUNDS))
    return best / EVENTS


def timed(run: Callable[[], object]) -> int:
    start = time.perf_counter_ns()
    run()
    return time.perf_counter_ns() - start


def main() -> None:
    documents = [CHUNK % WORDS[i * i % len(WORDS)] for i in range(EVENTS)]
    body = b"".join(b"data: " + document + b"\n\n" for document in documents)
    reader = EventReader("sse")
    paths = PathSet(PATHS)
    decoder = msgspec.json.Decoder()
    contenders: dict[str, Callable[[], object]] = {
        "sse: events counted": lambda: reader.count(body),
        "sse: events as Python tuples": lambda: reader.feed(body),
        "paths": lambda: paths.count(documents),
        "sse and paths": lambda: paths.scan(body),
        "msgspec.json, same documents": lambda: [decoder.decode(document) for document in documents],
        "json.loads, same documents": lambda: [json.loads(document) for document in documents],
    }
    print(f"{EVENTS} events of {len(body) / EVENTS:.0f} bytes, {len(PATHS)} paths, ns per event, best of {ROUNDS}:")
    for name, run in contenders.items():
        print(f"  {name:30} {nanoseconds_per_event(run):8.1f}")


if __name__ == "__main__":
    main()
