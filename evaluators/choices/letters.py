"""Which letter an answer to a multiple choice question gives: the places where letters stand, and how each is read.

A letter counts only where something says that it is an answer: a statement ("the answer is", a box), its place (alone,
first, last) or its marks. Letters of running prose ("A cat", "vitamin C", "I think") have none of these. Every look is
bounded: at most MOST places for each word, each seen through a window, so that no text takes more than linear time.
"""
# ruff: noqa: RUF001

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

MOST = 16  # places of each word that are looked at, from the end
SHORT = 300  # characters of an answer in all of which the text of a choice is looked for
BEFORE = 40  # characters before a word that can turn its meaning
OPENERS, CLOSERS = frozenset("([{*\"'`“‘「『【（$_<"), frozenset(")]}*\"'`”’」』】）$_>")
LATEX = r"\\(?:text(?:bf|it|rm|sf)?|math(?:rm|bf|sf|it)|boxed|fbox|bf|rm|left|quad|[,;!:(\[ ])"
OPEN = rf"(?:[\s*_`\"'“‘「『《【〖\[(（{{<$:：~#]|{LATEX})"
CLOSE = r"(?:[*_`\"'”’」』》】〗\])）}>$]|##|\\[)\]]){0,8}"
FILLERS = (
    "the|correct|option|choice|letter|answer|clearly|definitely|most|likely|probably|indeed|therefore|thus|simply|just|"
    "actually|now|either|both|only"
)
# Read from the text in lower case: without re.IGNORECASE the first character decides which form is tried.
LEAD_ONLY = re.compile(rf"(?:{OPEN}|[-•]\s|(?:{FILLERS})(?![a-z])|选项|选择|选|应|该|是|为){{0,16}}")
SEP = (
    r"\s{0,4}(?:[,，、;；/／&+和与及跟]|或者?|以及|\s(?:and|or|and/or)\s)"
    r"\s{0,4}(?:(?:and|or)\s{1,4}|[和与或]\s{0,2})?"
)
STRONG = (
    r"(?=\s{0,4}(?:\Z|\n|\.(?![A-Za-z]\.|\d)|,(?!\d)|:(?!\d)|[;!)\]}。，；：！）】」』、．…|(（]|[—–]|--|\*\*|</)"
    r"|\s-\s)"
)
JOINED = (
    r"(?P<joined>(?=\s{1,4}(?:because|since|as|but|due|given|based|which|so|for|according"
    r"|is\s(?:the\s)?(?:correct|right|best|true)|rather\sthan|instead\sof|and\snot|over|here|among|from\sthe"
    r"|(?:in|for)\sthis)\b))"
)
CJK = r"(?=\s?(?![型级类细股座维])[\u4e00-\u9fff])"
GOOD = "correct|right|best|true|accurate|appropriate|valid"
LIKELY = "suitable|plausible|likely|probable|reasonable|logical|fitting"
WHAT = "answer|choice|option|one|fit|candidate|solution"
CALLED = (
    r"\s{1,4}(?:is|are|seems?|appears?|(?:must|should|has\sto|(?P<would>would))\sbe)\s(?:to\sbe\s)?"
    r"(?:(?:both|all|therefore|thus|indeed|clearly|then)\s)?"
    rf"(?:(?:the\s|my\s)?(?:most\s|only\s)?(?:{GOOD}|answer)\b|(?:the\s)?(?:most|more)\s(?:{LIKELY})\b"
    rf"|the\s(?:only|better|stronger|strongest|closest|safest)\s(?:{WHAT})\b|the\sone\b(?!\s)|what\s(?:remains|is\sleft))"
)
# What is said of the right option alone.
FITS = (
    r"\s{1,4}(?:best\s[a-z]|(?:fits|matches|satisfies|meets|describes)\s(?:all|both|every|the)\b"
    r"|(?:correctly|accurately)\s[a-z])"
)
MADE = rf"\s(?:the\s)?(?:most\s|only\s)?(?:{GOOD}|{LIKELY})\b"
ALONE = r"\s{1,4}(?:fits|matches|satisfies|meets|describes|works|holds|remains|makes)\b"
ZH_CALLED = (
    r"\s{0,2}(?:选?项)?\s{0,2}(?:才|是|最|为|均|都|皆|全|完全){0,4}"
    r"(?:正确|对(?![于应照比称象抗立])|符合|恰当|合适|合理|准确)"
)
# After "Answer: B" these go on with a sentence about B.
VERBS = re.compile(
    r"\s{1,4}(?:is|are|was|were|or|and|nor|vs|versus|could|can|cannot|may|might|would|has|have|does|seems|looks|cells?"
    r"|vitamins?|lymphocytes?)\b",
    re.IGNORECASE,
)
BUT = re.compile(r"but|rather|instead|it['’]s|it is|而是|应该是|应是|是", re.IGNORECASE)


