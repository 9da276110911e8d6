"""From the scored answers of one model to one data set to all its figures."""

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evaluators.errors import EvaluationError
from evaluators.scored import Scored
from evaluators.statistics import counting, repeats
from evaluators.statistics.counting import RIGHT, Answers, Flags, Values
from evaluators.statistics.groups import Member, group_of
from evaluators.statistics.intervals import Interval, of_numbers, of_ratio, of_shares
from evaluators.statistics.result import Group, Items, Measure, Mode, Result, Subset, Unit, Views

Truncated = Literal["wrong", "scored"]
Index = NDArray[np.int64]
TAU = 0.5  # share of right answers that G-Pass@k is given for
EVERYTHING = "all subsets"


class Table(NamedTuple):
    """One entry for each item."""

    answers: Answers
    counted: Index  # answers that are in the denominators: all but those whose evaluator failed
    score: Values  # nan where none is counted
    strict: Values  # sums over answers
    lenient: Values
    completed: Values
    complete: Values  # answers that have text and came to their end
    further: Mapping[str, Values]  # pass@k and the like by name; nan where they cannot be said
    parts: Mapping[str, tuple[Values, Unit]]
    binary: bool
    repeats: int


def result_of(
    scored: Iterable[Scored],
    *,
    model: str,
    dataset: str,
    metric: str = "accuracy",
    evaluator: str = "",
    version: str = "",
    mode: Mode = "gen",
    repeats: int = 1,
    ks: Sequence[int] | None = None,
    groups: Mapping[str, Sequence[str]] | None = None,
    totals: Mapping[str, float] | None = None,
    plain: Collection[str] = (),
    truncated: Truncated = "wrong",
    vote: bool = True,
) -> Result:
    """Everything that is known of these answers. Shares are from 0 to 1.

    `repeats` is how many answers each question should have, `ks` the k of pass@k and the like (else powers of 2 and
    all), `groups` names groups of subsets. `totals` are further figures of the whole set, `plain` the names of those
    totals and parts that are no shares. `truncated` says what an answer is worth that its greatest length ended: in
    perplexity mode always its score. `vote` false leaves out cons@k, where what is extracted is no answer.

    Raises EvaluationError if there are no answers, an answer comes twice, a score is not in 0..1, or k > n.
    """
    answers = counting.answers_of(scored)
    if not answers.lines:
        raise EvaluationError(f"data set {dataset!r} has no answers of model {model!r}; collect some first")
    table = table_of(answers, repeats, ks, plain, truncated == "wrong" and mode == "gen", vote)
    subsets = [subset_of(table, metric, name, items, lines) for name, items, lines in parted(answers)]
    whole = subset_of(table, metric, "", np.arange(len(answers.firsts)), np.arange(len(answers.lines)))
    return Result(
        model=model,
        dataset=dataset,
        metric=metric,
        version=version,
        mode=mode,
        evaluator=evaluator,
        repeats=table.repeats,
        binary=table.binary,
        counts=whole.counts,
        measures=whole.measures
        + [total(name, value, len(answers.firsts), plain) for name, value in (totals or {}).items()],
        views=whole.views,
        subsets=subsets if len(subsets) > 1 or subsets[0].name else [],
        groups=groups_of(subsets, groups or {}),
        by_finish=counting.by_finish(answers),
        by_length=counting.by_length(answers),
        notes=notes_of(whole, table.repeats),
        items=items_of(table),
    )


def table_of(
    answers: Answers, asked: int, ks: Sequence[int] | None, plain: Collection[str], strictly: bool, vote: bool
) -> Table:
    """Figures of each item."""
    size = len(answers.firsts)

    def summed(values: Values) -> Values:
        return np.bincount(answers.item, values, minlength=size).astype(np.float64, copy=False)

    known = ~answers.broken
    lenient = np.where(known, answers.score, 0.0)
    strict = np.where(answers.truncated, 0.0, lenient)
    complete = answers.looked_at & ~answers.truncated & ~answers.cut_off
    worth = strict if strictly else lenient
    counted = summed(known.astype(np.float64)).astype(np.int64)
    n = max(asked, int(np.bincount(answers.item).min()))
    binary = counting.is_binary(answers)
    chosen = repeats.sizes(ks, n)  # refuses a k above n for graded scores too
    mute = answers.failed | (answers.truncated & strictly)
    further = further_of(answers, worth, counted, summed, chosen, mute if vote else None) if binary else {}
    return Table(
        answers=answers,
        counted=counted,
        score=ratio(summed(worth), counted),
        strict=summed(strict),
        lenient=summed(lenient),
        completed=summed(np.where(complete, lenient, 0.0)),
        complete=summed(complete.astype(np.float64)),
        further=further,
        parts=parts_of(answers, summed, plain, answers.truncated & strictly),
        binary=binary,
        repeats=n,
    )


