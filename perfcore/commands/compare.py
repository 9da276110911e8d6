"""Runs side by side, or sweeps point by point, with what limits say of them."""

import string
from pathlib import Path
from typing import Any

from perfcore.commands.accuracy import scores
from perfcore.commands.folders import metrics_of, names
from perfcore.errors import UserError
from perfcore.records.series import is_series
from perfcore.report import compare, compare_gate, compare_sweeps


def made(folder: Path, flag: str) -> None:
    """Create a folder; raises UserError where that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{flag}: cannot create {folder} ({error.strerror}); choose another folder") from None


def distinct(runs: tuple[Path, ...]) -> list[Path]:
    """At least two folders, and no more than there are letters; raises UserError."""
    if len(runs) < 2:
        raise UserError("a comparison takes two runs or more; give their folders")
    if len(runs) > len(string.ascii_uppercase):
        raise UserError(f"{len(runs)} runs are too many to compare; give at most {len(string.ascii_uppercase)}")
    sweeps = [is_series(run) for run in runs]
    if any(sweeps) and not all(sweeps):
        one = runs[sweeps.index(True)]
        raise UserError(f"{one} holds several runs and others are single ones; give one of its runs, or sweeps only")
    return list(runs)


def compared(folders: list[Path]) -> tuple[dict[str, Any], list[Any]]:
    """The comparison, and what is drawn of it."""
    letters, called = string.ascii_uppercase, names(folders)
    if is_series(folders[0]):
        return compare_sweeps.compared(folders, called, side_of)
    sides = [side_of(letters[at], name, folder) for at, (name, folder) in enumerate(zip(called, folders, strict=True))]
    found = compare.compared(sides)
    found["accuracy"], rows = scores([(one.letter, one.folder) for one in sides])
    for one in found["comparisons"]:
        one["rows"] += [row for letter, row in rows if letter == one["b"]]
    return found, sides


def side_of(letter: str, name: str, folder: Path) -> compare.Side:
    """A run, finished where it is not."""
    return compare.side(letter, name, folder, metrics_of(folder))


def parts(found: dict[str, Any]) -> list[dict[str, Any]]:
    """All single comparisons; those of a sweep with their point."""
    if "points" not in found:
        return list(found["comparisons"])
    return [one | {"point": point["point"]} for point in found["points"] for one in point["comparisons"]]


def gates(asked: list[compare_gate.Limit], one: dict[str, Any], significant: bool) -> list[dict[str, Any]]:
    """What the limits say of one comparison."""
    point = {"point": one["point"]} if "point" in one else {}
    return [gate | point for gate in compare_gate.judge(asked, one, significant)]
