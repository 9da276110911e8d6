"""Runs side by side, or sweeps point by point, with what limits say of them."""

import string
from pathlib import Path
from typing import Any

from perfcore.commands.accuracy import scores
from perfcore.commands.folders import metrics_of, names
from perfcore.errors import UserError
from perfcore.records.series import is_series
from perfcore.report import compare, compare_gate, compare_repeats, compare_sweeps


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


def repeats_of(folders: list[Path], asked: tuple[str, ...]) -> list[list[Path]]:
    """The runs of each side: its own folder, and those that `--with A=FOLDER,FOLDER` adds; raises UserError."""
    sides = [[folder] for folder in folders]
    if asked and is_series(folders[0]):
        raise UserError("--with adds runs to runs; a sweep repeats its own: ask for a load again (--concurrency 8,8,8)")
    for text in asked:
        letter, _, rest = text.partition("=")
        place = string.ascii_uppercase.find(letter.strip().upper() or "-")
        added = [Path(name.strip()) for name in rest.split(",") if name.strip()]
        if not 0 <= place < len(sides) or not added:
            last = string.ascii_uppercase[len(sides) - 1]
            raise UserError(
                f"--with {text!r} names no side and its runs; write a letter from A to {last} and folders, such as "
                "--with B=outputs/again"
            )
        sides[place] += added
    if asked:
        repeatable(sides)
    return sides


def repeatable(sides: list[list[Path]]) -> None:
    """Raises UserError where runs do not say by how much runs differ: one for a side, a sweep, the same run twice."""
    everything = [folder for own in sides for folder in own]
    for folder in everything:
        if is_series(folder):
            raise UserError(f"--with: {folder} holds several runs; give those in it one by one")
    for at, own in enumerate(sides):
        if len(own) == 1:
            letter = string.ascii_uppercase[at]
            raise UserError(
                f"--with: {letter} has one run only, and how much runs differ is known from two of each side on; add "
                f"--with {letter}=FOLDER"
            )
    whole = [folder.resolve() for folder in everything]
    twice = next((folder for at, folder in enumerate(everything) if whole[at] in whole[:at]), None)
    if twice is not None:
        raise UserError(f"--with: {twice} is given twice; a run is no repeat of itself")


def compared(folders: list[Path], again: tuple[str, ...] = ()) -> tuple[dict[str, Any], list[Any]]:
    """The comparison, and what is drawn of it; `again`: repeats of the runs, as `--with` has them."""
    sides = repeats_of(folders, again)
    if is_series(folders[0]):
        return compare_sweeps.compared(folders, names(folders), side_of)
    called = iter(names([folder for own in sides for folder in own]))
    groups = [
        [side_of(letter, next(called), folder) for letter, folder in lettered(at, own)] for at, own in enumerate(sides)
    ]
    found = compare_repeats.compared(groups)
    found["accuracy"], rows = scores([(own[0].letter, own[0].folder) for own in groups])
    for one in found["comparisons"]:
        one["rows"] += [row for letter, row in rows if letter == one["b"]]
    if again and rows:
        found["note"] = "Scores are those of the first run of each side."
    return found, [one for own in groups for one in own]


def lettered(place: int, folders: list[Path]) -> list[tuple[str, Path]]:
    """The runs of a side: A, A2, A3."""
    letter = string.ascii_uppercase[place]
    return [(f"{letter}{number}" if number > 1 else letter, folder) for number, folder in enumerate(folders, 1)]


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
