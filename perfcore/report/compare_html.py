"""The page of a comparison: its JSON (docs/compare.md) as tables, and the curves of all runs on the same axes.

It is shown by the script of report.html (perfcore/report/html.py), and as strict about what the runs say.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from perfcore.report.compare import Side
from perfcore.report.compare_curves import distributions, label, look, over_time
from perfcore.report.compare_gate import EXIT, HOLDS, KEPT
from perfcore.report.compare_metrics import FEW, HEADLINES, HIGHER, LOWER, METRICS
from perfcore.report.compare_repeats import in_head
from perfcore.report.compare_setup import shown
from perfcore.report.compare_text import cells
from perfcore.report.files import write
from perfcore.report.html import SCHEMA, page, terms
from perfcore.report.html_blocks import Block, curve, folded, foreign, lines, plot, section, table
from perfcore.report.html_series import WIDE as WIDE_LOADS
from perfcore.report.html_words import BAD, DOUBTFUL, GOOD
from perfcore.report.text import NONE, number

NAME = "compare.html"
PAIRED = "In pairs, the tables are of the requests that ran in both; these curves are of all requests of each run."
WORDS = {HOLDS: "fail", KEPT: "pass"}
LOOKS = {HOLDS: BAD, KEPT: GOOD}
BETTER, WORSE = "better", "worse"
OVER_LOAD = {
    "output_tokens_per_s": "tokens/s",
    "requests_per_s": "requests/s",
    "ttft_p50": "ms",
    "ttft_p99": "ms",
    "itl_p99": "ms",
    "tpot_mean": "ms",
    "e2el_p99": "ms",
}


def write_page(found: Mapping[str, Any], sides: Sequence[Any], path: Path) -> Path:
    """Write the page of a comparison of runs, or of sweeps; returns its path.

    `path` is the file where it ends in .html and is no folder, and otherwise the folder that gets compare.html. `found`
    and `sides` are what perfcore/report/compare.py and compare_sweeps.py make. Raises UserError where writing fails.
    """
    target = file_of(path)
    write(target, page(content(found, sides, target.parent)))
    return target


def file_of(path: Path) -> Path:
    """The file that a path means which may be a folder."""
    return path if path.suffix.lower() in (".html", ".htm") and not path.is_dir() else path / NAME


def content(found: Mapping[str, Any], sides: Sequence[Any], place: Path) -> Block:
    """What the page says; links are relative to the folder `place`."""
    first, *others = (foreign(run["name"], 60) for run in found["runs"])
    name = f"{', '.join(others)} against {first}"
    drawn = of_sweeps(found) if "points" in found else of_runs(found, sides)
    limits = section("limits", "Limits", gates(found["gates"]))
    scores = section("accuracy", "Accuracy", [lines(foreign(one["words"], 1000) for one in found["accuracy"])])
    compared = section(
        "runs",
        "What is compared",
        [run_table(found["runs"], place), lines([found["note"]] if found["note"] else (), "faint")],
    )
    sections = [one for one in (limits, compared, *drawn, scores) if one is not None]
    heads: Block = {"schema": SCHEMA, "title": f"{name}: perfcore compare", "heading": name, "sub": told(found)}
    heads |= {"plain": "The same command without --html prints the same numbers, and with --json all of them."}
    return heads | {"verdict": "", "sections": sections, "terms": terms(sections)}


def told(found: Mapping[str, Any]) -> str:
    models = dict.fromkeys(foreign(run["model"], 80) for run in found["runs"] if run["model"])
    return " · ".join(["perfcore compare", *models])


def gates(found: Sequence[Mapping[str, Any]]) -> Iterator[Block | None]:
    """Whether a limit was passed, in a word, and what of each."""
    if not found:
        return
    worst = next((one for one in EXIT if any(gate["verdict"] == one for gate in found)), KEPT)
    count = sum(gate["verdict"] == worst for gate in found)
    means = {HOLDS: "broken", KEPT: "kept"}.get(worst, worst)
    yield {
        "kind": "verdict",
        "title": "Limits",
        "word": WORDS.get(worst, worst),
        "look": LOOKS.get(worst, DOUBTFUL),
        "means": f"Limits that are {means}: {count} of {len(found)}.",
        "reasons": [],
        "term": "",
    }
    swept = ["point"] if any(gate.get("point") for gate in found) else []
    keys = ("limit", *swept, "b", "words")
    rows = [[WORDS.get(gate["verdict"], gate["verdict"]), *(foreign(gate[key]) for key in keys)] for gate in found]
    heads = ("", "limit", *swept, "run", "what was found")
    looked = [{HOLDS: WORSE, KEPT: BETTER}.get(gate["verdict"], "") for gate in found]
    shown_as = table("", heads, rows, names=len(heads))
    yield shown_as and shown_as | {"looks": looked, "marked": 0}


def run_table(runs: Sequence[Mapping[str, Any]], place: Path) -> Block | None:
    """What each letter stands for, with the way to the page of each run that has one."""
    rows = []
    shown_runs = [one for run in runs for one in (run, *run["repeats"])]
    for run in shown_runs:
        verdict = ", ".join(filter(None, (run["validity"], run["steady"]))).replace("_", " ")
        started = (run["started"] or NONE)[:19].replace("T", " ")
        texts = (run["name"], run["command"], run["model"], started)
        rows.append(
            [run["letter"], *(foreign(text or NONE, 80) for text in texts), number(run["requests"]), verdict or NONE]
        )
    heads = ("", "run", "command", "model", "started", "requests", "validity")
    found = table("", heads, rows)
    return found and found | {"numbers": [5], "links": [link(Path(run["folder"]), place) for run in shown_runs]}


def link(folder: Path, place: Path) -> str:
    """The way to the page of a run; none where there is no such file. It begins as no other scheme can."""
    return f"./{os.path.relpath(folder / 'report.html', place)}" if (folder / "report.html").is_file() else ""


def of_runs(found: Mapping[str, Any], sides: Sequence[Side]) -> Iterator[Block | None]:
    """The sections of runs against the first of them."""
    letters = [run["letter"] for run in found["runs"]]
    setup = found["setup"]
    yield section("setup", "What differs", [warned(setup["warnings"]), differing(setup["differences"], letters)])
    several = len(found["comparisons"]) > 1
    blocks = [side_by_side(found)] if several else []
    for one in found["comparisons"]:
        blocks += [*comparison(one, HEADLINES), folded(f"All metrics of {one['b']} and {one['a']}", comparison(one))]
    yield section("numbers", "Numbers", blocks)
    paired = any(one["paired"] for one in found["comparisons"])
    yield section("latency", "Latencies", [*distributions(sides), lines([PAIRED] if paired else (), "faint")])
    yield section("load", "Over time", over_time(sides))


def of_sweeps(found: Mapping[str, Any]) -> Iterator[Block | None]:
    """The sections of sweeps, point by point."""
    yield section("setup", "What differs", [warned(list(sweep_warnings(found["points"])))])
    yield section("load", "Over the load", over_load(found))
    for at, point in enumerate(found["points"]):
        letters = [point["comparisons"][0]["a"], *(one["b"] for one in point["comparisons"])]
        blocks = [block for one in point["comparisons"] for block in comparison(one, FEW)]
        all_of = [block for one in point["comparisons"] for block in comparison(one, HEADLINES)]
        blocks += [
            folded("More metrics", all_of),
            folded("What differs", [differing(point["setup"]["differences"], letters)]),
        ]
        yield section(f"point-{at}", foreign(point["point"], 80), blocks)
    yield section("left", "Not compared", [lines(foreign(line, 1000) for line in found["unmatched"])])


def warned(warnings: Sequence[str]) -> Block | None:
    """What a reader must know first."""
    if not warnings:
        return None
    word = "1 warning" if len(warnings) == 1 else f"{len(warnings)} warnings"
    reasons = [(DOUBTFUL, foreign(text, 1000), "") for text in warnings]
    heads = {"kind": "verdict", "title": "Read first:", "word": word, "look": DOUBTFUL}
    return heads | {"means": "", "reasons": reasons, "term": ""}


def sweep_warnings(points: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Warnings with the points that they are of, unless they are of all; each once."""
    by_text: dict[str, list[str]] = {}
    for point in points:
        for text in point["setup"]["warnings"]:
            by_text.setdefault(text, []).append(point["point"])
    for text, names in by_text.items():
        yield text if len(names) == len(points) else f"{text} ({'; '.join(names)})"


