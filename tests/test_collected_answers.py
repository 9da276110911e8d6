"""Answers as models write them, read by the evaluators: the exact list of those that are misread."""
# ruff: noqa: RUF001

from collections.abc import Iterator
from pathlib import Path

import pytest

from evaluators import mathematics
from evaluators.answers.reasoning import without_reasoning
from evaluators.choice import find
from evaluators.formulas import apart
from evaluators.mathematics import Math
from evaluators.sample import Sample

DATA = Path(__file__).parent / "data"
# What is read out of these, and should not be, or should and is not; each with what a careful reader takes.
CHOICES_MISREAD = {
    ("C, 12 m/s", "C", ""),  # no more than a letter of prose, unless the choice's text is known
    ("C 12 m/s", "C", ""),
    ("B 力变大", "B", ""),
    ("D，A和B都对", "D", ""),
    ("abd", "ABD", ""),  # small letters in a row may be a word
    ("Based on the passage, the author implies that the war was lost. Option B says this.", "B", ""),
    ("A and D are clearly wrong. Between B and C, B is the stronger choice.", "B", ""),
}
MATH_MISREAD = {
    ("\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}", "\\boxed{\\binom{1}{2}}", "+"),  # a vector in a binomial's clothes
    ("20\\text{ cm}", "\\boxed{200 \\text{ mm}}", "+"),  # units are not converted
    ("\\text{no solution}", "\\boxed{\\emptyset}", "+"),
    ("12", "12 (twelve)", "+"),
    ("12", "\\boxed{12万}", "-"),  # the question may ask for a count of 万
    ("12", "x = 12 does not work, so there is no solution.", "-"),
    ("12", "\\boxed{12 \\frac{\\text{m}}{\\text{s}}}", "+"),
    ("12", "\\boxed{12:00}", "+"),
    ("\\frac{2}{3}", "\\boxed{0.\\dot{6}}", "+"),
    ("\\frac{2}{3}", "\\boxed{0.666\\ldots}", "+"),
    ("(-\\infty,0)\\cup(0,\\infty)", "\\boxed{x \\ne 0}", "+"),
    ("(-\\infty,0)\\cup(0,\\infty)", "\\boxed{\\mathbb{R} \\setminus \\{0\\}}", "+"),
    ("\\sqrt{2}", "\\boxed{2^{0.5}}", "+"),  # decimals are not exact to sympy
    ("\\frac{\\sqrt{2}}{2}", "\\boxed{\\sin 45^\\circ}", "+"),
}


@pytest.fixture(autouse=True, scope="module")
def no_process_is_left() -> Iterator[None]:
    yield
    apart.end()


def lines(name: str) -> list[str]:
    text = (DATA / name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("# ")]


def answered(text: str) -> str:
    return without_reasoning(text.replace("⏎", "\n")).text


def choices() -> Iterator[tuple[str, str, bool, dict[str, str], str]]:
    """(text, options, whether several may be right, the choices, letters of a careful reader)."""
    options, several, texts = "", False, {}
    for line in lines("choice_answers.tsv"):
        if line.startswith("== "):
            head, *named = (part.strip() for part in line[3:].split(" | "))
            options, several = head.split()[0], head.endswith("several")
            texts = dict(zip(options, named, strict=False))
        else:
            wanted, text = line.split("\t", 1)
            yield text, options, several, texts, wanted.replace("-", "")


def test_letters_are_read_as_a_careful_reader_does_but_for_the_known_ones() -> None:
    every = list(choices())
    found = [find(answered(text), options, several, texts).letters for text, options, several, texts, _ in every]
    wrong = {(row[0], row[4], letters) for row, letters in zip(every, found, strict=True) if letters != row[4]}
    assert (len(every) > 1000, wrong) == (True, CHOICES_MISREAD)


def test_mathematics_is_judged_as_a_careful_reader_does_but_for_the_known_ones() -> None:
    every = [line.split("\t", 2) for line in lines("math_answers.tsv")]
    points = [
        mathematics.score(answered(text), Sample(id="1", reference=wanted), Math()).score for _, wanted, text in every
    ]
    wrong = {
        (row[1], row[2], row[0]) for row, score in zip(every, points, strict=True) if (score == 1) != (row[0] == "+")
    }
    assert (len(every) > 600, wrong) == (True, MATH_MISREAD)
