"""Texts of an exact number of tokens, out of units that count the same wherever they stand.

A unit is a word with the blank before it and the mark behind it. Nearly every tokenizer cuts text at such blanks, so
that the tokens of a text are those of its units together. Whether this one does is tried on texts of all lengths, and
texts are counted as a whole besides: some of them where it does, all of them where it does not. One that is longer or
shorter than asked is made anew until it fits.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property, lru_cache, partial
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from perfcore.workload import words
from perfcore.workload.tokens import Tokenizer

Ints: TypeAlias = npt.NDArray[np.int64]
Stream: TypeAlias = Callable[[np.random.Generator, int], Ints]

ROUNDS = 8
BEGINNING, BEHIND = "Yes", " the"  # between which units are looked at
TRIAL_TEXTS, TRIAL_TOKENS = 48, 1000
LETTERS = "aeionrst"  # fill up a text where no word is one token
SHARED_KEPT = 256  # shared pieces that are held in memory
NONE = np.empty(0, np.int64)


class Piece(NamedTuple):
    """A part of a text: what it is drawn with, and its tokens. Equal ones at the beginning are equal texts."""

    seeds: tuple[int, ...]
    tokens: int


class Asked(NamedTuple):
    """A text to be made: its pieces, the tokens that a service is to see, and whether it is counted as a whole."""

    pieces: Sequence[Piece]
    tokens: int
    whole: bool = True


class Fitted(NamedTuple):
    """A text and the tokens that a service sees of it, which is None without a tokenizer."""

    text: str
    counted: int | None


@dataclass(frozen=True, eq=False)
class Units:
    """What texts are made of: the text of each unit, and its tokens behind other text and as the first one."""

    texts: npt.NDArray[np.object_]
    costs: Ints
    first_costs: Ints
    stream: Stream
    openers: Ints  # may be first, and cost the least there
    fillers: Ints  # one token each
    closers: Ints = field(default_factory=lambda: NONE)  # may end a text ...
    closer_cost: int = 0  # ... and add so many tokens there
    tokenizer: Tokenizer | None = None
    chat: bool = False
    overhead: int = 0  # tokens that the service adds to a prompt

    def __reduce__(self) -> tuple[Any, ...]:
        """To another process it goes without what is worked out again."""
        return Units, tuple(getattr(self, each.name) for each in fields(self))

    @cached_property
    def additive(self) -> bool:
        """Whether the tokens of a text are those of its units, as a trial shows."""
        if self.tokenizer is None:
            return True
        sizes = [TRIAL_TOKENS >> at % 8 for at in range(TRIAL_TEXTS)]
        drawn = [self.made([Piece((at,), size // 2), Piece((at, 1), size)], size) for at, size in enumerate(sizes)]
        counts = self.tokenizer.prompt_counts([self.text(units) for units in drawn], self.chat)
        return counts == [self.cost(units) + self.overhead for units in drawn]

    @cached_property
    def shared(self) -> Callable[[Piece, int, bool], Ints]:
        """Units of a piece that others have as well, made once."""
        return lru_cache(SHARED_KEPT)(lambda piece, tokens, first: self.run(piece, tokens, first, last=False))

    def text(self, units: Ints) -> str:
        """Text of units, without the blank before the first."""
        return "".join(self.texts[units].tolist()).lstrip()

    def cost(self, units: Ints) -> int:
        """Tokens of a text of units, without what the service adds."""
        before = int(self.first_costs[units[0]]) + int(self.costs[units[1:]].sum())
        closes = len(units) > 1 and bool((self.closers == units[-1]).any())
        return before - int(self.costs[units[-1]]) + self.closer_cost if closes else before

    def made(self, pieces: Sequence[Piece], tokens: int) -> Ints:
        """Units of pieces one after the other that cost `tokens` together; the last piece gives way. At least one."""
        found: list[Ints] = []
        left = max(1, tokens)
        for piece in pieces[:-1]:
            here = min(piece.tokens, left - 1)
            if here > 0:
                found.append(self.shared(piece, here, not found))
                left -= here
        return np.concatenate([*found, self.run(pieces[-1], left, not found, last=True)])

    def run(self, piece: Piece, tokens: int, first: bool, last: bool) -> Ints:
        """Units that cost `tokens`, as far as that can be, at the beginning or the end of a text or within it."""
        rng = np.random.default_rng(piece.seeds)
        opener, filler, closer = rng.integers(0, 1 << 62, 3).tolist()
        units = self.stream(rng, tokens + 2)
        costs = self.costs[units]
        if first:
            costs[0] = self.first_costs[units[0]]
        least = int(self.first_costs[self.openers[0]]) if first else 0
        end = self.picked(self.closers, closer, last and tokens >= least + self.closer_cost)
        room = tokens - self.closer_cost * len(end)
        kept = int(np.searchsorted(np.cumsum(costs), room, side="right"))
        begin = units[:kept]
        rest = room - int(costs[:kept].sum())
        if first and not kept:
            begin, rest = self.picked(self.openers, opener), room - least
        return np.concatenate([begin, self.filling(filler, rest), end])

    def picked(self, among: Ints, number: int, wanted: bool = True) -> Ints:
        """One of several, if any is wanted and there."""
        return among[[number % len(among)]] if wanted and len(among) else NONE

    def filling(self, number: int, tokens: int) -> Ints:
        """So many units of one token, where there are any."""
        if tokens <= 0 or not len(self.fillers):
            return NONE
        return self.fillers[(number + np.arange(tokens)) % len(self.fillers)]

    def fitted(self, asked: Sequence[Asked]) -> list[Fitted]:
        """A text for each that is asked for; which one does not depend on what else is.

        A text has at least one unit, and so more tokens than asked where the service itself adds as many.
        """
        at = [place for place, each in enumerate(asked) if each.whole or not self.additive]
        if self.tokenizer is None or not at:
            return [self.summed(each) for each in asked]
        counted = dict(zip(at, self.counted([asked[place] for place in at], self.tokenizer), strict=True))
        return [counted.get(place) or self.summed(each) for place, each in enumerate(asked)]

    def summed(self, asked: Asked) -> Fitted:
        """A text whose tokens are those of its units."""
        units = self.made(asked.pieces, asked.tokens - self.overhead)
        return Fitted(self.text(units), None if self.tokenizer is None else self.cost(units) + self.overhead)

    def counted(self, asked: Sequence[Asked], tokenizer: Tokenizer) -> list[Fitted]:
        """Texts that are counted as a whole, and made with more or fewer units until they fit; else the nearest."""
        aims = [max(1, each.tokens - self.overhead) for each in asked]
        found = [Fitted("", None)] * len(asked)
        open_ones = list(range(len(asked)))
        for _ in range(ROUNDS):
            texts = [self.text(self.made(asked[at].pieces, aims[at])) for at in open_ones]
            again = []
            for at, text, count in zip(open_ones, texts, tokenizer.prompt_counts(texts, self.chat), strict=True):
                found[at] = nearest(found[at], Fitted(text, count), asked[at].tokens)
                aim = max(1, aims[at] + asked[at].tokens - count)
                if aim != aims[at]:
                    aims[at] = aim
                    again.append(at)
            open_ones = [at for at in again if found[at].counted != asked[at].tokens]
            if not open_ones:
                break
        return found


def nearest(known: Fitted, other: Fitted, tokens: int) -> Fitted:
    """That of two texts whose tokens are nearer to those asked for; the known one where they are as near."""
    if known.counted is None or other.counted is None:
        return other
    return other if abs(other.counted - tokens) < abs(known.counted - tokens) else known


def word_units(tokenizer: Tokenizer | None, chat: bool) -> Units:
    """Units of text that looks natural. Without a tokenizer a word counts as one token, and a mark as another."""
    texts = words.unit_texts()
    if tokenizer is not None:
        drawn, firsts, closers = words.drawn_units(), words.opening_units(), words.closing_units()
        return measured(texts, words.sentences, drawn, words.plain_units(), firsts, closers, tokenizer, chat)
    costs = 1 + words.marks(np.arange(len(texts))).astype(np.int64)
    firsts = words.opening_units()
    return Units(
        texts=np.array(texts, object),
        costs=costs,
        first_costs=costs,
        stream=words.sentences,
        openers=one_token(costs, firsts),
        fillers=words.plain_units(),
        closers=words.closing_units(),
        closer_cost=2,
    )


def token_units(tokenizer: Tokenizer, chat: bool) -> Units:
    """Units that are the tokenizer's ordinary tokens, each as likely."""
    texts = tokenizer.plain.texts
    every = np.arange(len(texts))
    return measured(texts, evenly(len(texts)), every, every, every, NONE, tokenizer, chat)


