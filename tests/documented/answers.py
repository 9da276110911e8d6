"""All of them, and how each says that it failed."""

from tests.documented.form import JSON, NDJSON, SSE, lines, sse, typed
from tests.documented.native import NATIVE, RERANK
from tests.documented.openai import OPENAI, RESPONSES, chat, delta, response
from tests.documented.vendors import ANTHROPIC, DASHSCOPE, MESSAGE_START

DOCUMENTED = OPENAI | RESPONSES | ANTHROPIC | RERANK | NATIVE | DASHSCOPE

# What each says when it fails after it has begun to answer, or in the place of an answer.
FAILURES = {
    "openai-chat": (SSE, sse(chat({"content": "a"}), {"error": {"message": "out of memory", "code": 500}}, "[DONE]")),
    "openai-completions": (SSE, sse({"object": "error", "message": "out of memory", "code": 400})),
    "openai-responses": (
        SSE,
        typed(
            delta("output_text", "a"),
            {
                "type": "response.failed",
                "response": response("failed", error={"code": "server_error", "message": "out of memory"}),
            },
        ),
    ),
    "anthropic-messages": (
        SSE,
        typed(MESSAGE_START, {"type": "error", "error": {"type": "overloaded_error", "message": "out of memory"}}),
    ),
    "openai-embeddings": (JSON, b'{"error":{"message":"out of memory"}}'),
    "rerank": (JSON, b'{"detail":"out of memory"}'),
    "vllm-generate": ("", lines({"text": ["a"]}, {"error": "out of memory"})),
    "sglang-generate": (SSE, sse({"error": {"message": "out of memory"}}, "[DONE]")),
    "mindie-infer": (SSE, sse({"token": {"text": "a"}}, {"error": "out of memory", "error_type": "Incomplete"})),
    "triton-generate": (SSE, sse({"text_output": "a"}, {"error": "out of memory"})),
    "tgi-generate": (SSE, sse({"error": "out of memory", "error_type": "generation"}, space="")),
    "ollama-chat": (
        NDJSON,
        lines({"message": {"role": "assistant", "content": "a"}, "done": False}, {"error": "out of memory"}),
    ),
    "ollama-generate": (NDJSON, lines({"error": "out of memory"})),
    "llamacpp-completion": (SSE, sse({"error": {"code": 500, "message": "out of memory", "type": "server_error"}})),
    "dashscope": (
        SSE,
        b'id:1\nevent:error\n:HTTP_STATUS/500\ndata:{"code":"InternalError","message":"out of memory"}\n\n',
    ),
}
