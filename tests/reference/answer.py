"""What an answer in OpenAI's manner means, the slow way: the whole body at once, JSON as trees, keys spelled out."""

import json
from dataclasses import dataclass, field
from typing import Any

from tests.reference.sse import decode

STATUS_CLASSES = {401: "auth", 403: "auth", 404: "not_found", 429: "rate_limited"}


@dataclass
class Meaning:
    """`kinds` has a set for each event; counts of tokens are -1 where the server gave none."""

    error_class: str = "ok"
    content: str = ""
    reasoning: str = ""
    tool: str = ""
    finish: str = ""
    input_tokens: int = -1
    output_tokens: int = -1
    reasoning_tokens: int = -1
    cached_tokens: int = -1
    kinds: list[set[str]] = field(default_factory=list)


def meaning(status: int, content_type: str, body: bytes, *, stream_asked: bool) -> Meaning:
    """A whole response, chat or completion; its transfer may have broken off."""
    found = Meaning()
    if not 200 <= status < 300:
        found.error_class = STATUS_CLASSES.get(status, "http_status")
        return found
    streamed = content_type.startswith("text/event-stream")
    for data, _ in decode(body, "sse" if streamed else "json"):
        found.kinds.append(take(found, data, "delta" if streamed else "message"))
    found.error_class = error_class(found, streamed, stream_asked and bool(body))
    return found


def error_class(found: Meaning, streamed: bool, stream_asked: bool) -> str:
    seen = set().union(*found.kinds)
    if "error" in seen:
        return "error_in_band"
    if "bad_json" in seen:
        return "bad_json"
    if streamed and not seen & {"finish", "done"}:
        return "truncated_stream" if found.kinds else "empty_answer"
    if stream_asked and not streamed:
        return "unexpected_non_stream"
    return "ok" if seen & {"content", "reasoning", "tool"} else "empty_answer"


def take(found: Meaning, data: bytes, part: str) -> set[str]:
    """Add what one event says; returns its kinds."""
    if data == b"[DONE]":
        return {"done"}
    try:
        event = json.loads(data)
    except ValueError:
        return {"bad_json"}
    kinds = {"error"} if event.get("error") else set()
    kinds |= take_usage(found, event.get("usage") or {})
    choices = event.get("choices") or []
    return kinds | (take_choice(found, choices[0], part) if choices else set())


def take_choice(found: Meaning, choice: dict[str, Any], part: str) -> set[str]:
    said = choice.get(part) or {}
    content = said.get("content") or choice.get("text") or ""
    reasoning = said.get("reasoning_content") or said.get("reasoning") or ""
    tool = "".join(call["function"].get("arguments") or "" for call in said.get("tool_calls") or [])
    finish = choice.get("finish_reason") or ""
    found.content += content
    found.reasoning += reasoning
    found.tool += tool
    found.finish = finish or found.finish
    values = {"role": said.get("role"), "content": content, "reasoning": reasoning, "tool": tool, "finish": finish}
    return {kind for kind, value in values.items() if value}


def take_usage(found: Meaning, usage: dict[str, Any]) -> set[str]:
    details = usage.get("completion_tokens_details") or {}
    cached = usage.get("prompt_tokens_details") or {}
    counts = {
        "input_tokens": usage.get("prompt_tokens"),
        "output_tokens": usage.get("completion_tokens"),
        "reasoning_tokens": details.get("reasoning_tokens"),
        "cached_tokens": cached.get("cached_tokens"),
    }
    for name, count in counts.items():
        if count is not None:
            setattr(found, name, count)
    return {"usage"} if any(count is not None for count in counts.values()) else set()
