"""What `perfcore calibrate` found this machine to be able to, kept per machine beside other caches.

A ceiling is one of a processor, its cores, a kernel, a version of perfcore and one of libcurl: where any of them
differs, the file is another one. A run notes the ceilings that hold where it begins, so its report needs no such file.
"""

import contextlib
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from perfcore.errors import UserError
from perfcore.records.folder import machine
from perfcore.versions import versions

SCHEMA = "perfcore.calibration/1"
NEVER = "this machine was not calibrated: perfcore calibrate"


class Edge(msgspec.Struct, frozen=True):
    """The largest load that was taken without error and the smallest that was not, per second; None for none.

    `why` says what went wrong with the latter. `firm`: it was the client that failed, not the simulator or the search.
    """

    per_s: float | None
    fails_per_s: float | None
    why: str
    firm: bool
    points: int


class Ceilings(msgspec.Struct, frozen=True):
    """What so many workers can do: token events that come one by one, requests, and new connections."""

    workers: int
    events: Edge
    requests: Edge
    connections: Edge


class Calibration(msgspec.Struct, frozen=True):
    """All that was found, when, in what time, and what share of the processors other programs had meanwhile."""

    schema: str
    machine: dict[str, Any]
    calibrated: str
    took_s: float
    quick: bool
    elsewhere: float
    ceilings: list[Ceilings]


@dataclass(frozen=True)
class Kept:
    """The calibration of this machine, or None and why there is none."""

    calibration: Calibration | None
    why: str = ""


def identity() -> dict[str, Any]:
    """What a calibration holds for."""
    known, version = machine(), versions()
    return {
        "processor": known["processor"],
        "cores": len(os.sched_getaffinity(0)),
        "kernel": known["system"],
        "perfcore": version["perfcore"],
        "libcurl": version["libcurl"],
    }


def cache() -> Path:
    """Folder of perfcore in $XDG_CACHE_HOME, which counts only if it is absolute, or in ~/.cache."""
    home = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (home if home.is_absolute() else Path.home() / ".cache") / "perfcore"


def path_of(held_for: dict[str, Any]) -> Path:
    """File of a machine; raises UserError where there is no place for it."""
    digest = hashlib.sha256(msgspec.json.encode(held_for)).hexdigest()[:12]
    try:
        return cache() / f"calibration-{digest}.json"
    except RuntimeError:
        raise UserError("there is no home folder to keep a calibration in: set XDG_CACHE_HOME") from None


def keep(found: Calibration) -> Path:
    """Write it to its file in one step; returns the file. Raises UserError."""
    path = path_of(found.machine)
    new = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n")
        new.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            new.unlink()
        raise UserError(f"cannot write {path}: {error.strerror}; set XDG_CACHE_HOME to a folder that can be") from None
    return path


def kept(held_for: dict[str, Any] | None = None) -> Kept:
    """The calibration of this machine as it is now, or what is there instead; raises nothing."""
    mine = identity() if held_for is None else held_for
    try:
        path = path_of(mine)
        return read(path, mine) if path.exists() else Kept(None, other(path.parent, mine))
    except (UserError, OSError) as error:
        return Kept(None, f"the calibration cannot be read ({error}): perfcore calibrate")


def read(path: Path, mine: dict[str, Any]) -> Kept:
    """What a file holds, if it is the calibration of this machine."""
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Calibration)
    except msgspec.MsgspecError:
        return Kept(None, f"{path} is damaged: perfcore calibrate writes it anew")
    if found.schema != SCHEMA or found.machine != mine:
        return Kept(None, f"{path} is {differing(found.machine, mine)}: perfcore calibrate writes it anew")
    return Kept(found)


def other(folder: Path, mine: dict[str, Any]) -> str:
    """That there is none, and what differs where the newest one that is there is not of this machine."""
    found = [(path.stat().st_mtime, path) for path in folder.glob("calibration-*.json")]
    for _, path in sorted(found, reverse=True):
        try:
            theirs = msgspec.json.decode(path.read_bytes(), type=Calibration).machine
        except msgspec.MsgspecError:
            continue
        return f"the calibration that is kept is {differing(theirs, mine)}, so it is not used: perfcore calibrate"
    return NEVER


def differing(theirs: dict[str, Any], mine: dict[str, Any]) -> str:
    """`of another machine or version (cores 2 instead of 4)`."""
    differences = [
        f"{key} {theirs.get(key)} instead of {value}" for key, value in mine.items() if theirs.get(key) != value
    ]
    return "of another machine or version" + (f" ({', '.join(differences)})" if differences else "")


def calibration_facts() -> dict[str, Any]:
    """The journal's note on what this machine can, as far as that is known."""
    found = kept()
    if found.calibration is None:
        return {"note": "calibration", "why": found.why}
    ceilings = msgspec.to_builtins(found.calibration.ceilings)
    return {"note": "calibration", "calibrated": found.calibration.calibrated, "ceilings": ceilings}
