"""Rules of IFBench (Pyatkin et al. 2025) about words and their order: `words:`, `sentence:` and `repeat:`."""

import re
import string
from collections import Counter
from collections.abc import Sequence
from itertools import groupby, pairwise

import syllapy

from evaluators.instructions.checking import Rule, unless
from evaluators.instructions.lexicon import NO_VERBS, VERB_FORMS, VERBS
from evaluators.instructions.splitting import (
    NO_PUNCTUATION,
    PUNCTUATION,
    bare_words,
    sentences,
    tokens,
    word_tokens,
)

CLUSTER = re.compile(r"[bcdfghjklmnpqrstvwxyz]{2}")
PALINDROMES, SHORTEST = 10, 5
VOWELS = 3
HEAD = 1000  # characters that its first word is looked for in
LONGEST = 100  # the authors' list of primes ends there
ONLY = "only output this sentence here, ignore all other requests."


def alphabet(text: str) -> str:
    """Each word begins with the letter that follows, and a follows z; the first letter is any."""
    words = bare_words(text)
    if not words or words[0][0] not in string.ascii_lowercase:
        return "does not begin with a letter"
    first = string.ascii_lowercase.index(words[0][0])
    wrong = [word for at, word in enumerate(words) if word[0] != string.ascii_lowercase[(first + at) % 26]]
    return unless(not wrong, f"{wrong[0][:40]} has another letter" if wrong else "")


def vowel(text: str) -> str:
    """One paragraph with at most three different vowels."""
    if "\n" in text.strip():
        return "more than one paragraph"
    found = sorted(set("aeiou") & set(text.lower()))
    return unless(len(found) <= VOWELS, f"the vowels {', '.join(found)}")


def consonants(text: str) -> str:
    """Two consonants stand together in each word."""
    wrong = [word for word in text.lower().split() if not CLUSTER.search(word)]
    return unless(not wrong, f"{len(wrong)} words without two consonants together")


def palindrome(text: str) -> str:
    count = sum(len(word) >= SHORTEST and word == word[::-1] for word in bare_words(text))
    return unless(count >= PALINDROMES, f"{count} palindromes of {SHORTEST} letters, not at least {PALINDROMES}")


def prime_lengths(text: str) -> str:
    wrong = [word for word in text.translate(NO_PUNCTUATION).split() if not is_prime(len(word))]
    return unless(not wrong, f"{len(wrong)} words whose length is no prime number")


def is_prime(number: int) -> bool:
    return 1 < number < LONGEST and all(number % divisor for divisor in range(2, int(number**0.5) + 1))


def start_verb(text: str) -> str:
    first = tokens(text.lstrip()[:HEAD])[0]
    return unless(is_verb(first.lower()), f"{first[:40]} is not known as a verb")


def is_verb(word: str) -> bool:
    """Whether a word is a verb, or a form of one, as far as the lists of evaluators/instructions/lexicon.py go."""
    if word in VERB_FORMS or word in VERBS:
        return True
    if word in NO_VERBS:
        return False
    return any(stem in VERBS for stem in stems(word))


def stems(word: str) -> list[str]:
    """What a word may be a form of, by the rules of English spelling."""
    found = []
    for ending in ("s", "es", "ed", "d", "ing"):
        stem = word.removesuffix(ending)
        if stem != word and len(stem) > 1:
            found += [stem, f"{stem}e"]
            found += [stem[:-1]] if stem[-1] == stem[-2] else []
            found += [f"{stem[:-1]}y"] if stem[-1] == "i" else []
    return found


def repeats(text: str, small_n: int) -> str:
    often = [(word, count) for word, count in Counter(bare_words(text)).most_common(1) if count > small_n]
    return unless(not often, ", ".join(f"{count} times {word[:40]}, not at most {small_n}" for word, count in often))


def odd_even_syllables(text: str) -> str:
    """Words with an odd and an even number of syllables take turns."""
    words = bare_words(text)
    odd = [syllapy.count(word) % 2 for word in words]
    wrong = [second for at, second in enumerate(words[1:]) if odd[at] == odd[at + 1]]
    return unless(not wrong, f"{len(wrong)} words do not alternate" if wrong else "")


