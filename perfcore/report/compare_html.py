"""The page of a comparison: its JSON (docs/compare.md) as tables, and the curves of all runs on the same axes.

It is shown by the script of report.html (perfcore/report/html.py), and as strict about what the runs say.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from perfcore.analysis import counts, inflight, notes, pairing
from perfcore.analysis.measured import flight, select, window
from perfcore.analysis.windowed import round_up
from perfcore.records import reading, store
from perfcore.report.compare import Side
from perfcore.report.compare_gate import EXIT, HOLDS, KEPT
from perfcore.report.compare_metrics import FEW, HEADLINES, HIGHER, LOWER, METRICS
from perfcore.report.compare_setup import shown
from perfcore.report.compare_text import cells
from perfcore.report.files import write
from perfcore.report.html import SCHEMA, page, terms
from perfcore.report.html_blocks import Block, Floats, curve, folded, foreign, lines, plot, section, table
from perfcore.report.html_latency import PANELS, WIDE, points
from perfcore.report.html_series import COLOURS
from perfcore.report.html_series import WIDE as WIDE_LOADS
from perfcore.report.html_time import FINE, NS_PER_S, X_LABEL, credited, step_of
from perfcore.report.html_words import BAD, DOUBTFUL, GOOD
from perfcore.report.text import NONE, number

NAME = "compare.html"
MOST_POINTS = 2000  # of a distribution, or many runs would make a large page
PAIRED = "In pairs, the tables are of the requests that ran in both; these curves are of all requests of each run."
WORDS = {HOLDS: "fail", KEPT: "pass"}
LOOKS = {HOLDS: BAD, KEPT: GOOD}
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
    compared = section("runs", "What is compared", [run_table(found["runs"], place)])
    sections = [one for one in (limits, compared, *drawn, scores) if one is not None]
    heads: Block = {"schema": SCHEMA, "title": f"{name}: perfcore compare", "heading": name, "sub": told(found)}
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
    yield table("", heads, rows, names=len(heads))


def run_table(runs: Sequence[Mapping[str, Any]], place: Path) -> Block | None:
    """What each letter stands for, with the way to the page of each run that has one."""
    rows = []
    for run in runs:
        verdict = ", ".join(filter(None, (run["validity"], run["steady"]))).replace("_", " ")
        started = (run["started"] or NONE)[:19].replace("T", " ")
        texts = (run["name"], run["command"], run["model"], started)
        rows.append(
            [run["letter"], *(foreign(text or NONE, 80) for text in texts), number(run["requests"]), verdict or NONE]
        )
    heads = ("", "run", "command", "model", "started", "requests", "validity")
    found = table("", heads, rows)
    return found and found | {"numbers": [5], "links": [link(Path(run["folder"]), place) for run in runs]}


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
    found = table(f"{b} against {a}", heads, told, terms=keys)
    yield found and found | {"numbers": [1, 2, 3, 4, 5]}
    yield lines([f"Requests: {foreign(one['words'], 1000)}.", *reasons(kept)], "faint")


def sure(row: Mapping[str, Any]) -> str:
    """Better or worse, where that is sure."""
    if not row["significant"] or row["better"] not in (LOWER, HIGHER):
        return ""
    return "better" if (row["difference"] < 0) == (row["better"] == LOWER) else "worse"


def reasons(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Why numbers and intervals are missing, each reason once."""
    why: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if row["why"]:
            kind = "Not compared" if row["difference"] is None else "No interval of"
            why.setdefault((kind, row["why"]), []).append(row["title"])
    for (kind, reason), titles in why.items():
        yield foreign(f"{kind} {', '.join(titles)}: {reason}.", 2000)


def label(letter: str, name: str) -> str:
    return f"{letter} {foreign(name, 30)}"


