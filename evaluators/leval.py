"""L-Eval (An et al. 2023): each of its 20 subsets has a measure of its own, which SUBSETS lists.

Measures are those of the paper: F1 of questions, ROUGE-L of summaries, a quarter of 1 for some of the right choices.
Answers are read with more care than the authors' program does, which takes the first capital A to D of a text.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, TypeAlias

from msgspec.structs import replace

from evaluators import text
from evaluators.errors import EvaluationError
from evaluators.registry import Evaluator, NoSettings, evaluator
from evaluators.sample import NOTHING_FOUND, Sample, Verdict
from evaluators.settings import settings_of
from evaluators.words import overlap, plain, wording

Measure: TypeAlias = Callable[[str, Sample], Verdict]
FACT = re.compile(r"\[?\s*fact\s*[:\uff1a]", re.IGNORECASE)
TRUTH = re.compile(r"\b(true|false)\b", re.IGNORECASE)
OUTPUT = re.compile(r"\boutput\b", re.IGNORECASE)
FINAL = re.compile(r"\bfinal\s+output\b", re.IGNORECASE)
PIECE = re.compile(r"-?[0-9]+(?:\.[0-9]+)?|\w+|[\[\](){}]")
ARRAYS = ("array", "matrix", "tensor")
NEAR = 8  # pieces that may be beside what is printed
LISTED = re.compile(r"\s*(?:[-*\u2022]\s+)?[*(]{0,3}([A-D])\*{0,2}[.):\uff0e\uff1a]")
BEGINNING = re.compile(r"[\s*(\[]{0,9}(A?B?C?D?)\b")
UNSURE = ("", "beginning", "right option is")  # rules of `choice` that see one option of a list
PART = 0.25  # of 1, for letters that are all right, but not all of the right ones


def score(answer: str, sample: Sample, settings: NoSettings) -> Verdict:
    """By the measure of the sample's subset."""
    if sample.subset not in SUBSETS:
        raise EvaluationError(f"L-Eval has no subset {sample.subset!r}; its subsets are {', '.join(SUBSETS)}")
    return SUBSETS[sample.subset](answer, sample)


def by(name: str, args: Mapping[str, Any], answer: str, sample: Sample) -> Verdict:
    """By another evaluator."""
    found, settings = opened(name, tuple(args.items()))
    return found.score(answer, sample, settings)


@lru_cache(maxsize=8)
def opened(name: str, args: tuple[tuple[str, Any], ...]) -> tuple[Evaluator, Any]:
    """An evaluator with its settings."""
    found = evaluator(name)
    return found, settings_of(dict(args), found.settings, name)


def wanted_letters(sample: Sample) -> str:
    """The reference begins with the letters, a text may follow."""
    first = wording.references(sample)[0].split()[0]
    right = "".join(letter for letter in first if letter in "ABCD")
    if not right:
        raise EvaluationError(f"row {sample.id} has the reference {first!r}; it has to begin with letters from A to D")
    return right


def letter(answer: str, sample: Sample) -> Verdict:
    """One choice."""
    return by("choice", {"options": "ABCD"}, answer, replace(sample, reference=wanted_letters(sample)))


def letters(answer: str, sample: Sample) -> Verdict:
    """Several choices: 1 for all right ones, a quarter for some of them and no wrong one; `accuracy` is of all."""
    right = wanted_letters(sample)
    found = by("choice", {"options": "ABCD", "several": True}, answer, replace(sample, reference=right))
    said, rule = str(found.extracted or ""), found.rule
    if rule in UNSURE and (several := listed(answer)):
        said, rule = several, "letters at the beginning"
    parts = {"accuracy": float(set(said) == set(right))}
    score = parts["accuracy"] or PART * bool(said and set(said) < set(right))
    return found._replace(score=score, extracted=said or None, rule=rule, parts=parts)


def listed(answer: str) -> str:
    """Letters of the options that lines begin with, in their order, else those that the answer begins with: ABD."""
    first, _, rest = answer.strip().partition("\n")
    block = rest.lstrip() if first.rstrip().endswith(":") else f"{first}\n{rest}"
    options = [LISTED.match(line) for line in block.split("\n\n")[0].strip().split("\n")]
    said = "".join(option[1] for option in options if option)
    if len(said) > 1 and all(options) and list(said) == sorted(set(said)):
        return said
    beginning = BEGINNING.match(answer)
    return beginning[1] if beginning and len(beginning[1]) > 1 else ""


