"""What an answer says of itself: boxes, "the answer is", "I choose", and the same in Chinese. The last one counts."""
# ruff: noqa: RUF001

import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from evaluators.choices.letters import BEFORE, BUT, MOST, Case, Read, read_at

Reader = Callable[[Case, int], Read | None]
CLOSING = 320  # characters at the end that are looked at first
GAP = 48  # characters between "answer" and "is"
# What is read from the text in lower case needs no re.IGNORECASE, which would take twice the time.
LINK = re.compile(
    rf"(?P<gap>[^.!?;\n。！？；:：=]{{0,{GAP}}}?)"
    r"(?P<link>\b(?:is|are|was|be)(?:\b|(?=n['’]t))(?P<not>\s?(?:not\b|n['’]t\b))?|[:：=]|\s[-–—]{1,2}>?\s|→"
    r"|(?<=[\s*_#\]])\n|(?<=answer)[\n>]|(?<=answer)['’]s\b)"
)
# Words between "answer" and "is" after which no answer comes; those of the first group deny what follows.
DENIES = re.compile(r"\b(?:not|cannot|never|neither|nor)\b|n['’]t\b")
DOUBTS = re.compile(
    r"\b(?:whether|if|could|might|may|can(?!\sonly\b)|(?<!the\s)(?<!these\s)(?<!given\s)(?:choices|options)|because|why|how|what|depends?)\b"
)
CONDITION = re.compile(
    r"(?:\b(?:if|whether|suppos(?:e|ing)|assum(?:e|ing)|unless)\b[^.!?\n,]*"
    r"|\b(?:wrong|incorrect|previous|initial|earlier|original|false|your|student['’]s)\s*"
    r"|(?:n['’]t|\bnot)\s(?:think|believe|say|mean)[^.!?\n,]*|\bdoubt[^.!?\n,]*|(?:如果|假如|假设|若|并非|不认为)[^。！？\n，,]*"
    r"|\b(?:first|initially|originally|have)\b[^.!?\n]{0,16}\bthought\b[^.!?\n,]*"
    r"|\b(?:initially|originally|at\sfirst),?\s(?:i|we)\s"
    r"|\b(?:might|could|may)\s(?:say|think|argue|guess|believe|assume)[^.!?\n,]*)\Z"
)
# CONDITION has one of these in it; they are found many times as fast.
SUPPOSES = re.compile(
    r"if|whether|suppos|assum|unless|wrong|incorrect|previous|initial|earlier|original|false|your|student|n['’]t|not"
    r"|doubt|first|have|might|could|may|如果|假|若|并非|不认为"
)
QUALIFIERS = (
    *("correct", "right", "best", "appropriate", "accurate", "suitable", "true", "likely", "final", "answer"),
    *(" my", " only"),
)
I_CHOOSE = re.compile(
    r"(?:\b(?:i|we)(?:['’](?:d|ll|m))?(?:\s(?:would|will|should|shall|must|can|have\sto|therefore|thus|am\sgoing\sto|have"
    r"|would\slike\sto))?|(?:\A|\n|therefore|thus|hence|so|conclusion),?)\s*\Z"
)
CHOOSERS = frozenset(
    {"i", "we", "i'd", "i'll", "i’d", "i’ll", "i'm", "we'd", "we'll", "will", "would", "should", "shall", "must", "can"}
    | {"to", "have", "therefore", "thus", "hence", "so"}
)
CHOOSE = re.compile(r"(?:choos\w*|chose|select\w*|pick\w*|go(?:ing)?\swith)\b:?\s*")
ZH_LINK = re.compile(r"(?P<gap>[^。！？；;\n]{0,16}?)(?P<link>是|为|选择|选|[:：=＝】\])])")
ACTUALLY = re.compile(
    r"actually[\s,:]{0,3}(?:no\b[\s,]{0,3})?(?:(?:it|that)(?:['’]s|\s(?:is|must\sbe|should\sbe))\s|is\s)?"
)
BEFORE_ACTUALLY = re.compile(
    r"(?:\b(?:it|that|this|answer|option|choice)(?:['’]s|\s(?:is|was|should\sbe))?\s?|[.…,;!?—–\n-]\s*|\bno\s)\Z"
)

