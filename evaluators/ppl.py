"""Perplexity mode: each choice of a question is a prompt of its own, and the likeliest one is the prediction.

A line of outputs.jsonl is one choice; `meta` has `item`, the question, `label`, the choice, and `labels`, all of them.
The lines of a question are scored together, by the log probabilities that the service gave for the tokens of their
prompts.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import msgspec

from evaluators.errors import EvaluationError
from evaluators.registry import Evaluator
from evaluators.sample import Sample, Verdict

HOW = "ask with --no-stream, and see docs/perplexity.md for the services that give them"
UNITS = {"token": "per token", "byte": "per byte", "sum": "in all"}


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`scope`: the tokens behind what all prompts of a question begin with, or all. `normalize`: what they are
    divided by. `measure`: whether the likeliest choice is right, or which share of the probability the right ones have.

    What `choice` has besides is taken and not used, as variants of a preset inherit it.
    """

    scope: Literal["continuation", "whole"] = "continuation"
    normalize: Literal["token", "byte", "sum"] = "token"
    measure: Literal["best", "mass"] = "best"
    options: Any = None
    labels: Any = None
    several: Any = None
    language: Any = None


class Prompt(NamedTuple):
    """The prompt of one choice: log probabilities and tokens in their order, and the text."""

    logprobs: Sequence[float | None]
    tokens: Sequence[int | str | None]
    text: str


class Cost(NamedTuple):
    """Negative log-likelihood of what is looked at, in nats, and how long that is."""

    nats: float
    tokens: int
    utf8_bytes: int

    def per(self, unit: str) -> float:
        """Divided by a unit of Settings.normalize."""
        return self.nats / {"token": self.tokens, "byte": self.utf8_bytes, "sum": 1}[unit]

    def bits_per_byte(self) -> float:
        return self.nats / math.log(2) / self.utf8_bytes


def items(samples: Sequence[Sample], settings: Settings) -> list[tuple[Sample, Verdict | str]]:
    """For each question a sample that stands for it, with its verdict or what went wrong, in the order of lines."""
    return [item(lines, settings) for lines in grouped(samples).values()]


def item(lines: Mapping[str, Sample], settings: Settings) -> tuple[Sample, Verdict | str]:
    """One question."""
    try:
        return scored(lines, settings)
    except EvaluationError as error:
        return of_item(next(iter(lines.values())), {}, None), str(error)


def grouped(samples: Sequence[Sample]) -> dict[tuple[Any, ...], dict[str, Sample]]:
    """Lines by question and label. Raises EvaluationError for a line that is no choice of a question."""
    found: dict[tuple[Any, ...], dict[str, Sample]] = {}
    seen: Counter[tuple[Any, ...]] = Counter()
    for sample in samples:
        try:
            name, label = sample.meta["item"], str(sample.meta["label"])
        except KeyError as error:
            raise EvaluationError(
                f"the line {sample.id!r} has no {error} in its meta, so it is no choice of a question; ask with a data"
                " set that has args.labels"
            ) from None
        place = (sample.dataset, sample.subset, str(name), sample.repeat or 0)
        seen[(*place, label)] += 1  # ids of questions may come twice
        found.setdefault((*place, seen[(*place, label)]), {})[label] = sample
    return found


def scored(lines: Mapping[str, Sample], settings: Settings) -> tuple[Sample, Verdict]:
    """One question. Raises EvaluationError that names the choices that lack something."""
    first = next(iter(lines.values()))
    labels = [str(label) for label in first.meta.get("labels", lines)]
    if lacking := [label for label in labels if label not in lines]:
        raise EvaluationError(f"no answer for {', '.join(lacking)} of {', '.join(labels)}; ask for all of them")
    prompts = {label: prompt_of(label, lines[label]) for label in labels}
    right = right_labels(first.reference, labels)
    costs = costs_of(prompts, settings.scope)
    values = {label: cost.per(settings.normalize) for label, cost in costs.items()}
    best = min(labels, key=lambda label: values[label])
    score = float(best in right) if settings.measure == "best" else mass(values, right)
    return of_item(first, values, best), Verdict(
        score, best, f"{settings.scope}, {UNITS[settings.normalize]}", why(values), parts_of(costs, values, right)
    )


def prompt_of(label: str, sample: Sample) -> Prompt:
    """The log probabilities of a line. Raises EvaluationError; an answer that is empty is no mistake here."""
    told = getattr(sample, "prompt_logprobs", None)
    if not isinstance(told, Mapping) or not told.get("logprobs"):
        reason = sample.error or f"the service gave no log probabilities of its prompt; {HOW}"
        raise EvaluationError(f"{label}: {reason}")
    logprobs = told["logprobs"]
    tokens = told.get("tokens") or [None] * len(logprobs)
    if any(value is not None and not math.isfinite(value) for value in logprobs):
        raise EvaluationError(f"{label}: a log probability of its prompt is no number")
    return Prompt(logprobs, tokens, text_of(sample.prompt))


