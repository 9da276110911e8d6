"""The table `evaluation` of a data set's preset: which evaluator scores it, and how its answers are prepared."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from evaluators.errors import EvaluationError


class Evaluation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the answers to a data set are scored. docs/accuracy.md has the same in words."""

    evaluator: Annotated[str, Meta(description="Name in evaluators/registry.py, or MODULE:NAME of one's own.")]
    metric: Annotated[str, Meta(description="Name of the score in tables; else that of the evaluator.")] = ""
    args: Annotated[dict[str, Any], Meta(description="Settings of the evaluator.")] = {}
    filters: Annotated[
        list[str | dict[str, Any]],
        Meta(description="What is done to the text before it is scored, in this order: evaluators/answers/filters.py."),
    ] = []
    repeats: Annotated[int, Meta(ge=1, description="Answers to each question, unless --repeats says.")] = 1
    groups: Annotated[dict[str, list[str]], Meta(description="Names of groups of subsets, each with a score.")] = {}
    join: Annotated[
        list[str], Meta(description="Columns of the data set's files that scoring needs and outputs.jsonl has not.")
    ] = []
    judge: Annotated[
        dict[str, Any], Meta(description="How a judge is asked, where one is: evaluators/judging/judge.py.")
    ] = {}
    labels: Annotated[dict[str, Any], Meta(description="Of perplexity mode: evaluators/ppl.py.")] = {}


def evaluation_of(table: Mapping[str, Any], place: str) -> Evaluation:
    """The settings in a table; raises EvaluationError that begins with the place and names the key."""
    try:
        return msgspec.convert(table, Evaluation)
    except msgspec.ValidationError as error:
        raise EvaluationError(f"{place}: {error}; correct the table `evaluation`") from None


def settings_of(args: Mapping[str, Any], struct: type[Any], place: str) -> Any:
    """Settings of an evaluator out of `evaluation.args`; raises EvaluationError that names the key."""
    try:
        return msgspec.convert(args, struct)
    except msgspec.ValidationError as error:
        raise EvaluationError(f"{place}: {error}; correct evaluation.args") from None
