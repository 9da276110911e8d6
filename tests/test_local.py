"""Local models: what is started, that it is waited for, that its failures are told, and that it never stays behind.

In place of transformers stands a package of the same name that serves what `perfcore simulate` does; the real one is in
tests/servers.
"""

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from perfcore.errors import UserError
from perfcore.options import StressOptions
from perfcore.run import local
from perfcore.run.local import local_server, local_settings, tail
from perfcore.run.local_command import KINDS, LocalSettings, as_flags, environment, hf_arguments, placed, vllm_arguments

ROOT = Path(__file__).parents[1]
MODULES = ("torch", "accelerate", "fastapi", "uvicorn", "pydantic", "openai")
# Writes its own process number and that of a child in a session of its own, then does what its --behave says.
PROGRAM = """
import argparse, os, signal, subprocess, sys, time
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("command")
parser.add_argument("model")
parser.add_argument("--port")
parser.add_argument("--host")
parser.add_argument("--behave", default="serve")
parser.add_argument("--family")
given = parser.parse_args()
child = subprocess.Popen(["sleep", "600"], start_new_session=True)
if given.family:
    Path(given.family).write_text(f"{os.getpid()} {child.pid}")
print("Loading 10%\\rLoading 100%\\nThe model is loaded", flush=True)
if given.behave == "fail":
    sys.exit("ValueError: these weights are no weights")
if given.behave == "hang":
    time.sleep(600)
if given.behave == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)
simulate = [sys.executable, "-m", "perfcore", "simulate", "--ttft-base-ms", "1", "--itl-ms", "1"]
code = subprocess.call([*simulate, "--port", given.port, "--model", given.model, "--strict-model"])
sys.exit(code)
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "tiny"
    folder.mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer.model", "chat_template.jinja"):
        (folder / name).write_text(name)
    return folder


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packages that a child's Python finds."""
    folder = tmp_path / "packages"
    (folder / "transformers" / "cli").mkdir(parents=True)
    for file in ("__init__.py", "cli/__init__.py", "cli/serve.py"):
        (folder / "transformers" / file).touch()
    (folder / "transformers" / "cli" / "transformers.py").write_text(PROGRAM)
    for name in MODULES:
        (folder / f"{name}.py").touch()
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), str(ROOT)]))
    return folder


def settings_of(path: Path, **given: Any) -> LocalSettings:
    more = {name: given.pop(name) for name in ("kind", "model", "python", "timeout_s") if name in given}
    plain = LocalSettings(kind="hf", path=path, python=sys.executable, model=None, given=given, timeout_s=60.0)
    return dataclasses.replace(plain, **more)


def family(file: Path) -> list[int]:
    return [int(number) for number in file.read_text().split()]


def gone(numbers: list[int]) -> bool:
    """Whether these processes have ended, some time soon."""
    left = [psutil.Process(number) for number in numbers if psutil.pid_exists(number)]
    return not psutil.wait_procs(left, timeout=20)[1]


@pytest.mark.parametrize(
    ("given", "flags"),
    [
        ({"dtype": "bfloat16"}, ["--dtype", "bfloat16"]),
        ({"tensor_parallel_size": 2}, ["--tensor-parallel-size", "2"]),
        ({"enforce_eager": True, "enable_prefix_caching": False}, ["--enforce-eager", "--no-enable-prefix-caching"]),
        ({"limit_mm_per_prompt": {"image": 24}}, ["--limit-mm-per-prompt", '{"image": 24}']),
        ({"served_model_name": ["a", "b"], "seed": None}, ["--served-model-name", "a", "b"]),
    ],
)
def test_options_become_flags_of_the_server(given: dict[str, Any], flags: list[str]) -> None:
    assert as_flags(given) == flags


def test_transformers_gets_the_model_and_its_device_map(model: Path) -> None:
    settings = settings_of(model, device_map="cpu", offline=True, dtype="float32")
    assert hf_arguments(settings, "tiny") == [
        *("-m", "transformers.cli.transformers", "serve", "tiny", "--dtype", "float32", "--device", "cpu")
    ]