NO_WORDS: tuple[dict[str, str], int] = ({}, 0)


class Grammar(NamedTuple):
    """Compiled forms of the letters that count."""

    options: str
    several: bool
    letters: frozenset[str]
    listed: re.Pattern[str]
    single: re.Pattern[str]
    whole: re.Pattern[str]
    first: re.Pattern[str]
    end: re.Pattern[str]
    markers: re.Pattern[str]
    right: re.Pattern[str]
    right_small: re.Pattern[str]
    judged: re.Pattern[str]
    goes_on: re.Pattern[str]
    bold: re.Pattern[str]


class Read(NamedTuple):
    """Letters that stand at a place of the text; more than one in the order of the options."""

    letters: str
    at: int


class Case(NamedTuple):
    """An answer, its lower case with the same places, the forms of its letters, and what each letter stands for."""

    text: str
    low: str
    grammar: Grammar
    choices: Mapping[str, str]  # what each letter stands for, in lower case
    texts: tuple[str, ...]  # those alone
    longest: int  # the most words that one has


def case_of(text: str, options: str, several: bool, choices: Mapping[str, str]) -> Case:
    """All that the rules look at."""
    text = text.strip()
    words, longest = in_words(tuple(choices.items())) if choices else NO_WORDS
    return Case(text, lowered(text), grammar(options, several), words, tuple(words.values()), longest)


def lowered(text: str) -> str:
    """Lower case of the same length: one capital letter alone would become two characters."""
    return text.lower() if text.isascii() else text.replace("İ", "I").lower()


@lru_cache(maxsize=1024)
def in_words(choices: tuple[tuple[str, str], ...]) -> tuple[dict[str, str], int]:
    """Text of each choice in lower case, without what may stand around it, by its letter; the most words of one."""
    pairs = ((letter, lowered(" ".join(text.split())).strip(" $.")) for letter, text in choices)
    there = {letter: words for letter, words in pairs if words}
    return there, max((len(words.split()) for words in there.values()), default=0)


