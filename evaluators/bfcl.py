"""BFCL, calls of functions (Patil et al. 2025): the categories of a single turn, by the match of syntax trees.

`meta.function` has the functions as the data set describes them, `reference` the possible answers. The category, which
the subset or the id names, says what is asked for: these calls, none (irrelevance), or any at all (relevance).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from evaluators.errors import EvaluationError
from evaluators.functions.calls import Call, Calls, in_text, shown, told_apart
from evaluators.functions.match import calls_problem
from evaluators.registry import Evaluator
from evaluators.sample import Sample, Verdict

SIMPLE = (("simple_python", "simple"), ("simple_java", "java"), ("simple_javascript", "javascript"))  # v4, v3
NON_LIVE = ("multiple", "parallel", "parallel_multiple")
LIVE = ("live_simple", "live_multiple", "live_parallel", "live_parallel_multiple")
IRRELEVANT = ("irrelevance", "live_irrelevance")
CALLED = ("tool_calls", "function_call", "tool_use")  # reasons of an ending that mean calls
LONGEST = ("length", "max_tokens", "max_output_tokens", "model_length")


class BFCL(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of the evaluator `bfcl`."""

    calls: Annotated[
        Literal["", "tools", "text", "any"],
        Meta(description="Where calls are: told apart by the service, in the text, any; else as they were asked for."),
    ] = ""


def score(text: str, sample: Sample, settings: BFCL) -> Verdict:
    """1 where the calls are those that are asked for. Raises EvaluationError for a row that lacks what is needed."""
    category = category_of(sample)
    calls = calls_of(text, sample, settings.calls or sample.meta.get("calls") or "any", language_of(category))
    if "irrelevance" in category:
        problem = needless(calls, text, sample)
    elif "relevance" in category:
        problem = "" if calls.found else f"no function is called: {calls.why}"
    elif not calls.found:
        problem = calls.why or "no function is called"
    else:
        problem = calls_problem(calls.found, possible_of(sample), functions_of(sample), language_of(category))
    extracted = [as_json(call) for call in calls.found]
    return Verdict(0.0 if problem else 1.0, extracted or None, calls.how, shown(problem))


def category_of(sample: Sample) -> str:
    """Subset and id, one of which has the category in it; raises EvaluationError for one that is not scored here."""
    names = f"{sample.subset} {sample.id}"
    if "multi_turn" in names:
        raise EvaluationError(
            f"{sample.id} is of a category of several turns, which need simulated services and are not scored; "
            "take the data set bfcl, which has the others"
        )
    return names


def language_of(category: str) -> str:
    if "javascript" in category:
        return "javascript"
    return "java" if "java" in category else "python"


def calls_of(text: str, sample: Sample, where: str, language: str) -> Calls:
    """The calls of an answer. Raises EvaluationError where they were made but not kept."""
    if sample.tool_calls and where != "text":
        return told_apart(sample.tool_calls, sample.meta.get("names") or {})
    if where != "text" and (sample.finish_reason or "").lower() in CALLED:
        raise EvaluationError("the answer ended with calls that were not kept; collect it with --keep-events always")
    found = in_text(text, language)
    if where != "tools" or not found.found:
        return found
    return Calls([], "", "the service told no calls apart, though the text holds some; has it a parser for them?")


def needless(calls: Calls, text: str, sample: Sample) -> str:
    """What is wrong with an answer that has to do without calls."""
    if calls.found or calls.tried:
        return f"{calls.found[0].name if calls.found else 'a function'} is called, though none helps"
    if not text.strip() and (sample.finish_reason or "").lower() in LONGEST:
        return "the answer was cut off before it said anything"
    return ""


def possible_of(sample: Sample) -> Sequence[Mapping[str, Any]]:
    """The possible answers; raises EvaluationError where the row has none."""
    given = sample.reference
    if not (isinstance(given, list) and given and all(isinstance(one, dict) and len(one) == 1 for one in given)):
        raise EvaluationError(f"{sample.id} has no possible answers in `reference`; read it with the reader functions")
    return given


def functions_of(sample: Sample) -> Sequence[Mapping[str, Any]]:
    """The functions; raises EvaluationError where the row has none."""
    given = sample.meta.get("function")
    if not (isinstance(given, list) and all(isinstance(one, dict) for one in given)):
        raise EvaluationError(f"{sample.id} has no functions in meta.function; read it with the reader functions")
    return given


def as_json(call: Call) -> dict[str, Any]:
    return {"name": shown(call.name), "arguments": shown(call.arguments)}


def totals(samples: Sequence[Sample], verdicts: Sequence[Verdict], _: BFCL) -> dict[str, float]:
    """The leaderboard's own averages, as far as all their categories are there; answers that failed are in none.

    Of version 4: non_live is the mean of four, the first of which is that of the three languages; live that over all
    items; irrelevance that of two; overall that of these three, which have equal weights there.
    """
    scores: dict[str, list[float]] = defaultdict(list)
    for sample, verdict in zip(samples, verdicts, strict=True):
        scores[sample.subset].append(verdict.score)
    means = {name: sum(values) / len(values) for name, values in scores.items()}
    simple = [next((means[name] for name in names if name in means), None) for names in SIMPLE]
    live = [one for name in LIVE for one in scores.get(name, [])]
    found = {
        "leaderboard_non_live": mean([mean(simple), *(means.get(name) for name in NON_LIVE)]),
        "leaderboard_live": mean(live) if all(name in scores for name in LIVE) else None,
        "leaderboard_irrelevance": mean([means.get(name) for name in IRRELEVANT]),
    }
    found["leaderboard_overall"] = mean(list(found.values()))
    return {name: value for name, value in found.items() if value is not None}


def mean(values: Sequence[float | None]) -> float | None:
    """None where one of them is not known."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None


EVALUATORS = {
    "bfcl": Evaluator(
        score,
        "Calls of functions against possible answers, by syntax tree.",
        settings=BFCL,
        totals=totals,
        empty=True,
        events=True,
    )
}
