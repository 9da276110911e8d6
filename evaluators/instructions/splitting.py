"""How texts are cut into words and sentences. No data is loaded, and each takes time in proportion to its text."""

import functools
import re
import string
from collections.abc import Iterator
from itertools import pairwise

from nltk.tokenize.destructive import NLTKWordTokenizer

from evaluators.instructions.lexicon import ABBREVIATIONS, NO_INITIALS, STARTERS, STOP_WORDS

WORD = re.compile(r"\w+")
LETTERS = re.compile(r"[^\W\d_]+")
PUNCTUATION = string.punctuation + " "  # of ASCII alone, as the authors of IFBench have it
NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
# A mark may end a sentence before a blank, and before what cannot be within a word; marks of scripts that are written
# without blanks end one anywhere.
END = re.compile(
    r"[.?!](?=[)\";}\]*:@'({\[?!\u2018\u2019\u201c\u201d\u00ab\u00bb]|\s+\S)|[\u3002\uff01\uff1f\u0964]+(?=\s*\S)"
)
# Quotes and brackets that still belong to the sentence before.
CLOSERS = re.compile(r"\s*[\"')\]}\u2018\u2019\u201c\u201d\u00ab\u00bb]+(?=\s|--|$)")
BLANK = re.compile(r"\s")
APART = re.compile(r"[\s)\";}\]*:@({\[]")
NUMBER = re.compile(r"[.,]?\d[\d,.-]*")
NEXT = re.compile(r"\s*([^\W\d_]*)")
LONGEST_ABBREVIATION = 24
LAST_STOP = re.compile(r"(?<=[^.])(\.[\])}>\"'\u00bb\u201d\u2019 ]*)$")
TREEBANK = NLTKWordTokenizer()
# What may stand behind the full stop of a sentence, which the Penn Treebank's rules part from its last word.
BEHIND = ".])}>\"'\u00bb\u201d\u2019 "


def bare_words(text: str) -> list[str]:
    """Words in lower case, without punctuation around or within them; what is nothing else is no word."""
    return text.lower().translate(NO_PUNCTUATION).split()


@functools.lru_cache(maxsize=16)  # the instructions of one answer, in its eight forms, ask for the same ones
def sentences(text: str) -> tuple[str, ...]:
    """Sentences with what ends them, cut as NLTK's Punkt cuts English ones (Kiss and Strunk 2006), with rules in place
    of its counts; headings and items of lists without a mark go on into what follows."""
    found = []
    start = 0
    for end in ends(text):
        closed = CLOSERS.match(text, end)
        end = closed.end() if closed else end
        found.append(text[start:end].strip())
        start = end
    return tuple(sentence for sentence in [*found, text[start:].strip()] if sentence)


def ends(text: str) -> Iterator[int]:
    """Places where a sentence ends; of several marks without a blank between them the last one decides."""
    marks = [match.end() for match in END.finditer(text)]
    for mark, following in pairwise([*marks, 0]):
        alone = not following or text[mark - 1] not in ".?!" or BLANK.search(text, mark, following)
        if alone and (text[mark - 1] != "." or full_stop(text, mark)):
            yield mark


def full_stop(text: str, end: int) -> bool:
    """Whether a dot ends a sentence, as it does not behind most abbreviations, initials and dots, and as it does not
    behind a number before a small letter."""
    before = APART.split(text[max(0, end - 1 - LONGEST_ABBREVIATION) : end - 1])[-1].lstrip("`&#-,").lower()
    found = NEXT.match(text, end)
    follows = found.group(1) if found else ""
    if before.endswith("."):
        return follows[:1].isupper()
    if NUMBER.fullmatch(before):
        return not follows[:1].islower()
    if len(before) == 1 and before.isalpha():
        return before in NO_INITIALS and not follows[:1].islower() and (not follows or begins(follows))
    return before.split("-")[-1] not in ABBREVIATIONS or begins(follows)


def begins(word: str) -> bool:
    """Whether a word begins a sentence behind an abbreviation: it has a capital that it has nowhere else."""
    return word[:1].isupper() and (word.lower() in STOP_WORDS or word.lower() in STARTERS)


@functools.lru_cache(maxsize=16)
def tokens(text: str) -> list[str]:
    """Words and punctuation of each sentence, as the Penn Treebank has them: don't is `do` and `n't`.

    The full stop of each sentence is parted from its last word, for the sake of one call for all of them.
    """
    return list(TREEBANK.tokenize(" ".join(LAST_STOP.sub(r" \1", sentence) for sentence in sentences(text))))


def word_tokens(text: str) -> list[str]:
    """The tokens with a letter or a figure."""
    return [token for token in tokens(text) if any(map(str.isalnum, token))]


def capital_words(text: str) -> int:
    """How many words are in capitals, each a token of the Penn Treebank: DON'T and CANNOT are two of them."""
    ended = (sentence.rstrip(BEHIND) for sentence in sentences(text))
    with_capitals = (sentence for sentence in ended if any(map(str.isupper, sentence)))  # the others need no time
    return sum(map(str.isupper, TREEBANK.tokenize(" ".join(with_capitals))))