def differing(differences: Sequence[Mapping[str, Any]], letters: Sequence[str]) -> Block | None:
    """What the configurations have different."""
    rows = [
        [foreign(one["key"], 60), *map(shown, one["values"]), "yes" if one["matters"] else "hardly"]
        for one in differences
    ]
    heads_of = ("", *letters, "may change what is measured")
    return table("", heads_of, rows, names=len(heads_of)) or lines(["The configurations are the same."])


def side_by_side(found: Mapping[str, Any]) -> Block | None:
    """Values of all runs, each as it stands for itself."""
    by_name = [{row["name"]: row for row in one["rows"]} for one in found["comparisons"]]
    rows, keys = [], []
    for name in HEADLINES:
        held = [of.get(name) for of in by_name]
        first = next((row for row in held if row), None)
        if first:
            rows.append([first["title"], *map(number, (first["a"], *(row["b"] if row else None for row in held)))])
            keys.append(METRICS[name].key)
    return table("Side by side", ("", *(run["letter"] for run in found["runs"])), rows, terms=keys)


def comparison(one: Mapping[str, Any], names: Sequence[str] = tuple(METRICS)) -> Iterator[Block | None]:
    """One run against the first: the table of these metrics and of scores, and under it what is missing and why."""
    a, b = one["a"], one["b"]
    rows = {row["name"]: row for row in one["rows"]}
    kept = [rows[name] for name in names if name in rows] + [row for row in one["rows"] if row["name"] not in METRICS]
    heads = ("", a, b, f"{b} - {a}", "%", "95 % interval", "", "verdict")
    told = [[foreign(text) for text in (*cells(row), sure(row), row["words"])] for row in kept]
    keys = [METRICS[row["name"]].key if row["name"] in METRICS else "" for row in kept]
    found = table(f"{b} against {a}{in_head(one)}", heads, told, terms=keys)
    yield found and found | {"numbers": [1, 2, 3, 4, 5], "looks": [sure(row) for row in kept], "marked": 6}
    yield lines([in_short(b, kept)])
    yield lines([f"Requests: {foreign(one['words'], 1000)}.", *reasons(kept)], "faint")


