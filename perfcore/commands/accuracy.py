"""Scores of the answers of several runs, where they were scored, against those of the first."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from evaluators.errors import EvaluationError
from evaluators.statistics.result import Result, decode
from evaluators.statistics.significance import Comparison, compare_all, in_words
from perfcore.errors import UserError

RESULTS = "eval/results"


def scores(runs: Sequence[tuple[str, Path]]) -> tuple[list[dict[str, Any]], list[tuple[str, dict[str, Any]]]]:
    """Comparisons of each data set that the first and another run have scores of, and rows of them by letter.

    `runs`: letters and folders. p values are corrected for the number of runs. Raises UserError.
    """
    found = [(letter, results_in(folder)) for letter, folder in runs]
    several = any(len({one.model for one in results}) > 1 for _, results in found)
    told: list[dict[str, Any]] = []
    rows: list[tuple[str, dict[str, Any]]] = []
    for first in found[0][1]:
        same = [(letter, one) for letter, results in found for one in results if matches(first, one, several)]
        own = [replace(one, model=letter) for letter, one in same]
        name = f"{first.model}/{first.dataset}" if several else first.dataset
        for one in compare_all(own) if len(own) > 1 and same[0][0] == found[0][0] else []:
            told.append(entry(one, name))
            rows.append((one.b, row(one, name)))
    return told, rows


def results_in(folder: Path) -> list[Result]:
    """What was found when the answers of a run were scored; empty where they were not."""
    try:
        return [decode(file.read_bytes(), str(file)) for file in sorted((folder / RESULTS).glob("*/*.json"))]
    except EvaluationError as error:
        raise UserError(str(error)) from None


def matches(first: Result, other: Result, several: bool) -> bool:
    """Whether two results answer the same questions; of runs of one model each, whatever it is called."""
    return first.dataset == other.dataset and (not several or first.model == other.model)


def entry(one: Comparison, name: str) -> dict[str, Any]:
    """A comparison of scores as plain data; scores are shares of 1."""
    fields = {key: getattr(one, key) for key in one.__struct_fields__}
    return fields | {"dataset": name, "significant": one.significant, "words": in_words(one)}


def row(one: Comparison, name: str) -> dict[str, Any]:
    """The same as a row of the table, in percentage points."""
    known = one.difference is not None
    ends = None if one.low is None or one.high is None else [100 * one.low, 100 * one.high]
    return {
        "name": f"score:{name}",
        "title": f"Score of {name} (%)",
        "unit": "pp",
        "better": "higher",
        "a": None if one.a_score is None else 100 * one.a_score,
        "b": None if one.b_score is None else 100 * one.b_score,
        "difference": 100 * one.difference if one.difference is not None else None,
        "difference_ci95": ends,
        "percent": None,
        "percent_ci95": None,
        "significant": one.significant if known else None,
        "paired": known,
        "words": words(one),
        "why": one.why or None,
    }


def words(one: Comparison) -> str:
    """The verdict."""
    if one.difference is None:
        return "not compared"
    if not one.significant:
        return "no significant difference"
    return f"{'higher' if one.difference > 0 else 'lower'} by {abs(100 * one.difference):.1f} pp"
