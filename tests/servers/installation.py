"""Real servers, each in an environment of its own under .cache/servers, kept from one run to the next."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

CACHE = Path(__file__).parents[2] / ".cache" / "servers"
STEP_TIMEOUT_S = 600
HEAVY_STEP_TIMEOUT_S = 3600
# Taken out of the environment, as perfcore refuses names of its own that it does not know.
HEAVY = os.environ.pop("PERFCORE_HEAVY_SERVERS", "") == "1"
# What pip and npm write where no package index answers.
UNREACHABLE = re.compile(
    r"connection broken by|NameResolutionError|NewConnectionError|Temporary failure in name resolution|ProxyError"
    r"|Max retries exceeded|Read timed out|No space left"
    r"|E(AI_AGAIN|NOTFOUND|CONNREFUSED|CONNRESET|TIMEDOUT|NETUNREACH)"
)


def only_if_heavy_ones_are_wanted() -> None:
    """Skip the test of a server that takes gigabytes or many minutes, unless it is asked for."""
    if not HEAVY:
        pytest.skip("takes long to install; set PERFCORE_HEAVY_SERVERS=1 to run it")


def python_environment(name: str, *steps: Sequence[str]) -> Path:
    """The interpreter of an environment with these requirements, installed step by step.

    A step that begins with `uninstall` removes what others have brought. Skips the test where they cannot be had from
    here, and fails it where they do not install.
    """
    folder = CACHE / name
    python = folder / "bin" / "python"
    commands = [[sys.executable, "-m", "venv", str(folder)]]
    commands += [[str(python), "-m", "pip", *pip_words(step)] for step in steps]
    install(folder, commands)
    return python


def pip_words(step: Sequence[str]) -> list[str]:
    if step[0] == "uninstall":
        return ["uninstall", "--yes", *step[1:]]
    return ["install", "--disable-pip-version-check", *step]


def node_package(name: str, requirement: str) -> Path:
    """The folder with the node_modules of an npm package; skips the test where there is no npm or no network."""
    if not (npm := shutil.which("npm")) or not shutil.which("node"):
        pytest.skip("node and npm are not installed here")
    folder = CACHE / name
    install(folder, [[npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund", requirement]])
    return folder


def install(folder: Path, commands: Sequence[Sequence[str]]) -> None:
    """Run the commands in a fresh `folder`, unless exactly they have all succeeded there before."""
    stamp = folder / "installed.txt"
    wanted = "\n".join(" ".join(command) for command in [*commands, [sys.version]])
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for command in commands:
        run_step(command)
    stamp.write_text(wanted)


def run_step(command: Sequence[str]) -> None:
    """One command of an installation."""
    limit_s = HEAVY_STEP_TIMEOUT_S if HEAVY else STEP_TIMEOUT_S
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=limit_s)
    except subprocess.TimeoutExpired:
        pytest.skip(f"`{' '.join(command)}` took more than {limit_s} s")
    if done.returncode == 0:
        return
    said = done.stdout + done.stderr
    if found := UNREACHABLE.search(said):
        pytest.skip(f"`{' '.join(command)}` reached no package index: {found.group()}")
    pytest.fail(f"`{' '.join(command)}` ended with {done.returncode}:\n{said[-3000:]}", pytrace=False)