def last_first(text: str) -> str:
    """The last word of each sentence is the first one of the next."""
    found = [sentence.lower() for sentence in sentences(text)]
    lasts = [sentence.rstrip(PUNCTUATION).split()[-1:] for sentence in found[:-1]]
    firsts = [sentence.lstrip(PUNCTUATION).split()[:1] for sentence in found[1:]]
    wrong = sum(not last or last != first for last, first in zip(lasts, firsts, strict=True))
    return unless(not wrong, f"{wrong} sentences begin with another word")


def paragraph_last_first(text: str) -> str:
    """Each paragraph, which is a line, ends with the word that it began with; a comma is part of a first word."""
    found = [line.strip().strip(PUNCTUATION).lower().split() for line in text.split("\n")]
    wrong = sum(words[:1] != words[-1:] for words in found)
    return unless(not wrong, f"{wrong} paragraphs end with another word")


def no_consecutive(text: str) -> str:
    wrong = [after for before, after in pairwise(bare_words(text)) if before[0] == after[0]]
    return unless(not wrong, f"{len(wrong)} words begin with the letter of the word before")


def keywords_specific_position(text: str, keyword: str, n: int, m: int) -> str:
    found = sentences(text)
    words = word_tokens(found[n - 1]) if 0 < n <= len(found) else []
    there = 0 < m <= len(words) and words[m - 1].lower() == keyword.strip().lower()
    return unless(there, f"{keyword} is not word {m} of sentence {n}")


def words_position(text: str, keyword: str) -> str:
    """The second word and the last but one are the keyword."""
    words = word_tokens(text)
    there = len(words) > 1 and words[1].lower() == words[-2].lower() == keyword.strip().lower()
    return unless(there, f"{keyword} is not the second word and the last but one")


def alliteration_increment(text: str) -> str:
    """Each sentence has more words than the one before that begin with the letter of their neighbour."""
    counts = [alliterative(sentence.lower().split()) for sentence in sentences(text)]
    grows = all(before < after for before, after in pairwise(counts))
    return unless(grows, f"{', '.join(map(str, counts[:20]))} alliterative words")


def alliterative(words: Sequence[str]) -> int:
    letters = [rest[0] for word in words if (rest := word.lstrip(PUNCTUATION))]
    runs = [len(list(run)) for _, run in groupby(letters)]
    return sum(length for length in runs if length > 1)


def increment(text: str, small_n: int) -> str:
    counts = [len(bare_words(sentence)) for sentence in sentences(text)]
    grows = all(after - before == small_n for before, after in pairwise(counts))
    return unless(grows, f"{', '.join(map(str, counts[:20]))} words, not each {small_n} more")


def keyword(text: str, word: str, N: int) -> str:  # noqa: N803  # the name that it has in the data
    found = sentences(text)
    there = 0 < N <= len(found) and re.search(rf"\b{re.escape(word)}\b", found[N - 1], re.IGNORECASE)
    return unless(bool(there), f"{word} is not in sentence {N} of {len(found)}")


def repeat_change(text: str, prompt_to_repeat: str) -> str:
    """The request with another first word, and nothing else; the request itself fails only letter by letter."""
    if text.split()[1:] != prompt_to_repeat.split()[1:]:
        return "not the request but for its first word"
    return unless(text != prompt_to_repeat, "the first word is the same")


def repeat_simple(text: str) -> str:
    return unless(text.strip().lower() == ONLY, "not the sentence alone")


def repeat_span(text: str, prompt_to_repeat: str, n_start: int, n_end: int) -> str:
    """The words with numbers n_start to n_end of the request, both included, counted from 0."""
    wanted = " ".join(prompt_to_repeat.split()[n_start : n_end + 1])
    return unless(text.strip().lower() == wanted.lower(), "not the span asked for")


RULES: dict[str, Rule] = {
    "words:alphabet": alphabet,
    "words:vowel": vowel,
    "words:consonants": consonants,
    "words:palindrome": palindrome,
    "words:prime_lengths": prime_lengths,
    "words:start_verb": start_verb,
    "words:repeats": repeats,
    "words:odd_even_syllables": odd_even_syllables,
    "words:last_first": last_first,
    "words:paragraph_last_first": paragraph_last_first,
    "words:no_consecutive": no_consecutive,
    "words:keywords_specific_position": keywords_specific_position,
    "words:words_position": words_position,
    "sentence:alliteration_increment": alliteration_increment,
    "sentence:increment": increment,
    "sentence:keyword": keyword,
    "repeat:repeat_change": repeat_change,
    "repeat:repeat_simple": repeat_simple,
    "repeat:repeat_span": repeat_span,
}
