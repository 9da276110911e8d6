"""Results of models on data sets for people (text, Markdown: percent with one decimal) and programs (CSV, JSON)."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from evaluators.statistics import grid
from evaluators.statistics.grid import Column
from evaluators.statistics.result import COUNTS, NO_ITEMS, VIEWS, Measure, Result, Slice
from evaluators.statistics.rows import Cell, Row, comparisons_of, groups_of, models_of, rows_of, sets_of, subset_rows_of
from evaluators.statistics.significance import in_words

WIDTH = 100
NOTHING = "-"
FEW = 5  # names in a note
Groups = Mapping[str, Sequence[str]]
Table = tuple[str, list[Column], list[list[str]]]  # title, columns, rows


def text(results: Sequence[Result], width: int = WIDTH, groups: Groups | None = None, details: bool = False) -> str:
    """Tables that fit the width, then comparisons and notes.

    `groups` names groups of data sets (`mmlu`) or subsets of them (`mmlu/anatomy`). `details` adds scores by finish
    reason and by length of the answers. Raises EvaluationError where a model has two results of one data set.
    """
    parts = [
        f"{title}\n\n{grid.text(columns, rows, width)}" for title, columns, rows in tables(results, groups, details)
    ]
    return "\n".join(parts + [f"{title}\n\n{listed(lines)}" for title, lines in remarks(results, groups)])


def markdown(results: Sequence[Result], groups: Groups | None = None) -> str:
    """The same with all details, of which each table is in one piece."""
    parts = [f"## {title}\n\n{grid.markdown(columns, rows)}" for title, columns, rows in tables(results, groups, True)]
    notes = [(title, [grid.escaped(line) for line in lines]) for title, lines in remarks(results, groups)]
    return "\n".join(parts + [f"## {title}\n\n{listed(lines)}" for title, lines in notes])


def listed(lines: Iterable[str]) -> str:
    return "".join(f"- {line}\n" for line in lines)


def tables(results: Sequence[Result], groups: Groups | None, details: bool) -> list[Table]:
    """Those that have rows."""
    models = models_of(results)
    found = [
        ("Scores in percent", *score_table(rows_of(results, False), models)),
        ("Answers, and the score by which of them count", *answer_table(results)),
        ("Groups", *group_table(results, groups or {})),
        ("Subsets", *subset_table(subset_rows_of(results, False), models)),
    ]
    if details:
        found.append(("Scores by finish reason", *slice_table(results, "finish reason", lambda one: one.by_finish)))
        loads = slice_table(results, "in flight", lambda one: one.by_concurrency)
        found.append(("Scores by requests in flight", *loads))
        found.append(("Scores by length", *slice_table(results, "length", lambda one: one.by_length)))
    return [table for table in found if table[2]]


def score_table(rows: Sequence[Row], models: Sequence[str]) -> tuple[list[Column], list[list[str]]]:
    """One column for each model; of a single one score and interval have a column each."""
    names = [Column(name, fixed=True, name=True) for name in ("dataset", "version", "metric", "mode")]
    figures = [Column(name, fixed=True) for name in ("n", "failed", "extracted %")]
    cells = [[row.dataset, row.version or NOTHING, row.metric, row.mode, *completeness(row)] for row in rows]
    return names + figures + model_columns(models), [
        cell + of_models(row, models) for cell, row in zip(cells, rows, strict=True)
    ]


def subset_table(rows: Sequence[Row], models: Sequence[str]) -> tuple[list[Column], list[list[str]]]:
    """Like the table of scores, without what all subsets of a data set have in common."""
    names = [Column(name, fixed=True, name=True) for name in ("dataset", "subset")]
    figures = [Column(name, fixed=True) for name in ("n", "failed", "extracted %")]
    cells = [[row.dataset, row.subset or NOTHING, *completeness(row)] for row in rows]
    return names + figures + model_columns(models), [
        cell + of_models(row, models) for cell, row in zip(cells, rows, strict=True)
    ]


def model_columns(models: Sequence[str]) -> list[Column]:
    if len(models) == 1:
        return [Column(models[0], name=True), Column("95 % interval")]
    return [Column(model, name=True) for model in models]


def of_models(row: Row, models: Sequence[str]) -> list[str]:
    found = [row.cells.get(model) for model in models]
    if len(models) == 1 and found[0] is not None:
        return [figure(found[0].measure), interval(found[0].measure)]
    return [NOTHING if cell is None else f"{figure(cell.measure)} {interval(cell.measure)}".strip() for cell in found]


def completeness(row: Row) -> list[str]:
    """n, failed and extracted share; where models differ from the least to the largest."""
    counts = [cell.counts for cell in row.cells.values()]
    shares = [None if one.extracted_share is None else 100 * one.extracted_share for one in counts]
    return [
        spread([cell.measure.items for cell in row.cells.values()], "{:,}"),
        spread([one.failed for one in counts], "{:,}"),
        spread([share for share in shares if share is not None], "{:.1f}"),
    ]


def spread(values: Sequence[float], form: str) -> str:
    ends = list(dict.fromkeys(form.format(end) for end in (min(values), max(values)))) if values else [NOTHING]
    return " to ".join(ends)


def figure(measure: Measure) -> str:
    """A share as percent; another number with four digits."""
    if measure.value is None:
        return NOTHING
    return percent(measure.value) if measure.unit == "share" else f"{measure.value:.4g}"


def interval(measure: Measure) -> str:
    """[from, to], or nothing."""
    if measure.low is None or measure.high is None:
        return ""
    form = percent if measure.unit == "share" else "{:.4g}".format
    return f"[{form(measure.low)}, {form(measure.high)}]"


def percent(share: float | None) -> str:
    return NOTHING if share is None else f"{100 * share:.1f}"


def answer_table(results: Sequence[Result]) -> tuple[list[Column], list[list[str]]]:
    """What became of the answers, and the score over all that was asked and over those that were complete."""
    names = [Column(name, fixed=True, name=True) for name in ("dataset", "model")]
    rows = []
    for result in in_order(results):
        counts = [f"{getattr(result.counts, name):,}" for name in COUNTS]
        scores = [percent(getattr(result.views, name).value) for name in VIEWS]
        rows.append([result.dataset, result.model, *counts, *scores])
    return names + [Column(title, name=True) for title in (*COUNTS.values(), *VIEWS.values())], rows


def in_order(results: Sequence[Result]) -> list[Result]:
    """Data set by data set."""
    return [result for same in sets_of(results) for result in same]


def group_table(results: Sequence[Result], groups: Groups) -> tuple[list[Column], list[list[str]]]:
    """A row for each group and model."""
    names = [Column(name, fixed=True, name=True) for name in ("dataset", "group", "model")]
    titles = ("members", "n", "naive average", "weighted average", "harmonic mean", "standard deviation", "sum")
    rows = []
    for dataset, model, group in groups_of(results, groups):
        there, wanted = len(group.members), len(group.members) + len(group.missing)
        averages = [f"{figure(one)} {interval(one)}".strip() for one in (group.naive, group.weighted)]
        further = [percent(value) for value in (group.harmonic, group.deviation, group.sum)]
        members = f"{there}" if there == wanted else f"{there} of {wanted}"
        rows.append([dataset or NOTHING, group.name, model, members, f"{group.items:,}", *averages, *further])
    return names + [Column(title, name=True) for title in titles], rows


def slice_table(
    results: Sequence[Result], title: str, slices: Callable[[Result], Sequence[Slice]]
) -> tuple[list[Column], list[list[str]]]:
    """Scores of some of the answers; how long they are is in characters."""
    names = [Column(name, fixed=True, name=True) for name in ("dataset", "model", title)]
    rows = [
        [result.dataset, result.model, one.label, *slice_cells(one)]
        for result in in_order(results)
        for one in slices(result)
    ]
    return [*names, Column("characters"), Column("answers"), Column("score")], rows


def slice_cells(one: Slice) -> list[str]:
    lengths = [] if one.shortest is None or one.longest is None else [one.shortest, one.longest]
    return [spread(lengths, "{:,}"), f"{one.answers:,}", percent(one.score)]


def remarks(results: Sequence[Result], groups: Groups | None) -> Iterator[tuple[str, list[str]]]:
    """Comparisons of models, and what has to be known of the figures."""
    compared = [grid.clean(in_words(one)) for one in comparisons_of(results)]
    if compared:
        yield "Differences between models", compared
    notes = [f"{one.dataset}, {one.model}: {note}" for one in in_order(results) for note in one.notes]
    for dataset, model, group in groups_of(results, groups or {}):
        if group.missing:
            notes.append(f"{dataset or 'group'} {group.name}, {model}: missing {shortened(group.missing)}")
    for row in rows_of(results, False):
        notes += [f"{row.dataset}, {model}: {row.metric} {cell.measure.note}" for model, cell in noted(row)]
    if notes:
        yield "Notes", [grid.clean(note) for note in notes]


def noted(row: Row) -> list[tuple[str, Cell]]:
    return [(model, cell) for model, cell in row.cells.items() if cell.measure.note]


def shortened(names: Sequence[str]) -> str:
    """Some of the names, and how many more there are."""
    some = ", ".join(names[:FEW])
    return some if len(names) <= FEW else f"{some} and {len(names) - FEW} more"


def csv_text(results: Sequence[Result], groups: Groups | None = None) -> str:
    """A line for each figure of each data set, subset and group; shares are percent with four decimals.

    A model has the columns MODEL, `MODEL low`, `MODEL high`, `MODEL n`, `MODEL failed` and `MODEL extracted`.
    """
    models = models_of(results)
    file = io.StringIO()
    further = [f"{model}{name}" for model in models for name in ("", " low", " high", " n", " failed", " extracted")]
    lines = csv.writer(file, lineterminator="\n")
    lines.writerow(["kind", "dataset", "subset", "version", "metric", "mode", *further])
    for kind, rows in (("dataset", rows_of(results, True)), ("subset", subset_rows_of(results, True))):
        for row in rows:
            cells = [value for model in models for value in csv_cells(row.cells.get(model))]
            lines.writerow([kind, row.dataset, row.subset, row.version, row.metric, row.mode, *cells])
    for dataset, name, metric, by_model in group_figures(results, groups or {}):
        cells = [value for model in models for value in csv_group_cells(by_model.get(model))]
        lines.writerow(["group", dataset, name, "", metric, "", *cells])
    return file.getvalue()


def csv_cells(cell: Cell | None) -> list[str]:
    if cell is None:
        return [""] * 6
    one, counts = cell
    figures = [csv_number(value, one) for value in (one.value, one.low, one.high)]
    extracted = "" if counts.extracted_share is None else f"{100 * counts.extracted_share:.4f}"
    return [*figures, str(one.items), str(counts.failed), extracted]


def csv_number(value: float | None, measure: Measure) -> str:
    if value is None:
        return ""
    return f"{100 * value:.4f}" if measure.unit == "share" else repr(value)


def csv_group_cells(measure: Measure | None) -> list[str]:
    if measure is None:
        return [""] * 6
    return [
        *(csv_number(value, measure) for value in (measure.value, measure.low, measure.high)),
        str(measure.items),
        "",
        "",
    ]


def group_figures(results: Sequence[Result], groups: Groups) -> list[tuple[str, str, str, dict[str, Measure]]]:
    """(data set, group, figure, figure by model)."""
    found: dict[tuple[str, str, str], dict[str, Measure]] = {}
    for dataset, model, group in groups_of(results, groups):
        plain = {"harmonic mean": group.harmonic, "standard deviation": group.deviation, "sum": group.sum}
        figures = {"naive average": group.naive, "weighted average": group.weighted}
        figures |= {name: Measure(name=name, value=value, items=group.items) for name, value in plain.items()}
        for name, measure in figures.items():
            found.setdefault((dataset, group.name, name), {})[model] = measure
    return [(*key, by_model) for key, by_model in found.items()]


def as_json(results: Sequence[Result], groups: Groups | None = None) -> dict[str, Any]:
    """Everything, unrounded, shares from 0 to 1: models, results without their single items, groups, comparisons."""
    grouped = groups_of(results, groups or {})
    whole = {
        "models": models_of(results),
        "results": [msgspec.structs.replace(result, items=NO_ITEMS) for result in in_order(results)],
        "groups": [{"dataset": d or None, "model": model, "group": group} for d, model, group in grouped],
        "comparisons": comparisons_of(results),
    }
    found: dict[str, Any] = msgspec.to_builtins(whole)
    for result in found["results"]:
        del result["items"]
    return found
