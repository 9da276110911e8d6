"""Rankings, and the own forms of vLLM, SGLang, MindIE, TGI, Triton, Ollama and llama.cpp."""

from tests.documented.form import JSON, NDJSON, SSE, Documented, dumps, lines, sse

# jina.ai/reranker, docs.cohere.com/reference/rerank
RERANK = {
    "rerank-jina": Documented(
        "rerank",
        JSON,
        dumps(
            {
                "model": "m",
                "usage": {"total_tokens": 81},
                "results": [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.0}],
            }
        ).encode(),
        tokens=(81, -1, -1, -1),
    ),
    "rerank-cohere": Documented(
        "rerank",
        JSON,
        dumps(
            {
                "id": "x",
                "results": [{"index": 0, "relevance_score": 0.3}],
                "meta": {"billed_units": {"search_units": 1}, "tokens": {"input_tokens": 12}},
            }
        ).encode(),
        tokens=(12, -1, -1, -1),
    ),
}

META = {"prompt_tokens": 4, "cached_tokens": 1}
# vllm/entrypoints/api_server.py; docs.sglang.ai, native APIs; hiascend.com, MindIE service, native interface;
# huggingface.co/docs/text-generation-inference; docs.ollama.com/api; llama.cpp, tools/server/README.md
NATIVE = {
    "vllm": Documented(  # sent without a type
        "vllm-generate",
        "",
        lines({"text": ["Hi"]}, {"text": ["Hi th"]}, {"text": ["Hi there"]}),
        "Hi there",
    ),
    "vllm-document": Documented("vllm-generate", JSON, dumps({"text": ["Hi there", "Hi you"]}).encode(), "Hi there"),
    "sglang": Documented(
        "sglang-generate",
        SSE,
        sse(
            {"text": "Pa", "meta_info": META | {"finish_reason": None, "completion_tokens": 1}},
            {"text": "Paris é", "meta_info": META | {"finish_reason": None, "completion_tokens": 2}},
            {
                "text": "Paris é.",
                "meta_info": META | {"finish_reason": {"type": "length", "length": 3}, "completion_tokens": 3},
            },
            "[DONE]",
        ),
        "Paris é.",
        "",
        "",
        "length",
        (4, 3, -1, 1),
    ),
    "sglang-document": Documented(
        "sglang-generate",
        JSON,
        dumps(
            {"text": "Paris", "meta_info": META | {"finish_reason": {"type": "stop"}, "completion_tokens": 1}}
        ).encode(),
        "Paris",
        "",
        "",
        "stop",
        (4, 1, -1, 1),
    ),
    "mindie": Documented(
        "mindie-infer",
        SSE,
        sse(
            {"prefill_time": 45.54, "decode_time": None, "token": {"id": [626], "text": "am"}},
            {"prefill_time": None, "decode_time": 128.32, "token": {"id": [263], "text": " a"}},
            {
                "prefill_time": None,
                "decode_time": 31.1,
                "generated_text": "am a",
                "details": {"finish_reason": "length", "generated_tokens": 3, "seed": 1},
                "token": {"id": 2, "text": None},
            },
        ),
        "am a",
        "",
        "",
        "length",
        (-1, 3, -1, -1),
    ),
    "mindie-document": Documented(
        "mindie-infer",
        JSON,
        dumps({"generated_text": "am a", "details": {"finish_reason": "eos_token", "generated_tokens": 2}}).encode(),
        "am a",
        "",
        "",
        "eos_token",
        (-1, 2, -1, -1),
    ),
    "tgi": Documented(
        "tgi-generate",
        SSE,
        sse(
            {
                "index": 1,
                "token": {"id": 5, "text": "to", "logprob": -0.1, "special": False},
                "generated_text": None,
                "details": None,
            },
            {
                "index": 2,
                "token": {"id": 6, "text": " be", "logprob": -0.1, "special": False},
                "generated_text": None,
                "details": None,
            },
            {
                "index": 3,
                "token": {"id": 2, "text": "</s>", "logprob": -0.1, "special": True},
                "generated_text": "to be",
                "details": {"finish_reason": "eos_token", "generated_tokens": 3, "seed": None, "input_length": 7},
            },
            space="",
        ),
        "to be",
        "",
        "",
        "eos_token",
        (7, 3, -1, -1),
    ),
    "tgi-without-details": Documented(
        "tgi-generate",
        SSE,
        sse(
            {"token": {"id": 5, "text": "to", "logprob": None, "special": None}, "generated_text": None},
            {"token": {"id": 5, "text": " be", "logprob": None, "special": None}, "generated_text": "to be"},
        ),
        "to be",
    ),
    "tgi-document": Documented(
        "tgi-generate",
        JSON,
        dumps({"generated_text": "to be", "details": {"finish_reason": "length", "generated_tokens": 2}}).encode(),
        "to be",
        "",
        "",
        "length",
        (-1, 2, -1, -1),
    ),
    "triton-document": Documented(
        "triton-generate", JSON, dumps({"model_name": "m", "text_output": "to be"}).encode(), "to be"
    ),
    "ollama-chat": Documented(
        "ollama-chat",
        NDJSON,
        lines(
            {"model": "m", "message": {"role": "assistant", "content": "", "thinking": "Hm."}, "done": False},
            {"model": "m", "message": {"role": "assistant", "content": "to"}, "done": False},
            {"model": "m", "message": {"role": "assistant", "content": " be"}, "done": False},
            {
                "model": "m",
                "message": {"role": "assistant", "content": ""},
                "done_reason": "stop",
                "done": True,
                "total_duration": 4,
                "prompt_eval_count": 26,
                "eval_count": 3,
            },
        ),
        "to be",
        "Hm.",
        "",
        "stop",
        (26, 3, -1, -1),
    ),
    "ollama-chat-tool": Documented(
        "ollama-chat",
        NDJSON,
        lines(
            {
                "message": {
                    "role": "assistant",
                    "content": "",
                    "tool_calls": [{"function": {"name": "add", "arguments": {"a": 2}}}],
                },
                "done": False,
            },
            {"message": {"role": "assistant", "content": ""}, "done": True, "prompt_eval_count": 2, "eval_count": 5},
        ),
        tokens=(2, 5, -1, -1),
    ),
    "ollama-chat-document": Documented(
        "ollama-chat",
        JSON,
        dumps(
            {
                "message": {"role": "assistant", "content": "to be"},
                "done_reason": "length",
                "done": True,
                "prompt_eval_count": 26,
                "eval_count": 2,
            }
        ).encode(),
        "to be",
        "",
        "",
        "length",
        (26, 2, -1, -1),
    ),
    "ollama-generate": Documented(
        "ollama-generate",
        NDJSON,
        lines(
            {"response": "", "thinking": "Hm.", "done": False},
            {"response": "to", "done": False},
            {"response": " be", "done": True, "done_reason": "length", "prompt_eval_count": 6, "eval_count": 3},
            ending="\r\n",
        ),
        "to be",
        "Hm.",
        "",
        "length",
        (6, 3, -1, -1),
    ),
    "ollama-generate-document": Documented(
        "ollama-generate",
        JSON,
        dumps({"response": "to be", "done": True, "done_reason": "stop", "eval_count": 2}).encode(),
        "to be",
        "",
        "",
        "stop",
        (-1, 2, -1, -1),
    ),
    "llamacpp": Documented(
        "llamacpp-completion",
        SSE,
        sse(
            {"index": 0, "content": "7", "tokens": [25], "stop": False, "tokens_predicted": 1, "tokens_evaluated": 19},
            {"index": 0, "content": " p", "tokens": [9], "stop": False, "tokens_predicted": 2, "tokens_evaluated": 19},
            {
                "index": 0,
                "content": "",
                "tokens": [],
                "stop": True,
                "stop_type": "limit",
                "tokens_predicted": 2,
                "tokens_evaluated": 19,
                "tokens_cached": 20,
                "timings": {"cache_n": 18, "prompt_n": 1, "predicted_n": 2},
            },
        ),
        "7 p",
        "",
        "",
        "limit",
        (19, 2, -1, 18),
    ),
    "llamacpp-document": Documented(
        "llamacpp-completion",
        JSON,
        dumps(
            {
                "index": 0,
                "content": "7 p",
                "stop": True,
                "stop_type": "eos",
                "tokens_predicted": 2,
                "tokens_evaluated": 19,
            }
        ).encode(),
        "7 p",
        "",
        "",
        "eos",
        (19, 2, -1, -1),
    ),
}
