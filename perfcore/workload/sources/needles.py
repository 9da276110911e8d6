# ruff: noqa: RUF001 (Chinese has full-width marks)
"""Needles: facts of needles.jsonl, and chains of relatives out of names.json; drawn by the generator that is given."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from perfcore.errors import UserError

LANGUAGES = {"en": "English", "zh": "Chinese"}  # in the files
# Generations between a person and such a relative.
RELATIVES = {
    "en": {"father": 1, "mother": 1, "grandfather": 2, "grandmother": 2},
    "zh": {"父亲": 1, "母亲": 1, "祖父": 2, "祖母": 2, "外祖父": 2, "外祖母": 2},
}
SENTENCES = {
    "en": (
        "{elder} is the {relative} of {younger}.",
        "The {relative} of {younger} is called {elder}.",
        "{younger} often visits {elder}, the {relative} of {younger}.",
        "It was {elder}, the {relative} of {younger}, who taught {younger} to read.",
    ),
    "zh": (
        "{younger}的{relative}叫{elder}。",
        "{younger}管{elder}叫{relative}。",
        "{younger}常去看望自己的{relative}{elder}。",
        "教{younger}识字的是{younger}的{relative}{elder}。",
    ),
}
QUESTIONS = {
    "en": {
        "eldest": "Going back through the relatives that the text names, who is the eldest one of {youngest}?",
        "ancestor": "Who is the ancestor of {youngest} {steps} generations back?",
        "descendant": "Who is the descendant of {eldest} {steps} generations on?",
        "distance": "How many generations are between {youngest} and {eldest}?",
    },
    "zh": {
        "eldest": "沿着文中写到的亲属一代代往上找，{youngest}辈分最高的长辈是谁？",
        "ancestor": "{youngest}往上数{steps}代的祖先是谁？",
        "descendant": "{eldest}往下数{steps}代的后代是谁？",
        "distance": "{youngest}和{eldest}之间相差几代？",
    },
}
CLOSING = {
    "en": "A father or mother is one generation back, a grandfather or grandmother two; names say nothing about sex. "
    "Close with the answer as \\boxed{ANSWER}.",
    "zh": "父母算一代，祖父母和外祖父母算两代；不必考虑名字的性别。最后把答案写成\\boxed{答案}。",
}


# Around a text with its needles: the question behind it, the question before it, no text but the needles.
FRAMES = {
    "en": (
        "Read this document; a question about it follows.\n<document>\n{text}\n</document>\n\n{question}\n",
        "A document follows; this is the question about it.\n{question}\n\n<document>\n{text}\n</document>\n",
        "{text}\n\n{question}\n",
    ),
    "zh": (
        "请阅读下面的文档，之后有一个关于它的问题。\n<文档>\n{text}\n</文档>\n\n{question}\n",
        "下面先给出问题，再给出文档。\n{question}\n\n<文档>\n{text}\n</文档>\n",
        "{text}\n\n{question}\n",
    ),
}


class Needles(NamedTuple):
    """What is hidden in a text, what is asked, and what the answer should have."""

    texts: list[str]
    question: str
    reference: str | list[str]


def facts(rows: Sequence[Mapping[str, Any]], count: int, language: str, rng: np.random.Generator) -> Needles:
    """`count` facts with different keywords; raises UserError where there are too few, or a row lacks a field."""
    there = [row for row in rows if row.get("language") == LANGUAGES[language]]
    found: dict[str, Mapping[str, Any]] = {}
    for at in rng.permutation(len(there)):
        missing = {"needle", "retrieval_question", "arg2"} - there[at].keys()
        if missing:
            raise UserError(f"needles.jsonl has a row without {', '.join(sorted(missing))}; fetch it anew")
        found.setdefault(str(there[at]["arg2"]), there[at])
        if len(found) == count:
            break
    if len(found) < count:
        raise UserError(
            f"needles.jsonl has {len(found)} facts in {LANGUAGES[language]}, {count} are wanted; ask for fewer"
        )
    asked = "\n".join(str(row["retrieval_question"]) for row in found.values())
    keywords = list(found)
    return Needles([str(row["needle"]) for row in found.values()], asked, keywords)


def chain(names: Mapping[str, str], count: int, language: str, kind: str, rng: np.random.Generator) -> Needles:
    """`count` relatives one above the other, out of order, and a question of a kind. Raises UserError."""
    every = list(dict.fromkeys(filter(None, map(str.strip, str(names.get(LANGUAGES[language], "")).split(",")))))
    if len(every) <= count:
        raise UserError(
            f"names.json has {len(every)} names in {LANGUAGES[language]}, {count + 1} are wanted; ask for fewer needles"
        )
    people = [every[at] for at in rng.permutation(len(every))[: count + 1]]  # the eldest first
    relatives, sentences = list(RELATIVES[language]), SENTENCES[language]
    drawn = [relatives[at] for at in rng.integers(0, len(relatives), count)]
    texts = [
        sentences[which].format(elder=elder, younger=younger, relative=relative)
        for elder, younger, relative, which in zip(
            people, people[1:], drawn, rng.integers(0, len(sentences), count), strict=False
        )
    ]
    steps = [RELATIVES[language][relative] for relative in drawn]
    asked, answer = question(people, steps, language, kind)
    return Needles([texts[at] for at in rng.permutation(count)], asked, answer)


def question(people: Sequence[str], steps: Sequence[int], language: str, kind: str) -> tuple[str, str]:
    """A question about the whole chain, from one end to the other, and its answer."""
    ends = {"eldest": people[0], "youngest": people[-1]}
    answers = {"eldest": people[0], "ancestor": people[0], "descendant": people[-1], "distance": str(sum(steps))}
    asked = QUESTIONS[language][kind].format(steps=sum(steps), **ends)
    return f"{asked}\n{CLOSING[language]}", answers[kind]
