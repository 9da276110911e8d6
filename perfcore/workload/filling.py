"""Prompts of a wanted number of tokens, out of blocks that are the same wherever they stand.

With a tokenizer they are made of words that are one token each, at the start of a text and after a blank, so that the
tokens of a text are as many as its words, wherever it is cut. That is checked for each text, and what the tokenizer
still sees otherwise is mended at its end. Without a tokenizer a word is taken for a token.
"""

import functools
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt

from perfcore.workload.blocks import Ints, Places, frequencies, picks
from perfcore.workload.source import Wanted
from perfcore.workload.tokens import Tokenizer, opened
from perfcore.workload.words import WORDS

LEAST_WORDS = 64  # with fewer, prompts would be much alike
ROUNDS = 4
TOGETHER = 1 << 18  # tokens that are encoded at once: the tokenizer needs a hundred bytes for each

Count = Callable[[Sequence[str]], list[int]]


class Ask(NamedTuple):
    """A prompt's number of tokens, chat template included, and its blocks with their lengths."""

    tokens: int
    blocks: Ints
    lengths: Ints


class Prompt(NamedTuple):
    """A prompt as text or as token ids, and what the tokenizer counted, chat template included."""

    text: str | None = None
    ids: list[int] | None = None
    counted: int | None = None


class Words(NamedTuple):
    """What texts are made of, and what stands between them. `ids` are the words' tokens behind other text."""

    texts: npt.NDArray[np.object_]
    between: str
    ids: Ints
    table: Places
    tokenizer: Tokenizer | None


def prompts(
    asks: Sequence[Ask], seed: int, wanted: Wanted, *, as_ids: bool = False, check: bool = True
) -> Iterator[Prompt]:
    """A prompt for each that is asked for, in their order; ids only where the service takes them.

    A prompt has at least one word, however many tokens the service adds. Without `check` its tokens are not counted.
    """
    words = words_of(cast(Hashable, wanted.tokenizer), wanted.trust_remote_code)
    tokenizer = words.tokenizer
    if tokenizer is None:
        return (Prompt(text(ask, seed, words, ask.tokens)) for ask in asks)
    added = tokenizer.overhead(wanted.chat)
    if as_ids and wanted.takes_ids:
        return (of_ids(words.ids[places(ask, seed, words, max(1, ask.tokens - added))], added) for ask in asks)
    if not check:
        return (Prompt(text(ask, seed, words, max(1, ask.tokens - added))) for ask in asks)
    return fitted(asks, seed, words, added, lambda made: tokenizer.prompt_counts(made, wanted.chat))


def texts(asks: Sequence[Ask], seed: int, wanted: Wanted) -> Iterator[str]:
    """Texts that are parts of a prompt: their tokens count without what the service adds."""
    words = words_of(cast(Hashable, wanted.tokenizer), wanted.trust_remote_code)
    if words.tokenizer is None:
        return (text(ask, seed, words, ask.tokens) for ask in asks)
    return (prompt.text or "" for prompt in fitted(asks, seed, words, 0, words.tokenizer.counts))


def of_ids(ids: Ints, added: int) -> Prompt:
    """A prompt that is sent as ids."""
    return Prompt(ids=ids.tolist(), counted=len(ids) + added)


def fitted(asks: Sequence[Ask], seed: int, words: Words, added: int, count: Count) -> Iterator[Prompt]:
    """Prompts that are made longer or shorter until `count` finds the tokens that are asked for, or a single word."""
    for some in batches(asks):
        sizes = [max(1, ask.tokens - added) for ask in some]
        made = [text(ask, seed, words, size) for ask, size in zip(some, sizes, strict=True)]
        counts = count(made)
        for _ in range(ROUNDS):
            missing = [ask.tokens - found for ask, found in zip(some, counts, strict=True)]
            off = [at for at, tokens in enumerate(missing) if tokens > 0 or (tokens < 0 and sizes[at] > 1)]
            if not off:
                break
            for at in off:
                sizes[at] = max(1, sizes[at] + missing[at])
                made[at] = text(some[at], seed, words, sizes[at])
            for at, found in zip(off, count([made[at] for at in off]), strict=True):
                counts[at] = found
        yield from (Prompt(each, counted=found) for each, found in zip(made, counts, strict=True))


def batches(asks: Sequence[Ask]) -> Iterator[list[Ask]]:
    """The same ones in lists whose prompts have about TOGETHER tokens."""
    some: list[Ask] = []
    total = 0
    for ask in asks:
        some.append(ask)
        total += ask.tokens
        if total >= TOGETHER:
            yield some
            some, total = [], 0
    if some:
        yield some


def text(ask: Ask, seed: int, words: Words, size: int) -> str:
    """Text of `size` words out of the blocks that are asked for."""
    return words.between.join(words.texts[places(ask, seed, words, size)])


def places(ask: Ask, seed: int, words: Words, size: int) -> Places:
    """Which words; more than the blocks have go on with the last one."""
    lengths = ask.lengths
    if size > ask.tokens:
        lengths = lengths.copy()
        lengths[np.flatnonzero(lengths)[-1]] += size - ask.tokens
    return picks(seed, ask.blocks, lengths, words.table)[:size]


@functools.lru_cache(maxsize=4)
def words_of(given: Hashable, trust_remote_code: bool) -> Words:
    """Common English words; with a tokenizer those that are single tokens, else the tokenizer's own words.

    Of one that has too few words they are its tokens, without blanks between them.
    """
    tokenizer = opened(cast("str | Tokenizer | None", given), trust_remote_code)
    if tokenizer is None:
        return spread(WORDS, " ", np.zeros(len(WORDS), np.int64), None)
    words, ids = single(WORDS, tokenizer)
    if len(words) < LEAST_WORDS:
        words, ids = single([text.strip() for text in tokenizer.plain.texts], tokenizer)
    if len(words) < LEAST_WORDS:
        return spread(tokenizer.plain.texts, "", tokenizer.plain.ids, tokenizer)
    return spread(words, " ", ids, tokenizer)


def single(words: Sequence[str], tokenizer: Tokenizer) -> tuple[list[str], Ints]:
    """The words of letters that are one token each at the start of a text and after a blank, and the latter tokens."""
    letters = [word for word in dict.fromkeys(words) if word.isalpha()]
    twice = tokenizer.encode([f"{word} {word}" for word in letters])
    found = {word: ids[1] for word, ids in zip(letters, twice, strict=True) if len(ids) == 2}
    return list(found), np.array(list(found.values()), np.int64)


def spread(words: Sequence[str], between: str, ids: Ints, tokenizer: Tokenizer | None) -> Words:
    """Words that come as often as their rank says."""
    return Words(np.array(words, object), between, ids, frequencies(len(words)), tokenizer)
