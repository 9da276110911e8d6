"""A comparison as text: the runs, what they have different, their numbers side by side, the limits."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TextIO

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from perfcore.report import layout
from perfcore.report.compare import size
from perfcore.report.compare_gate import HOLDS, KEPT
from perfcore.report.compare_metrics import FEW, HEADLINES, HIGHER, LOWER, METRICS
from perfcore.report.compare_repeats import in_head
from perfcore.report.compare_setup import shown
from perfcore.report.layout import WIDTH, framed
from perfcore.report.text import NONE, clean, number

GATE_WORDS = {HOLDS: ("FAIL", "bold red"), KEPT: ("pass", "green")}


def show(found: Mapping[str, Any], stream: TextIO, everything: bool = False) -> None:
    """Print a comparison, in colour and as wide as the terminal where it is one."""
    layout.show(stream, lambda _: parts(found, everything))


def render(found: Mapping[str, Any], width: int = WIDTH, colour: bool = False, everything: bool = False) -> str:
    """The text; `everything`: all metrics and not only the most important ones."""
    return layout.rendered(parts(found, everything), width, colour)


def parts(found: Mapping[str, Any], everything: bool) -> Iterator[RenderableType]:
    """From top to bottom."""
    yield run_table(found["runs"])
    if "points" in found:
        yield from of_sweeps(found, everything)
    else:
        yield from of_runs(found, everything)
    if found["note"]:
        yield Text(f"{found['note']}\n", "dim")
    if found["accuracy"]:
        yield Text("Accuracy", "bold")
        yield from (Padding(Text(clean(one["words"], 1000)), (0, 0, 0, 1)) for one in found["accuracy"])
        yield Text("")
    if found["gates"]:
        yield Text("Limits", "bold")
        yield from map(gate_line, found["gates"])


def of_runs(found: Mapping[str, Any], everything: bool) -> Iterator[RenderableType]:
    """Runs against the first of them."""
    yield from setup(found["setup"], [run["letter"] for run in found["runs"]])
    names = tuple(METRICS) if everything else HEADLINES
    if len(found["comparisons"]) > 1:
        yield side_by_side(found, names)
    for one in found["comparisons"]:
        yield from comparison(one, names)


def of_sweeps(found: Mapping[str, Any], everything: bool) -> Iterator[RenderableType]:
    """Sweeps, point by point."""
    names = HEADLINES if everything else FEW
    yield from sweep_warnings(found["points"])
    yield from sweep_differences(found["points"])
    for point in found["points"]:
        for one in point["comparisons"]:
            yield from comparison(one, names, clean(point["point"], 80))
    for line in found["unmatched"]:
        yield Text(clean(line, 500), "dim")


def sweep_warnings(points: Sequence[Mapping[str, Any]]) -> Iterator[RenderableType]:
    """Warnings of the points; those of all of them once."""
    by_point: dict[str, list[str]] = {}
    for point in points:
        for warning in point["setup"]["warnings"]:
            by_point.setdefault(warning, []).append(point["point"])
    for warning, names in by_point.items():
        where = "" if len(names) == len(points) else f"{', '.join(names)}: "
        yield Text.assemble(("warning: ", "yellow"), clean(f"{where}{warning}", 1000))
    if by_point:
        yield Text("")


def sweep_differences(points: Sequence[Mapping[str, Any]]) -> Iterator[RenderableType]:
    """What the configurations of the points have different; what is the same at all of them once."""
    by_table: dict[str, tuple[list[str], Mapping[str, Any]]] = {}
    for point in points:
        if point["setup"]["differences"]:
            key = json.dumps([point["setup"]["differences"], lettered(point)])
            by_table.setdefault(key, ([], point))[0].append(point["point"])
    for names, point in by_table.values():
        where = "" if len(names) == len(points) else f": {clean(', '.join(names), 80)}"
        yield differing(point["setup"]["differences"], lettered(point), where)


def lettered(point: Mapping[str, Any]) -> list[str]:
    """The letters of the sweeps that have a point."""
    return [point["comparisons"][0]["a"], *(one["b"] for one in point["comparisons"])]


def run_table(runs: Sequence[Mapping[str, Any]]) -> Table:
    """What each letter stands for."""
    table = framed("Compared")
    for name in ("", "run", "command", "model", "started", "requests", "validity"):
        table.add_column(name, overflow="fold", justify="right" if name == "requests" else "left")
    for run in (one for own in runs for one in (own, *own["repeats"])):
        verdict = ", ".join(filter(None, (run["validity"], run["steady"])))
        started = (run["started"] or NONE)[:19].replace("T", " ")
        cells = (run["letter"], run["name"], run["command"], run["model"], started, number(run["requests"]), verdict)
        table.add_row(*(Text(clean(str(cell or NONE), 60)) for cell in cells))
    return table


def setup(found: Mapping[str, Any], letters: Sequence[str]) -> Iterator[RenderableType]:
    """What the configurations have different, and what a reader must know."""
    for warning in found["warnings"]:
        yield Text.assemble(("warning: ", "yellow"), clean(warning, 1000))
    if not found["differences"]:
        yield Text("The configurations are the same.\n")
        return
    yield Text("")
    yield differing(found["differences"], letters)


def differing(found: Sequence[Mapping[str, Any]], letters: Sequence[str], where: str = "") -> Table:
    """What differs, a row for each setting."""
    table = framed(f"What differs{where}")
    for name in ("", *letters):
        table.add_column(name, overflow="fold")
    for one in found:
        style = "" if one["matters"] else "dim"
        table.add_row(clean(one["key"], 60), *(Text(shown(value), style) for value in one["values"]))
    return table


def side_by_side(found: Mapping[str, Any], names: Sequence[str]) -> Table:
    """Values of all runs, each as it stands for itself."""
    table = framed("Side by side")
    for name in ("", *(run["letter"] for run in found["runs"])):
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    by_name = [{row["name"]: row for row in one["rows"]} for one in found["comparisons"]]
    for name in names:
        held = [rows.get(name) for rows in by_name]
        first = next((row for row in held if row), None)
        if first:
            values = [first["a"], *(row["b"] if row else None for row in held)]
            table.add_row(first["title"], *map(number, values))
    return table


def comparison(one: Mapping[str, Any], names: Sequence[str], point: str = "") -> Iterator[RenderableType]:
    """One run against the first."""
    a, b = one["a"], one["b"]
    table = framed(f"{point + ': ' if point else ''}{b} against {a}{in_head(one)}")
    for name in ("", a, b, f"{b} - {a}", "%", "95 % interval", ""):
        table.add_column(name, justify="left" if name == "" else "right", no_wrap=True)
    table.columns[-1].no_wrap = False
    rows = {row["name"]: row for row in one["rows"]}
    shown = [rows[name] for name in names if name in rows] + [row for row in one["rows"] if row["name"] not in METRICS]
    why: dict[tuple[str, str], list[str]] = {}
    for row in shown:
        table.add_row(*cells(row), Text(row["words"], style(row)))
        if row["why"]:
            kind = "Not compared" if row["difference"] is None else "No interval of"
            why.setdefault((kind, row["why"]), []).append(row["title"])
    yield table
    notes = [f"Requests: {one['words']}."]
    notes += [f"{kind} {', '.join(titles)}: {reason}." for (kind, reason), titles in why.items()]
    yield Padding(Text("\n".join(clean(note, 1000) for note in notes), "dim"), (0, 0, 1, 1))


def cells(row: Mapping[str, Any]) -> list[str]:
    """Title, values, difference, per cent, interval."""
    percent = row["percent_ci95"] if row["unit"] != "pp" else None
    ends = percent or row["difference_ci95"]
    unit = " %" if percent else f" {row['unit']}".rstrip()
    interval = NONE if ends is None else f"{signed(ends[0])} to {signed(ends[1])}{unit}"
    values = [number(row[key]) for key in ("a", "b")]
    difference = (
        NONE if row["difference"] is None else ("+" if row["difference"] > 0 else "") + number(row["difference"])
    )
    return [row["title"], *values, difference, NONE if row["percent"] is None else signed(row["percent"]), interval]


def signed(value: float) -> str:
    return ("+" if value > 0 else "") + size(value)


def style(row: Mapping[str, Any]) -> str:
    """Green for better, red for worse, where that is sure."""
    if not row["significant"] or row["better"] not in (LOWER, HIGHER):
        return ""
    return "green" if (row["difference"] < 0) == (row["better"] == LOWER) else "red"


def gate_line(gate: Mapping[str, Any]) -> RenderableType:
    word, look = GATE_WORDS.get(gate["verdict"], ("undecided", "yellow"))
    where = f"{gate['point']}, " if gate.get("point") else ""
    name = f" [{gate['metric']}]" if gate["metric"].startswith("score:") else ""
    return Text.assemble(
        (f"{word}  ", look), clean(f"{gate['limit']}{name}: {where}{gate['b']}: {gate['words']}", 1000)
    )