@lru_cache(maxsize=256)
def grammar(options: str, several: bool) -> Grammar:
    """Forms for these options."""
    wide = "".join(chr(ord(letter) + 0xFEE0) for letter in options)
    both = f"[{re.escape(options + wide)}]"
    bracketed = rf"\s{{0,2}}[(（\[]{both}[)）\]]"
    run = rf"|\s{{0,2}}(?:[-•]\s)?{OPEN}{{0,4}}(?-i:{both}){CLOSE}" if several else ""
    more = rf"(?:(?:{SEP}){OPEN}{{0,8}}(?:(?:option|choice)\s)?{both}{CLOSE}|{bracketed}{CLOSE}{run}){{0,25}}"
    letters = rf"{both}{CLOSE}{more}"
    mark = rf"{OPEN}{{0,8}}{both}{CLOSE}"
    sure = rf"(?-i:{both})"
    some = rf"{both}(?<![A-Za-z][\s\S]){CLOSE}(?:(?:{SEP})(?:option\s)?[(*（]{{0,3}}{both}{CLOSE}){{0,25}}"
    number = "" if any(map(str.isdigit, options)) else r"|(?:q|question)?\s?\d{1,3}[.):：]"
    return Grammar(
        options,
        several,
        frozenset(options + options.lower() + wide + wide.lower()),
        re.compile(rf"(?P<letters>{letters})(?:{STRONG}|{JOINED}|{CJK})", re.IGNORECASE),
        re.compile(rf"(?P<letters>{both})(?P<close>{CLOSE})(?=\s{{1,4}}[^\W\d])", re.IGNORECASE),
        re.compile(
            rf"(?:(?:options?|choices?|letters?|both|选项?|是|A[:：]{number})\s?)?(?P<letters>{mark}{more})(?:选?项)?"
            r"[\s.,:;!?？。，．：、*]{0,8}",
            re.IGNORECASE,
        ),
        re.compile(
            rf"(?:[-+>•]\s{{1,2}})?{OPEN}{{0,8}}(?P<named>(?:option|choice|选项)\s?[(（*]{{0,3}})?(?P<letters>{both})(?P<close>{CLOSE})"
            r"(?P<mark>\s\((?=[^()\n]{1,80}\)\.?\s*(?:\n|\Z))|;\s|\s{0,2}[.)）】\]．。、:：](?!\d)|\s?[,，](?=\s?(?:because|since|as|因为|理由)\b)|[，,](?=因为|理由)|\s{0,2}\n|\s{1,2}(?:because|since)\b|\s{0,2}[—–]\s|\s-\s|(?=因为|选?项?(?:是|为|最)?(?:正确|对的)))",
            re.IGNORECASE,
        ),
        re.compile(
            rf"(?:[(（\[【]\s?{sure}\s?[)）\]】]|\*\*\s?{sure}\.?\s?\*\*|\b(?:option|choice|so|thus|hence|therefore|leaving|leaves"
            rf"|(?:it|that|this) (?:is|must be|should be|would be)|(?:it|that)['’]s|select|choose|pick)[:,]?\s{sure}"
            rf"|(?:选项|→|➡|⇒|=>|->)\s?{sure}|\b(?:so|then)\s{sure}\sit\sis|looks\slike\s{sure}|(?:(?-i:(?<![A-Z]))[,，]|[.!?。！？∴])\s{{0,2}}{sure}"
            rf"|(?:\A|[.,!?]\s)(?:probably|(?:most|very)\s(?:likely|probably)|likely|definitely|obviously|clearly|surely)[,:]?\s{sure}"
            rf"|\b(?:final|correct|conclusion|pick|guess|decision|solution|结论|正确)\*{{0,2}}[:：]\s{{0,2}}{sure})"
            r"[\s.。!！?？*_)）}\]】\"'”$]{0,12}\Z",
            re.IGNORECASE,
        ),
        re.compile(rf"^[ \t]{{0,8}}(?:[-*+]\s)?[*(（\[]{{0,3}}({both})[*]{{0,2}}[.)）\]:：、．]", re.MULTILINE),
        re.compile(
            rf"(?P<letters>{some})\.?(?:{CALLED}|{ZH_CALLED}|(?P<fits>{FITS})|(?P<alone>{ALONE})|(?P<made>{MADE}))"
        ),
        re.compile(rf"\((?P<letters>[{re.escape(options.lower())}])\)[*\"'”.]{{0,3}}{CALLED}"),
        re.compile(
            rf"^[ \t]{{0,8}}(?:[-*+>•]\s)?[*(（\[]{{0,3}}(?P<letter>{both})"
            r"(?:[*)）\].:：、．]{1,5}\s?|\s)(?P<rest>[^\n]*)",
            re.MULTILINE,
        ),
        re.compile(rf"\s{{0,2}}(?:[(（\[]{both}[)）\]]|{both}(?=[、,，和与都均错正不对]))"),
        re.compile(rf"\*\*\s{{0,2}}[(（]?({both})(?:[)）.:：]{{0,2}}\s{{0,2}}\*\*|[)）.:：][^*\n]{{0,200}}\*\*)"),
    )


