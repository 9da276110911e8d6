"""Which letter an answer gives where it states none: by the place of the letter, or by what it says of an option."""
# ruff: noqa: RUF001

import re
from itertools import chain

from evaluators.choices.letters import MOST, OPENERS, SHORT, Case, bounded, in_order, plain, read_at
from evaluators.choices.statements import conditional

TAIL = 80
CLOSING = 320  # characters at the end in which an opinion is looked for
MARKS = " .。!！?？*_)）}]】\"'”$\n"
RIGHT = (
    *(
        "correct",
        "right",
        "best",
        "true",
        "accurate",
        "appropriate",
        "valid",
        "most ",
        "only ",
        "is the answer",
        "better",
    ),
    *("正确", "符合", "对的", "恰当", "合适", "合理"),
)
SUBJECT = re.compile(
    r"(?:\b(?:option|choice|answer|statement|that|so|therefore|thus|hence|only|and|but|both|think|believe|conclude|here)s?"
    r"|选?项|认为|觉得|可知|可见|显然|看出|确定|上|但|而|即|故|所以|因此|[.!?\n:;,(*。！？，：；、有])\s*[(（*\"'“]*\Z",
    re.IGNORECASE,
)
ONLY = re.compile(r"\b(?:only|only option|only choice)\s*[(（*\"'“]*\Z", re.IGNORECASE)
MAKES = re.compile(r"\bmak(?:es|ing)\s(?:option\s|choice\s|statement\s)?[(（*\"'“]*\Z", re.IGNORECASE)
NAMED = re.compile(r"\b(?:option|choice|statement|only)\s*[(（*\"'“]*\Z", re.IGNORECASE)
# What somebody says of the right one, or thinks, and a key with its value.
SAYS = re.compile(
    r"\b(?:(?:correct|right|best|most\s\w{1,20}|only)(?:\s[\w'’-]{1,20}){0,6}?\s(?:is|are|(?:would|must|only)\sbe)"
    r"|the\sletter\sis|my\s(?:best\s|final\s)?(?:guess|choice|pick|vote)\s(?:is|would\sbe|goes\sto)"
    r"|(?:option|choice|one|answer|statement)\sthat\s(?:best\s)?(?:fits|matches|works|satisfies|describes|answers|meets"
    r"|represents|explains|completes|holds)(?:\s[\w'’-]{1,20}){0,5}?\s(?:is|are)"
    r"|(?:i|we)(?:['’]d|['’]ll|\swould|\swill)?\s(?:say|think|believe|guess|conclude|answer|vote\sfor|bet\son"
    r"|lean\stowards?)(?:\sthat)?(?:\sit(?:['’]s|\sis))?|not\s[a-z],?\s(?:but|rather))\s"
)
# What is said of an option in passing, where nothing else in the text says more.
MATCHES = re.compile(
    r"\b(?:(?:correspond(?:s|ing)?\sto|match(?:es|ing)?|which\sis)\s(?:option|choice|answer|statement)|corresponds\sto"
    r"|(?:the|my)\s(?:final\s)?solution\sis|answer\schoice|it\smust\sbe|going\swith)\s"
)
MATCHING = ("correspond", "match", "which is", "solution", "answer choice", "must be", "going with")
NOT_BUT = re.compile(r"not\s[a-z],?\s(?:but|rather)\s")
# Begins with one character, by which the search is fast: the end of the line before, or a mark.
KEY = re.compile(
    r"[\n{,|;](?:[\s>*_#\"'|{-]{0,8}(?:(?:my|the|final|correct|best|selected|chosen|predicted|model)[\s_]){0,2}"
    r"(?:ans|choice|option|letter|selection|response|result|guess|solution|conclusion|verdict|prediction|decision"
    r"|(?:q|question)\s?\d{0,3})(?:[\s_-](?:letter|choice|option|key))?[*_\"']{0,3}\s?[.:：=]"
    r"|(?<=\n)(?:final\s|correct\s)?answer\s(?=\S{1,3}\Z))"
)
# Each way begins with a character of its own, by which the search is fast.
ZH_FITTING = ("符合", "合适", "恰当", "合理", "准确", "适合", "贴切", "佳")
ZH_IS = (
    *("应该", "应当", "应", "就", "只能", "认为", "觉得", "所以", "因此", "故", "而", "那么", "大概", "确实"),
    *("\\n", "，", "。", "；", ","),
)
ZH_SAYS = re.compile(
    "|".join(
        [f"{word}是" for word in ZH_IS]
        + ["剩下?的?(?:选项|只有|是)?", "答复?\\s{0,2}[:：]", "(?<![个些各])选项[为是]"]
        + [rf"{word}(?<![不非]{word})(?:题意|题目|要求)?的?(?:选项|答案|一项|说法)?[是为有]" for word in ZH_FITTING]
    )
)
# What a question for the wrong one is answered with.
EXCEPTION = re.compile(
    r"\b(?:the\s(?:false|incorrect|untrue|odd)\s(?:statement|sentence|one)(?:\sout)?|the\sexception|the\sleast\s\w{1,20}(?:\s\w{1,20})?"
    r"|(?:one|statement|sentence|option)\s(?:that\s(?:is|are|does|do)(?:\snot|n['’]t)?\s(?:true|correct|false|incorrect|belong|fit|apply)"
    r"|with\s(?:the|an)\s(?:error|mistake)))\sis\s|\bexcept(?:\sfor)?\s"
)
ZH_EXCEPTION = re.compile(r"(?:错误|不正确|不符合题意|有误|不恰当|不属于)的?(?:说法|一项|选项|表述)?是")
# Each with words without one of which a search for it finds nothing.
EXCEPTIONS = (
    (EXCEPTION, ("false", "correct", "true", "the odd", "except", "least", "error", "mistake", " belong", " fit")),
    (ZH_EXCEPTION, ("错误", "不正确", "不符合题意", "有误", "不恰当", "不属于")),
)
JUDGEMENTS = ("correct", "right", "正确", "✓", "✔", "✅", "√", "☑")
WRONG = re.compile(r"\b(?:wrong|incorrect|false|not|least|except|inaccurate|invalid)\b|n['’]t\b|不|错")
DENIED = re.compile(r"(?:\bnot|n['’]t|\bnever|\bcannot)\s(?:\w{1,10}\s)?\Z")
GUESSES = ("might", "could", "may", "可能是")
GUESS = re.compile(r"\b(?:answer|it|option|choice)\s(?:might|could|may)\s(?:well\s|possibly\s)?be\s|可能是")
MARKED_RIGHT = re.compile(
    r"(?:\A|[–—:→(*-])[\s*]{0,4}(?:correct|right)\b(?!\s(?:to|in)\b)|[✓✔✅√☑]|(?:\A|[—:：-])\s?(?:正确|对(?=[，。；\s]|\Z))",
    re.IGNORECASE,
)
MARKED_WRONG = re.compile(
    r"(?:\A|[–—:→(*-])[\s*]{0,4}(?:incorrect|wrong|not\scorrect)\b|[✗✘❌×☒]|(?:\A|[—:：-])\s?(?:错|不)", re.IGNORECASE
)
NO_SUCH = re.compile(r"no\s\w")
EQUALS = re.compile(r"(?:[=≈:→]|\b(?:is|are|was|be|equals|gives|yields|get|have))[\s*_$\\(]{0,6}\Z")
# A name after its initial, with what only people do; "A. Paris is" and "A. The text says" are none.
NAME = re.compile(
    r"\s?(?P<name>(?:[A-Z]\.\s?){0,3}(?!(?:The|He|She|It|They|This|That|You|We|I|Who|As|An?)\b)[A-Z][\w'’-]+)"
    r"(?:\s(?:wrote|writes|said|says|argued|argues|claimed|claims|stated|states|et\sal\b)|\s\(\d{4}\)|,\s\d{4}\b)"
)

