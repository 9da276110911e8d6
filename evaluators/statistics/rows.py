"""Results of several models on several data sets, put side by side: what rows of the summary there are."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from evaluators.errors import EvaluationError
from evaluators.statistics.figures import member_of
from evaluators.statistics.groups import Member, group_of
from evaluators.statistics.result import Counts, Group, Measure, Result
from evaluators.statistics.significance import Comparison, compare_all


class Cell(NamedTuple):
    """One figure of one model."""

    measure: Measure
    counts: Counts


class Row(NamedTuple):
    """One figure of one data set, or of one of its subsets, by model."""

    dataset: str
    subset: str
    version: str
    metric: str
    mode: str
    cells: Mapping[str, Cell]


def models_of(results: Sequence[Result]) -> list[str]:
    return list(dict.fromkeys(result.model for result in results))


def sets_of(results: Sequence[Result]) -> list[list[Result]]:
    """Results of the same data set; raises EvaluationError where a model has two of one."""
    sets: dict[str, dict[str, Result]] = {}
    for result in results:
        models = sets.setdefault(result.dataset, {})
        if result.model in models:
            raise EvaluationError(
                f"model {result.model!r} has two results of {result.dataset!r}; leave one of them out"
            )
        models[result.model] = result
    return [list(models.values()) for models in sets.values()]


def rows_of(results: Sequence[Result], everything: bool) -> list[Row]:
    """Rows of the data sets. Without `everything` those of k answers are only there for the largest k."""
    return [row for same in sets_of(results) for row in rows_of_set(same, everything)]


def rows_of_set(results: Sequence[Result], everything: bool) -> Iterator[Row]:
    """What was asked or scored differently has rows of its own, so that nobody compares it."""
    for kind in dict.fromkeys((one.version, one.mode) for one in results):
        alike = [one for one in results if (one.version, one.mode) == kind]
        shown = {one.model: [m for m in one.measures if everything or is_main(m.name, one)] for one in alike}
        for name in dict.fromkeys(m.name for measures in shown.values() for m in measures):
            cells = {one.model: Cell(m, one.counts) for one in alike for m in shown[one.model] if m.name == name}
            yield Row(alike[0].dataset, "", kind[0], name, kind[1], cells)


def is_main(name: str, result: Result) -> bool:
    """Whether a figure is worth a row for a reader in a hurry: of those of k answers the one of all, without G-Pass."""
    largest = max((int(k) for k in (k_of(m.name) for m in result.measures) if k), default=0)
    return not name.startswith("G-Pass@") and k_of(name) in ("", str(largest))


def k_of(name: str) -> str:
    """k of `pass@k`, `pass^k`, `cons@k`; empty for other names."""
    kind, k = name[:5], name[5:]
    return k if kind in ("pass@", "pass^", "cons@") and k.isdecimal() else ""


def subset_rows_of(results: Sequence[Result], everything: bool) -> list[Row]:
    """A row for each subset and figure; without `everything` only its score."""
    return [row for same in sets_of(results) for row in subset_rows_of_set(same, everything)]


def subset_rows_of_set(results: Sequence[Result], everything: bool) -> Iterator[Row]:
    found: dict[tuple[str, str, str, str], dict[str, Cell]] = {}
    for result in results:
        for subset in result.subsets:
            for measure in subset.measures if everything else subset.measures[:1]:
                key = (result.version, result.mode, subset.name, measure.name)
                found.setdefault(key, {})[result.model] = Cell(measure, subset.counts)
    for (version, mode, subset_name, metric), cells in found.items():
        yield Row(results[0].dataset, subset_name, version, metric, mode, cells)


def groups_of(results: Sequence[Result], groups: Mapping[str, Sequence[str]]) -> list[tuple[str, str, Group]]:
    """(data set, model, group): those of each data set, then those of several, whose data set is empty.

    Members of the latter are `dataset`, or `dataset/subset`.
    """
    own = [(result.dataset, result.model, group) for result in results for group in result.groups]
    order = {dataset: at for at, dataset in enumerate(dict.fromkeys(result.dataset for result in results))}
    own.sort(key=lambda one: order[one[0]])
    return own + [
        ("", model, group_of(name, wanted, members))
        for name, wanted in groups.items()
        for model in models_of(results)
        for members in [members_of([result for result in results if result.model == model])]
    ]


def members_of(results: Sequence[Result]) -> dict[str, Member]:
    """Scores of one model by name of data set, and of data set and subset."""
    scores = {result.dataset: result.measures[0] for result in results}
    scores |= {f"{one.dataset}/{subset.name}": subset.measures[0] for one in results for subset in one.subsets}
    return {name: member for name, score in scores.items() if (member := member_of(score)) is not None}


def comparisons_of(results: Sequence[Result]) -> list[Comparison]:
    """On each data set all models against the first that has it."""
    return [comparison for same in sets_of(results) for comparison in compare_all(same)]
