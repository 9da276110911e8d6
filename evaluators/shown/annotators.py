"""Short answers of people to questions about pictures, in the normal form in which the VQA benchmark compares them.

Antol et al. 2015, "VQA: Visual Question Answering", and the description of the evaluation at visualqa.org.
"""

import re
from collections.abc import Sequence

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
NUMBERS = {**{word: str(number) for number, word in enumerate(DIGITS)}, "none": "0"}
ARTICLES = frozenset(("a", "an", "the"))
MARKS = ';/[]"{}()=+\\_-><@`,?!'
BETWEEN_DIGITS = re.compile(r"\d,\d")
POINT = re.compile(r"\.(?!\d)")
AGREEING = 3  # of the others, that make an answer wholly right
# Endings of contractions, and the words that have them. Those that are words without the apostrophe too, such as its,
# well, hell and were, are left out, as the benchmark leaves them out.
CONTRACTED = {
    "n't": "ai are could did does do had has have is might must need ought should was were would ca wo sha",
    "'ve": "could might must not should they we what where who would you",
    "'re": "there they what why you",
    "'s": "he how someone somebody that there what when where who why",
    "'ll": "how it somebody someone something they what who why you",
    "'d": "he how it someone something there they where who you",
}
OTHER = {"maam": "ma'am", "oclock": "o'clock", "yall": "y'all", "twas": "'twas"}
CONTRACTIONS = {
    (word + ending).replace("'", ""): word + ending for ending, words in CONTRACTED.items() for word in words.split()
} | OTHER


def normal(text: str) -> str:
    """The normal form: marks, numbers, articles and contractions as the benchmark has them."""
    given = line = " ".join(text.split())
    joined = BETWEEN_DIGITS.search(given) is not None
    for mark in MARKS:
        if mark in given:
            line = line.replace(mark, "" if joined or f"{mark} " in given or f" {mark}" in given else " ")
    words = (NUMBERS.get(word, word) for word in POINT.sub("", line).lower().split())
    return " ".join(CONTRACTIONS.get(word, word) for word in words if word not in ARTICLES)


def agreement(said: str, answers: Sequence[str]) -> float:
    """Accuracy of an answer: the mean over people of min(1, others who said it / 3), each person left out in turn.

    Both are in the normal form. Of fewer than four people it is all the others who have to agree; of one, that one.
    """
    if len(answers) == 1:
        return float(said == answers[0])
    same = sum(one == said for one in answers)
    needed = min(AGREEING, len(answers) - 1)
    return sum(min(1.0, (same - (one == said)) / needed) for one in answers) / len(answers)
