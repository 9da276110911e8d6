"""Text that looks natural: common English words in the patterns of sentences, some words far more often than others.

Its next word can be guessed in part, as that of any text can: speculative decoding is not fooled by it as by random
tokens, which nobody guesses, or by one repeated letter, which everybody does. It means nothing.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Units = npt.NDArray[np.int64]

# Words by their part in a sentence, the frequent ones first.
PARTS = {
    "determiner": "the a this that our their his her every your some each my another any one no its",
    "adjective": """new good first long great little own other old right big high different small large next early young
        important public bad same able local late hard real best clear whole free strong possible special open short
        full certain common single easy recent simple human final main general current deep happy cold dark warm bright
        quiet heavy empty green white black blue red natural major ready fresh rich poor dry slow quick broad wide thin
        soft sharp wild safe proper fair modern busy fine strange useful famous sweet calm brief gentle ancient distant
        narrow steady silent honest careful modest golden smooth""",
    "noun": """time year day way man world life hand part child eye woman place work week case point company number
        group problem fact house night room water door friend city morning story book side road head family country
        question school state area money name power line word business market letter table river garden window party
        street town system program service game end course answer reason voice heart idea body mother father boy girl
        teacher student doctor car train ship island mountain forest field village office kitchen church field hill
        bridge station library hospital museum farm shop machine paper picture color music song dance film page chapter
        sentence language history science nature art law price trade tax bank job team league season summer winter
        spring evening afternoon minute hour month century moment future past light sound noise rain snow wind sun moon
        star sky sea ocean lake stone wood glass metal gold iron oil fire air earth ground tree flower leaf bird dog
        horse cat fish animal plant food bread meal coffee tea milk sugar salt plan rule test form type level model
        method result figure effect cause change growth report study record file message note list map sign key box
        bag coat hat shoe shirt wall floor roof chair bed clock phone screen camera engine wheel road path corner
        square circle center north south east west border coast harbor valley desert""",
    "plural": """people years days things children men women eyes hands words students friends parents houses books
        questions problems ideas numbers groups members teachers workers families cities countries places stories
        letters cars roads trees birds flowers animals plants rivers mountains stars windows doors streets schools
        companies markets prices results changes reasons rules tests systems programs services games songs pictures
        papers pages lines points parts sides hours weeks months minutes moments seasons rooms fields farms villages
        ships trains machines tools""",
    "verb": """make take see know get give find think tell show leave keep call need feel bring begin hold write follow
        learn change understand watch carry build meet send expect remember love consider read open allow win offer
        reach explain choose cause want use like move play believe help start support create include continue set
        study spend grow lose cover catch draw enjoy prepare protect discover measure describe share visit cross""",
    "third": """makes takes sees knows gets gives finds tells shows leaves keeps calls needs feels brings holds writes
        follows learns changes watches carries builds meets sends expects remembers loves considers reads opens allows
        wins offers reaches explains chooses causes wants uses likes moves plays believes helps starts supports creates
        includes continues covers describes visits crosses""",
    "past": """made took saw knew got gave found told showed left kept called needed felt brought held wrote followed
        learned changed watched carried built met sent expected remembered loved considered read opened allowed won
        offered reached explained chose caused wanted used liked moved played believed helped started supported created
        included continued covered described visited crossed""",
    "copula": "is was seems became remains feels looked",
    "adverb": """now then also here still often never always soon again later finally perhaps almost already together
        today usually clearly quickly slowly quietly suddenly really certainly recently simply nearly actually easily
        carefully sometimes rarely""",
    "preposition": """of in to for with on at from by about into over after under between through without before around
        during behind across against near beyond along inside""",
    "conjunction": "and but because so while when if although until since or",
    "they": "I you we they people",
    "he": "he she it nobody everyone someone",
    "modal": "can will would could may should must might",
    "asking": "how why when where",
    "several": "the these those our their some his her many my your most few all several",
    "article": "an",
}
# A sentence is a row of parts; what does not name a part is a comma, a full stop or a question mark.
PATTERNS = """
determiner noun third determiner noun .
determiner adjective noun third determiner noun preposition determiner noun .
determiner noun preposition determiner noun copula adjective .
determiner noun copula adverb adjective , conjunction he third determiner noun .
he past determiner noun preposition determiner adjective noun .
he adverb third determiner adjective noun .
they verb several plural preposition determiner noun , conjunction they modal verb determiner noun .
they modal adverb verb determiner noun preposition determiner noun .
they past determiner adjective noun , determiner noun conjunction determiner noun .
preposition determiner noun , they modal verb determiner adjective noun .
preposition determiner adjective noun , determiner noun past determiner noun preposition plural .
adverb , determiner noun past several plural preposition determiner noun .
adverb , he past preposition determiner noun conjunction past determiner noun .
conjunction determiner noun third determiner noun , they verb several plural .
conjunction he past determiner noun , determiner adjective noun copula adjective .
several plural preposition determiner noun verb determiner noun preposition determiner noun .
adjective plural verb determiner noun , conjunction adjective plural verb preposition determiner noun .
plural conjunction plural modal verb determiner noun preposition determiner adjective noun .
determiner noun modal verb determiner noun , conjunction determiner noun modal verb preposition several plural .
determiner adjective adjective noun copula determiner noun preposition determiner noun .
modal they verb determiner noun preposition determiner adjective noun ?
asking modal determiner noun verb determiner adjective noun ?
asking modal they adverb verb several plural preposition determiner noun ?
he past they modal verb determiner noun , conjunction he past determiner noun .
determiner noun past adverb , conjunction several plural past preposition determiner noun .
"""
MARKS = ("", ",", ".", "?")
CASES = 2  # as it is, and with a capital letter
FORMS = CASES * len(MARKS)
CHOICES = 4096  # entries of the table that a word of a part is drawn from
PATTERN_SHIFT = 32  # words come of the bits below
RANK_SHIFT = 2.7  # Mandelbrot's, for English: the word of rank r is as frequent as 1 / (r + 2.7)
VOWELS = "aeiou"


class Pattern(NamedTuple):
    """Sentences one after the other: a part and a form for each word, and where each sentence starts and how long."""

    parts: Units
    forms: Units
    starts: Units
    sizes: Units


def words_by_part() -> list[list[str]]:
    """Words of each part, each once."""
    return [list(dict.fromkeys(text.split())) for text in PARTS.values()]


WORDS = [word for words in words_by_part() for word in words]
STARTS_WITH_VOWEL = np.array([word[0] in VOWELS for word in WORDS])
A, AN = WORDS.index("a"), WORDS.index("an")


def unit_texts() -> list[str]:
    """Text of each unit, a word with the blank before it and the mark behind it: FORMS of them for each word."""
    forms = [(capital, mark) for capital in range(CASES) for mark in MARKS]
    return [f" {word.capitalize() if capital else word}{mark}" for word in WORDS for capital, mark in forms]


def plain_units() -> Units:
    """Units that are a lower-case word alone."""
    return np.arange(0, len(WORDS) * FORMS, FORMS, dtype=np.int64)


def drawn_units() -> Units:
    """Units that sentences have: a word with a capital letter is never before a full stop or a question mark."""
    every = np.arange(len(WORDS) * FORMS, dtype=np.int64)
    return every[np.isin(every % FORMS, [*range(len(MARKS)), len(MARKS), len(MARKS) + MARKS.index(",")])]


def opening_units() -> Units:
    """Units that may begin a text: words with a capital letter, alone or with a comma."""
    alone = np.arange(len(MARKS), len(WORDS) * FORMS, FORMS, dtype=np.int64)
    return np.concatenate([alone, alone + MARKS.index(",")])


def closing_units() -> Units:
    """Units that may end a text: nouns with a full stop."""
    first = sum(map(len, words_by_part()[: list(PARTS).index("noun")]))
    return (np.arange(first, first + 64, dtype=np.int64) * FORMS) + MARKS.index(".")


def marks(units: Units) -> npt.NDArray[np.bool_]:
    """Whether each unit has a mark behind its word."""
    return np.asarray(units % len(MARKS) != 0)


def patterns() -> Pattern:
    """PATTERNS as arrays."""
    names, parts, forms, sizes = list(PARTS), [], [], []
    for line in PATTERNS.strip().splitlines():
        items = line.split()
        size = 0
        for item, following in zip(items, [*items[1:], ""], strict=True):
            if item in names:
                parts.append(names.index(item))
                forms.append(MARKS.index(following if following in MARKS else "") + (len(MARKS) if size == 0 else 0))
                size += 1
        sizes.append(size)
    lengths = np.array(sizes, np.int64)
    return Pattern(np.array(parts), np.array(forms), np.cumsum(lengths) - lengths, lengths)


def choices() -> Units:
    """For each part CHOICES words, each as often as its rank says."""
    found, first = [], 0
    for words in words_by_part():
        ends = np.cumsum(1 / (np.arange(len(words)) + 1 + RANK_SHIFT))
        places = (np.arange(CHOICES) + 0.5) / CHOICES
        found.append(first + np.searchsorted(ends / ends[-1], places))
        first += len(words)
    return np.array(found, np.int64)


PATTERN, WORD_CHOICES = patterns(), choices()


def sentences(rng: np.random.Generator, count: int) -> Units:
    """`count` units of text that starts with a sentence; of more units from the same state they are the beginning."""
    bits = rng.integers(0, 1 << 62, count + 1)
    drawn = (bits[: count // int(PATTERN.sizes.min()) + 1] >> PATTERN_SHIFT) % len(PATTERN.sizes)
    sizes = PATTERN.sizes[drawn]
    ends = np.cumsum(sizes)
    enough = int(np.searchsorted(ends, count, side="right")) + 1
    drawn, sizes, ends = drawn[:enough], sizes[:enough], ends[:enough]
    places = np.arange(int(ends[-1])) + np.repeat(PATTERN.starts[drawn] - ends + sizes, sizes)
    places = places[: count + 1]  # one more, as the word behind an article decides its form
    words = WORD_CHOICES[PATTERN.parts[places], bits[: len(places)] % CHOICES]
    words[:-1][(words[:-1] == A) & STARTS_WITH_VOWEL[words[1:]]] = AN
    return np.asarray((words * FORMS + PATTERN.forms[places])[:count])
