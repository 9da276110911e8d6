"""Sweeps point by point, where their loads agree."""

import string
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from perfcore.errors import UserError
from perfcore.records import series
from perfcore.report import compare

Key: TypeAlias = tuple[Any, ...]
LETTERS = string.ascii_uppercase


def compared(
    parents: Sequence[Path], names: Sequence[str], side_of: Callable[[str, str, Path], compare.Side]
) -> tuple[dict[str, Any], list[Any]]:
    """Every point that the first sweep and another have, and what was left out; with the runs of each sweep by point.

    `side_of`: letter, name and folder of a run to what is known of it. Raises UserError where no point is in both.
    """
    points = points_of(parents)
    first = points[0]
    found, sides = [], []
    for key, (name, folder) in first.items():
        others = [at for at in range(1, len(points)) if key in points[at]]
        if not others:
            continue
        own = [side_of(LETTERS[0], names[0], folder)]
        own += [side_of(LETTERS[at], names[at], points[at][key][1]) for at in others]
        sides.append(own)
        found.append(
            {"point": name} | {k: v for k, v in compare.compared(own).items() if k in ("setup", "comparisons")}
        )
    if not found:
        loads = "; ".join(
            f"{name} has {', '.join(kept[0] for kept in own.values())}" for name, own in zip(names, points, strict=True)
        )
        raise UserError(f"the sweeps have no load in common ({loads}); measure one of them at loads of the other")
    runs = [
        told(LETTERS[at], name, parent, len(own))
        for at, (name, parent, own) in enumerate(zip(names, parents, points, strict=True))
    ]
    left = {"unmatched": list(unmatched(points, names)), "missing": list(missing(points))}
    return {"schema": compare.SCHEMA, "runs": runs, "points": found, "accuracy": []} | left, sides


def points_of(parents: Sequence[Path]) -> list[dict[Key, tuple[str, Path]]]:
    """Title and folder of the runs that were made, by their load, and by model and data set where there are several."""
    all_points = [series.read_series(parent)["points"] for parent in parents]
    several = {key: any(len({point[key] for point in own}) > 1 for own in all_points) for key in ("model", "dataset")}
    found = []
    for parent, own in zip(parents, all_points, strict=True):
        kept: dict[Key, tuple[str, Path]] = {}
        for point in own:
            key = key_of(point, several)
            if (parent / point["name"] / "run.json").is_file():
                kept.setdefault(key, (title(key), parent / point["name"]))
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
    }


def missing(points: Sequence[dict[Key, tuple[str, Path]]]) -> Iterator[dict[str, str]]:
    """Points of the first sweep that another has not: `point`, and the letter of the other."""
    for key, (name, _) in points[0].items():
        yield from ({"point": name, "b": LETTERS[at]} for at in range(1, len(points)) if key not in points[at])


def unmatched(points: Sequence[dict[Key, tuple[str, Path]]], names: Sequence[str]) -> list[str]:
    """Points of one sweep that are in no comparison, in words."""
    others = {key for own in points[1:] for key in own}
    lines = []
    for at, own in enumerate(points):
        alone = [name for key, (name, _) in own.items() if key not in (others if at == 0 else points[0])]
        if alone:
            lines.append(f"Only in {LETTERS[at]} ({names[at]}): {'; '.join(alone)}")
    return lines