# What makes a letter at the beginning the subject of a sentence.
GOES_ON = re.compile(
    r"[\s)*]{0,4}(?:(?:is|are|was|would|can|cannot|could|does|seems|and|or|vs)\b"
    r"(?!\s(?:the\s)?(?:correct|right|best|most|answer|only))|(?:选?项)?是?(?:错|不))",
    re.IGNORECASE,
)


def first(case: Case) -> str:
    """The answer begins with the letter: "B. Because", "(B) as", or the letter on a line of its own."""
    found = case.grammar.first.match(case.text)
    if found is None:
        return ""
    letter, mark, at = found["letters"], found["mark"].strip(), found.start("letters")
    wrapped = bool(found["close"]) and case.text[at - 1 : at] in OPENERS
    if found["named"]:
        wrapped = True
    # "I." may be a numeral, "A:" may stand for "Answer:", "a" and "I" are words.
    worded = (letter in "Iie" and mark in (".", ":", "：")) or (letter == "A" and mark in (":", "："))
    if mark == "." and letter == "I" and "II." not in case.text:
        worded = False
    small = letter.islower() and not found["close"] and mark not in (")", ".")
    listed = letter.isdigit() and "\n" in case.text
    if (worded and not wrapped) or small or listed or GOES_ON.match(case.text, found.end()):
        return ""
    if case.grammar.goes_on.match(case.text, found.end()):  # "A、B", "(A) (B)"
        return ""
    if mark == "." and not wrapped and author(case, found.end(), plain(letter)):
        return ""
    return "" if listing(case, plain(letter)) else plain(letter)


