"""What an answer means, the slow way: the whole body at once, JSON as trees, the keys of each dialect spelled out."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.reference.sse import decode

STATUS_CLASSES = {401: "auth", 403: "auth", 404: "not_found", 429: "rate_limited"}
FRAMINGS = {"text/event-stream": "sse", "application/x-ndjson": "ndjson", "application/json": "json"}
COUNTS = ("input_tokens", "output_tokens", "reasoning_tokens", "cached_tokens")


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


@dataclass
class Said:
    """What one event says. `whole` is the text so far, `end` that nothing follows, `result` an answer without text."""

    role: Any = None
    content: str = ""
    whole: str | None = None
    reasoning: str = ""
    tool: str = ""
    finish: str = ""
    end: bool = False
    result: bool = False
    error: bool = False
    counts: tuple[Any, Any, Any, Any] = (None, None, None, None)


@dataclass(frozen=True)
class Speech:
    """How one dialect is read: a function from (event, its SSE name, whether it is one of many) to what it says."""

    read: Callable[[dict[str, Any], str, bool], Said]
    framing: str = "sse"
    done: bytes = b""
    complete: tuple[str, ...] = ("finish",)


def meaning(
    status: int, content_type: str, body: bytes, *, stream_asked: bool, dialect: str = "openai-chat"
) -> Meaning:
    """A whole response; its transfer may have broken off."""
    speech = SPEECHES[dialect]
    found = Meaning()
    if not 200 <= status < 300:
        found.error_class = STATUS_CLASSES.get(status, "http_status")
        return found
    stream_asked = stream_asked and speech.framing != "json"
    expected = speech.framing if stream_asked else "json"
    framing = FRAMINGS.get(content_type.partition(";")[0], expected)
    if framing == "json" and expected == "ndjson":
        framing = "ndjson"
    ended = False
    for data, name in decode(body, framing):
        kinds, ends = take(found, speech, data, name.decode(), framing != "json")
        found.kinds.append(kinds)
        ended = ended or ends
    found.error_class = error_class(found, speech, framing != "json", stream_asked and bool(body), ended)
    for kinds in found.kinds:
        kinds.discard("result")
    return found


def error_class(found: Meaning, speech: Speech, streamed: bool, stream_asked: bool, ended: bool) -> str:
    seen = set().union(*found.kinds)
    whole = (ended and "finish" in speech.complete) or ("done" in seen and "done" in speech.complete)
    if "error" in seen:
        return "error_in_band"
    if "bad_json" in seen:
        return "bad_json"
    if streamed and not whole and "end" not in speech.complete:
        return "truncated_stream" if found.kinds else "empty_answer"
    if stream_asked and not streamed:
        return "unexpected_non_stream"
    return "ok" if seen & {"content", "reasoning", "tool", "result"} else "empty_answer"


def take(found: Meaning, speech: Speech, data: bytes, name: str, streamed: bool) -> tuple[set[str], bool]:
    """Add what one event says; returns its kinds, and whether it ends the answer."""
    if speech.done and data == speech.done:
        return {"done"}, False
    try:
        event = json.loads(data)
    except ValueError:
        return {"bad_json"}, False
    said = speech.read(event, name, streamed)
    content = said.content
    if said.whole is not None:
        content = said.whole[len(found.content) :]
        found.content = said.whole
    else:
        found.content += content
    found.reasoning += said.reasoning
    found.tool += said.tool
    found.finish = said.finish or found.finish
    for key, count in zip(COUNTS, said.counts, strict=True):
        setattr(found, key, getattr(found, key) if count is None else count)
    kinds = {
        "role": said.role,
        "content": content,
        "reasoning": said.reasoning,
        "tool": said.tool,
        "finish": said.finish or said.end,
        "usage": any(count is not None for count in said.counts),
        "error": said.error,
        "result": said.result,
    }
    return {kind for kind, value in kinds.items() if value}, bool(said.finish or said.end)


def openai(event: dict[str, Any], name: str, streamed: bool) -> Said:
    """Chat and completions."""
    usage, timings = event.get("usage") or {}, event.get("timings") or {}
    choice = (event.get("choices") or [{}])[0]
    said = choice.get("delta" if streamed else "message") or {}
    output, cached = usage.get("completion_tokens"), (usage.get("prompt_tokens_details") or {}).get("cached_tokens")
    return Said(
        role=said.get("role"),
        content=said.get("content") or choice.get("text") or "",
        reasoning=said.get("reasoning_content") or said.get("reasoning") or said.get("thinking") or "",
        tool="".join(call["function"].get("arguments") or "" for call in said.get("tool_calls") or []),
        finish=choice.get("finish_reason") or "",
        error=bool(event.get("error") or event.get("message")),
        counts=(
            usage.get("prompt_tokens"),
            timings.get("predicted_n") if output is None else output,
            (usage.get("completion_tokens_details") or {}).get("reasoning_tokens"),
            timings.get("cache_n") if cached is None else cached,
        ),
    )


def responses(event: dict[str, Any], name: str, streamed: bool) -> Said:
    kind = event.get("type", name)
    whole = (event.get("response") or {}) if streamed else event
    said = Said(error=bool(whole.get("error") or event.get("error")), counts=responses_usage(whole.get("usage") or {}))
    if not streamed:
        for item in event.get("output") or []:
            said.role = item.get("role") or said.role
            said.content += "".join(part.get("text", "") for part in item.get("content") or [])
            said.reasoning += "".join(part.get("text", "") for part in item.get("summary") or [])
            said.tool += item.get("arguments") or ""
    elif kind in ("response.output_text.delta", "response.refusal.delta"):
        said.content = event["delta"]
    elif kind in ("response.reasoning_text.delta", "response.reasoning_summary_text.delta"):
        said.reasoning = event["delta"]
    elif kind in ("response.function_call_arguments.delta", "response.custom_tool_call_input.delta"):
        said.tool = event["delta"]
    elif kind == "response.output_item.added":
        said.role = event["item"].get("role")
    elif kind == "error":
        said.error = True
    if not streamed or kind in ("response.completed", "response.incomplete"):
        said.finish = (whole.get("incomplete_details") or {}).get("reason") or whole.get("status") or ""
    return said


def responses_usage(usage: dict[str, Any]) -> tuple[Any, Any, Any, Any]:
    return (
        usage.get("input_tokens"),
        usage.get("output_tokens"),
        (usage.get("output_tokens_details") or {}).get("reasoning_tokens"),
        (usage.get("input_tokens_details") or {}).get("cached_tokens"),
    )


def anthropic(event: dict[str, Any], name: str, streamed: bool) -> Said:
    if not streamed:
        usage, blocks = event.get("usage") or {}, event.get("content") or []
        return Said(
            role=event.get("role"),
            content="".join(block.get("text", "") for block in blocks),
            reasoning="".join(block.get("thinking", "") for block in blocks),
            result=any("input" in block for block in blocks),
            finish=event.get("stop_reason") or "",
            error="error" in event,
            counts=(usage.get("input_tokens"), usage.get("output_tokens"), None, usage.get("cache_read_input_tokens")),
        )
    said = Said(error=event["type"] == "error")
    delta, block = event.get("delta") or {}, event.get("content_block") or {}
    if event["type"] == "message_start":
        usage = event["message"].get("usage") or {}
        said.role = event["message"]["role"]
        said.counts = (usage.get("input_tokens"), None, None, usage.get("cache_read_input_tokens"))
    elif event["type"] == "content_block_start":
        said.content, said.reasoning = block.get("text", ""), block.get("thinking", "")
    elif event["type"] == "content_block_delta":
        said.content, said.reasoning = delta.get("text", ""), delta.get("thinking", "")
        said.tool = delta.get("partial_json", "")
    elif event["type"] == "message_delta":
        usage = event.get("usage") or {}
        said.finish = delta.get("stop_reason") or ""
        said.counts = (
            usage.get("input_tokens"),
            usage.get("output_tokens"),
            None,
            usage.get("cache_read_input_tokens"),
        )
    return said


def embeddings(event: dict[str, Any], name: str, streamed: bool) -> Said:
    usage = event.get("usage") or {}
    counts = (usage.get("prompt_tokens", usage.get("total_tokens")), None, None, None)
    return Said(
        result=any(entry["embedding"] for entry in event.get("data") or []), error="error" in event, counts=counts
    )


def rerank(event: dict[str, Any], name: str, streamed: bool) -> Said:
    tokens = (event.get("meta") or {}).get("tokens") or {}
    usage = event.get("usage") or {}
    count = usage.get("prompt_tokens", usage.get("total_tokens", tokens.get("input_tokens")))
    scored = any("relevance_score" in entry or "score" in entry for entry in event.get("results") or [])
    return Said(result=scored, error="error" in event or "detail" in event, counts=(count, None, None, None))


def vllm(event: dict[str, Any], name: str, streamed: bool) -> Said:
    text = (event.get("text") or [""])[0]
    return Said(whole=text if "text" in event else None, error="error" in event)


def sglang(event: dict[str, Any], name: str, streamed: bool) -> Said:
    meta = event.get("meta_info") or {}
    return Said(
        whole=event.get("text"),
        finish=(meta.get("finish_reason") or {}).get("type", ""),
        error="error" in event,
        counts=(
            meta.get("prompt_tokens"),
            meta.get("completion_tokens"),
            meta.get("reasoning_tokens"),
            meta.get("cached_tokens"),
        ),
    )


def mindie(event: dict[str, Any], name: str, streamed: bool) -> Said:
    details, text = event.get("details") or {}, event.get("generated_text") or ""
    return Said(
        content=((event.get("token") or {}).get("text") or "") if streamed else text,
        finish=details.get("finish_reason") or "",
        end=bool(text),
        error="error" in event,
        counts=(None, details.get("generated_tokens"), None, None),
    )


def tgi(event: dict[str, Any], name: str, streamed: bool) -> Said:
    details, text, token = event.get("details") or {}, event.get("generated_text") or "", event.get("token") or {}
    return Said(
        content=("" if token.get("special") else token.get("text", "")) if streamed else text,
        finish=details.get("finish_reason") or "",
        end=bool(text),
        error="error" in event,
        counts=(details.get("input_length"), details.get("generated_tokens"), None, None),
    )


def triton(event: dict[str, Any], name: str, streamed: bool) -> Said:
    return Said(content=event.get("text_output", ""), error="error" in event)


def ollama(event: dict[str, Any], name: str, streamed: bool) -> Said:
    """Chat and generate."""
    message = event.get("message") or {}
    return Said(
        role=message.get("role"),
        content=message.get("content") or event.get("response") or "",
        reasoning=message.get("thinking") or event.get("thinking") or "",
        result=bool(message.get("tool_calls")),
        finish=event.get("done_reason") or "",
        end=event.get("done") is True,
        error="error" in event,
        counts=(event.get("prompt_eval_count"), event.get("eval_count"), None, None),
    )


def llamacpp(event: dict[str, Any], name: str, streamed: bool) -> Said:
    return Said(
        content=event.get("content") or "",
        finish=event.get("stop_type") or "",
        end=event.get("stop") is True,
        error="error" in event,
        counts=(
            event.get("tokens_evaluated"),
            event.get("tokens_predicted"),
            None,
            (event.get("timings") or {}).get("cache_n"),
        ),
    )


def dashscope(event: dict[str, Any], name: str, streamed: bool) -> Said:
    choice = ((event.get("output") or {}).get("choices") or [{}])[0]
    message, usage = choice.get("message") or {}, event.get("usage") or {}
    finish = choice.get("finish_reason") or ""
    return Said(
        role=message.get("role"),
        content=message.get("content") or "",
        reasoning=message.get("reasoning_content") or "",
        tool="".join(call["function"].get("arguments") or "" for call in message.get("tool_calls") or []),
        finish="" if finish == "null" else finish,
        error="message" in event,
        counts=(
            usage.get("input_tokens"),
            usage.get("output_tokens"),
            (usage.get("output_tokens_details") or {}).get("reasoning_tokens"),
            (usage.get("prompt_tokens_details") or {}).get("cached_tokens"),
        ),
    )


SPEECHES = {
    "openai-chat": Speech(openai, done=b"[DONE]", complete=("finish", "done")),
    "openai-completions": Speech(openai, done=b"[DONE]", complete=("finish", "done")),
    "openai-responses": Speech(responses, done=b"[DONE]"),
    "anthropic-messages": Speech(anthropic),
    "openai-embeddings": Speech(embeddings, "json", complete=("end",)),
    "rerank": Speech(rerank, "json", complete=("end",)),
    "vllm-generate": Speech(vllm, "ndjson", complete=("end",)),
    "sglang-generate": Speech(sglang, done=b"[DONE]", complete=("finish", "done")),
    "mindie-infer": Speech(mindie),
    "triton-generate": Speech(triton, complete=("end",)),
    "tgi-generate": Speech(tgi),
    "ollama-chat": Speech(ollama, "ndjson"),
    "ollama-generate": Speech(ollama, "ndjson"),
    "llamacpp-completion": Speech(llamacpp, done=b"[DONE]"),
    "dashscope": Speech(dashscope),
}