def sure(row: Mapping[str, Any]) -> str:
    """Better or worse, where that is sure."""
    if not row["significant"] or row["better"] not in (LOWER, HIGHER):
        return ""
    return BETTER if (row["difference"] < 0) == (row["better"] == LOWER) else WORSE


def in_short(letter: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """How many of the metrics of a table are surely better, surely worse, or neither."""
    looks = [sure(row) for row in rows if row["better"] in (LOWER, HIGHER)]
    better, worse = looks.count(BETTER), looks.count(WORSE)
    told = f"{letter} is surely better in {better} of {len(looks)} of these metrics, and surely worse in {worse}."
    rest = len(looks) - better - worse
    return f"{told} Of the other {rest} nothing is sure." if rest else told


def reasons(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Why numbers and intervals are missing, each reason once."""
    why: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if row["why"]:
            kind = "Not compared" if row["difference"] is None else "No interval of"
            why.setdefault((kind, row["why"]), []).append(row["title"])
    for (kind, reason), titles in why.items():
        yield foreign(f"{kind} {', '.join(titles)}: {reason}.", 2000)


def over_load(found: Mapping[str, Any]) -> Iterator[Block | None]:
    """Metrics of all sweeps over the load; of several pairs of model and data set a curve each."""
    placed = [(*split(point["point"]), point) for point in found["points"]]
    kind = placed[0][1]
    placed = [one for one in placed if one[1] == kind and one[2] is not None]
    groups = list(dict.fromkeys(one[0] for one in placed))
    x = np.unique(np.array([one[2] for one in placed], np.float64))
    spread = bool(x.size and x[0] > 0 and x[-1] >= WIDE_LOADS * x[0])
    for name, unit in OVER_LOAD.items():
        curves: list[Block] = []
        for group in groups:
            at = {load: point for own, _, load, point in placed if own == group}
            for run in found["runs"]:
                values = [value_of(at[load], name, run["letter"]) if load in at else None for load in x.tolist()]
                text = " ".join(filter(None, (label(run["letter"], run["name"]), foreign(group, 40))))
                curves.append(curve(text, values, *look(len(curves))))
        metric = METRICS[name]
        title = f"{metric.title.replace(' (ms)', '')} over the load"
        yield plot(f"{name}-over-load", title, x, curves, kind, unit, dots=True, wide_x=spread, term=metric.key)


def split(point: str) -> tuple[str, str, float | None]:
    """Model and data set, kind of load and load of a point: `m, rate 1,000` (perfcore/report/compare_sweeps.py)."""
    group, _, load = point.rpartition(", ")
    kind, _, value = load.rpartition(" ")
    try:
        return group, kind, float(value.replace(",", ""))
    except ValueError:
        return group, kind, None


def value_of(point: Mapping[str, Any], name: str, letter: str) -> float | None:
    """A metric of one sweep at a point."""
    for one in point["comparisons"]:
        row = next((row for row in one["rows"] if row["name"] == name), None)
        key = "a" if one["a"] == letter else "b" if one["b"] == letter else None
        if row and key and row[key] is not None:
            return float(row[key])
    return None
