"""LongBench (Bai et al. 2023): each of its 21 subsets has a measure of its own, which SUBSETS lists."""

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

from evaluators import text
from evaluators.errors import EvaluationError
from evaluators.registry import Evaluator, NoSettings
from evaluators.sample import NOTHING_FOUND, Sample, Verdict
from evaluators.words import wording

Measure: TypeAlias = Callable[[str, Sample], Verdict]
NUMBER = re.compile(r"[0-9]+")
SHOWN = 20  # numbers of an answer in `extracted`


def score(answer: str, sample: Sample, settings: NoSettings) -> Verdict:
    """By the measure of the sample's subset, that of LongBench-E (name_e) by the one of its name."""
    name = (sample.subset or str(sample.meta.get("dataset", ""))).removesuffix("_e")
    if name not in SUBSETS:
        raise EvaluationError(f"LongBench has no subset {name!r}; its subsets are {', '.join(SUBSETS)}")
    return SUBSETS[name](answer, sample)


def classification(answer: str, sample: Sample) -> Verdict:
    """1 / number of classes that the first line names, if the right one is among them.

    A name that is a part of the right one does not count.
    """
    found, rule = wording.taken(answer, "first_line")
    classes = sample.meta.get("all_classes") or []
    named = {right: named_in(found, right, classes) for right in wording.references(sample)}
    scores = {right: 1 / len(names) if right in names else 0.0 for right, names in named.items()}
    most = max(scores, key=scores.__getitem__)
    if not named[most]:
        return Verdict(0.0, None, rule, NOTHING_FOUND)
    return Verdict(scores[most], ", ".join(named[most]), rule, f"the right class is {most!r}")


def named_in(line: str, right: str, classes: Sequence[str]) -> list[str]:
    """Classes in a line, the right one included."""
    every = dict.fromkeys([*classes, right])
    return [name for name in every if name in line and (name == right or name not in right)]


def numbers(answer: str, sample: Sample) -> Verdict:
    """Share of the numbers in the answer that are the one in the reference, such as Paragraph 12."""
    found = NUMBER.findall(answer)
    if not found:
        return Verdict(0.0, None, "numbers", NOTHING_FOUND)
    wanted = [NUMBER.findall(one) for one in wording.references(sample)]
    if not all(wanted):
        raise EvaluationError(f"row {sample.id} has a reference without a number; correct the data")
    shares = [found.count(one[0]) / len(found) for one in wanted]
    most = wording.best(shares)
    return Verdict(shares[most], " ".join(found[:SHOWN]), "numbers", f"the right one is {wanted[most][0]}")


QA = partial(text.f1, settings=text.F1(language="en"))
QA_ZH = partial(text.f1, settings=text.F1(language="zh"))
QA_LINE = partial(text.f1, settings=text.F1(language="en", take="answer_line"))
SUMMARY = partial(text.rouge, settings=text.Rouge(language="en"))
SUMMARY_ZH = partial(text.rouge, settings=text.Rouge(language="zh"))
SUMMARY_LINE = partial(text.rouge, settings=text.Rouge(language="en", take="first_line"))
CODE = partial(text.similarity, settings=text.Similarity(method="indel", take="code_line"))
# Answers to the few-shot subsets (trec to lsht) are their first line: models go on to make up further examples.
SUBSETS: dict[str, Measure] = {
    "narrativeqa": QA,
    "qasper": QA,
    "multifieldqa_en": QA,
    "multifieldqa_zh": QA_ZH,
    "hotpotqa": QA,
    "2wikimqa": QA,
    "musique": QA,
    "dureader": SUMMARY_ZH,
    "gov_report": SUMMARY,
    "qmsum": SUMMARY,
    "multi_news": SUMMARY,
    "vcsum": SUMMARY_ZH,
    "trec": classification,
    "triviaqa": QA_LINE,
    "samsum": SUMMARY_LINE,
    "lsht": classification,
    "passage_count": numbers,
    "passage_retrieval_en": numbers,
    "passage_retrieval_zh": numbers,
    "lcc": CODE,
    "repobench-p": CODE,
}
EVALUATORS = {"longbench": Evaluator(score, "LongBench: F1, ROUGE-L, classes, numbers or code, by subset.", "score")}
