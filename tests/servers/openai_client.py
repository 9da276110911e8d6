"""What OpenAI's own client gets from a server, one request at a time; runs in the environment that has it.

Arguments: base URL, model, data set (JSON lines with `question`), max_tokens, `stream` or `whole`.
Writes to standard output one JSON line for each row: text, reasoning, finish_reason, input_tokens, output_tokens.
"""

import json
import sys
from pathlib import Path
from typing import Any

import openai  # type: ignore[import-not-found,unused-ignore]


def main(base_url: str, model: str, dataset: str, max_tokens: str, mode: str) -> None:
    client = openai.OpenAI(base_url=base_url, api_key="none", max_retries=0, timeout=120)
    ask = streamed if mode == "stream" else whole
    for line in Path(dataset).read_text().splitlines():
        messages = [{"role": "user", "content": json.loads(line)["question"]}]
        answer = ask(client, model=model, messages=messages, max_tokens=int(max_tokens), temperature=0)
        print(json.dumps(answer), flush=True)


def whole(client: Any, **request: Any) -> dict[str, Any]:
    answer = client.chat.completions.create(**request)
    choice = answer.choices[0]
    return as_row(choice.message.content or "", thoughts(choice.message), choice.finish_reason, answer.usage)


def streamed(client: Any, **request: Any) -> dict[str, Any]:
    text, reasoning, finish, usage = "", "", None, None
    for chunk in client.chat.completions.create(**request, stream=True, stream_options={"include_usage": True}):
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
            reasoning += thoughts(choice.delta)
            finish = choice.finish_reason or finish
    return as_row(text, reasoning, finish, usage)


def thoughts(message: Any) -> str:
    return getattr(message, "reasoning_content", None) or getattr(message, "reasoning", None) or ""


def as_row(text: str, reasoning: str, finish: str | None, usage: Any) -> dict[str, Any]:
    counts = {"input_tokens": usage.prompt_tokens, "output_tokens": usage.completion_tokens}
    return {"text": text, "reasoning": reasoning, "finish_reason": finish, **counts}


if __name__ == "__main__":
    main(*sys.argv[1:])