def ratio(sums: Values, counts: Index) -> Values:
    """nan where nothing is counted."""
    found = np.full(len(sums), np.nan)
    found[counts > 0] = sums[counts > 0] / counts[counts > 0]
    return found


def further_of(
    answers: Answers,
    worth: Values,
    counted: Index,
    summed: Callable[[Values], Values],
    ks: Sequence[int],
    mute: Flags | None,
) -> dict[str, Values]:
    """What k answers would get, of each item; only those answers count whose evaluator did not fail.

    Answers that are `mute` have no vote; None: there is no vote at all.
    """
    right = summed((~answers.broken & (worth >= RIGHT)).astype(np.float64)).astype(np.int64)
    found: dict[str, Values] = {}
    for k in ks:
        found[f"pass@{k}"] = repeats.over_items(repeats.pass_at_k, counted, right, k)
        found[f"pass^{k}"] = repeats.over_items(repeats.pass_hat_k, counted, right, k)
        found[f"G-Pass@{k} (tau {TAU})"] = repeats.over_items(repeats.g_pass(TAU), counted, right, k)
    if mute is not None:
        votes = votes_of(answers, worth, counted, ks, mute)
        found |= {f"cons@{k}": values for k, values in zip(ks, votes, strict=True)}
    return found


def votes_of(answers: Answers, worth: Values, counted: Index, ks: Sequence[int], mute: Flags) -> list[Values]:
    """cons@k of each item, for each k."""
    kept = np.flatnonzero(~answers.broken).tolist()
    silent, lines = mute.tolist(), answers.lines
    extracted = [None if silent[at] else lines[at].extracted for at in kept]
    scores = worth[kept].tolist()
    ends = np.cumsum(counted).tolist()
    spans = list(zip([0, *ends[:-1]], ends, strict=True))
    return [np.array([repeats.cons_at_k(extracted[a:b], scores[a:b], k) for a, b in spans], np.float64) for k in ks]


def parts_of(
    answers: Answers, summed: Callable[[Values], Values], plain: Collection[str], wrong: Flags
) -> dict[str, tuple[Values, Unit]]:
    """Means of further measures over each item's answers, and their units.

    What every answer that was looked at has, and is a share, has the denominator of the score: an answer that is wrong
    for having failed is 0 here too. Others are means over the answers that have them.
    """
    names = dict.fromkeys(name for line in answers.lines for name in line.parts)
    return {name: part_of(name, answers, summed, plain, wrong) for name in names}


def part_of(
    name: str, answers: Answers, summed: Callable[[Values], Values], plain: Collection[str], wrong: Flags
) -> tuple[Values, Unit]:
    """Of each item, nan where none of its answers has it."""
    values = np.array([line.parts.get(name, np.nan) for line in answers.lines], np.float64)
    values[answers.broken] = np.nan
    values[~np.isfinite(values)] = np.nan
    known = ~np.isnan(values)
    share = name not in plain and bool(np.all((values[known] >= 0.0) & (values[known] <= 1.0)))
    if share and bool(known[answers.looked_at].all()):
        values[answers.failed | wrong | (answers.empty & ~known)] = 0.0
        known = ~np.isnan(values)
    counts = summed(known.astype(np.float64)).astype(np.int64)
    return ratio(summed(np.where(known, values, 0.0)), counts), "share" if share else "number"


def parted(answers: Answers) -> list[tuple[str, Index, Index]]:
    """Of each subset its name, its items and its answers."""
    of_lines = answers.subset[answers.item]
    items, lines = (pieces(column, len(answers.names)) for column in (answers.subset, of_lines))
    return list(zip(answers.names, items, lines, strict=True))


def pieces(column: Index, count: int) -> list[Index]:
    """Positions of 0, of 1, ... of count - 1."""
    order = np.argsort(column, kind="stable")
    return np.split(order, np.searchsorted(column[order], np.arange(1, count)))


