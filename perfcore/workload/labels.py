"""Rows of perplexity mode: a request for each choice of a question, whose prompt has that choice in it.

Nothing is to be generated; the service is asked for the log probabilities of the prompt's own tokens, from which
evaluators/ppl.py tells which choice the model finds likeliest.
"""

from collections.abc import Callable, Iterator, Mapping
from string import ascii_uppercase
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from perfcore.errors import UserError
from perfcore.workload.content import Forms, prompt_of
from perfcore.workload.row import Row
from perfcore.workload.template import in_text
from perfcore.workload.wording import column, worded

CHOICE, LABEL = "choice", "choice_label"  # words in templates
# Services refuse to give no token at all. Log probabilities of that one make a run keep the events of answers.
ONE_TOKEN = {"max_tokens": 1, "temperature": 0, "logprobs": 1}
# A model that ends at once, or with a special token, would give an empty answer, which is a failure.
ONE_AT_LEAST = {"min_tokens": 1, "skip_special_tokens": False, "prompt_logprobs": 0}


class Labels(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the choices of a question are, and how their log probabilities are asked for."""

    of: Annotated[dict[str, str], Meta(description="Template of each choice by its label: {A = '{sol1}'}.")] = {}
    column: Annotated[
        str, Meta(description="Column that lists the choices, in the place of `of`: a list, text and label, by letter.")
    ] = ""
    gaps: Annotated[
        dict[str, str], Meta(description="Columns, each with the mark in it in whose place the choice goes.")
    ] = {}
    ask: Annotated[
        Literal["prompt_logprobs", "echo", "sglang"],
        Meta(description="What the service understands: prompt_logprobs (vLLM), echo (text completions), sglang."),
    ] = "prompt_logprobs"


def check(labels: Labels) -> None:
    """Raise UserError where the settings do not say in one way what the choices are."""
    if bool(labels.of) == bool(labels.column):
        raise UserError("args.labels wants of or column, one of them; write labels.of = {A = 'yes', B = 'no'}, say")


def rows_of_choices(
    fields: Mapping[str, Any], labels: Labels, chat: bool, make: Callable[[dict[str, Any]], Row]
) -> Iterator[Row]:
    """A row for each choice, of which `make` makes one with a prompt. `chat` says what the service takes.

    Raises ValueError that names the column.
    """
    found = choices(fields, labels)
    for label, text in found.items():
        yield asking(make(with_choice(fields, labels, label, text)), fields, labels, label, list(found), chat)


def choices(fields: Mapping[str, Any], labels: Labels) -> dict[str, str]:
    """Text of each choice by its label; raises ValueError that names the column."""
    found = {label: worded(text, fields) for label, text in labels.of.items()} or listed(fields, labels.column)
    if len(found) < 2:
        raise ValueError(f"gives {len(found)} choices, and there is nothing to choose from fewer than two; correct it")
    return found


def listed(fields: Mapping[str, Any], name: str) -> dict[str, str]:
    """The choices in a column."""
    value = column(name, fields)
    if isinstance(value, Mapping):
        pairs = zip(value["label"], value["text"], strict=True) if value.keys() >= {"text", "label"} else value.items()
        return {str(label): in_text(text) for label, text in pairs}
    if (
        isinstance(value, list)
        and value
        and all(isinstance(one, Mapping) and {*one} >= {"label", "text"} for one in value)
    ):
        return {str(one["label"]): in_text(one["text"]) for one in value}
    if not isinstance(value, list):
        raise ValueError(f"{name} is {value!r:.40}, and labels.column wants a list of choices; correct it")
    names = (
        list(ascii_uppercase) if len(value) <= len(ascii_uppercase) else [str(at) for at in range(1, len(value) + 1)]
    )
    return {label: in_text(text) for label, text in zip(names, value, strict=False)}


def with_choice(fields: Mapping[str, Any], labels: Labels, label: str, text: str) -> dict[str, Any]:
    """The fields of one choice: its words, and columns with it in their gap. Raises ValueError for one without."""
    filled = {}
    for name, mark in labels.gaps.items():
        value = column(name, fields)
        if not isinstance(value, str) or mark not in value:
            raise ValueError(f"{name} has no {mark!r}, in whose place labels.gaps puts the choice; correct the row")
        filled[name] = value.replace(mark, text)
    return {**fields, **filled, CHOICE: text, LABEL: label}


def asking(row: Row, fields: Mapping[str, Any], labels: Labels, label: str, names: list[str], chat: bool) -> Row:
    """The row of one choice, which asks for no answer but for log probabilities.

    Raises ValueError for what has no log probabilities anywhere.
    """
    if row.prompt is None and row.messages is None:
        raise ValueError("labels go with a prompt or messages only; leave turns out")
    kept = {key: fields.get(key, value) for key, value in row.meta.items() if key not in (CHOICE, LABEL)}
    return Row(
        id=f"{row.id}#{label}",
        body=body_of(row, labels.ask, chat),
        reference=row.reference,
        meta={**kept, "item": row.id, "label": label, "labels": names},
        model=row.model,
        subset=row.subset,
    )


def body_of(row: Row, ask: str, chat: bool) -> dict[str, Any]:
    """Body of the request, but for what all requests of a run have."""
    if chat and ask != "prompt_logprobs":
        raise ValueError(f"labels.ask is {ask}, which chat services do not understand; use another --dialect")
    if chat:
        messages = row.messages or [{"role": "user", "content": row.prompt}]
        opened = messages[-1]["role"] == "assistant"
        beginning = {"add_generation_prompt": False, "continue_final_message": opened}
        return {"messages": messages, **beginning, **ONE_TOKEN, "logprobs": True, **ONE_AT_LEAST}
    text = prompt_of(row, set(), Forms("labels"))
    if ask == "sglang":
        sampling = {"max_new_tokens": 1, "min_new_tokens": 1, "temperature": 0}
        return {"text": text, "sampling_params": sampling, "return_logprob": True, "logprob_start_len": 0}
    return {"prompt": text, **ONE_TOKEN, **({"echo": True} if ask == "echo" else ONE_AT_LEAST)}
