"""`transformers serve` with the model of tests/data/tiny-add, which adds two numbers, and how often it is right."""

import contextlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.servers.installation import python_environment
from tests.servers.process import free_port, serving

MODEL = Path(__file__).parents[1] / "data" / "tiny-add"
QUESTIONS = MODEL / "tiny-add-test.jsonl"
MAX_TOKENS = "32"
RIGHT = 34  # of the 90, whichever server runs the model
# More than one thread makes a model this small ten times slower where cores are few or busy.
ONE_THREAD = {"OMP_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Server:
    url: str
    python: Path  # of an environment that has OpenAI's client


def transformers_python() -> Path:
    """The interpreter of an environment that has the server; skips the test where there is no model."""
    if not (MODEL / "model.safetensors").is_file():
        pytest.skip(f"there is no model in {MODEL}")
    # torch goes first: its build for the CPU must not be replaced by the one that the other packages would choose.
    return python_environment(
        "transformers", ["torch==2.13.0"], ["torch==2.13.0", "transformers[serving]==5.23.0", "openai==2.54.0"]
    )


@contextlib.contextmanager
def transformers_serving(folder: Path) -> Iterator[Server]:
    """A server that is ready; its log goes to `folder`."""
    python = transformers_python()
    port = free_port()
    command = [str(python.with_name("transformers")), "serve", str(MODEL), "--host", "127.0.0.1", "--port", str(port)]
    environment = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "huggingface"), **ONE_THREAD}
    url = f"http://127.0.0.1:{port}"
    with serving([*command, "--device", "cpu"], f"{url}/health", folder / "server.txt", 180, environment):
        yield Server(url, python)


def right_answers(outputs: Iterable[dict[str, Any]]) -> int:
    """How many outputs have the number that the data set wants."""
    found = [(number(output["prediction"]), number(output["reference"])) for output in outputs]
    return sum(predicted == wanted for predicted, wanted in found)


def number(answer: str) -> str | None:
    found = re.search(r"#### (\d+)", answer)
    return found.group(1) if found else None
