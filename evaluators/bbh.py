"""The evaluator `bbh`: BIG-Bench Hard, whose 27 tasks ask for a letter, a word such as yes, a number, or a text."""
# ruff: noqa: RUF001

import re
from collections.abc import Callable

from evaluators.choice import find
from evaluators.registry import Evaluator, NoSettings, evaluator
from evaluators.sample import NOTHING_FOUND, Sample, Verdict

OPTIONS = re.compile(r"^\(([A-Z])\) (.*)$", re.MULTILINE)
LETTER = re.compile(r"\(([A-Z])\)")
NUMBER = re.compile(r"-?\d+")
PAIRS = ({"Y": "yes", "N": "no"}, {"T": "true", "F": "false"}, {"V": "valid", "I": "invalid"})
STATED = re.compile(r"answer(?: is|:)[ \t:*]*", re.IGNORECASE)
BOX = re.compile(r"\\boxed\s*\{(.*)\}")
QUOTES = " .*_`\"'“”‘’$"
LONGEST = 2000  # characters after the last "answer is" that are looked at
ITEM = re.compile(r"^\s*\d+[.)]\s*", re.MULTILINE)
BRACKETS = re.compile(r"[()\[\]{}<>]")


def score(text: str, sample: Sample, settings: NoSettings) -> Verdict:
    """1 where the answer is the reference, else 0: read by the task's way, else by that of the reference's form."""
    reference = str(sample.reference).strip()
    task = TASKS.get(sample.subset)
    if task is not None:
        return compared(task(stated(text)), task(reference))
    if letter := LETTER.fullmatch(reference):
        return lettered(text, letter.group(1), str(sample.meta.get("input", "")))
    pair = next((one for one in PAIRS if reference.lower() in one.values()), None)
    if pair is not None:
        found = find(text, "".join(pair), False, pair)
        return verdict(pair.get(found.letters, ""), reference.lower(), found.rule, found.why)
    if NUMBER.fullmatch(reference):
        number = evaluator("number")
        return number.score(text, sample, number.settings())
    return compared(plain(stated(text)), plain(reference))


def lettered(text: str, right: str, question: str) -> Verdict:
    """The verdict on a letter, of those that the question lists."""
    choices = dict(OPTIONS.findall(question))
    found = find(text, "".join(choices) or "ABCDEFGHIJKLMNOPQR", False, choices)
    return verdict(found.letters, right, found.rule, found.why)


def verdict(given: str, right: str, rule: str, why: str) -> Verdict:
    """The verdict on what a rule found."""
    if not given:
        return Verdict(0.0, None, rule, why or NOTHING_FOUND)
    return Verdict(float(given == right), given, rule, "" if given == right else f"{right} is right")


def compared(given: str, right: str) -> Verdict:
    """The verdict on a text."""
    return verdict(given, right, "stated text", "")


def stated(text: str) -> str:
    """What follows the last "answer is", on its line if there is anything; else what is boxed; else the last line."""
    last = max((found.end() for found in STATED.finditer(text)), default=None)
    if last is not None:
        rest = text[last : last + LONGEST]
        line = rest.partition("\n")[0]
        rest = line if line.strip(QUOTES) else rest
    else:
        rest = text.strip().rpartition("\n")[2]
    box = BOX.search(rest)
    return box.group(1) if box else rest


def plain(text: str) -> str:
    """Lower case, without quotes, marks and double blanks."""
    return " ".join(text.lower().split()).strip(QUOTES)


def words(text: str) -> str:
    """Words in their order, whatever stands between them."""
    pieces = re.split(r"[\s,;>]+", ITEM.sub(" ", text.lower()))
    return " ".join(word for piece in pieces if (word := piece.strip(QUOTES + "-–•:")))


def brackets(text: str) -> str:
    """Brackets in their order."""
    return " ".join(BRACKETS.findall(text))


# Tasks whose answer is a text of its own kind.
TASKS: dict[str, Callable[[str], str]] = {"word_sorting": words, "dyck_languages": brackets}
EVALUATORS = {"bbh": Evaluator(score, "BIG-Bench Hard: a letter, a word, a number or a text, by its task.")}
