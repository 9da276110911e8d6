"""What is known of one model on one data set: results/<model>/<dataset>.json. Shares are from 0 to 1, unrounded."""

from typing import Any, Literal

import msgspec

from evaluators.errors import EvaluationError

Mode = Literal["gen", "ppl"]
Unit = Literal["share", "number"]


# How tables call the counts and the views, in the order in which they show them.
COUNTS = {
    "answers": "answers",
    "failed": "failed",
    "empty": "empty",
    "truncated": "truncated",
    "cut_off": "cut off in reasoning",
    "not_extracted": "not extracted",
    "metric_errors": "evaluator failed",
}
VIEWS = {"lenient": "all asked", "strict": "truncated as wrong", "completed": "complete only"}


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Of items and of answers to them. One answer may be counted under several of these."""

    items: int  # questions
    answers: int  # lines, whether they came to something or not
    failed: int = 0  # no answer came: the request failed
    empty: int = 0  # an answer without text came
    truncated: int = 0  # ended by its greatest length
    cut_off: int = 0  # ended before its reasoning did
    metric_errors: int = 0  # the evaluator failed: in no denominator
    not_extracted: int = 0  # of the answers with text, those in which no answer was found
    extracted_share: float | None = None  # of the answers with text; null where there is none
    incomplete_items: int = 0  # with fewer scored answers than asked for


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """One figure. `low` and `high` are its 95 % interval, `error` its standard error over items."""

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None
    error: float | None = None
    items: int = 0  # that it is computed from
    unit: Unit = "share"
    how: str = ""  # the interval was found
    note: str = ""


class Views(msgspec.Struct, frozen=True, kw_only=True):
    """The same score over other answers. All three are in every result; `score` of the table is one of the first two.

    `strict`: over all that was asked, where failed, empty and truncated answers are wrong. `lenient`: the same, but a
    truncated answer is worth what its evaluator says. `completed`: the mean over answers that are none of the three.
    """

    strict: Measure
    lenient: Measure
    completed: Measure


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """Some of the answers, and the mean of their scores as the evaluator gave them. Lengths are in characters."""

    label: str
    answers: int
    score: float | None
    shortest: int | None = None
    longest: int | None = None


class Subset(msgspec.Struct, frozen=True, kw_only=True):
    """The answers of one subset. The first of `measures` is the score."""

    name: str
    counts: Counts
    measures: list[Measure]
    views: Views


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Averages over several scores. It is computed from those that are there; `missing` names the others."""

    name: str
    members: list[str]
    missing: list[str]
    items: int
    naive: Measure  # each member counts the same
    weighted: Measure  # each item counts the same
    harmonic: float | None
    deviation: float | None  # of the population
    sum: float | None


class Items(msgspec.Struct, frozen=True, kw_only=True):
    """Scores of the single items, in lists of the same length: what models are compared by."""

    ids: list[str]
    subsets: list[int]  # positions in `names`
    names: list[str]
    scores: list[float | None]  # mean over the item's answers; null if its evaluator failed on each of them
    answers: list[int]  # that were scored


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One model on one data set. The first of `measures` is the score, named like the metric."""

    model: str
    dataset: str
    metric: str
    version: str = ""
    mode: Mode = "gen"
    evaluator: str = ""
    repeats: int = 1
    binary: bool = True  # every score is 0 or 1
    counts: Counts
    measures: list[Measure]
    views: Views
    subsets: list[Subset] = []
    groups: list[Group] = []
    by_finish: list[Slice] = []
    by_length: list[Slice] = []
    by_concurrency: list[Slice] = []  # requests in flight when the answer was asked for
    judges: dict[str, Any] | None = None  # what they were asked, and how often rule and judge agree
    notes: list[str] = []
    libraries: dict[str, str] = {}  # versions of what the answers were read and compared with
    items: Items


def encode(result: Result) -> bytes:
    """The content of results/<model>/<dataset>.json; the lists of single items are on one line each."""
    whole = msgspec.json.format(msgspec.json.encode(msgspec.structs.replace(result, items=NO_ITEMS)), indent=2)
    lists = msgspec.json.encode(result.items)
    return whole[: whole.rindex(b'"items"')] + b'"items": ' + lists + b"\n}\n"


def decode(content: bytes, place: str) -> Result:
    """The result in a file; raises EvaluationError that begins with the place."""
    try:
        return msgspec.json.decode(content, type=Result)
    except msgspec.DecodeError as error:
        raise EvaluationError(f"{place} holds no result: {error}; score the answers again") from None


NO_ITEMS = Items(ids=[], subsets=[], names=[], scores=[], answers=[])