ZH_DENIES = re.compile(r"不|非|没|错")
# "If the question had asked for plants, the answer would be A" says nothing of this question.
UNREAL = re.compile(r"(?:\bif\b[^.!?\n]*\b(?:had|were|was|asked|instead)|\bhad\s(?:it|the|this|we))\b[^.!?\n]*\Z")
UNSURE = re.compile(r"不(?:确定|知|清|明|好说)|无法|没有")
ZH_PICK = re.compile(r"选择?\s{0,2}(?:答案|选?项)?\s{0,2}(?:应该|应当|应)?(?:是|为|[:：])?\s{0,2}")
ZH_RIGHT = re.compile(r"正确的?(?:答案|选项|说法|一项|表述|是选项)?\s{0,2}(?:应该|应当|应)?(?:是|为|有|[:：])")
SETTLED = ("正确", "答案", "合适", "恰当", "应", "选", "选择", "故", "佳", "符合", "是", "为")
NO_PICK = frozenset("不别未误勿单多备候筛挑首可供任错未没入当海")


class Statement(NamedTuple):
    """Letters that were stated, where, and by which rule; several where an answer hedges or is a set."""

    letters: str
    at: int
    rule: str


def last_statement(case: Case, language: str) -> Statement | None:
    """The last statement of the text, of whichever kind."""
    # Most answers close with it: what is before is seldom looked at.
    size = len(case.text)
    near = max(0, size - CLOSING)
    return last_within(case, language, near, size) or (last_within(case, language, 0, near) if near else None)


def last_within(case: Case, language: str, start: int, end: int) -> Statement | None:
    """The last statement whose words begin between two places."""
    best, earliest = Statement("", -1, ""), start
    here = case.low[start : end + LONGEST_WORD]
    rare = tuple(part for part in PARTS if part not in here)
    for word, part, rule, read in looked_for(language, case.text.isascii()):
        if part in rare or word not in here:
            continue
        found = latest(case, word, read, earliest, end + len(word) - 1)
        if found is not None and found.at > best.at:
            best = Statement(found.letters, found.at, rule)
            earliest = max(start, best.at - 2 * BEFORE - GAP)
    return best if best.at >= 0 else None


@lru_cache(maxsize=6)
def looked_for(language: str, ascii_only: bool) -> tuple[tuple[str, str, str, Reader], ...]:
    """Each word that is looked for, which of PARTS it has, its rule and how it is read."""
    return tuple(
        (word, next((part for part in PARTS if part in word), ""), rule, read)
        for words, rule, wanted, read in KINDS
        if not (language and wanted and language != wanted) and not (ascii_only and wanted == "zh")
        for word in words
    )


def latest(case: Case, word: str, read: Reader, start: int, end: int) -> Read | None:
    """The last place of a word between two places from which letters can be read that are not only supposed."""
    low = case.low
    at = low.rfind(word, start, end)
    for _ in range(MOST):
        if at < 0:
            return None
        found = read(case, at)
        if found is not None and not conditional(low, at):
            return found
        at = low.rfind(word, start, at)
    return None


def boxed(case: Case, at: int) -> Read | None:
    r"""After `\boxed` or `\fbox`."""
    return read_at(case, at + len("boxed")) if case.low[at - 1 : at] in ("\\", "f") else None


def answer(case: Case, at: int) -> Read | None:
    """After "answer": "is", a colon, a dash or the end of a heading."""
    found = LINK.match(case.low, at + len("answer"))
    if found is None:
        return None
    gap, link = found["gap"], found["link"]
    if found["not"] or (gap and DENIES.search(gap)):
        return after_but(case, found.start("link"))
    if "would" in gap and UNREAL.search(case.low[max(0, at - 3 * BEFORE) : at]):
        return None
    if gap and (DOUBTS.search(gap) or (link == "\n" and gap.strip(" *_#"))):
        return None
    return read_at(case, found.end(), colon=link in ":：")