def author(case: Case, at: int, letter: str) -> bool:
    """Whether a letter with its point is the initial of a name: "A. Smith wrote", where no choice begins so."""
    found = NAME.match(case.text, at)
    words = case.choices.get(letter, "")
    return found is not None and not (words and case.low.startswith(words, found.start("name")))


def begins(case: Case) -> str:
    """The answer begins with the text of a choice, and a sentence or a line ends there."""
    there = [letter for letter, words in case.choices.items() if closes(case.low, words)] if case.choices else []
    return max(there, key=lambda letter: len(case.choices[letter])) if there else ""


def letter_and_choice(case: Case) -> str:
    """The answer begins with the letter and the text of its choice."""
    found = case.grammar.judged.match(case.text) if case.choices else None
    if found is None:
        found = (
            re.match(r"[*(（]{0,3}(?P<letter>[A-Za-z0-9])[*)）]{0,3},\s?(?P<rest>[^\n]*)", case.text)
            if case.choices
            else None
        )
    letter = plain(found["letter"]) if found else ""
    words = case.choices.get(letter, "") if found else ""
    at = found.start("rest") if found else 0
    there = words and case.low.startswith(words, at) and bounded(case.low, at, at + len(words))
    return letter if there and not listing(case, letter) else ""


def closes(low: str, words: str) -> bool:
    """Whether a text begins with words that a mark or a line's end follows."""
    return (
        low.startswith(words)
        and low[len(words) : len(words) + 1] in tuple(".,;:!\n。，；：")
        and bounded(low, 0, len(words))
    )


def listing(case: Case, letter: str) -> bool:
    """Whether an answer that begins with the first option goes through all options, one after the other."""
    if letter != case.grammar.options[0]:
        return False
    marked = [plain(each) for each in case.grammar.markers.findall(case.text)]
    if f"option {case.grammar.options[1:2].lower()}" in case.low and f"option {letter.lower()}" in case.low:
        return True
    return case.grammar.options[1:2] in marked and marked.count(letter) < 2


def end(case: Case) -> str:
    """The answer ends with a marked letter: "(B).", "**B**", "so B", "option B"."""
    tail = case.text[-TAIL:]
    if plain(case.text.rstrip(MARKS).removesuffix(" it is")[-1:] or " ") not in case.grammar.options:
        return ""
    found = case.grammar.end.search(tail)
    at = len(case.text) - len(tail) + found.start() if found else 0
    at += found is not None and found.group()[0] in ",，.!?。！？"
    if found is None or conditional(case.low, at) or DENIED.search(case.low[max(0, at - 24) : at]):
        return ""
    letters = [each for each in found.group() if plain(each) in case.grammar.options and not each.islower()]
    return plain(letters[-1]) if letters else ""


def last_marked(case: Case) -> str:
    """The last line begins with a letter and its mark, and no other line does."""
    line = case.text.rpartition("\n")[2]
    found = case.grammar.markers.match(line) if len(line) < len(case.text) else None
    if found is None:
        return ""
    marked = {plain(each) for each in case.grammar.markers.findall(case.text)}
    return plain(found.group(1)) if len(marked) == 1 else ""


def says(case: Case) -> str:
    """What somebody says is right, or thinks: "the one that fits is B", "I'd say B"; else the only guess."""
    start = max(0, len(case.text) - CLOSING)
    for begin, end, words in opinions(case, start):
        there = None if denied(words) else read_at(case, end, words=False)
        if there is not None and not conditional(case.low, begin):
            return there.letters
    if not any(map(case.low[start:].__contains__, GUESSES)):
        return ""
    guesses = [read_at(case, found.end(), words=False) for found in list(GUESS.finditer(case.low, start))[-MOST:]]
    letters = {one.letters for one in guesses if one is not None}
    return letters.pop() if len(letters) == 1 else ""


def opinions(case: Case, start: int) -> list[tuple[int, int, str]]:
    """Where the text says what is right, the last one first: its beginning, its end, its words."""
    kinds = (SAYS,) if case.text.isascii() else (SAYS, ZH_SAYS)
    found = [(*each.span(), each.group()) for kind in kinds for each in kind.finditer(case.low, start)]
    found += keys(case.low, start)
    return sorted(found, key=lambda each: -each[1])[:MOST]


def keys(low: str, start: int) -> list[tuple[int, int, str]]:
    """The names of keys from a place on, each with the mark that parts it from its value."""
    text = "\n" + low  # the first line ends a line before it too
    every = KEY.finditer(text, start if text[start] == "\n" else start + 1)
    return [(each.start() - (each.group()[0] != "\n"), each.end() - 1, each.group()) for each in every]


def denied(words: str) -> bool:
    """Whether words such as "wrong" are among those that say what is right; "not A, but" is none of them."""
    return WRONG.search(words) is not None and NOT_BUT.fullmatch(words) is None


