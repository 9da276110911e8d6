"""The vendors' own Python clients, in an environment of their own, asked one question at a time."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.servers.installation import python_environment

HERE = Path(__file__).parent
# By dialect: the program, and the path of the base URL that the client wants.
PROGRAMS = {"openai-chat": ("openai_client.py", "/v1"), "anthropic-messages": ("anthropic_client.py", "")}
MAX_TOKENS = 1024
TIMEOUT_S = 400


def clients_python() -> Path:
    """The interpreter of an environment that has the clients."""
    return python_environment("clients", ["openai==2.54.0", "anthropic==2.11.0"])


def ask_with(
    dialect: str, python: Path, url: str, model: str, prompts: Sequence[str], mode: str, folder: Path
) -> list[dict[str, Any]]:
    """What the client of a vendor gets for each prompt; `mode` is stream or whole."""
    dataset = folder / f"client-{mode}.jsonl"
    dataset.write_text("".join(json.dumps({"question": prompt}) + "\n" for prompt in prompts))
    program, path = PROGRAMS[dialect]
    arguments = [f"{url}{path}", model, str(dataset), str(MAX_TOKENS), mode]
    return ask(python, program, arguments)


def ask(python: Path, program: str, arguments: Sequence[str]) -> list[dict[str, Any]]:
    """The lines that a client's program writes."""
    done = subprocess.run([python, HERE / program, *arguments], capture_output=True, text=True, timeout=TIMEOUT_S)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]
