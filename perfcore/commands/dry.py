"""What --dry-run prints: the options, where each came from, and the runs that they make."""

import json
from typing import Any

from perfcore.commands.points import Wanted, described, pair
from perfcore.config import Resolved, listing
from perfcore.options import StressOptions


def dry(plan: Wanted) -> str:
    """Options and points, for a program or for a person."""
    if plan.resolved[0].options.json:
        return json.dumps(as_json(plan), indent=2, ensure_ascii=False)
    if plan.alone:
        return as_table(plan.resolved[0])
    pairs = list(dict.fromkeys(map(pair, plan.points)))
    tables = [
        "\n".join(filter(None, (" with ".join(filter(None, own)), as_table(resolved))))
        for own, resolved in zip(pairs, plan.resolved, strict=True)
    ]
    points = [f"{point.name}  {in_load(point.options)}" for point in plan.points]
    return "\n\n".join((*tables, "\n".join((f"{len(points)} runs", *points))))


def in_load(options: StressOptions) -> str:
    """The load of a run in words."""
    return ", ".join(
        f"{name} {value:,.10g}" if isinstance(value, (int, float)) else f"{name} {value}"
        for name in ("concurrency", "rate", "requests", "duration_s")
        if (value := getattr(options, name)) is not None
    )


def as_json(plan: Wanted) -> dict[str, Any]:
    """Resolved options for a program: {key: {value, origin}}; of several runs {"runs": [...]}."""
    if plan.alone:
        return rows_of(plan.resolved[0])
    return {
        "runs": [{key: value for key, value in one.items() if key != "options"} for one in described(plan.points)],
        "options": [rows_of(resolved) for resolved in plan.resolved],
    }


def rows_of(resolved: Resolved) -> dict[str, Any]:
    """Options by key, each with value and origin."""
    return {row["key"]: {"value": row["value"], "origin": row["origin"]} for row in listing(resolved)}


def as_table(resolved: Resolved) -> str:
    """Resolved options for a person: key, value and origin in columns."""
    rows = [("key", "value", "origin")]
    for row in listing(resolved):
        value = row["value"]
        rows.append((row["key"], "-" if value in (None, [], {}) else in_words(value), row["origin"]))
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    return "\n".join(f"{key:{widths[0]}}  {value:{widths[1]}}  {origin}" for key, value, origin in rows)


def in_words(value: Any) -> str:
    """Value in one line of a table."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:59] + "…"
