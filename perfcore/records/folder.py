"""The run folder: where everything of a run lies, and run.json, which says what was run, where and with what."""

import contextlib
import os
import platform
import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import psutil

from perfcore.errors import UserError

RUN_SCHEMA = "perfcore.run/1"
OUTPUTS = Path("outputs")


def create_folder(given: Path | None, command: str) -> Path:
    """A new folder for a run: the given one, which may exist if it is empty, or outputs/<time>-<command>."""
    folder = given if given is not None else unused(OUTPUTS / f"{datetime.now():%Y%m%d-%H%M%S}-{command}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise UserError(f"--out {folder} is not empty: choose a folder that does not exist yet")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(13, "no permission to write")
    except OSError as error:
        raise UserError(f"cannot create the run folder {folder}: {error.strerror}; choose another --out") from None
    return folder


def unused(folder: Path) -> Path:
    """`folder`, or with a number behind it the first name that does not exist."""
    candidate, number = folder, 2
    while candidate.exists():
        candidate, number = folder.with_name(f"{folder.name}-{number}"), number + 1
    return candidate


def discard_folder(folder: Path, given: bool) -> None:
    """Take back a folder in which nothing was measured; one that the user named stays, empty."""
    shutil.rmtree(folder, ignore_errors=True)
    if given:
        folder.mkdir(exist_ok=True)


def write_run_json(folder: Path, facts: dict[str, Any]) -> None:
    """Write run.json: the facts, when and on what machine."""
    content = {
        "schema": RUN_SCHEMA,
        "started": datetime.now().astimezone().isoformat(timespec="milliseconds"),
        **facts,
        "machine": machine(),
    }
    (folder / "run.json").write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")


def write_log(folder: Path, lines: Sequence[str]) -> None:
    """Write log.txt: what the user was told. A disk that is full takes nothing from the run for it."""
    with contextlib.suppress(OSError):
        (folder / "log.txt").write_text("".join(lines), encoding="utf-8", errors="replace")


def machine() -> dict[str, Any]:
    """What a reader needs to know of this machine."""
    return {
        "system": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "processor": processor(),
        "cores": psutil.cpu_count(logical=True),
        "memory_bytes": psutil.virtual_memory().total,
    }


def processor() -> str:
    """Model name of the processor, as the kernel tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or "unknown")
