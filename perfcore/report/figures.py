"""The plots of report.html as PNG: drawn from what the page itself holds, so that the two cannot differ."""

import base64
import heapq
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from perfcore.errors import UserError
from perfcore.report.png import keep

FOLDER = "plots"
START, STOP = b'<script type="application/json" id="content">', b"</script>"
COLOURS = {
    "blue": "#0072B2",
    "orange": "#D55E00",
    "green": "#009E73",
    "grey": "#666666",
    "purple": "#9C4F8B",
    "red": "#C62828",
    "ttft": "#E69F00",
    "decode": "#56A0D3",
    "whole": "#8A93A0",
}


def draw(page: Path) -> list[Path]:
    """Write plots/NAME.png beside a page for each of its plots; returns their paths in the order of the page.

    Raises UserError where the file is no page of perfcore.
    """
    folder = page.parent / (FOLDER + page.stem.removeprefix("report"))
    folder.mkdir(exist_ok=True)
    found = []
    for block in blocks(content(page)):
        found.append(folder / f"{block['name']}.png")
        keep(found[-1], bars(block) if block["kind"] == "timeline" else curves(block))
    return found


def content(page: Path) -> dict[str, Any]:
    """What a page holds."""
    _, _, after = page.read_bytes().partition(START)
    try:
        return dict(json.loads(after.partition(STOP)[0]))
    except ValueError:
        raise UserError(f"{page} is no report of perfcore; make it with perfcore report {page.parent}") from None


def blocks(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Everything that is drawn."""
    for section in found["sections"]:
        yield from (block for block in section["blocks"] if block["kind"] in ("plot", "timeline"))


def curves(block: dict[str, Any]) -> Figure:
    figure = Figure(figsize=(10, 5), layout="constrained")
    axes = figure.subplots()
    x = np.array(block["x"], np.float64)
    for series in block["series"]:
        values = np.array(series["values"], np.float64)
        look: dict[str, Any] = {"color": COLOURS[series["colour"]], "linestyle": "--" if series["dash"] else "-"}
        if block.get("steps"):
            axes.stairs(values, x, baseline=None, label=series["label"], linewidth=1.5, **look)
        else:
            if block.get("dots"):
                look |= {"marker": "o", "linestyle": look["linestyle"] if block.get("line", True) else "none"}
            if block.get("share"):
                look["drawstyle"] = "steps-post"
            known = np.isfinite(values)
            axes.plot(x[known], values[known], label=series["label"], linewidth=1.5, **look)
    if block.get("log") or block.get("wide_x"):
        axes.set_xscale("log")
    axes.set_ylim(0, 1 if block.get("share") else 1.06 * axes.dataLim.y1 or 1)
    finished(axes, block, block["x_label"], block["y_label"])
    axes.legend(fontsize=8)
    return figure


def finished(axes: Axes, block: dict[str, Any], x_label: str, y_label: str) -> None:
    """Words, grid, and the window."""
    axes.set_title(block["title"], loc="left", parse_math=False)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.grid(alpha=0.3)
    if block.get("window"):
        axes.axvspan(*block["window"], color=COLOURS["green"], alpha=0.12, label="window")


def bars(block: dict[str, Any]) -> Figure:
    """Attempts from left to right on as many lines as were busy at once."""
    figure = Figure(figsize=(14, 7), layout="constrained")
    axes = figure.subplots()
    column = {name: unpacked(packed, block["shown"]) for name, packed in block["columns"].items()}
    unit = block["unit_ms"] / 1e3
    sent, took = column["sent"] * unit, column["took"] * unit
    waited = np.where(column["ttft"] >= 0, column["ttft"] * unit, 0.0)
    lane = lanes(column["id"], sent, sent + took)
    failed, streamed = (column["class"] > 0) & (column["class"] != block["cut"]), column["ttft"] >= 0
    parts = (
        ("whole", "answer in one piece", ~failed & ~streamed, sent, took),
        ("decode", "from the first token to the end", ~failed & streamed, sent + waited, took - waited),
        ("ttft", "until the first token", ~failed & streamed, sent, waited),
        ("red", "failed", failed, sent, took),
    )
    for name, label, chosen, start, length in parts:
        if chosen.any():
            drawn: Any = boxes(start[chosen], length[chosen], lane[chosen] + 1.0)
            axes.add_collection(PolyCollection(drawn, facecolor=COLOURS[name], edgecolor="face", lw=0.2, label=label))
    axes.set_xlim(0, block["end_s"])
    axes.set_ylim(lane.max(initial=0) + 1.6, 0.4)
    finished(axes, block, "seconds since the first request was due", "line")
    axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(0, -0.08), ncols=5)
    return figure


def boxes(start: NDArray[Any], length: NDArray[Any], line: NDArray[Any]) -> NDArray[np.float64]:
    """Corners of bars, 4 for each."""
    x = np.stack((start, start, start + length, start + length), axis=1)
    y = line[:, None] + np.array([-0.45, 0.45, 0.45, -0.45])
    return np.stack((x, y), axis=2)


def unpacked(packed: dict[str, Any], size: int) -> NDArray[np.float64]:
    """A column of the timeline."""
    if "same" in packed:
        return np.full(size, float(packed["same"]))
    numbers = np.frombuffer(base64.b64decode(packed["data"]), f"<u{packed['bits'] // 8}")
    return numbers.astype(np.float64) - 1


def lanes(identity: NDArray[Any], start: NDArray[Any], end: NDArray[Any]) -> NDArray[np.int64]:
    """The first free line for each request, whose attempts and turns stay together; starts ascend."""
    _, first, group = np.unique(identity, return_index=True, return_inverse=True)
    last = np.zeros(first.size)
    np.maximum.at(last, group, end)
    free: list[int] = []
    busy: list[tuple[float, int]] = []
    line = np.zeros(first.size, np.int64)
    for one in np.argsort(first, kind="stable").tolist():
        while busy and busy[0][0] <= start[first[one]]:
            heapq.heappush(free, heapq.heappop(busy)[1])
        line[one] = heapq.heappop(free) if free else len(busy)
        heapq.heappush(busy, (last[one], line[one]))
    found: NDArray[np.int64] = line[group]
    return found
