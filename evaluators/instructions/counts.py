"""Rules of IFBench (Pyatkin et al. 2025) about how much of something an answer has: `count:` and `ratio:`."""

import re
from collections.abc import Sequence

from evaluators.instructions.checking import Rule, unless
from evaluators.instructions.lexicon import CONJUNCTIONS, PERSON_NAMES, PRONOUNS, STOP_WORDS
from evaluators.instructions.splitting import NO_PUNCTUATION, PUNCTUATION, WORD, bare_words, sentences, tokens

MARKS = (".", ",", "!", "?", ";", ":")
INTERROBANGS = ("?!", "!?", "\u203d")
TIMES = (1, 2, 3, 5, 7)  # how often the five keywords have to be there
TOLERANCE = 2  # percentage points
JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")


def fewer(count: int, wanted: int, of: str) -> str:
    """What is wrong with a count that has to be at least so great."""
    return unless(count >= wanted, f"{count} {of}, not at least {wanted}")


def word_count_range(text: str, min_words: int, max_words: int) -> str:
    count = len(WORD.findall(text))
    return unless(min_words <= count <= max_words, f"{count} words, not {min_words} to {max_words}")


def unique_word_count(text: str, N: int) -> str:  # noqa: N803  # the name that it has in the data
    """Words are without punctuation around them; what is nothing else is one word more."""
    return fewer(len({word.strip(PUNCTUATION) for word in text.lower().split()}), N, "different words")


def stop_words(text: str, percentage: float) -> str:
    words = [word.lower() for word in WORD.findall(text)]
    if not words:
        return "no words"
    share = 100 * sum(word in STOP_WORDS for word in words) / len(words)
    return unless(share <= percentage, f"{share:.1f} % stop words, not at most {percentage:g} %")


def sentence_type(text: str) -> str:
    """Twice as many sentences that state as those that ask; none of both will do."""
    marks = [sentence[-1] for sentence in sentences(text)]
    state, ask = marks.count("."), marks.count("?")
    return unless(state == 2 * ask, f"{state} sentences that state and {ask} that ask, not 2 to 1")


def sentence_balance(text: str) -> str:
    """As many sentences that state, ask and exclaim; none of them will do."""
    marks = [sentence[-1] for sentence in sentences(text)]
    state, ask, exclaim = (marks.count(mark) for mark in ".?!")
    return unless(state == ask == exclaim, f"{state} sentences that state, {ask} that ask, {exclaim} that exclaim")


def conjunctions(text: str, small_n: int) -> str:
    """A conjunction in another case, or with punctuation at it, counts as another one."""
    found = {word for word in text.split() if word.strip(PUNCTUATION).lower() in CONJUNCTIONS}
    return fewer(len(found), small_n, "different coordinating conjunctions")


def person_names(text: str, N: int) -> str:  # noqa: N803
    return fewer(len(PERSON_NAMES & set(WORD.findall(text))), N, "different names")


def pronouns(text: str, N: int) -> str:  # noqa: N803
    words = tokens(text.replace("/", " ").lower())
    return fewer(sum(word in PRONOUNS for word in words), N, "pronouns")


def numbers(text: str, N: int) -> str:  # noqa: N803
    """Runs of figures without the punctuation in them: 3.14, 1,000, 10:30 and 2-3 are one each, and so is 2nd."""
    count = len(re.findall(r"\d+", text.translate(NO_PUNCTUATION)))
    return unless(count == N, f"{count} numbers, not {N}")


def punctuation(text: str) -> str:
    """All of MARKS, and an interrobang beside them."""
    mark = next((mark for mark in INTERROBANGS if mark in text), None)
    if mark is None:
        return "without an interrobang"
    missing = [one for one in MARKS if one not in text.replace(mark, "", 1)]
    return unless(not missing, f"without {' '.join(missing)}")


def words_japanese(text: str, N: int) -> str:  # noqa: N803
    """Figures and punctuation alone may stand in a place of a word in Japanese."""
    words = [word.strip(PUNCTUATION) for word in text.split()[N - 1 if N > 0 else 0 :: max(N, 1)]]
    other = [word for word in words if word and not word.isdigit() and not JAPANESE.search(word)]
    return unless(not other, f"{len(other)} of each {N}th word not in Japanese")


def keywords_multiple(text: str, keyword1: str, keyword2: str, keyword3: str, keyword4: str, keyword5: str) -> str:
    """Whole words, in whatever case."""
    words = (word.strip() for word in (keyword1, keyword2, keyword3, keyword4, keyword5))
    wanted = zip(words, TIMES, strict=True)
    found = [(word, len(re.findall(rf"\b{re.escape(word)}\b", text, re.IGNORECASE)), times) for word, times in wanted]
    wrong = [f"{count} times {word}, not {times}" for word, count, times in found if count != times]
    return unless(not wrong, ", ".join(wrong))


def trigrams(words: Sequence[str]) -> set[tuple[str, ...]]:
    """Each three words that follow one another."""
    return set(zip(words, words[1:], words[2:], strict=False))


def overlap(text: str, reference_text: str, percentage: float) -> str:
    """The share of the answer's trigrams of words that the reference text has too."""
    own = trigrams(tokens(text))
    if not own:
        return "too short for a trigram"
    share = 100 * len(own & trigrams(tokens(reference_text))) / len(own)
    near = percentage - TOLERANCE <= share <= percentage + TOLERANCE
    return unless(near, f"{share:.1f} % of the trigrams, not {percentage:g} % (\u00b1{TOLERANCE} %)")


def sentence_words(text: str) -> str:
    """Three sentences of the same length in characters, and no word twice."""
    found = sentences(text)
    if len(found) != 3:
        return f"{len(found)} sentences, not 3"
    lengths = [len(sentence) for sentence in found]
    if len(set(lengths)) > 1:
        return f"{', '.join(map(str, lengths))} characters"
    words = bare_words(text)
    return unless(len(words) == len(set(words)), "a word comes twice")


RULES: dict[str, Rule] = {
    "count:word_count_range": word_count_range,
    "count:unique_word_count": unique_word_count,
    "count:conjunctions": conjunctions,
    "count:person_names": person_names,
    "count:pronouns": pronouns,
    "count:numbers": numbers,
    "count:punctuation": punctuation,
    "count:words_japanese": words_japanese,
    "count:keywords_multiple": keywords_multiple,
    "ratio:stop_words": stop_words,
    "ratio:sentence_type": sentence_type,
    "ratio:sentence_balance": sentence_balance,
    "ratio:overlap": overlap,
    "ratio:sentence_words": sentence_words,
}
