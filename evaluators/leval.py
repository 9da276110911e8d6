"""L-Eval (An et al. 2023): each of its 20 subsets has a measure of its own, which SUBSETS lists."""

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
from evaluators.words import wording

Measure: TypeAlias = Callable[[str, Sample], Verdict]
FACT = re.compile(r"\[?\s*fact\s*[:\uff1a]", re.IGNORECASE)
TRUTH = re.compile(r"\b(true|false)\b", re.IGNORECASE)
OUTPUT = re.compile(r"\boutput\b", re.IGNORECASE)
PIECE = re.compile(r"-?[0-9]+(?:\.[0-9]+)?|\w+|[\[\](){}]")


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


def letters(several: bool, answer: str, sample: Sample) -> Verdict:
    """Choices; the reference begins with the letters, a text may follow."""
    first = wording.references(sample)[0].split()[0]
    right = "".join(letter for letter in first if letter in "ABCD")
    if not right:
        raise EvaluationError(f"row {sample.id} has the reference {first!r}; it has to begin with letters from A to D")
    return by("choice", {"options": "ABCD", "several": several}, answer, replace(sample, reference=right))


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
    """1 where what a program prints is in the text behind the last "output", or in the last line."""
    wanted = wording.references(sample)[0]
    ends = [match.end() for match in OUTPUT.finditer(answer)]
    rule = "behind the last 'output'" if ends else "last line"
    said = answer[ends[-1] :] if ends else wording.line(answer, -1)
    right = run_of(pieces(wanted), pieces(said))
    return Verdict(float(right), said.strip() or None, rule, f"{'has' if right else 'has not'} {wanted[:60]!r}")


def pieces(value: str) -> list[str]:
    """Numbers, words and brackets; 2.0 is 2."""
    return [piece.removesuffix(".0") for piece in PIECE.findall(value)]


def run_of(part: Sequence[str], whole: Sequence[str]) -> bool:
    """Whether the items of one list are in the other, one after the other."""
    size = len(part)
    starts = (at for at, one in enumerate(whole) if one == part[0]) if part else ()
    return any(list(whole[at : at + size]) == list(part) for at in starts)


ONE, SEVERAL, NUMBER = partial(letters, False), partial(letters, True), partial(by, "number", {})
CONTAINS = partial(text.contains, settings=text.Contains())
ROUGE = partial(text.rouge, settings=text.Rouge(language="en"))
SUBSETS: dict[str, Measure] = {
    "coursera": SEVERAL,
    "quality": ONE,
    "tpo": ONE,
    "gsm100": NUMBER,
    "codeU": code_output,
    "sci_fi": science_fiction,
    "topic_retrieval_longchat": CONTAINS,
    "financial_qa": ROUGE,
    "gov_report_summ": ROUGE,
    "legal_contract_qa": ROUGE,
    "meeting_summ": ROUGE,
    "multidoc_qa": ROUGE,
    "narrative_qa": ROUGE,
    "natural_question": ROUGE,
    "news_summ": ROUGE,
    "paper_assistant": ROUGE,
    "patent_summ": ROUGE,
    "review_summ": ROUGE,
    "scientific_qa": ROUGE,
    "tv_show_summ": ROUGE,
}
EVALUATORS = {"leval": Evaluator(score, "L-Eval: choices, numbers, matches or ROUGE-L, by subset.", "score")}
