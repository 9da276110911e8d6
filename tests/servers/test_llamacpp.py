"""llama.cpp's own server, built from the source that llama-cpp-python brings: OpenAI's form and its own."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.installation import CACHE, install, only_if_heavy_ones_are_wanted, python_environment
from tests.servers.process import free_port, serving
from tests.servers.runs import Run, stress
from tests.servers.transformers_server import MAX_TOKENS, MODEL, QUESTIONS, RIGHT, right_answers

pytestmark = [pytest.mark.servers, pytest.mark.timeout(5400)]

VERSION = "0.3.36"
TEMPLATE = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"  # the model's own
OFF = ("BUILD_SHARED_LIBS", "LLAMA_BUILD_TESTS", "LLAMA_BUILD_EXAMPLES", "LLAMA_OPENSSL", "LLAMA_USE_PREBUILT_UI")
MORE_OFF = ("LLAMA_BUILD_UI", "GGML_OPENMP")


def built() -> Path:
    """The server's program; skips the test where it cannot be built."""
    if not (cmake := shutil.which("cmake")) or not (ninja := shutil.which("ninja")):
        pytest.skip("cmake and ninja are not installed here")
    python = python_environment("llamacpp-pip", ["pip>=24"])
    folder = CACHE / "llamacpp"
    name = f"llama_cpp_python-{VERSION}"
    wanted = ["--no-deps", "--no-binary", "llama-cpp-python", f"llama-cpp-python=={VERSION}", "--dest", str(folder)]
    source, build = folder / name / "vendor" / "llama.cpp", folder / "build"
    switches = [f"-D{switch}=OFF" for switch in (*OFF, *MORE_OFF)]
    configure = [cmake, "-G", "Ninja", "-S", str(source), "-B", str(build), "-DCMAKE_BUILD_TYPE=Release", *switches]
    install(
        folder,
        [
            [str(python), "-m", "pip", "download", *wanted],
            ["tar", "xzf", str(folder / f"{name}.tar.gz"), "-C", str(folder)],
            [*configure, "-DCMAKE_CXX_FLAGS_RELEASE=-O1", "-DCMAKE_C_FLAGS_RELEASE=-O2"],
            [ninja, "-C", str(build), "-j1", "llama-server"],
        ],
    )
    return build / "bin" / "llama-server"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    only_if_heavy_ones_are_wanted()
    port = free_port()
    command = [str(built()), "-m", str(MODEL / "tiny-add.gguf"), "--alias", "adder", "--host", "127.0.0.1"]
    command += ["--port", str(port), "-c", "8192", "-np", "4", "-t", "1", "--offline"]
    address = f"http://127.0.0.1:{port}"
    log = tmp_path_factory.mktemp("llamacpp") / "server.txt"
    with serving(command, f"{address}/health", log, 120):
        yield address


def ask(url: str, folder: Path, dataset: Path, *more: str) -> Run:
    folder.mkdir(exist_ok=True)
    return stress(url, dataset, folder / "run", "--max-tokens", MAX_TOKENS, "--body", "temperature=0", *more)


@pytest.mark.parametrize("way", ["--stream", "--no-stream"])
def test_the_model_answers_as_it_does_behind_any_server(url: str, tmp_path: Path, way: str) -> None:
    run = ask(url, tmp_path, QUESTIONS, way)
    assert run.metrics["requests"]["ok"] == 90
    assert right_answers(run.outputs.values()) == RIGHT
    assert {row["token_source"] for row in run.requests.values()} == {"server"}


@pytest.mark.parametrize("way", ["--stream", "--no-stream"])
def test_its_own_form_gives_the_same_answers(url: str, tmp_path: Path, way: str) -> None:
    chat = ask(url, tmp_path / "chat", QUESTIONS, way)
    questions = [json.loads(line)["question"] for line in QUESTIONS.read_text().splitlines()]
    dataset = tmp_path / "prompts.jsonl"
    dataset.write_text("".join(json.dumps({"prompt": TEMPLATE.format(question)}) + "\n" for question in questions))
    own = ask(url, tmp_path / "own", dataset, way, "--dialect", "llamacpp-completion")
    texts = [[run.outputs[index]["prediction"] for index in range(90)] for run in (chat, own)]
    assert texts[0] == texts[1]