def option(case: Case, at: int) -> Read | None:
    """After "the correct option", "the best choice" and such."""
    if not case.low[max(0, at - 16) : at].rstrip("* \n").endswith(QUALIFIERS):
        return None
    end = next(len(word) for word in ("option", "choice", "letter", "statement") if case.low.startswith(word, at))
    found = LINK.match(case.low, at + end)
    if found is None or DOUBTS.search(found["gap"]) or (found["link"] == "\n"):
        return None
    if found["not"] or DENIES.search(found["gap"]):
        return after_but(case, found.start("link"))
    return read_at(case, found.end(), colon=found["link"] in ":：")


def choose(case: Case, at: int) -> Read | None:
    """After "I choose", "we select", "I'd go with"."""
    before = case.low[max(0, at - BEFORE) : at]
    last = before.rsplit(None, 1)[-1:]
    if last and last[0].strip(", \n") not in CHOOSERS:
        return None
    found = CHOOSE.match(case.low, at)
    there = read_at(case, found.end(), words=False) if found else None
    return there if there and I_CHOOSE.search(before) else None


def zh_answer(case: Case, at: int) -> Read | None:
    """After the Chinese word for answer."""
    start = at + len("答案")
    direct = read_at(case, start)
    if direct is not None:
        return direct
    found = ZH_LINK.match(case.text, start)
    if found is None:
        return None
    if UNSURE.search(found["gap"]):
        return None
    if ZH_DENIES.search(found["gap"]):
        return after_but(case, found.start("link")) or after_but(case, start)
    return read_at(case, found.end(), colon=found["link"] in ":：")


def zh_pick(case: Case, at: int) -> Read | None:
    """After the Chinese word for choosing; "option A" alone is no choice."""
    text = case.text
    if at and text[at - 1] in NO_PICK:
        return None
    if text.startswith("项", at + 1) and not text[max(0, at - 8) : at].rstrip("的* ").endswith(SETTLED):
        return None
    found = ZH_PICK.match(text, at)
    return read_at(case, found.end(), words=False) if found else None


def zh_right(case: Case, at: int) -> Read | None:
    """After "the right one is" in Chinese."""
    if case.text[at - 1 : at] == "不":
        return None
    found = ZH_RIGHT.match(case.text, at)
    return read_at(case, found.end()) if found else None


def after_but(case: Case, at: int) -> Read | None:
    """What is said in the place of what was denied: "not A but C"."""
    window = case.text[at : at + BEFORE]
    for found in BUT.finditer(window):
        there = read_at(case, at + found.end())
        if there is not None and found.start() > 1:
            return there
    return None


def actually(case: Case, at: int) -> Read | None:
    """After "actually", which takes back what was stated before."""
    found = ACTUALLY.match(case.low, at)
    if found is None or not BEFORE_ACTUALLY.search(case.low[max(0, at - BEFORE) : at]):
        return None
    return read_at(case, found.end(), words=False)


def conditional(low: str, at: int) -> bool:
    """Whether the words before a place only suppose or deny what follows."""
    before = low[max(0, at - BEFORE) : at]
    return SUPPOSES.search(before) is not None and CONDITION.search(before) is not None


# Words that are looked for, the rule's name, its language ("" any), and how the letters after it are read.
KINDS: tuple[tuple[tuple[str, ...], str, str, Reader], ...] = (
    (("boxed", "fbox"), "boxed", "", boxed),
    (("answer",), "answer is", "en", answer),
    (("option", "choice", "letter", "statement"), "right option is", "en", option),
    (("choos", "chose", "select", "pick", "go with", "going with"), "choose", "en", choose),
    (("actually",), "actually", "en", actually),
    (("答案",), "答案", "zh", zh_answer),
    (("选",), "选", "zh", zh_pick),
    (("正确",), "正确的是", "zh", zh_right),
)
# What several of the words have: where it is not there, neither are they.
PARTS = ("box", "cho", " with")
LONGEST_WORD = max(len(word) for words, *_ in KINDS for word in words)
