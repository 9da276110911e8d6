"""LongBench (Bai et al. 2023): each of its 21 subsets has a measure of its own, which SUBSETS lists.

The measures are those of the authors' program to the letter, since their numbers are published: so words lose ASCII's
marks alone, and ROUGE-L is that of the package `rouge`. What `evaluators.text` has under the same names reads answers
with more care, and its ROUGE is a part beside the score.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeAlias

from rapidfuzz.distance import Indel

from evaluators import text
from evaluators.errors import EvaluationError
from evaluators.registry import Evaluator, NoSettings
from evaluators.sample import NOTHING_FOUND, Sample, Verdict
from evaluators.words import chinese, overlap, plain, sentences, wording
from evaluators.words.wording import Language

Measure: TypeAlias = Callable[[str, Sample], Verdict]
NUMBER = re.compile(r"\d+")
SHOWN = 20  # numbers of an answer in `extracted`
# Those of the program: it has the closing \u300b, but not the opening \u300a.
MARKS = re.compile(
    "[\u2013\u2014\u2018\u2019\u201b-\u201f\u2026\u2027\ufe4f\u3001\u3003\u300b-\u3011\u3014-\u301f\u3030\u303e\u303f"
    "\u3002\uff01-\uff0d\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff64]"
)
LENGTHS = ((4000, "0-4k"), (8000, "4-8k"), (math.inf, "8k+"))  # words, or Chinese characters, of the text


def score(answer: str, sample: Sample, settings: NoSettings) -> Verdict:
    """By the measure of the sample's subset, that of LongBench-E (name_e) by the one of its name."""
    name = (sample.subset or str(sample.meta.get("dataset", ""))).removesuffix("_e")
    if name not in SUBSETS:
        raise EvaluationError(f"LongBench has no subset {name!r}; its subsets are {', '.join(SUBSETS)}")
    return SUBSETS[name](answer, sample)


def first(answer: str) -> str:
    """The first line that is not empty, which may be of blanks."""
    return answer.lstrip("\n").partition("\n")[0]


def f1(language: Language, line: bool, answer: str, sample: Sample) -> Verdict:
    """Words in common with the reference for which these are the most; of the first line, or of all."""
    found, rule = (first(answer), "first line") if line else (answer, "whole text")
    wanted = wording.references(sample)
    tokens = chinese_words if language == "zh" else plain.words
    said = tokens(found)
    every = [plain.f1(said, right) for right in map(tokens, wanted)]
    most = every[wording.best([one.f1 for one in every])]
    parts = overlap.rounded(most._asdict())
    return Verdict(parts["f1"], found.strip() or None, rule, f"f1 to {text.shown(wanted)}", parts)


def chinese_words(line: str) -> list[str]:
    """jieba's words in lower case without marks."""
    bare = (MARKS.sub("", plain.without_marks(word)) for word in chinese.words(line))
    return [word for word in ("".join(one.split()) for one in bare) if word]


def rouge(language: Language, line: bool, answer: str, sample: Sample) -> Verdict:
    """ROUGE-L of the package `rouge`; the parts are those of rouge-score, for comparison with other data sets."""
    found, rule = (first(answer), "first line") if line else (answer, "whole text")
    wanted = wording.references(sample)
    worded = " ".join(chinese.words(found)) if language == "zh" else found
    rights = [" ".join(chinese.words(one)) if language == "zh" else one for one in wanted]
    most = max(sentences.rouge_l(worded, right) for right in rights)
    parts = overlap.rounded(overlap.rouge(found, wanted, language))
    return Verdict(round(most, 6), found.strip() or None, rule, f"ROUGE-L to {text.shown(wanted)}", parts)


def code(answer: str, sample: Sample) -> Verdict:
    """Edit similarity in percent of the first line that has neither a mark of a code block nor of a comment."""
    lines = answer.lstrip("\n").split("\n")
    found = next((each for each in lines if not any(mark in each for mark in ("`", "#", "//"))), "")
    wanted = wording.references(sample)
    most = max(round(100 * Indel.normalized_similarity(found, right)) / 100 if found else 0.0 for right in wanted)
    return Verdict(most, found or None, "first line of code", f"similarity to {text.shown(wanted)}")


def classification(answer: str, sample: Sample) -> Verdict:
    """1 / number of classes that the first line names, if the right one is among them.

    A name that is a part of the right one does not count.
    """
    found, rule = first(answer), "first line"
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


def by_length(samples: Sequence[Sample], verdicts: Sequence[Verdict], settings: NoSettings) -> Mapping[str, float]:
    """Means by the length of the text, as LongBench-E has them: 0-4k, 4-8k, 8k+."""
    found: dict[str, list[float]] = {name: [] for _, name in LENGTHS}
    for sample, verdict in zip(samples, verdicts, strict=True):
        length = sample.meta.get("length")
        if isinstance(length, int):
            found[next(name for bound, name in LENGTHS if length < bound)].append(verdict.score)
    return {name: sum(scores) / len(scores) for name, scores in found.items() if scores}


QA, QA_ZH, QA_LINE = partial(f1, "en", False), partial(f1, "zh", False), partial(f1, "en", True)
SUMMARY, SUMMARY_ZH, SUMMARY_LINE = partial(rouge, "en", False), partial(rouge, "zh", False), partial(rouge, "en", True)
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
    "lcc": code,
    "repobench-p": code,
}
EVALUATORS = {
    "longbench": Evaluator(
        score, "LongBench: F1, ROUGE-L, classes, numbers or code, by subset.", "score", NoSettings, by_length
    )
}