def test_vllm_serves_the_model_under_the_name_that_is_asked_for(model: Path) -> None:
    settings = settings_of(model, kind="vllm", model="mine", tokenizer="elsewhere")
    assert vllm_arguments(settings, str(model))[2:] == [
        *("--model", str(model), "--tokenizer", "elsewhere", "--served-model-name", "mine")
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_code_of_a_model_is_run_only_if_that_is_asked_for(kind: str, model: Path) -> None:
    assert "--trust-remote-code" not in KINDS[kind].arguments(settings_of(model), "tiny")
    assert "--trust-remote-code" in KINDS[kind].arguments(settings_of(model, trust_remote_code=True), "tiny")


def test_nothing_is_downloaded_unless_that_is_asked_for(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    assert environment(settings_of(model), {})["HF_HUB_OFFLINE"] == "1"
    assert "HF_HUB_OFFLINE" not in environment(settings_of(model, offline=False), {})


def test_another_tokenizer_stands_in_for_the_models_own(model: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "tokenizer.json").write_text("other")
    (other / "config.json").write_text("other")
    folder, name = placed(settings_of(model, tokenizer=str(other)), tmp_path / "scratch")
    found = {file.name: file.read_text() for file in (folder / name).iterdir()}
    assert name == "tiny"
    assert found == {"config.json": "config.json", "model.safetensors": "model.safetensors", "tokenizer.json": "other"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"local_path": "x"}, "--local-path is for local models; give --local hf or --local vllm"),
        ({"local_options": {"dtype": "auto"}}, "--local-options is for local models"),
        ({"local": "hf"}, "--local hf needs the model: give its folder with --local-path"),
        ({"local": "hf", "local_path": "x", "url": ("http://h",)}, "--url names one that runs; leave one of them out"),
        (
            {"local": "hf", "local_path": "x", "unix_socket": "/s"},
            "--unix-socket names a socket; leave one of them out",
        ),
    ],
)
def test_options_that_contradict_each_other_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        local_settings(StressOptions(**options))


def test_without_a_local_model_there_is_nothing_to_start() -> None:
    assert local_settings(StressOptions()) is None


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"python": "/no/such/python"}, "cannot run --local-python /no/such/python: No such file or directory"),
        ({"python": "/bin/true"}, "/bin/true is no Python that answers"),
        ({"path": Path("/no/such/model")}, "/no/such/model is not there, nor in the model cache"),
        ({"given": {"port": 80}}, "local_options port: perfcore sets that itself"),
        ({"given": {"offline": "maybe"}}, "local_options offline: wants true or false"),
        ({"given": {"tokenizer": "/no/such"}}, "local_options tokenizer /no/such is no folder with a tokenizer"),
        ({"model": "../up"}, "--model ../up and a tokenizer of its own need a model in a folder"),
        ({"kind": "vllm", "given": {"device_map": "auto"}}, "vLLM has none; use tensor_parallel_size"),
    ],
)
def test_what_cannot_be_started_is_told_in_a_sentence(
    packages: Path, model: Path, changed: dict[str, Any], said: str
) -> None:
    settings = dataclasses.replace(settings_of(model), **changed)
    with pytest.raises(UserError, match=said), local_server(settings, print):
        pass


def test_a_model_of_the_cache_may_be_named(model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    (tmp_path / "models--someone--model").mkdir()
    monkeypatch.setattr(local, "installed", lambda *_: pytest.skip("was accepted"))
    with contextlib.suppress(pytest.skip.Exception), local_server(settings_of(Path("someone/model")), print):
        pass


@pytest.mark.parametrize(
    ("absent", "said"),
    [
        ("fastapi.py", "transformers serve needs fastapi, which .* does not have; install it with `.*pip install"),
        ("transformers/cli/serve.py", r"a newer transformers \(with cli/serve.py\)"),
    ],
)
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    packages: Path, model: Path, absent: str, said: str
) -> None:
    (packages / absent).unlink()
    with pytest.raises(UserError, match=said), local_server(settings_of(model), print):
        pass


def test_the_server_answers_when_it_is_said_to_be_ready_and_is_gone_afterwards(
    packages: Path, model: Path, tmp_path: Path
) -> None:
    said: list[str] = []
    with local_server(settings_of(model, family=str(tmp_path / "family")), said.append) as server:
        assert local.healthy(int(server.url.rpartition(":")[2]))
        assert server.model == str(model)
        assert said[-1].startswith("transformers serve is ready after ")
    assert gone(family(tmp_path / "family"))


