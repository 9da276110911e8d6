"""`perfcore explain` in words: what a metric is, and what another tool would have reported of a run."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from perfcore.analysis.absent import Absent
from perfcore.analysis.peers_told import TOOLS, Tool
from perfcore.analysis.peers_view import Line
from perfcore.report import view
from perfcore.report.definition import Definition
from perfcore.report.definitions import DEFINITIONS
from perfcore.report.layout import framed, pick
from perfcore.report.text import NONE, number

ALWAYS_STREAMED = ("vllm",)
CLOSE = 1e-3  # relative; what differs by less is the same number to a reader
WHOLE_RUN = (
    "This run was held for a window: ours are of the window, theirs of all its measured requests, as the tool has no"
    " such window of its own but where a line says so; what was cut off at the end is among its failures."
)
PIECES = "No answer was streamed, and this tool streams always: what it takes from events is not there."
FIELD = (
    "Reasoning is output here. It is to vLLM's client where the service names the field `reasoning`; under the name"
    " `reasoning_content` it passes over it, and its TTFT is the time to the first answer (our TTFA)."
)
# Failures of answers that came with status 200: a tool that looks at the status alone has them among its successes.
LOOKED_INTO = (
    "empty_answer",
    "error_in_band",
    "truncated_stream",
    "unexpected_non_stream",
    "bad_json",
    "bad_content_type",
)
CLOSED = "The run was a closed loop, which LoadGen does not have: due is when a slot became free."


def explained(found: Iterable[Definition]) -> RenderableType:
    """Definitions, one below the other."""
    return Group(*(definition(one) for one in found))


def definition(one: Definition) -> RenderableType:
    """A metric with its key, formula, unit, direction, edge cases and example."""
    rows = [
        ("in metrics.json", one.key.replace("summary.", "(a summary's) ")),
        ("unit", one.unit or "none"),
        ("direction", one.direction),
        ("formula", one.formula or "none"),
        ("example", one.example or "none"),
    ]
    table = Table.grid(padding=(0, 2))
    for label, text in rows:
        table.add_row(Text(label, "dim"), Text(text))
    notes = [Text(f"- {case}") for case in one.edge_cases]
    parts: list[RenderableType] = [Text(one.title, "bold"), Text(one.text), Padding(table, (1, 0, 0, 2))]
    if notes:
        parts.append(Padding(Group(*notes), (1, 0, 0, 2)))
    return Padding(Group(*parts), (0, 0, 1, 0))


def listed() -> RenderableType:
    """All metrics: the short name, what it is, its unit."""
    table = framed("Metrics")
    for column in ("name", "what", "unit"):
        table.add_column(column, overflow="fold")
    for one in DEFINITIONS.values():
        table.add_row(escape(one.key), escape(one.title), escape(one.unit))
    return table


def as_json(run_dir: Path, tool: str) -> dict[str, Any]:
    """What a tool would have reported of a finished run, line by line, beside ours: values, units and why."""
    found, seen = view.metrics(run_dir), view.read(run_dir)
    told = TOOLS[tool].told(seen)
    return {
        "schema": "perfcore.explain/1",
        "tool": TOOLS[tool].title,
        "version": TOOLS[tool].version,
        "remarks": remarks(tool, found) + [FIELD] * (tool == "vllm" and "reasoning" in seen.kinds),
        "lines": [entry(line, found) for line in told],
    }


def entry(line: Line, metrics: dict[str, Any]) -> dict[str, Any]:
    """One line: the tool's value in its unit, ours in the same unit, their difference in percent, and why."""
    gone = isinstance(line.value, Absent)
    theirs = None if isinstance(line.value, Absent) else line.value
    mine = pick(metrics, line.ours) if line.ours else None
    ours = mine * line.factor if isinstance(mine, (int, float)) else None
    return {
        "name": line.name,
        "unit": line.unit,
        "value": theirs,
        "ours": ours,
        "key": line.ours or None,
        "difference_percent": difference(theirs, ours),
        "why": line.value.reason if isinstance(line.value, Absent) and gone else line.why,
    }


def difference(theirs: float | None, ours: float | None) -> float | None:
    """By how many percent of ours theirs is larger; None where either is missing or only ours is 0."""
    if theirs is None or ours is None or (ours == 0 and theirs != 0):
        return None
    if theirs == ours:
        return 0.0
    return (theirs / ours - 1) * 100


def remarks(tool: str, metrics: dict[str, Any]) -> list[str]:
    """What must be known of the whole comparison."""
    closed = str((metrics.get("absent") or {}).get("rate.achieved", "")).startswith("closed loop")
    found = [WHOLE_RUN] if metrics.get("steady") else []
    pieces = (metrics.get("absent") or {}).get("latency.ttft_ms") == "not streamed" and tool in ALWAYS_STREAMED
    return found + judged(metrics) + [PIECES] * pieces + [CLOSED] * (tool == "mlperf" and closed)


def judged(metrics: dict[str, Any]) -> list[str]:
    """That failures are ours, where there are answers that a tool may take for successes."""
    errors = metrics.get("errors") or {}
    doubtful = {name: errors[name] for name in LOOKED_INTO if errors.get(name)}
    if not doubtful:
        return []
    told = ", ".join(f"{count:,} {name}" for name, count in doubtful.items())
    return [
        f"What failed is what failed here. Answers with status 200 are among it ({told}): a tool that does not look "
        "into them counts them as successes, and has their times and tokens in its numbers."
    ]


def compared(run_dir: Path, tool: str) -> RenderableType:
    """The same as a table."""
    found = as_json(run_dir, tool)
    return Group(*heading(TOOLS[tool], found["remarks"]), lines_table(found["lines"]))


def heading(tool: Tool, told: Sequence[str]) -> Iterable[RenderableType]:
    yield Text.assemble(("As ", ""), (tool.title, "bold"), f" ({tool.version}) would report it")
    for sentence in told:
        yield Text(sentence)


def lines_table(entries: Sequence[dict[str, Any]]) -> Table:
    table = framed("")
    for name in ("its name", "unit", "its value", "ours", "differs", "why"):
        table.add_column(name, justify="right" if name in ("its value", "ours", "differs") else "left")
    said = ""
    for one in entries:
        percent = one["difference_percent"]
        same = percent is not None and abs(percent) < 100 * CLOSE
        differs = NONE if percent is None else "no" if same else f"{percent:+.1f} %"
        table.add_row(
            escape(one["name"]),
            escape(one["unit"]),
            number(whole(one["value"])),
            number(whole(one["ours"])),
            differs,
            "" if one["why"] == said else escape(one["why"]),
        )
        said = one["why"]
    return table


def whole(value: float | None) -> float | int | None:
    """A count without a decimal point."""
    return int(value) if value is not None and value.is_integer() and abs(value) < 1e15 else value
