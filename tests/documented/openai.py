"""OpenAI's chat, embeddings and responses."""

from typing import Any

from tests.documented.form import JSON, SSE, Documented, dumps, sse, typed


def chat(delta: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
    """A chunk of OpenAI's chat."""
    return {
        "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        **more,
    }


def call(index: int, arguments: str, **more: Any) -> dict[str, Any]:
    """A piece of a tool call in OpenAI's chat."""
    return {"tool_calls": [{"index": index, "function": {"arguments": arguments}, **more}]}


# platform.openai.com/docs/api-reference/chat-streaming; reasoning as in DeepSeek's, vLLM's and Ollama's documentation;
# continuous_usage_stats: docs.vllm.ai; timings: llama.cpp, tools/server/README.md.
OPENAI = {
    "chat-reasoning-content": Documented(
        "openai-chat",
        SSE,
        sse(
            chat({"role": "assistant", "content": ""}),
            chat({"reasoning_content": "Two and \ud83e"}),
            chat({"reasoning_content": "\udd14 two."}),
            chat({"content": "Four é"}),
            chat({"content": ""}, "stop"),
            {
                "choices": [],
                "usage": {
                    "prompt_tokens": 9,
                    "completion_tokens": 7,
                    "prompt_tokens_details": {"cached_tokens": 8},
                    "completion_tokens_details": {"reasoning_tokens": 4},
                },
            },
            "[DONE]",
        ),
        "Four é",
        "Two and \U0001f914 two.",
        "",
        "stop",
        (9, 7, 4, 8),
    ),
    "chat-reasoning": Documented(
        "openai-chat",
        SSE,
        sse(chat({"reasoning": "Hm. "}), chat({"reasoning": "Ah."}), chat({"content": "4"}, "stop")),
        "4",
        "Hm. Ah.",
        "",
        "stop",
    ),
    "chat-thinking": Documented(
        "openai-chat",
        SSE,
        sse(chat({"thinking": "Hm."}), chat({"content": "4"}, "length"), "[DONE]"),
        "4",
        "Hm.",
        "",
        "length",
    ),
    "chat-usage-in-every-chunk": Documented(
        "openai-chat",
        SSE,
        sse(
            chat({"role": "assistant", "content": ""}, usage={"prompt_tokens": 5, "completion_tokens": 0}),
            chat({"content": "a"}, usage={"prompt_tokens": 5, "completion_tokens": 1}),
            chat({"content": "b"}, "length", usage={"prompt_tokens": 5, "completion_tokens": 2}),
            "[DONE]",
        ),
        "ab",
        "",
        "",
        "length",
        (5, 2, -1, -1),
    ),
    "chat-timings": Documented(
        "openai-chat",
        SSE,
        sse(
            chat({"content": "a"}), chat({}, "stop", timings={"cache_n": 3, "prompt_n": 2, "predicted_n": 2}), "[DONE]"
        ),
        "a",
        "",
        "",
        "stop",
        (-1, 2, -1, 3),
    ),
    "chat-tools": Documented(
        "openai-chat",
        SSE,
        sse(
            chat({"role": "assistant", "content": None} | call(0, "", id="c1", type="function")),
            chat(call(0, '{"a": ')),
            chat(call(0, "2}")),
            chat({}, "tool_calls"),
            "[DONE]",
        ),
        "",
        "",
        '{"a": 2}',
        "tool_calls",
    ),
    "chat-document": Documented(
        "openai-chat",
        JSON,
        dumps(
            {
                "choices": [
                    {
                        "index": 0,
                        "finish_reason": "tool_calls",
                        "message": {
                            "role": "assistant",
                            "content": "Wait.",
                            "reasoning_content": "Hm.",
                            "tool_calls": [
                                {"id": "c1", "type": "function", "function": {"name": "add", "arguments": "{}"}}
                            ],
                        },
                    }
                ],
                "usage": {"prompt_tokens": 3, "completion_tokens": 4},
            }
        ).encode(),
        "Wait.",
        "Hm.",
        "{}",
        "tool_calls",
        (3, 4, -1, -1),
    ),
    "embeddings": Documented(
        "openai-embeddings",
        JSON,
        dumps(
            {
                "object": "list",
                "data": [{"object": "embedding", "index": 0, "embedding": [0.1, -0.2]}],
                "usage": {"prompt_tokens": 8, "total_tokens": 8},
            }
        ).encode(),
        tokens=(8, -1, -1, -1),
    ),
}

# platform.openai.com/docs/api-reference/responses-streaming
USAGE = {
    "input_tokens": 11,
    "input_tokens_details": {"cached_tokens": 2},
    "output_tokens": 6,
    "output_tokens_details": {"reasoning_tokens": 3},
    "total_tokens": 17,
}


def response(status: str, **more: Any) -> dict[str, Any]:
    return {
        "id": "r",
        "object": "response",
        "status": status,
        "error": None,
        "incomplete_details": None,
        "output": [],
        "usage": None,
        **more,
    }


def item(kind: str, **more: Any) -> dict[str, Any]:
    return {"type": "response.output_item.added", "output_index": 0, "item": {"id": "i", "type": kind, **more}}


def delta(kind: str, text: str) -> dict[str, Any]:
    return {"type": f"response.{kind}.delta", "item_id": "i", "output_index": 0, "content_index": 0, "delta": text}


RESPONSES = {
    "responses-text": Documented(
        "openai-responses",
        SSE,
        typed(
            {"type": "response.created", "response": response("in_progress")},
            {"type": "response.in_progress", "response": response("in_progress")},
            item("reasoning", summary=[]),
            delta("reasoning_summary_text", "Adding."),
            item("message", role="assistant", content=[], status="in_progress"),
            {"type": "response.content_part.added", "part": {"type": "output_text", "text": "", "annotations": []}},
            delta("output_text", "Fo"),
            delta("output_text", "ur"),
            {"type": "response.output_text.done", "item_id": "i", "text": "Four"},
            {"type": "response.completed", "response": response("completed", usage=USAGE)},
        ),
        "Four",
        "Adding.",
        "",
        "completed",
        (11, 6, 3, 2),
    ),
    "responses-cut-short": Documented(
        "openai-responses",
        SSE,
        typed(
            item("reasoning"),
            delta("reasoning_text", "Hm."),
            delta("output_text", "Fo"),
            {
                "type": "response.incomplete",
                "response": response("incomplete", incomplete_details={"reason": "max_output_tokens"}, usage=USAGE),
            },
        ),
        "Fo",
        "Hm.",
        "",
        "max_output_tokens",
        (11, 6, 3, 2),
    ),
    "responses-tool": Documented(
        "openai-responses",
        SSE,
        typed(
            item("function_call", name="add", arguments="", call_id="c"),
            delta("function_call_arguments", '{"a":'),
            delta("function_call_arguments", "2}"),
            {"type": "response.function_call_arguments.done", "item_id": "i", "arguments": '{"a":2}'},
            {"type": "response.completed", "response": response("completed", usage=USAGE)},
        ),
        "",
        "",
        '{"a":2}',
        "completed",
        (11, 6, 3, 2),
    ),
    "responses-document": Documented(
        "openai-responses",
        JSON,
        dumps(
            response(
                "completed",
                usage=USAGE,
                output=[
                    {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Adding."}]},
                    {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Four"}]},
                    {"type": "function_call", "name": "add", "arguments": "{}"},
                ],
            )
        ).encode(),
        "Four",
        "Adding.",
        "{}",
        "completed",
        (11, 6, 3, 2),
    ),
}
