"""Log probabilities of a prompt's tokens, in one form whatever form a service gives them in."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

DIGITS = 6  # behind the point: what is left of single precision


class PromptLogprobs(msgspec.Struct, frozen=True):
    """The natural log probability of each token after those before it, None for the first, which has none.

    `tokens` are ids where the service gives them, else texts; None where it gives neither.
    """

    logprobs: list[float | None]
    tokens: list[int | str | None]


def of_choice(choice: Mapping[str, Any], event: Mapping[str, Any]) -> PromptLogprobs | None:
    """vLLM: in the choice of a text completion, and beside the choices of a chat."""
    table = choice if choice.get("prompt_logprobs") is not None else event
    return of_maps(table.get("prompt_logprobs"), table.get("prompt_token_ids"))


def of_maps(found: object, ids: object) -> PromptLogprobs | None:
    """For each token an object from ids to their log probabilities, null for the first.

    A token's own is the first of its object, or that of its id in `ids`.
    """
    if not isinstance(found, list) or not found:
        return None
    given = ids if isinstance(ids, list) and len(ids) == len(found) else [None] * len(found)
    pairs = [of_map(one, own) for one, own in zip(found, given, strict=True)]
    return PromptLogprobs([logprob for logprob, _ in pairs], [token for _, token in pairs])


def of_map(one: object, own: object) -> tuple[float | None, int | str | None]:
    """Log probability and token of one object."""
    token = own if isinstance(own, int) else None
    if not isinstance(one, dict) or not one:
        return None, token
    key = str(token) if str(token) in one else next(iter(one))
    facts = one[key]
    return number(facts.get("logprob") if isinstance(facts, dict) else facts), as_token(key)


def of_echo(logprobs: object, usage: Mapping[str, Any]) -> PromptLogprobs | None:
    """The form of text completions that repeat their prompt: lists over its tokens and then those of the answer.

    Only such lists begin with null. Without the service's count of the answer's tokens it is taken to have one.
    """
    if not isinstance(logprobs, dict):
        return None
    values, tokens = logprobs.get("token_logprobs"), logprobs.get("tokens")
    if not isinstance(values, list) or len(values) < 2 or values[0] is not None:
        return None
    of_prompt, of_answer = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if isinstance(of_prompt, int) and len(values) < of_prompt:
        return None
    end = len(values) - (of_answer if isinstance(of_answer, int) else 1)
    texts = tokens if isinstance(tokens, list) and len(tokens) == len(values) else [None] * len(values)
    return PromptLogprobs([number(value) for value in values[:end]], [as_token(text) for text in texts[:end]])


def of_triples(found: object) -> PromptLogprobs | None:
    """SGLang's form: [log probability, id, text or null] for each token."""
    if not isinstance(found, list) or not found:
        return None
    triples: Sequence[Any] = [one if isinstance(one, list) and len(one) > 1 else [None, None] for one in found]
    return PromptLogprobs([number(one[0]) for one in triples], [as_token(one[1]) for one in triples])


def number(value: object) -> float | None:
    return round(float(value), DIGITS) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def as_token(value: object) -> int | str | None:
    """An id as a number, also one that is written as text."""
    if isinstance(value, str):
        return int(value) if value.isdecimal() and value.isascii() else value
    return value if isinstance(value, int) and not isinstance(value, bool) else None