def called_right(case: Case) -> str:
    """The one option that is called right, or the several ones where several may be."""
    if not has(case, RIGHT):
        return ""
    small = case.grammar.right_small.finditer(case.text) if "(" in case.text else ()
    found = [each for each in chain(case.grammar.right.finditer(case.text), small) if is_subject(case, each)]
    firm = [each for each in found if not each["would"]]
    return only({in_order(each["letters"], case.grammar) for each in firm or found}, case)


def has(case: Case, words: tuple[str, ...]) -> bool:
    """Whether a search is worth its time: of short texts always, of long ones only with one of these words."""
    # One character is found many times as fast as a word, and in Chinese the first one is mostly not there.
    low = case.low
    return len(low) <= CLOSING or any(word[0] in low and word in low for word in words)


def is_subject(case: Case, found: re.Match[str]) -> bool:
    """Whether letters that are called right begin a clause, and are named where what is said of them wants it."""
    before = case.text[max(0, found.start() - 24) : found.start()]
    parts = found.groupdict()
    if parts.get("alone"):
        return ONLY.search(before) is not None
    if parts.get("made"):
        return MAKES.search(before) is not None
    if parts.get("fits"):
        return NAMED.search(before) is not None
    return found.start() == 0 or SUBJECT.search(before) is not None


def exception(case: Case) -> str:
    """The last one that is said to be the false one, or the exception."""
    start = max(0, len(case.text) - CLOSING)
    closing = case.low[start:]
    kinds = [kind for kind, words in EXCEPTIONS if any(map(closing.__contains__, words))]
    if not kinds:
        return ""
    every = sorted((each for kind in kinds for each in kind.finditer(case.low, start)), key=lambda each: each.start())
    for found in reversed(every[-MOST:]):
        there = read_at(case, found.end(), words=False)
        if there is not None:
            return there.letters
    return ""


def matching(case: Case) -> str:
    """The only option that something corresponds to, or matches: "this is 12 J, which corresponds to option C"."""
    start = max(0, len(case.text) - CLOSING)
    if not any(map(case.low[start:].__contains__, MATCHING)):
        return ""
    every = MATCHES.finditer(case.low, start)
    firm = (each for each in every if not DENIED.search(case.low[max(0, each.start() - 24) : each.start()]))
    found = [read_at(case, each.end(), words=False) for each in firm if not conditional(case.low, each.start())]
    letters = {one.letters for one in found if one is not None}
    return letters.pop() if len(letters) == 1 else ""


def only(found: set[str], case: Case) -> str:
    """The letters that were found once, or all of them where several may be right; none where they differ."""
    if case.grammar.several:
        return in_order(" ".join(sorted(found)), case.grammar)
    return found.pop() if len(found) == 1 else ""


def judged(case: Case) -> str:
    """Of a list of the options, each called right or wrong, the one that is called right."""
    if not has(case, JUDGEMENTS):
        return ""
    right, wrong = set(), 0
    for line in case.grammar.judged.finditer(case.text):
        if MARKED_WRONG.search(line["rest"]):
            wrong += 1
        elif MARKED_RIGHT.search(line["rest"]):
            right.add(plain(line["letter"]))
    return only(right, case) if wrong + len(right) > 1 else ""


def bold(case: Case) -> str:
    """Exactly one letter is set in bold."""
    found = {plain(letter) for letter in case.grammar.bold.findall(case.text)}
    return found.pop() if len(found) == 1 else ""


def choice_text(case: Case) -> str:
    """Exactly one choice stands in the answer, or in the last line of a long one, in full and not denied."""
    if not case.choices:
        return ""
    low = case.low if len(case.low) <= SHORT else case.low[-SHORT:].rpartition("\n")[2]
    there = {letter: words for letter, words in case.choices.items() if contains(low, words)}
    longest = [
        letter
        for letter, words in there.items()
        if not any(words in other and words != other for other in there.values())
    ]
    return longest[0] if len(longest) == 1 else ""


def closing_choice(case: Case) -> str:
    """The answer ends with the text of a choice behind an equals sign or "is"."""
    low = case.low.rstrip(MARKS)
    there = [
        letter
        for letter, words in case.choices.items()
        if low.endswith(words) and EQUALS.search(low[max(0, len(low) - len(words) - 12) : len(low) - len(words)])
    ]
    return there[0] if len(there) == 1 else ""


def contains(low: str, words: str) -> bool:
    """Whether a text has these words, not as a part of longer ones and not after "not"; "no" is none in "no doubt"."""
    at = low.rfind(words)
    if at < 0 or not bounded(low, at, at + len(words)) or (words == "no" and NO_SUCH.match(low, at)):
        return False
    return not re.search(r"(?:\bnot|n['’]t|不是|并非|不)\s*(?:the\s|a\s|an\s)?\Z", low[max(0, at - 16) : at])
