"""Multiple choice answers scored per second on one core, against a bare search for letters in the same run.

`python -m benchmarks.choice` prints the figures. The answers are letters alone, 500 characters and 4,000 characters of
reasoning in English and Chinese, one third each; half of the long ones end without any statement, which is what costs
most.
"""
# ruff: noqa: RUF001

import random
import re
import time
from collections.abc import Sequence

from benchmarks.figure import Figure, rows, text
from evaluators.choice import Choice, score
from evaluators.sample import Sample

ANSWERS = 100_000
SMOKE = 30
BARE = re.compile(r"[A-D]")
SETTINGS = Choice(labels=["A", "B", "C", "D"])
MOST_S = 10.0
SHORT = (
    "{}",
    "({})",
    "**{}**",
    "{}.",
    "答案：{}",
    "The answer is ({}).",
    "{}. It is the only one that fits.",
    "故选{}",
)
ENDS = (
    *("\n\nTherefore, the correct answer is **{}**.", "\n\nANSWER: {}", "\nSo the answer is \\boxed{{{}}}.", "\n\n{}"),
    *("\n故选{}。", "\n综上所述，答案是{}。", "", "", "", "\nWe leave it there."),
)
ENGLISH = (
    "A closer look at option B shows that the rate grows with the answer's size. ",
    "I think vitamin C plays no role here, and plan A would fail. ",
    "If x is 4, then the sum 12 + 30 is 42, which rules out the first choice. ",
    "Let us select the terms one by one, **step 2** first: $y = 3x^2$. ",
)
CHINESE = (
    "选项A的说法不够准确，因为条件没有给出。",
    "我们逐一分析每个选项，先看B项。",
    "由此可知，该物质含有维生素C，但不影响结论。",
)


def measure(count: int = ANSWERS) -> list[Figure]:
    """Answers per second through score(), and how many times as long that takes as a bare search for letters."""
    samples = made(count, random.Random(1))
    bare_s = timed(lambda: [BARE.findall(sample.prediction or "") for sample in samples])
    ours_s = timed(lambda: [score(sample.prediction or "", sample, SETTINGS) for sample in samples])
    characters = sum(len(sample.prediction or "") for sample in samples)
    return [
        Figure(
            "choice-rate",
            "multiple choice answers scored per second on one core",
            count / ours_s,
            "answers/s",
            gate=ANSWERS / MOST_S,
            least=True,
            note=f"{count:,} answers of {characters / count:,.0f} characters on average in {ours_s:.1f} s",
        ),
        Figure("choice-ratio", "scoring / a bare search for [A-D] in the same texts", ours_s / bare_s, ratio=True),
    ]


def timed(work: object) -> float:
    """Seconds of processor time that a call takes."""
    began = time.process_time()
    assert callable(work)
    work()
    return time.process_time() - began


def made(count: int, draw: random.Random) -> Sequence[Sample]:
    """Answers of three lengths, in turn."""
    meta = {"A": "the first arch", "B": "the second arch", "C": "both of them", "D": "none of the above"}
    kinds = (lambda: draw.choice(SHORT), lambda: long(500, draw), lambda: long(4000, draw))
    return [
        Sample(
            id=str(at), prediction=kinds[at % 3]().format(draw.choice("ABCD")), reference=draw.choice("ABCD"), meta=meta
        )
        for at in range(count)
    ]


def long(length: int, draw: random.Random) -> str:
    """Reasoning of about a length, and an end that has a place for the letter, if any."""
    sentences = CHINESE if draw.random() < 1 / 3 else ENGLISH
    body = ""
    while len(body) < length:
        body += draw.choice(sentences)
    return body + draw.choice(ENDS)


if __name__ == "__main__":
    print(text(rows(measure())))
