"""Measures of text and boxes at their edges; each value is worked out in the comment above its row."""

import math
from typing import Any

import pytest

from evaluators.longbench import SUBSETS
from evaluators.registry import evaluator
from evaluators.sample import Sample, Verdict
from evaluators.settings import settings_of

CLASSES = ["Date", "Other number", "number", "Person"]


def scored(name: str, text: str, reference: Any, **args: Any) -> Verdict:
    own = evaluator(name)
    return own.score(text, Sample(id="1", reference=reference), settings_of(args, own.settings, name))


@pytest.mark.parametrize(
    ("name", "answer", "reference", "value"),
    [
        # Case counts: three substitutions of three. An accent is one of four.
        ("similarity", "ABC", "abc", 0),
        ("similarity", "caf\u00e9", "cafe", 3 / 4),
        # One deletion of three characters; the nearer of two references is an insertion away, of five.
        ("similarity", "北京市", "北京", 2 / 3),
        ("similarity", "kite", ["cat", "kites"], 4 / 5),
        # ANLS: a distance of 2/5 counts 1 - 2/5, one of 2/4 just counts, more is worth nothing.
        ("anls", "abc", "abcde", 3 / 5),
        ("anls", "ab", "abcd", 1 / 2),
        ("anls", "ab", "abcde", 0),
        ("anls", "ab", ["xy", "AB"], 1),
        ("anls", "", "x", 0),
        # "apple day" on both sides: articles, marks and case are nothing.
        ("f1", "An apple, a day", "apple day!", 1),
        # Marks go and part no words, as in SQuAD: rocknroll is none of rock, n, roll.
        ("f1", "rock-n-roll", "rock n roll", 0),
        ("f1", "1,000", "1000", 1),
        # One word in common, of two and of one: 2 * 1 / 3.
        ("f1", "ab ab", "ab", 2 / 3),
        # Both cities are on both sides, in another order; the comma of full width is no word.
        ("f1", "北京\uff0c上海", "上海 北京", 1),
        # a b d, or a c d: 3 of 4. Of three words one after the other only one is in place: 1/3.
        ("rouge", "a b c d", "a c b d", 3 / 4),
        ("rouge", "北京 欢迎 你", "你 欢迎 北京", 1 / 3),
        # a c of three and of two words: precision 2/3, recall 1: 2 * 2 / 5.
        ("rouge", "a b c", "a c", 4 / 5),
        # All orders that two words have are right; the penalty of 2 for 6 words is exp(1 - 3), of 5 for 10 exp(1 - 2).
        ("bleu", "the cat", "the cat sat on the mat", math.exp(-2)),
        ("bleu", "a b c d e", "a b c d e f g h i j", math.exp(-1)),
        # The penalty is that of the nearest length: none of 2 for 2.
        ("bleu", "the cat", ["the cat sat on the mat", "the cat"], 1),
        ("exact", "\uff21\u3002", "a", 1),
        ("exact", "\u00abParis\u00bb", "paris", 1),
    ],
)
def test_a_measure_has_the_value_that_a_hand_computes(name: str, answer: str, reference: Any, value: float) -> None:
    assert scored(name, answer, reference).score == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize(
    ("box", "reference", "value"),
    [
        ("[0, 0, 10, 10]", [10, 0, 10, 10], 0),  # side by side
        ("[0, 0, 10, 10]", [2, 2, 5, 5], 25 / 100),  # one within the other
        ("[0, 0, 10, 10]", [5, 5, 10, 10], 25 / 175),
        ("[0, 0, 10, 10]", [0, 5, 10, 10], 50 / 150),
        ("[0, 0, 0, 5]", [0, 0, 10, 10], 0),  # no wider than a line
    ],
)
def test_boxes_overlap_as_a_hand_computes(box: str, reference: list[int], value: float) -> None:
    found = scored("iou", box, reference, scale="pixels")
    assert found.parts["iou"] == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize(
    ("subset", "answer", "references", "value"),
    [
        # Two classes are named, number as a part of Other number; where that is right, number is no other class.
        ("trec", "Date or Person", ["Person"], 1 / 2),
        ("trec", "Other number", ["number"], 1 / 2),
        ("trec", "Other number, Date", ["Other number"], 1 / 2),
        ("lsht", "\nPerson\nDate", ["Date", "Person"], 1),
        ("trec", "person", ["Person"], 0),
        # Of the numbers 3, 3 and 4 two are right; 13 is none of them, and a 3 in a word is one.
        ("passage_count", "3 of 3, not 4", ["3"], 2 / 3),
        ("passage_count", "13", ["3"], 0),
        ("passage_retrieval_en", "Paragraph 3 (see v2)", ["Paragraph 3"], 1 / 2),
        ("passage_retrieval_zh", "段落3和段落5", ["段落5"], 1 / 2),
        # "x = 1" has 5 characters, "x = 12" 6: one insertion of 11, 91 %. Comments, marks of blocks are no code.
        ("lcc", "```python\n# so\nx = 1\ny", ["x = 12"], 0.91),
        ("repobench-p", "// so\n`x`\n", ["x = 12"], 0),
        # Two of three words, and of two: 2 * 2 / 5.
        ("multifieldqa_zh", "北京、上海。", ["北京上海"], 1),
        ("hotpotqa", "the red, red kite", ["Red kite"], 4 / 5),
        ("vcsum", "北京 欢迎 你", ["你 欢迎 北京"], 1 / 3),
    ],
)
def test_longbench_has_the_value_that_a_hand_computes(
    subset: str, answer: str, references: list[str], value: float
) -> None:
    row = Sample(id="1", reference=references, subset=subset, meta={"all_classes": CLASSES})
    assert SUBSETS[subset](answer, row).score == pytest.approx(value, abs=1e-6)
