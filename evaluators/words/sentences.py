"""ROUGE-L over sentences, as the package `rouge` (pltrdy, 1.0) counts it: LongBench's published numbers are of it.

Texts are cut at full stops and blanks, with case and marks kept. Counted are *different* words: those that are in a
longest common subsequence of any two sentences, of those of each text. Where two subsequences are as long, the words
depend on which one is followed, so that the way back through the table is the package's too. It gives up on sentences
of some hundred words, which are too deep for its recursion, and callers of it count them as 0; here they have a value.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

NEARLY_NOTHING = 1e-8  # stands in the package's divisor


def rouge_l(predicted: str, wanted: str) -> float:
    """F of the words that sentences of both texts have in common in the same order, from 0 to 1 (Lin 2004, 3.2)."""
    said, right = sentences(predicted), sentences(wanted)
    every, needed = ({word for sentence in text for word in sentence} for text in (said, right))
    if not every or not needed:
        return 0.0
    common: set[str] = set()
    for one in right:
        for other in said:
            if not set(one) & set(other) <= common:  # else nothing new can come of it
                common |= in_order(one, other)
    recall, precision = len(common) / len(needed), len(common) / len(every)
    return 2 * precision * recall / (precision + recall + NEARLY_NOTHING)


def sentences(text: str) -> list[tuple[str, ...]]:
    """Words of each sentence, each sentence once; one of blanks alone has a word without letters."""
    found = (" ".join(part.split()).split(" ") for part in text.split(".") if part)
    return list(dict.fromkeys(map(tuple, found)))


def in_order(wanted: Sequence[str], predicted: Sequence[str]) -> set[str]:
    """Words of the longest common subsequence; of several as long, the one that ends first in `predicted`."""
    table = lengths(wanted, predicted)
    row, column, found = len(wanted), len(predicted), set()
    while row and column:
        if wanted[row - 1] == predicted[column - 1]:
            row, column = row - 1, column - 1
            found.add(wanted[row])
        elif table[row - 1, column] > table[row, column - 1]:
            row -= 1
        else:
            column -= 1
    return found


def lengths(wanted: Sequence[str], predicted: Sequence[str]) -> NDArray[np.unsignedinteger]:
    """Length of the longest common subsequence of every two beginnings, (len(wanted) + 1, len(predicted) + 1)."""
    numbers = {word: number for number, word in enumerate(dict.fromkeys([*wanted, *predicted]))}
    across = np.array([numbers[word] for word in predicted])
    kind = np.min_scalar_type(min(len(wanted), len(predicted)))
    table = np.zeros((len(wanted) + 1, len(predicted) + 1), kind)
    for row, word in enumerate(wanted, 1):
        here = np.maximum(table[row - 1, 1:], table[row - 1, :-1] + (across == numbers[word]).astype(kind))
        np.maximum.accumulate(here, out=table[row, 1:])
    return table