def text_of(prompt: Any) -> str:
    """Text of what was asked: a text, messages, or the body of a request."""
    if isinstance(prompt, Mapping):
        given = (prompt.get(key) for key in ("prompt", "messages", "text"))
        return text_of(next((value for value in given if value is not None), ""))
    if isinstance(prompt, list):
        return "\n".join(str(one.get("content", "")) if isinstance(one, Mapping) else str(one) for one in prompt)
    return str(prompt or "")


def right_labels(reference: Any, labels: Sequence[str]) -> set[str]:
    """The labels that are right: one, a list of them, or 1 and 0 for each. Raises EvaluationError where none is."""
    given = reference if isinstance(reference, list) else [reference]
    if len(given) == len(labels) and len(labels) > 1 and all(one in (0, 1) for one in given):
        right = {label for label, one in zip(labels, given, strict=True) if one}
    else:
        right = {str(one) for one in given}
    if not right or not right <= set(labels):
        raise EvaluationError(f"the reference {reference!r:.60} is none of the labels {', '.join(labels)}")
    return right


def costs_of(prompts: Mapping[str, Prompt], scope: str) -> dict[str, Cost]:
    """Cost of each choice. Raises EvaluationError where the tokens of a choice are not known that well."""
    if scope == "whole":
        return {label: cost(label, prompt, 0, 0) for label, prompt in prompts.items()}
    if any(None in prompt.tokens[1:] for prompt in prompts.values()):
        raise EvaluationError(
            "the service does not say which tokens its log probabilities are for, so what differs between the choices"
            " is not known; set evaluation.args.scope = 'whole'"
        )
    start = shared([prompt.tokens for prompt in prompts.values()])
    letters = shared([prompt.text for prompt in prompts.values()])
    return {label: cost(label, prompt, start, letters) for label, prompt in prompts.items()}


def shared(sequences: Sequence[Sequence[Any]]) -> int:
    """How many places all begin with alike, so few that each has one more at least."""
    first, rest = sequences[0], sequences[1:]
    low, high = 0, max(0, min(map(len, sequences)) - 1)
    while low < high:  # slices are compared faster than one place after the other
        middle = (low + high + 1) // 2
        if all(other[low:middle] == first[low:middle] for other in rest):
            low = middle
        else:
            high = middle - 1
    return low


def cost(label: str, prompt: Prompt, start: int, letters: int) -> Cost:
    """Cost of the tokens from `start` on; the first token of a prompt has no probability."""
    values = list(prompt.logprobs[start:])
    if start == 0 and values and values[0] is None:
        values = values[1:]
    if not values or None in values:
        raise EvaluationError(f"{label}: the service left out log probabilities of tokens that count; {HOW}")
    nats = -math.fsum(value for value in values if value is not None)
    return Cost(nats, len(values), max(1, len(prompt.text[letters:].encode())))


def mass(values: Mapping[str, float], right: set[str]) -> float:
    """Share of the right choices in the probability of all."""
    least = min(values.values())
    weights = {label: math.exp(least - value) for label, value in values.items()}
    return math.fsum(weights[label] for label in right) / math.fsum(weights.values())


def parts_of(costs: Mapping[str, Cost], values: Mapping[str, float], right: set[str]) -> dict[str, float]:
    """Bits per byte of right and wrong choices, and by how much the best right one is likelier than all wrong ones."""
    wrong = [label for label in costs if label not in right]
    of_right = [costs[label].bits_per_byte() for label in right]
    found = {"bits_per_byte": math.fsum(of_right) / len(of_right)}
    if wrong:
        found["bits_per_byte_wrong"] = math.fsum(costs[label].bits_per_byte() for label in wrong) / len(wrong)
        found["margin"] = min(values[label] for label in wrong) - min(values[label] for label in right)
    return found


def why(values: Mapping[str, float]) -> str:
    """The values of all choices, likeliest first."""
    ranked = sorted(values.items(), key=lambda pair: pair[1])
    tie = ", a tie: the first label wins" if len(ranked) > 1 and ranked[0][1] == ranked[1][1] else ""
    return "negative log-likelihoods " + ", ".join(f"{label} {value:.4g}" for label, value in ranked) + tie


def of_item(first: Sample, values: Mapping[str, float], best: str | None) -> Sample:
    """What stands for a question: its first line, with the values of all choices in `meta`."""
    kept = {key: value for key, value in first.meta.items() if key not in ("item", "label")}
    return msgspec.structs.replace(
        first,
        id=str(first.meta["item"]),
        prediction=best,
        reasoning=None,
        error=None,
        meta=kept | ({"negative_log_likelihoods": dict(values)} if values else {}),
    )


def score(_: str, sample: Sample, __: Settings) -> Verdict:
    """A line by itself says nothing."""
    raise EvaluationError(f"the line {sample.id!r} is one choice of a question, and all of them are scored together")


EVALUATORS = {
    "ppl": Evaluator(
        score,
        "The choice whose prompt the model finds likeliest, by the log probabilities of prompts.",
        settings=Settings,
        empty=True,
        joint=items,
        events=True,
    )
}