def plain(letter: str) -> str:
    """A letter in capitals of usual width."""
    code = ord(letter)
    return (chr(code - 0xFEE0) if code >= 0xFF01 else letter).upper()


def in_order(found: str, grammar: Grammar) -> str:
    """The letters in a piece of text, each once, in the order of the options."""
    return plain(found) if len(found) == 1 else _in_order(found, grammar.options)


@lru_cache(maxsize=1024)
def _in_order(found: str, options: str) -> str:
    there = {plain(letter) for letter in _single_letters(options).findall(found)}
    return "".join(letter for letter in options if letter in there)


@lru_cache(maxsize=256)
def _single_letters(options: str) -> re.Pattern[str]:
    wide = "".join(chr(ord(letter) + 0xFEE0) for letter in options)
    both = re.escape(options + wide)
    # "and", "or", "option" of a list have letters too: none of these stands between other small letters.
    return re.compile(rf"(?<![a-z\\])(?i:[{both}])(?![a-z])")


def read_at(case: Case, at: int, colon: bool = False, words: bool = True) -> Read | None:
    """The letters, or the choice in words, that stand at a place; None where there is prose.

    `colon` says that "answer:" stood before, after which "B some words" is B; after "is" it is prose.
    Without `words` no choice in words is looked for.
    """
    text, lead = case.text, LEAD_ONLY.match(case.low, at)
    start = lead.end() if lead else at
    # The lead takes all that may stand before a letter: where none follows it, no form has to be tried.
    lettered = text[start : start + 1] in case.grammar.letters
    found = case.grammar.listed.match(text, start) if lettered else None
    if found is not None and sure(found, text):
        return Read(in_order(found["letters"], case.grammar), start)
    if words and case.texts and (named := choice_at(case, at, start)) is not None:
        return named
    found = case.grammar.single.match(text, start) if lettered else None
    if found is None or not weak(found, text, case.low[at:start], colon):
        return None
    return Read(plain(found["letters"]), start)


def sure(found: re.Match[str], text: str) -> bool:
    """Whether a letter that ends well is none of the words I and a."""
    return not (found["joined"] is not None and text[found.start("letters")] in "Ii")


def weak(found: re.Match[str], text: str, lead: str, colon: bool) -> bool:
    """Whether a letter before further words is an answer: marked, named an option, or of an answer's line."""
    at = found.start()
    if found["close"] and at and text[at - 1] in OPENERS:
        return True
    if lead.rstrip(" *_`\"'(（[【:：").endswith(("option", "choice", "letter", "选项")):
        return True
    return colon and found["letters"] not in "AIai" and found["letters"].isupper() and not VERBS.match(text, at + 1)


def choice_at(case: Case, at: int, start: int) -> Read | None:
    """The choice whose whole text stands at a place or, behind what may lead it, at `start`; the longest one."""
    for begin in (start, at) if start != at else (at,):
        if not case.low.startswith(case.texts, begin):
            continue
        there = [letter for letter, words in case.choices.items() if stands(case.low, words, begin)]
        if there:
            return Read(max(there, key=lambda letter: len(case.choices[letter])), begin)
    return None


def stands(low: str, words: str, at: int) -> bool:
    """Whether words stand at a place, and no longer word or number."""
    return low.startswith(words, at) and bounded(low, at, at + len(words))


def bounded(low: str, start: int, end: int) -> bool:
    """Whether no word or number goes on at either end."""
    before, after = low[start - 1 : start] if start else "", low[end : end + 1]
    first, last = low[start : start + 1], low[end - 1 : end]
    if solid(last) and (solid(after) or (last.isdigit() and after in (".", ",") and low[end + 1 : end + 2].isdigit())):
        return False
    return not (solid(first) and (solid(before) or (first.isdigit() and before in ("-", "−", ".", ","))))


def solid(character: str) -> bool:
    """A letter or digit of a script that puts spaces between words."""
    return bool(character) and character.isalnum() and not "\u2e80" <= character <= "\uffef"