def test_the_server_is_gone_after_an_exception_too(packages: Path, model: Path, tmp_path: Path) -> None:
    settings = settings_of(model, family=str(tmp_path / "family"))
    with pytest.raises(KeyboardInterrupt), local_server(settings, print):
        raise KeyboardInterrupt
    assert gone(family(tmp_path / "family"))


def test_a_server_that_does_not_want_to_end_is_killed(
    packages: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "END_S", 0.2)
    settings = settings_of(model, behave="stubborn", family=str(tmp_path / "family"), timeout_s=1.5)
    refused = pytest.raises(UserError, match=r"was not ready after 1.5 s; raise --local-timeout")
    with refused, local_server(settings, print):
        pass
    assert gone(family(tmp_path / "family"))


def test_a_server_that_fails_is_told_with_its_last_words(packages: Path, model: Path, tmp_path: Path) -> None:
    settings = settings_of(model, behave="fail", family=str(tmp_path / "family"))
    refused = pytest.raises(UserError, match=r"ended with status 1 before it was ready")
    with refused as caught, local_server(settings, print):
        pass
    assert str(caught.value).splitlines()[1:] == [
        *("Loading 100%", "The model is loaded", "ValueError: these weights are no weights")
    ]
    assert gone(family(tmp_path / "family"))


def test_what_the_server_says_is_shown_while_it_loads(
    packages: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "PROGRESS_S", 0.5)
    said: list[str] = []
    with pytest.raises(UserError), local_server(settings_of(model, behave="hang", timeout_s=1.5), said.append):
        pass
    assert any(line.startswith("Waiting for transformers serve, ") and "model is loaded" in line for line in said)


def test_a_server_that_dies_while_it_is_used_is_told(packages: Path, model: Path, tmp_path: Path) -> None:
    said: list[str] = []
    with local_server(settings_of(model, family=str(tmp_path / "family")), said.append):
        os.kill(family(tmp_path / "family")[0], signal.SIGKILL)
        assert gone(family(tmp_path / "family"))
    assert "was killed by signal 9, perhaps for want of memory while it was in use" in said[-1]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_server_is_gone_when_perfcore_is_killed(
    packages: Path, model: Path, tmp_path: Path, number: signal.Signals
) -> None:
    file = tmp_path / "family"
    options = ["--local", "hf", "--local-path", model, "--local-options", f"family={file}"]
    arguments = [*options, "--local-options", "behave=hang", "--out", tmp_path / "run"]
    command = [sys.executable, "-m", "perfcore", "stress", *map(str, arguments)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        wait_for(lambda: file.exists() and len(file.read_text().split()) == 2)
        process.send_signal(number)
        process.wait(20)
    assert gone(family(file))


def test_the_server_is_gone_when_its_keeper_is_killed(packages: Path, model: Path, tmp_path: Path) -> None:
    with local_server(settings_of(model, family=str(tmp_path / "family")), print):
        server = family(tmp_path / "family")[0]
        keeper = psutil.Process(server).parent()
        assert keeper is not None
        keeper.kill()
        assert gone([server])
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server, signal.SIGKILL)  # what the server had started; nobody was there to end it
    with contextlib.suppress(ProcessLookupError):
        os.kill(family(tmp_path / "family")[1], signal.SIGKILL)  # had left the group too


def test_a_local_model_is_measured_like_any_other_service(packages: Path, model: Path, tmp_path: Path) -> None:
    file, folder = tmp_path / "family", tmp_path / "run"
    options = ["--local", "hf", "--local-path", model, "--local-options", f"family={file}", "--model", "mine"]
    arguments = [*options, "--requests", 8, "--max-tokens", 4, "--out", folder]
    command = [sys.executable, "-m", "perfcore", "stress", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    assert "transformers serve is ready" in done.stderr
    run = json.loads((folder / "run.json").read_text())
    assert (run["model"], run["simulated"], run["options"]["local"]) == ("mine", False, "hf")
    assert json.loads((folder / "metrics.json").read_text())["requests"]["ok"] == 8
    assert gone(family(file))


def test_the_tail_shows_the_last_state_of_a_line_and_no_colours(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"first\n" + b"0%\r50%\r100%\r\n" + b"\x1b[32mgreen\x1b[0m \xff\n\n")
    assert tail(log) == "first\n100%\ngreen \ufffd"
    assert tail(log, 1) == "green \ufffd"


def wait_for(condition: Any, timeout_s: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