def id_units(count: int) -> Units:
    """Units that stand for the ids of ordinary tokens, so many of them; they are sent as ids and have no text."""
    every, ones = np.arange(count), np.ones(count, np.int64)
    return Units(np.empty(0, object), ones, ones, evenly(count), openers=every, fillers=every)


def letter_units(tokenizer: Tokenizer | None, chat: bool) -> Units:
    """The unit of "A A A"."""
    zero = np.zeros(1, np.int64)
    if tokenizer is not None:
        return measured([" A"], evenly(1), zero, zero, zero, NONE, tokenizer, chat)
    ones = np.ones(1, np.int64)
    return Units(np.array([" A"], object), ones, ones, evenly(1), openers=zero, fillers=zero)


def evenly(count: int) -> Stream:
    """Draws of any of so many units."""
    return partial(draw_evenly, count)


def draw_evenly(count: int, rng: np.random.Generator, number: int) -> Ints:
    return rng.integers(0, count, number)


def one_token(costs: Ints, among: Ints) -> Ints:
    """Those units that have one token."""
    return np.asarray(among[costs[among] == 1])


def measured(
    texts: list[str],
    stream: Stream,
    drawn: Ints,
    plain: Ints,
    firsts: Ints,
    closers: Ints,
    tokenizer: Tokenizer,
    chat: bool,
) -> Units:
    """Units whose tokens were counted: those that may be drawn behind other text, first ones first, closers last.

    `plain` ones may be anywhere. As few texts as possible are counted: the tokenizer may be that of a service.
    """

    def count(prompts: list[str]) -> Ints:
        return np.array(tokenizer.prompt_counts(prompts, chat), np.int64)

    overhead = tokenizer.overhead(chat)
    letters = np.arange(len(texts), len(texts) + len(LETTERS))
    texts = [*texts, *LETTERS]
    one, two = count([f"{BEGINNING}{BEHIND}", f"{BEGINNING}{BEHIND}{BEHIND}"]).tolist()
    behind = two - one
    costs, drawn = np.ones(len(texts), np.int64), np.concatenate([drawn, letters])
    within = tokenizer.counts([f"{BEGINNING}{texts[at]}{BEHIND}" for at in drawn])
    costs[drawn] = np.array(within) - tokenizer.counts([f"{BEGINNING}{BEHIND}"])[0]
    first_costs = costs.copy()
    first_costs[firsts] = count([f"{texts[at].lstrip()}{BEHIND}" for at in firsts]) - overhead - behind
    ending = count([f"{BEGINNING}{texts[at]}" for at in closers]) - one + behind
    closer_cost = int(np.bincount(ending).argmax()) if len(ending) and ending.min() > 0 else 0
    return Units(
        texts=np.array(texts, object),
        costs=np.maximum(1, costs),
        first_costs=first_costs,
        stream=stream,
        openers=firsts[first_costs[firsts] == first_costs[firsts].min()],
        fillers=one_token(costs, plain) if len(one_token(costs, plain)) else one_token(costs, letters),
        closers=closers[ending == closer_cost] if closer_cost else NONE,
        closer_cost=closer_cost,
        tokenizer=tokenizer,
        chat=chat,
        overhead=overhead,
    )
