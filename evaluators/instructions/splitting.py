"""How texts are cut into words and sentences. No data is loaded, and each takes time in proportion to its text."""

import re
import string
from collections.abc import Iterator

from nltk.tokenize.destructive import NLTKWordTokenizer

from evaluators.instructions.lexicon import ABBREVIATIONS, STOP_WORDS, TITLES

WORD = re.compile(r"\w+")
LETTERS = re.compile(r"[^\W\d_]+")
# Punctuation that stands within or around a word; a dash and an ellipsis part words.
WITHIN = str.maketrans("", "", string.punctuation + "\u2018\u2019\u201c\u201d\u00ab\u00bb\u00a1\u00bf")
BETWEEN = str.maketrans("\u2013\u2014\u2026", "   ")
# The first alternative needs a blank after it; the second ends sentences of scripts that are written without.
END = re.compile(r"(?<![.!?])[.!?]+[\"')\]}*_\u2019\u201d\u00bb]*(?=\s|$)|[\u3002\uff01\uff1f\u0964]+")
CLOSERS = "\"')]}*_\u2019\u201d\u00bb"
LONGEST_ABBREVIATION = 24
TREEBANK = NLTKWordTokenizer()
# What may stand behind the full stop of a sentence, which the Penn Treebank's rules part from its last word.
BEHIND = ".])}>\"'\u00bb\u201d\u2019 "


def plain_words(text: str) -> list[str]:
    """Words in lower case without punctuation; what is nothing else is no word."""
    return text.translate(BETWEEN).translate(WITHIN).lower().split()


def spelled_words(text: str) -> list[str]:
    """Runs of letters in lower case: she/her are two words, don't is two."""
    return [found.lower() for found in LETTERS.findall(text)]


def sentences(text: str) -> list[str]:
    """Sentences with what ends them; headings and items of lists without a full stop go on into what follows."""
    found = []
    start = 0
    for end in ends(text):
        found.append(text[start:end].strip())
        start = end
    return [sentence for sentence in [*found, text[start:].strip()] if sentence]


def last_mark(sentence: str) -> str:
    """The mark that ends a sentence, before closing quotes and brackets; without one it is the last letter."""
    return sentence.rstrip(CLOSERS)[-1:]


def ends(text: str) -> Iterator[int]:
    """Places where a sentence ends."""
    for match in END.finditer(text):
        mark = match.group().rstrip(CLOSERS)
        if mark.strip(".") or not goes_on(text, match.start(), match.end(), len(mark)):
            yield match.end()


def goes_on(text: str, start: int, end: int, dots: int) -> bool:
    """Whether a sentence goes on behind full stops, as it does behind abbreviations, initials and dots.

    A word that is mostly written small begins a new sentence where it has a capital.
    """
    follows = LETTERS.search(text, end, end + LONGEST_ABBREVIATION)
    capital = follows is not None and follows.group()[0].isupper() and not text[end : follows.start()].strip()
    if dots > 1:
        return not capital and follows is not None
    before = text[max(0, start - LONGEST_ABBREVIATION) : start]
    word = "" if before[-1:].isspace() else before.split()[-1].lstrip("\"'([{*_\u2018\u201c") if before else ""
    if word.lower() in TITLES:
        return True
    shortened = word.lower() in ABBREVIATIONS or (len(word) == 1 and word.isupper()) or is_dotted(word)
    return shortened and not (capital and follows is not None and follows.group().lower() in STOP_WORDS)


def is_dotted(word: str) -> bool:
    """Whether a word is letters with dots between them, such as e.g or U.S"""
    return "." in word and all(len(part) == 1 and part.isalpha() for part in word.split("."))


def tokens(text: str) -> list[str]:
    """Words and punctuation, much as the Penn Treebank has them; a contraction is one of them."""
    return re.findall(r"\w+(?:['./-]\w+)*|[^\w\s]", text)


def capital_words(text: str) -> int:
    """How many words are in capitals, each a token of the Penn Treebank: DON'T and CANNOT are two of them."""
    ended = (sentence.rstrip(BEHIND) for sentence in sentences(text))
    with_capitals = (sentence for sentence in ended if any(map(str.isupper, sentence)))  # the others need no time
    return sum(map(str.isupper, TREEBANK.tokenize(" ".join(with_capitals))))
