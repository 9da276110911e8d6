"""Anthropic's messages and DashScope."""

from typing import Any

from tests.documented.form import JSON, SSE, Documented, dumps, typed


# docs.anthropic.com/en/docs/build-with-claude/streaming
def start(**block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": 0, "content_block": block}


def block_delta(kind: str, **more: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": 0, "delta": {"type": kind, **more}}


def stop(reason: str, **usage: Any) -> tuple[dict[str, Any], ...]:
    ending = {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}, "usage": usage}
    return ({"type": "content_block_stop", "index": 0}, ending, {"type": "message_stop"})


MESSAGE_START = {
    "type": "message_start",
    "message": {
        "id": "m",
        "type": "message",
        "role": "assistant",
        "content": [],
        "stop_reason": None,
        "usage": {"input_tokens": 25, "cache_read_input_tokens": 12, "output_tokens": 1},
    },
}
ANTHROPIC = {
    "messages-thinking": Documented(
        "anthropic-messages",
        SSE,
        typed(
            MESSAGE_START,
            start(type="thinking", thinking="", signature=""),
            {"type": "ping"},
            block_delta("thinking_delta", thinking="Hm."),
            block_delta("signature_delta", signature="EqQB"),
            start(type="text", text="S"),
            block_delta("text_delta", text="o: "),
            block_delta("text_delta", text="4"),
            *stop("end_turn", output_tokens=15),
        ),
        "So: 4",
        "Hm.",
        "",
        "end_turn",
        (25, 15, -1, 12),
    ),
    "messages-tool": Documented(
        "anthropic-messages",
        SSE,
        typed(
            MESSAGE_START,
            start(type="tool_use", id="t", name="add", input={}),
            block_delta("input_json_delta", partial_json=""),
            block_delta("input_json_delta", partial_json='{"a": 2'),
            block_delta("input_json_delta", partial_json="}"),
            *stop("tool_use", input_tokens=30, output_tokens=9),
        ),
        "",
        "",
        '{"a": 2}',
        "tool_use",
        (30, 9, -1, 12),
    ),
    "messages-document": Documented(
        "anthropic-messages",
        JSON,
        dumps(
            {
                "type": "message",
                "role": "assistant",
                "stop_reason": "max_tokens",
                "content": [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "4"}],
                "usage": {"input_tokens": 5, "output_tokens": 3, "cache_read_input_tokens": 0},
            }
        ).encode(),
        "4",
        "Hm.",
        "",
        "max_tokens",
        (5, 3, -1, 0),
    ),
    "messages-document-tool": Documented(
        "anthropic-messages",
        JSON,
        dumps(
            {
                "type": "message",
                "role": "assistant",
                "stop_reason": "tool_use",
                "content": [{"type": "tool_use", "id": "t", "name": "add", "input": {"a": 2}}],
                "usage": {"input_tokens": 5, "output_tokens": 3},
            }
        ).encode(),
        "",
        "",
        "",
        "tool_use",
        (5, 3, -1, -1),
    ),
}


# alibabacloud.com/help, Model Studio, DashScope API reference
def dash(text: str, finish: str = "null", tokens: int = 1, **message: Any) -> dict[str, Any]:
    return {
        "output": {
            "choices": [{"message": {"content": text, "role": "assistant", **message}, "finish_reason": finish}]
        },
        "usage": {
            "total_tokens": 20 + tokens,
            "input_tokens": 20,
            "output_tokens": tokens,
            "prompt_tokens_details": {"cached_tokens": 0},
        },
        "request_id": "r",
    }


def dash_sse(*events: dict[str, Any]) -> bytes:
    return b"".join(
        f"id:{number}\nevent:result\n:HTTP_STATUS/200\ndata:{dumps(event)}\n\n".encode()
        for number, event in enumerate(events, 1)
    )


DASHSCOPE = {
    "dashscope": Documented(
        "dashscope",
        SSE,
        dash_sse(
            dash("", reasoning_content="Hm."), dash("I am", tokens=2), dash(" Qwen", tokens=3), dash("", "stop", 4)
        ),
        "I am Qwen",
        "Hm.",
        "",
        "stop",
        (20, 4, -1, 0),
    ),
    "dashscope-tool": Documented(
        "dashscope",
        SSE,
        dash_sse(
            dash("", tool_calls=[{"index": 0, "function": {"name": "add", "arguments": '{"a":'}}]),
            dash("", "tool_calls", 5, tool_calls=[{"index": 0, "function": {"arguments": " 2}"}}]),
        ),
        "",
        "",
        '{"a": 2}',
        "tool_calls",
        (20, 5, -1, 0),
    ),
    "dashscope-document": Documented(
        "dashscope", JSON, dumps(dash("I am Qwen", "length", 4)).encode(), "I am Qwen", "", "", "length", (20, 4, -1, 0)
    ),
}
