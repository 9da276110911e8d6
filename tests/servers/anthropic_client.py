"""What Anthropic's own client gets from a server, one request at a time; runs in the environment that has it.

Arguments: base URL, model, data set (JSON lines with `question`), max_tokens, `stream` or `whole`.
Writes to standard output one JSON line for each row: text, reasoning, finish_reason, input_tokens, output_tokens.
"""

import json
import sys
from pathlib import Path
from typing import Any

import anthropic  # type: ignore[import-not-found,unused-ignore]


def main(base_url: str, model: str, dataset: str, max_tokens: str, mode: str) -> None:
    client = anthropic.Anthropic(base_url=base_url, api_key="none", max_retries=0, timeout=120)
    for line in Path(dataset).read_text().splitlines():
        messages = [{"role": "user", "content": json.loads(line)["question"]}]
        request = {"model": model, "messages": messages, "max_tokens": int(max_tokens)}
        print(json.dumps(as_row(asked(client, request, mode))), flush=True)


def asked(client: Any, request: dict[str, Any], mode: str) -> Any:
    if mode == "whole":
        return client.messages.create(**request)
    with client.messages.stream(**request) as stream:
        return stream.get_final_message()


def as_row(answer: Any) -> dict[str, Any]:
    return {
        "text": "".join(block.text for block in answer.content if block.type == "text"),
        "reasoning": "".join(block.thinking for block in answer.content if block.type == "thinking"),
        "finish_reason": answer.stop_reason,
        "input_tokens": answer.usage.input_tokens,
        "output_tokens": answer.usage.output_tokens,
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