def subset_of(table: Table, metric: str, name: str, items: Index, lines: Index) -> Subset:
    """The figures of these items, which have these answers."""
    single = table.binary and bool(np.all(table.counted[items] <= 1))
    label = f"{metric} (avg@{table.repeats})" if table.repeats > 1 else metric
    measures = [share(label, table.score[items], single)]
    measures += [share(key, values[items]) for key, values in table.further.items()]
    measures += [part(key, values[items], unit) for key, (values, unit) in table.parts.items()]
    counted, complete = table.counted[items], table.complete[items]
    return Subset(
        name=name,
        counts=counting.counts_of(table.answers, lines, table.repeats),
        measures=measures,
        views=Views(
            strict=share("strict", ratio(table.strict[items], counted), single),
            lenient=share("lenient", ratio(table.lenient[items], counted), single),
            completed=completed(table.completed[items], complete, single),
        ),
    )


def share(name: str, values: Values, single: bool = False) -> Measure:
    """The mean over the items that have a value, with its interval."""
    known = values[~np.isnan(values)]
    return measure(name, float(known.mean()) if known.size else None, of_shares(known, single), known.size, values.size)


def part(name: str, values: Values, unit: Unit) -> Measure:
    known = values[~np.isnan(values)]
    found = of_numbers(known) if unit == "number" else of_shares(known, False)
    return measure(name, float(known.mean()) if known.size else None, found, known.size, values.size, unit)


def completed(sums: Values, counts: Values, single: bool) -> Measure:
    """The mean over answers that have text and were not cut short."""
    whole = float(counts.sum())
    items = int(np.sum(counts > 0))
    return measure("completed", float(sums.sum()) / whole if whole else None, of_ratio(sums, counts, single), items, 0)


def measure(name: str, value: float | None, found: Interval, items: int, asked: int, unit: Unit = "share") -> Measure:
    note = f"over {items:,} of {asked:,} items" if items < asked else ""
    low, high, error, how = found
    return Measure(name=name, value=value, low=low, high=high, error=error, items=items, unit=unit, how=how, note=note)


def total(name: str, value: float, items: int, plain: Collection[str]) -> Measure:
    """A figure of the whole set that is no mean over items, so that nothing is known of its interval."""
    is_share = name not in plain and 0.0 <= value <= 1.0
    return Measure(
        name=name, value=value if math.isfinite(value) else None, items=items, unit="share" if is_share else "number"
    )


def groups_of(subsets: Sequence[Subset], wanted: Mapping[str, Sequence[str]]) -> list[Group]:
    """The groups that the data set has, behind one of all subsets where there are several."""
    members = {subset.name: member for subset in subsets if (member := member_of(subset.measures[0])) is not None}
    everything = {EVERYTHING: [subset.name for subset in subsets]} if len(subsets) > 1 else {}
    asked = {name: names for name, names in {**everything, **wanted}.items() if is_there(names, members)}
    return [group_of(name, names, members) for name, names in asked.items()]


def is_there(names: Sequence[str], members: Collection[str]) -> bool:
    """Whether a group is one here: a single subset of several says nothing of their group."""
    there = sum(name in members for name in names)
    return there > 1 or there == len(names)


def member_of(score: Measure) -> Member | None:
    """A score as part of an average."""
    return None if score.value is None else Member(score.value, score.low, score.high, score.error, score.items)


def notes_of(whole: Subset, n: int) -> list[str]:
    """What a reader has to know to take the figures for what they are."""
    counts, notes = whole.counts, []
    if counts.metric_errors:
        notes.append(f"{counts.metric_errors:,} answers in which the evaluator failed are in no denominator")
    if counts.incomplete_items and n > 1:
        notes.append(
            f"{counts.incomplete_items:,} of {counts.items:,} items have fewer than {n} scored answers; "
            "a figure of k answers leaves out the items that have fewer than k"
        )
    return notes


def items_of(table: Table) -> Items:
    """Score and number of answers of each item; a later turn of a conversation is an item of its own."""
    firsts, score = table.answers.firsts, table.score.tolist()
    return Items(
        ids=[f"{first.id} (turn {first.turn + 1})" if first.turn else first.id for first in firsts],
        subsets=table.answers.subset.tolist(),
        names=list(table.answers.names),
        scores=[None if value != value else value for value in score],
        answers=table.counted.tolist(),
    )
