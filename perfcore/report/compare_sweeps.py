"""Sweeps point by point, where their loads agree."""

import string
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from perfcore.errors import UserError
from perfcore.records import series
from perfcore.report import compare, compare_repeats

Key: TypeAlias = tuple[Any, ...]
Points: TypeAlias = dict[
    Key, tuple[str, list[Path]]
]  # title and runs of each load, several where it was asked for again
SideOf: TypeAlias = Callable[[str, str, Path], compare.Side]
LETTERS = string.ascii_uppercase


def compared(parents: Sequence[Path], names: Sequence[str], side_of: SideOf) -> tuple[dict[str, Any], list[Any]]:
    """Every point that the first sweep and another have, and what was left out; with the runs of each sweep by point.

    `side_of`: letter, name and folder of a run to what is known of it. Raises UserError where no point is in both.
    """
    points = points_of(parents)
    first = points[0]
    found, sides, note = [], [], None
    for key, (name, _) in first.items():
        having = [at for at in range(len(points)) if key in points[at]]
        if having == [0]:
            continue
        groups = [group(LETTERS[at], names[at], points[at][key][1], side_of) for at in having]
        sides.append([one for own in groups for one in own])
        of_point = compare_repeats.compared(groups)
        note = note or of_point["note"]
        found.append({"point": name} | {kept: of_point[kept] for kept in ("setup", "comparisons")})
    if not found:
        loads = "; ".join(
            f"{name} has {', '.join(kept[0] for kept in own.values())}" for name, own in zip(names, points, strict=True)
        )
        raise UserError(f"the sweeps have no load in common ({loads}); measure one of them at loads of the other")
    runs = [
        told(LETTERS[at], name, parent, sum(len(folders) for _, folders in own.values()))
        for at, (name, parent, own) in enumerate(zip(names, parents, points, strict=True))
    ]
    left = {"unmatched": list(unmatched(points, names)), "missing": list(missing(points)), "note": note}
    return {"schema": compare.SCHEMA, "runs": runs, "points": found, "accuracy": []} | left, sides


def group(letter: str, name: str, folders: Sequence[Path], side_of: SideOf) -> list[compare.Side]:
    """The runs of one load of a sweep: the first has the letter, others a number too."""
    letters = [letter, *(f"{letter}{number}" for number in range(2, len(folders) + 1))]
    return [side_of(own, name, folder) for own, folder in zip(letters, folders, strict=True)]


def points_of(parents: Sequence[Path]) -> list[Points]:
    """Title and folders of the runs that were made, by their load, and by model and data set where they are several."""
    all_points = [series.read_series(parent)["points"] for parent in parents]
    several = {key: any(len({point[key] for point in own}) > 1 for own in all_points) for key in ("model", "dataset")}
    found = []
    for parent, own in zip(parents, all_points, strict=True):
        kept: Points = {}
        for point in own:
            key = key_of(point, several)
            if (parent / point["name"] / "run.json").is_file():
                kept.setdefault(key, (title(key), []))[1].append(parent / point["name"])
        found.append(kept)
    return found


def key_of(point: dict[str, Any], several: dict[str, bool]) -> Key:
    load = point["load"]
    names = tuple(point[key] for key in ("model", "dataset") if several[key])
    return (*names, load, point[load] if load else None)


def title(key: Key) -> str:
    *names, load, value = key
    return ", ".join([*map(str, names), f"{load} {value:,.10g}" if load else "the run"])


def told(letter: str, name: str, parent: Path, runs: int) -> dict[str, Any]:
    """What a reader wants to know of a sweep first."""
    asked = series.read_series(parent)
    models = dict.fromkeys(str(point["model"]) for point in asked["points"] if point["model"])
    return {
        "letter": letter,
        "name": name,
        "folder": str(parent),
        "command": f"{(asked.get('command') or [None, '-'])[1]}, {runs} runs",
        "started": asked.get("started"),
        "model": ", ".join(models) or None,
        "requests": None,
        "validity": None,
        "steady": None,
        "repeats": [],
    }


def missing(points: Sequence[Points]) -> Iterator[dict[str, str]]:
    """Points of the first sweep that another has not: `point`, and the letter of the other."""
    for key, (name, _) in points[0].items():
        yield from ({"point": name, "b": LETTERS[at]} for at in range(1, len(points)) if key not in points[at])


def unmatched(points: Sequence[Points], names: Sequence[str]) -> list[str]:
    """Points of one sweep that are in no comparison, in words."""
    others = {key for own in points[1:] for key in own}
    lines = []
    for at, own in enumerate(points):
        alone = [name for key, (name, _) in own.items() if key not in (others if at == 0 else points[0])]
        if alone:
            lines.append(f"Only in {LETTERS[at]} ({names[at]}): {'; '.join(alone)}")
    return lines
