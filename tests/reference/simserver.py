"""The simulator's model of time and its reading of requests, slowly and obviously."""

import json
from collections.abc import Iterator
from typing import Any

from perfcore.run.simulation import SimulatorSettings

MASK = 2**64 - 1


def mix(value: int) -> int:
    """The finalizer of splitmix64."""
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB & MASK
    return value ^ (value >> 31)


def uniforms(state: int) -> Iterator[float]:
    """Splitmix64 as numbers in [0, 1)."""
    while True:
        state = (state + 0x9E3779B97F4A7C15) & MASK
        yield (mix(state) >> 11) / 2**53


def due_times(
    settings: SimulatorSettings, number: int, origin_ns: int, start_ns: int, prompt_tokens: int, events: int
) -> list[int]:
    """When the events of a stream are due."""
    seed = mix(settings.seed)
    random = uniforms(mix(seed ^ mix(number)))
    itl_ns = round(settings.itl_ms * 1e6)
    due = start_ns + round(settings.ttft_base_ms * 1e6) + int(settings.ttft_per_token_us * 1e3 * prompt_tokens)
    if settings.phase == "random":
        due += int(itl_ns * next(random))
    if settings.phase == "lockstep" and itl_ns > 0:
        return ticks_from(settings, seed, origin_ns, itl_ns, due, events)
    times = [due]
    while len(times) < events:
        share = settings.itl_jitter * (2 * next(random) - 1) if settings.itl_jitter > 0 else 0
        times.append(times[-1] + int((1 + share) * itl_ns))
    return times


def ticks_from(
    settings: SimulatorSettings, seed: int, origin_ns: int, itl_ns: int, due_ns: int, events: int
) -> list[int]:
    """The first ticks of the grid that are not before `due_ns`."""
    first = max(0, (due_ns - origin_ns) // itl_ns - 2)
    ticks = range(first, first + events + 5)
    offsets = [settings.itl_jitter * (next(uniforms(seed ^ mix(tick))) - 0.5) for tick in ticks]
    times = [origin_ns + tick * itl_ns + int(itl_ns * offset) for tick, offset in zip(ticks, offsets, strict=True)]
    return [time for time in times if time >= due_ns][:events]


def body_facts(body: bytes) -> dict[str, Any] | None:
    """What a request says; None where it is not a JSON object."""
    try:
        request = json.loads(body)
    except ValueError:
        return None
    if not isinstance(request, dict):
        return None
    texts = [*message_texts(request), *prompt_texts(request.get("prompt"))]
    ids = [item for item in request.get("prompt") or () if isinstance(item, int)]
    return {
        "prompt_tokens": len(ids) + -(-len("".join(texts)) // 4),
        "stream": int(request.get("stream") is True),
        "include_usage": int((request.get("stream_options") or {}).get("include_usage") is True),
        "max_tokens": request.get("max_tokens", -1),
        "text": last_text(request).encode(),
    }


def content_texts(message: dict[str, Any]) -> list[str]:
    """The texts of one message, whose content is a text or a list of parts."""
    content = message["content"]
    return [content] if isinstance(content, str) else [part["text"] for part in content if "text" in part]


def message_texts(request: dict[str, Any]) -> list[str]:
    """All texts of all messages."""
    return [text for message in request.get("messages", ()) for text in content_texts(message)]


def prompt_texts(prompt: Any) -> list[str]:
    """The texts of a prompt, which is one, several, or a list of token ids."""
    return [prompt] if isinstance(prompt, str) else [text for text in prompt or () if isinstance(text, str)]


def last_text(request: dict[str, Any]) -> str:
    """The last prompt, or the last text of the last user message; of the last message where none is a user's."""
    if "prompt" in request:
        return (prompt_texts(request["prompt"]) or [""])[-1]
    messages = [message for message in request.get("messages", ()) if content_texts(message)]
    spoken = [message for message in messages if message["role"] == "user"] or messages
    return content_texts(spoken[-1])[-1] if spoken else ""