def look(place: int) -> tuple[str, bool]:
    """Colour and dashes of a run; what is next to each other differs in both."""
    return COLOURS[place % len(COLOURS)], (place + place // len(COLOURS)) % 2 == 1


def distributions(sides: Sequence[Side]) -> Iterator[Block | None]:
    """The share of the requests of each run (of gaps, for ITL) that took at most so long."""
    for name, (title, _) in PANELS.items():
        yield distribution(name, title, sides)


def distribution(name: str, title: str, sides: Sequence[Side]) -> Block | None:
    """Curves of all runs over one axis: at each of its times every run has its exact share."""
    samples = [np.sort(pairing.sample(one.taken, f"{name}_ms").values) for one in sides]
    known = [values for values in samples if values.size]
    if not known:
        return None
    x = thinned(np.unique(np.concatenate([points(values) for values in known])), known)
    if x.size == 1:
        x = x * np.array([0.9, 1.0, 1.1])  # all are the same: a step
    curves = [
        curve(label(one.letter, one.name), values.searchsorted(x, side="right") / values.size, *look(place))
        for place, (one, values) in enumerate(zip(sides, samples, strict=True))
        if values.size
    ]
    wide = any(values[0] > 0 and values[-1] > WIDE * np.median(values) for values in known)
    sizes = (f"{values.size:,} in {one.letter}" for one, values in zip(sides, samples, strict=True) if values.size)
    missing = [one.letter for one, values in zip(sides, samples, strict=True) if not values.size]
    note = f"Values: {', '.join(sizes)}." + (f" None in {', '.join(missing)}." if missing else "")
    more: dict[str, Any] = {"share": True, "log": wide, "note": note, "term": f"latency.{name}_ms"}
    return plot(name, title, x, curves, "ms", "share at most this long", **more)


def thinned(x: Floats, known: Sequence[Floats]) -> Floats:
    """At most MOST_POINTS of them, and both ends of every sample."""
    if x.size <= MOST_POINTS:
        return x
    kept = x[np.linspace(0, x.size - 1, MOST_POINTS).astype(np.int64)]
    found: Floats = np.unique(np.concatenate([kept, *(values[[0, -1]] for values in known)]))
    return found


def over_time(sides: Sequence[Side]) -> Iterator[Block | None]:
    """Requests in flight and output tokens per second, each run from the time when its first request was due."""
    bounds = [window(one.taken.requests) for one in sides]
    timed = [(at, one, ends) for at, (one, ends) in enumerate(zip(sides, bounds, strict=True)) if ends is not None]
    longest = max((stop - start for _, _, (start, stop) in timed), default=0)
    if longest <= 0:
        yield lines(["No measured request was recorded with its times."])
        return
    length = round_up(longest / FINE)
    edges = steps(longest, length)
    flights, rates, without = [], [], []
    for place, one, (start, stop) in timed:
        own, name = start + steps(stop - start, length), label(one.letter, one.name)
        flights.append(curve(name, padded(in_flight(one, own), edges), *look(place)))
        tokens = token_rates(one, own)
        if tokens is None:
            without.append(one.letter)
        else:
            rates.append(curve(name, padded(tokens, edges), *look(place)))
    note = f"{edges.size - 1:,} steps of {length / NS_PER_S:g} s." + windows(timed)
    more: dict[str, Any] = {"steps": True, "time": True}
    x, term = edges / NS_PER_S, {"note": note, "term": "concurrency.mean"}
    yield plot("in-flight", "Requests in flight, mean of a step", x, flights, X_LABEL, "requests", **more, **term)
    none = f" No times of tokens in {', '.join(without)}." if without else ""
    term = {"note": note + none, "term": "throughput.output_tokens_per_s"}
    title = "Output tokens per second, at the time of their events"
    yield plot("tokens", title, x, rates, X_LABEL, "tokens/s", **more, **term)


def steps(span_ns: float, length: float) -> Floats:
    """Edges from 0 on; the last step ends with the run and is half to one and a half times as long as the others."""
    count = max(1, int(span_ns / length + 0.5))
    return np.append(np.arange(count) * length, float(span_ns))


def padded(values: Floats, edges: Floats) -> Floats:
    """The same with NaN, which is not drawn, for the steps after the end of a run."""
    return np.append(values, np.full(edges.size - 1 - values.size, np.nan))


def windows(timed: Sequence[tuple[int, Side, tuple[int, int]]]) -> str:
    """Where the windows of steady runs lie."""
    found = [
        f"{one.letter} {' to '.join(number((held[edge] - start) / NS_PER_S) for edge in ('start_ns', 'end_ns'))} s"
        for _, one, (start, _) in timed
        if (held := one.metrics.get("window"))
    ]
    return f" Measured windows: {', '.join(found)}." if found else ""


def in_flight(one: Side, edges: Floats) -> Floats:
    """Mean number of requests in flight by step."""
    # A journal that was removed says nothing of workers that died.
    told = store.notes_of(one.folder) if (one.folder / store.JOURNAL).is_file() else ()
    flown = flight(one.taken.requests, notes.deaths(tuple(told)))
    return inflight.means(flown.sent_ns, flown.end_ns, edges)


def token_rates(one: Side, edges: Floats) -> Floats | None:
    """Output tokens per second by step; None where the times of tokens were not kept, or none came."""
    requests = one.taken.requests
    each, whole = credited(requests, select(requests))
    found, events = np.zeros(edges.size - 1), 0
    for t_ns, row in reading.token_events(one.folder, requests):
        mine = row >= 0
        found += np.bincount(step_of(t_ns[mine], edges), each[row[mine]], found.size)
        events += int(mine.sum())
    if each.any() and not events:
        return None
    made = counts.output_tokens(requests, whole)
    found += np.bincount(step_of(requests.end_ns[whole], edges), made, found.size)
    return found / (np.diff(edges) / NS_PER_S) if found.any() else None


def over_load(found: Mapping[str, Any]) -> Iterator[Block | None]:
    """Metrics of all sweeps over the load; of several pairs of model and data set a curve each."""
    placed = [(*split(point["point"]), point) for point in found["points"]]
    kind = placed[0][1]
    placed = [one for one in placed if one[1] == kind and one[2] is not None]
    groups = list(dict.fromkeys(one[0] for one in placed))
    x = np.unique(np.array([one[2] for one in placed], np.float64))
    wide = bool(x.size and x[0] > 0 and x[-1] >= WIDE_LOADS * x[0])
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
        yield plot(f"{name}-over-load", title, x, curves, kind, unit, dots=True, wide_x=wide, term=metric.key)


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
