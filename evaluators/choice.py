"""The evaluator `choice`: multiple choice with one letter or several right; docs/multiple-choice.md has the rules."""
# ruff: noqa: RUF001

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import Meta

from evaluators.answers.boxes import as_latex
from evaluators.choices.letters import SHORT, Case, case_of, in_order, plain
from evaluators.choices.places import (
    begins,
    bold,
    called_right,
    choice_text,
    closing_choice,
    end,
    exception,
    first,
    judged,
    last_marked,
    letter_and_choice,
    matching,
    says,
)
from evaluators.choices.statements import last_statement
from evaluators.errors import EvaluationError
from evaluators.registry import Evaluator
from evaluators.sample import NOTHING_FOUND, Sample, Verdict

LONGEST_MARK = 60  # characters of a line that is nothing but letters and their marks
# Blanks of all scripts, and what may stand around the text of a choice.
AROUND = "".join(filter(str.isspace, map(chr, range(0x3001)))) + "$.*\"'"
NO_PARTS: Mapping[str, float] = {}
PREFIX = re.compile(r"\s*[(（\[]?([A-Z])[)）\].、．:：]\s*")
JOINTS = re.compile(r"[\s,;、，；()\[\]{}\"'.*$&/]+|(?i:and)")


class Choice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of `choice`."""

    options: Annotated[str, Meta(min_length=1, description="Letters, or digits, that count as answers.")] = "ABCD"
    labels: Annotated[
        str | list[str] | dict[str, str],
        Meta(
            description="Column of meta with the choices, or a column for each, in their order; or, where all rows "
            "have the same choices, their texts by letter."
        ),
    ] = ""
    several: Annotated[bool, Meta(description="Whether several letters may be right: sets are compared.")] = False
    language: Annotated[Literal["", "en", "zh"], Meta(description="Phrases of which language; else of both.")] = ""


class Found(NamedTuple):
    """The letters of an answer, and by which rule; without letters, why there are none."""

    letters: str
    rule: str
    why: str = ""


def score(text: str, sample: Sample, settings: Choice) -> Verdict:
    """1 where the letters of the answer are those of the reference, else 0; `partial` where several may be right.

    `partial` is the share of the right letters that were given, 0 where a wrong one is among them.
    Raises EvaluationError for a reference that is none of the choices.
    """
    choices = choices_of(sample.meta, settings)
    options = "".join(choices) or settings.options
    right = letters_of(sample.reference, options, choices, sample.id)
    found = find(as_latex(text), options, settings.several or len(right) > 1, choices, settings.language)
    parts = {"partial": partial(found.letters, right)} if settings.several else NO_PARTS
    if not found.letters:
        return Verdict(0.0, None, found.rule, found.why or NOTHING_FOUND, parts)
    if found.letters == right:
        return Verdict(1.0, found.letters, found.rule, "", parts)
    return Verdict(0.0, found.letters, found.rule, f"{right} is right", parts)


def partial(given: str, right: str) -> float:
    """Share of the right letters that were given; 0 where a wrong one was."""
    return len(given) / len(right) if set(given) <= set(right) else 0.0


def choices_of(meta: Mapping[str, Any], settings: Choice) -> dict[str, str]:
    """Text of each choice by its letter, as the row has them; none where `labels` is not set or not in the row."""
    if isinstance(settings.labels, dict):
        return settings.labels
    if isinstance(settings.labels, list):
        there = zip(settings.options, map(meta.get, settings.labels), strict=False)
        return {letter: str(text) for letter, text in there if text is not None and text != ""}
    value = meta.get(settings.labels) if settings.labels else None
    if isinstance(value, Mapping) and value.keys() >= {"text", "label"}:
        return {str(label): str(text) for label, text in zip(value["label"], value["text"], strict=False)}
    if isinstance(value, Mapping):
        return {str(label): str(text) for label, text in value.items()}
    if not isinstance(value, Sequence) or isinstance(value, str):
        return {}
    if all(isinstance(one, Mapping) and one.keys() >= {"text", "label"} for one in value):
        return {str(one["label"]): str(one["text"]) for one in value}
    return {letter: PREFIX.sub("", str(text), 1) for letter, text in zip(settings.options, value, strict=False)}


def letters_of(reference: Any, options: str, choices: Mapping[str, str], name: str) -> str:
    """The right letters, in the order of the options; raises EvaluationError where the reference names none."""
    if isinstance(reference, str) and len(reference) == 1 and reference in options:
        return reference
    words = "".join(map(str, reference)) if isinstance(reference, list) else str(reference)
    letters = JOINTS.sub("", unicodedata.normalize("NFKC", words)).upper()
    if letters and set(letters) <= set(options):
        return "".join(letter for letter in options if letter in letters)
    same = [letter for letter, text in choices.items() if text.strip().lower() == words.strip().lower()]
    if len(same) == 1:
        return same[0]
    raise EvaluationError(
        f"{name}: the reference {reference!r:.60} is none of the choices {options}; correct the row or "
        "evaluation.args.options"
    )


def find(text: str, options: str, several: bool, choices: Mapping[str, str], language: str = "") -> Found:
    """The letters of an answer by the first rule that finds any; more than one are none where one is asked for."""
    case = case_of(text, options, several, choices)
    letters, name = first_found(case, language)
    if len(letters) > 1 and not several:
        return Found("", name, f"the answer names several choices: {', '.join(letters)}")
    return Found(letters, name)


def first_found(case: Case, language: str) -> tuple[str, str]:
    """Letters, and the rule that found them; empty where none did."""
    for name, rule in FORMS:
        if letters := rule(case):
            return letters, name
    if (stated := last_statement(case, language)) is not None:
        return stated.letters, stated.rule
    for name, rule in PLACES:
        if letters := rule(case):
            return letters, name
    return "", ""


def whole(case: Case) -> str:
    """All of the answer is the letter, or the letters."""
    return alone(case, case.text)


def alone(case: Case, line: str) -> str:
    """Letters of a line that has nothing but them and their marks."""
    found = case.grammar.whole.fullmatch(line) if line and len(line) <= LONGEST_MARK else None
    return in_order(found["letters"], case.grammar) if found else ""


def whole_choice(case: Case) -> str:
    """All of the answer is the text of one choice."""
    if not case.texts or len(case.low) >= 2 * SHORT:
        return ""
    said = case.low.strip(AROUND).split(None, case.longest)
    if len(said) > case.longest:
        return ""
    words_said = " ".join(said)
    same = [letter for letter, words in case.choices.items() if words == words_said]
    return same[0] if len(same) == 1 else ""


def last_line(case: Case) -> str:
    """The last line has nothing but the letter, and the line before is none such."""
    newline = case.text.rfind("\n")
    line = case.text[newline + 1 :]
    if line.startswith("|"):  # the last cell of a table
        line = line.strip().strip("|").rpartition("|")[2]
    letters = alone(case, line.strip()) if newline >= 0 else ""
    return "" if letters and alone(case, case.text[:newline].rstrip().rpartition("\n")[2].strip()) else letters


def first_line(case: Case) -> str:
    """The first line has nothing but the letter, and further questions with their options follow: a run-on."""
    newline = case.text.find("\n")
    letters = alone(case, case.text[:newline].strip()) if newline >= 0 else ""
    if not letters:
        return ""
    marked = {plain(letter) for letter in case.grammar.markers.findall(case.text[newline + 1 :])}
    return letters if set(case.grammar.options[:2]) <= marked else ""


# What an answer states of itself comes between the two, in the order of the text: evaluators/choices/statements.py.
FORMS: tuple[tuple[str, Callable[[Case], str]], ...] = (
    ("whole answer", whole),
    ("whole answer is a choice", whole_choice),
    ("last line", last_line),
    ("first line", first_line),
)
PLACES: tuple[tuple[str, Callable[[Case], str]], ...] = (
    ("beginning", first),
    ("begins with a choice", begins),
    ("letter and choice", letter_and_choice),
    ("end", end),
    ("last line begins", last_marked),
    ("says", says),
    ("called right", called_right),
    ("judged", judged),
    ("bold", bold),
    ("exception", exception),
    ("matches", matching),
    ("ends with a choice", closing_choice),
    ("text of a choice", choice_text),
)
EVALUATORS = {
    "choice": Evaluator(score, "Multiple choice: the letter, or the letters, that the answer gives.", settings=Choice)
}
