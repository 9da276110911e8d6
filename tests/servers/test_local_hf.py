"""`--local hf`: the real `transformers serve`, started and ended by perfcore itself."""

from pathlib import Path

import psutil
import pytest

from tests.servers.process import free_port
from tests.servers.runs import Run, perfcore, stress
from tests.servers.transformers_server import (
    MAX_TOKENS,
    MODEL,
    ONE_THREAD,
    QUESTIONS,
    RIGHT,
    right_answers,
    transformers_python,
)

pytestmark = [pytest.mark.servers, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def local() -> list[str]:
    """Flags of the local model."""
    python = transformers_python()
    return ["--local", "hf", "--local-path", str(MODEL), "--local-python", str(python)]


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ONE_THREAD.items():
        monkeypatch.setenv(name, value)


def ask(folder: Path, *flags: str) -> Run:
    return stress(None, QUESTIONS, folder, "--max-tokens", MAX_TOKENS, "--body", "temperature=0", *flags)


def still_serving() -> list[int]:
    """Processes that serve the small model."""
    lines = {process.pid: process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])}
    return [number for number, line in lines.items() if "transformers.cli.transformers" in line and str(MODEL) in line]


def test_the_model_answers_as_it_does_behind_any_server(local: list[str], tmp_path: Path) -> None:
    before = still_serving()
    run = ask(tmp_path / "run", *local)
    assert run.metrics["requests"]["ok"] == 90
    assert right_answers(run.outputs.values()) == RIGHT
    assert still_serving() == before


def test_completions_another_name_and_a_tokenizer_of_its_own(local: list[str], tmp_path: Path) -> None:
    options = [f"tokenizer={MODEL}", "device_map=cpu", "dtype=float32"]
    flags = [word for option in options for word in ("--local-options", option)]
    base = ["--dialect", "openai-completions", "--model", "adder", "--requests", "8"]
    run = ask(tmp_path / "run", *local, *flags, *base)
    assert run.metrics["requests"]["ok"] == 8
    assert {row["output_tokens"] > 0 for row in run.requests.values()} == {True}


def test_what_the_server_complains_of_is_told(local: list[str], tmp_path: Path) -> None:
    arguments = ["stress", *local, "--local-options", "dtype=none-such", "--out", str(tmp_path / "run")]
    code, said = perfcore(arguments, tmp_path / "said.txt")
    assert (code, "transformers serve ended with status 1 before it was ready" in said) == (2, True), said
    assert "ValueError: Unsupported dtype: 'none-such'" in said


def test_the_port_of_the_server_is_perfcores_to_choose(local: list[str], tmp_path: Path) -> None:
    arguments = ["stress", *local, "--local-options", f"port={free_port()}", "--out", str(tmp_path / "run")]
    code, said = perfcore(arguments, tmp_path / "said.txt")
    assert (code, "local_options port: perfcore sets that itself" in said) == (2, True), said
    assert [file.name for file in tmp_path.iterdir()] == ["said.txt"]


def test_the_preset_of_a_chat_model_needs_only_its_path(local: list[str], tmp_path: Path) -> None:
    given = ["--preset", "hf_chat_model", *local[2:], "--requests", "4", "--max-tokens", "8"]
    run = stress(None, QUESTIONS, tmp_path / "run", *given)
    assert run.metrics["requests"]["ok"] == 4