def science_fiction(answer: str, sample: Sample) -> Verdict:
    """Mean of two: what is true in the story, and in the world. Both are as "True [fact: False]"."""
    wanted = truths(wording.references(sample)[0])
    if None in wanted:
        raise EvaluationError(f"row {sample.id} has a reference that is not as 'True [fact: False]'; correct the data")
    said = truths(answer)
    parts = {name: float(one == right) for name, one, right in zip(("loyalty", "fact"), said, wanted, strict=True)}
    if said == (None, None):
        return Verdict(0.0, None, "true or false", NOTHING_FOUND, parts)
    return Verdict(sum(parts.values()) / 2, " ".join(map(str, said)), "true or false", f"right is {wanted}", parts)


def truths(answer: str) -> tuple[str | None, str | None]:
    """The first true or false before the mark of the fact, and behind it."""
    before, *after = FACT.split(answer)
    found = [TRUTH.search(part) for part in (before, "".join(after))]
    return (found[0].group().lower() if found[0] else None, found[1].group().lower() if found[1] else None)


def code_output(answer: str, sample: Sample) -> Verdict:
    """1 where what a program prints is in the text behind the last "final output", or "output", or at the end."""
    wanted = pieces(wording.references(sample)[0])
    marks = list(FINAL.finditer(answer)) or list(OUTPUT.finditer(answer))
    rule = "behind the last 'output'" if marks else "end"
    said = pieces(answer[marks[-1].end() :] if marks else answer)
    near = said[: len(wanted) + NEAR] if marks else said[-len(wanted) - NEAR :]
    right = run_of(wanted, near)
    return Verdict(
        float(right), " ".join(near) or None, rule, f"{'has' if right else 'has not'} {' '.join(wanted)[:60]!r}"
    )


def pieces(value: str) -> list[str]:
    """Numbers, words and brackets; 2.0 is 2."""
    return [piece.removesuffix(".0") for piece in PIECE.findall(value)]


def run_of(part: Sequence[str], whole: Sequence[str]) -> bool:
    """Whether the items of one list are in the other, one after the other, and not within brackets: 3 is not in [3]."""
    size, open_brackets = len(part), 0
    for at, one in enumerate(whole):
        if part and not open_brackets and list(whole[at : at + size]) == list(part):
            return True
        if not (one == "(" and at and whole[at - 1] in ARRAYS):
            open_brackets = max(0, open_brackets + (one in "[({") - (one in "])}"))
    return False


def question(answer: str, sample: Sample) -> Verdict:
    """F1 of words, as published; ROUGE, by which other programs score these subsets, is beside it."""
    found = text.rouge(answer, sample, text.Rouge(language="en"))
    said = plain.words(answer)
    every = [plain.f1(said, plain.words(right)) for right in wording.references(sample)]
    parts = overlap.rounded(max(every, key=lambda one: one.f1)._asdict())
    return found._replace(score=parts["f1"], why=found.why.replace("rougeL", "f1"), parts={**found.parts, **parts})


NUMBER = partial(by, "number", {})
CONTAINS = partial(text.contains, settings=text.Contains(take="first_line"))
ROUGE = partial(text.rouge, settings=text.Rouge(language="en"))
SUBSETS: dict[str, Measure] = {
    "coursera": letters,
    "quality": letter,
    "tpo": letter,
    "gsm100": NUMBER,
    "codeU": code_output,
    "sci_fi": science_fiction,
    "topic_retrieval_longchat": CONTAINS,
    "financial_qa": question,
    "gov_report_summ": ROUGE,
    "legal_contract_qa": question,
    "meeting_summ": ROUGE,
    "multidoc_qa": question,
    "narrative_qa": question,
    "natural_question": question,
    "news_summ": ROUGE,
    "paper_assistant": ROUGE,
    "patent_summ": ROUGE,
    "review_summ": ROUGE,
    "scientific_qa": question,
    "tv_show_summ": ROUGE,
}
EVALUATORS = {"leval": Evaluator(score, "L-Eval: choices, numbers, matches, F1 or ROUGE-L, by subset.", "score")}
