"""Synthetic rows: prompts of exact lengths, made of words, tokens or letters, with prefixes that some of them share.

Row i follows from settings, seed and i alone, so that rows can be made in any process and in any order.
"""

import importlib
import secrets
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Annotated, Any, Literal

import numpy as np
from msgspec import Meta, Struct

from perfcore.errors import UserError
from perfcore.workload.fitting import Asked, Ints, Piece, Units, id_units, letter_units, token_units, word_units
from perfcore.workload.lengths import Lengths, lengths
from perfcore.workload.row import Row
from perfcore.workload.sharing import Sharing, group_of_each, group_shares
from perfcore.workload.source import Wanted
from perfcore.workload.tokens import Tokenizer, opened

# A module by its name, not an import: pictures are seldom wanted.
PICTURES = "perfcore.workload.pictures"
DEFAULT_TOKENS = "512"
DEFAULT_ROWS = 1000
COUNTED_EVERY = 16  # a row is counted as a whole even where tokens of words add up ...
SHORT_TOKENS = 16  # ... and all so short that what stands at their ends may matter
TOGETHER_TOKENS = 1 << 18  # texts that are held and counted at once
SHARED, OWN, LATER = 1, 2, 3  # set the draws of a row's parts apart

Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Positive = Annotated[int, Meta(ge=1, le=2**31 - 1)]


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of the reader `synthetic`."""

    kind: Annotated[
        Literal["words", "tokenid", "string"],
        Meta(description="Text that looks natural, random tokens (as ids where the service takes them), or A A A."),
    ] = "words"
    input_tokens: Annotated[
        str | int | None, Meta(description="Lengths of prompts, in the grammar of --input-tokens, which goes before.")
    ] = None
    output_tokens: Annotated[
        str | int | None, Meta(description="Lengths of answers to ask for; --output-tokens goes before.")
    ] = None
    count: Annotated[
        Positive | None, Meta(description=f"Rows that there are; else as many as are sent, or {DEFAULT_ROWS}.")
    ] = None
    turns: Annotated[
        int, Meta(ge=1, le=10_000, description="Turns of each conversation, each of the input length.")
    ] = 1
    prefix_tokens: Annotated[Count, Meta(description="Tokens at the beginning that prompts of a group share.")] = 0
    prefix_ratio: Annotated[
        Annotated[float, Meta(gt=0, lt=1)] | None,
        Meta(description="Share of all input tokens that a prefix cache is to serve; goes for prefix_tokens."),
    ] = None
    prefix_groups: Annotated[
        Annotated[int, Meta(ge=1, le=100_000)], Meta(description="Different prefixes that there are.")
    ] = 1
    prefix_weights: Annotated[
        tuple[float, ...] | str, Meta(description="Shares of the groups: a list, or zipf:ALPHA; else equal ones.")
    ] = ()
    prefix_order: Annotated[
        Literal["round_robin", "random", "grouped"], Meta(description="Order in which groups come.")
    ] = "round_robin"
    block_tokens: Annotated[
        Positive, Meta(description="Tokens of a block of the service's prefix cache, which serves whole blocks only.")
    ] = 16
    salt: Annotated[
        str,
        Meta(description="unique: other texts in each run, so that no cache knows them; fixed, or any text: the same."),
    ] = "unique"
    images: Annotated[str | int, Meta(description="Pictures in each prompt: a number, or a law as of lengths.")] = 0
    image_width: Annotated[int, Meta(ge=1, le=16384, description="Width of pictures in pixels.")] = 512
    image_height: Annotated[int, Meta(ge=1, le=16384, description="Height of pictures in pixels.")] = 512
    image_format: Annotated[Literal["png", "jpeg"], Meta(description="Format of pictures.")] = "png"
    image_content: Annotated[
        Literal["noise", "pattern"], Meta(description="Random pixels, or shapes, which are small files.")
    ] = "noise"


@dataclass(frozen=True)
class Synthetic:
    """The rows, as perfcore.workload.source.Made: it can be pickled, and each process works out the rest by itself."""

    settings: Settings
    wanted: Wanted
    count: int
    salt: int
    prefix_tokens: int = 0
    made_of: Units | None = None  # given where the tokenizer is the service's: every process would ask it anew

    def __len__(self) -> int:
        return self.count

    def part(self, start: int, stop: int) -> list[Row]:
        """Rows from `start` up to `stop`, those beyond the last left out. Raises UserError."""
        numbers = np.arange(start, min(stop, self.count))
        return [row for some in batches(self, numbers) for row in rows_of(self, some)]

    @property
    def remarks(self) -> list[str]:
        """What a user should know of the rows' lengths."""
        return list(remarks(self))

    def intended_cache_ratio(self) -> float | None:
        """Share of input tokens that a prefix cache of whole blocks serves, if it was empty and forgets nothing.

        None for "A A A", where each prompt is the beginning of all longer ones.
        """
        return None if self.settings.kind == "string" else sharing(self).ratio(self.prefix_tokens)


def synthetic(settings: Settings, wanted: Wanted) -> Synthetic:
    """The rows of settings; raises UserError for what contradicts itself or cannot be."""
    check(settings, wanted)
    count = min(number for number in (settings.count, wanted.limit, 2**62) if number is not None)
    if count == 2**62:
        count = DEFAULT_ROWS
    ids = settings.kind == "tokenid" and wanted.takes_ids
    remote = wanted.tokenizer is not None and not isinstance(wanted.tokenizer, str)
    made_of = units_of(settings.kind, wanted.tokenizer, wanted.trust_remote_code, wanted.chat, ids) if remote else None
    rows = Synthetic(settings, wanted, count, salt_of(settings.salt), settings.prefix_tokens, made_of)
    # What is wrong is to be refused now, not while rows are made.
    input_lengths(rows), answer_limits(rows, 0, 0), picture_count(rows, 0)
    group_shares(settings.prefix_weights, settings.prefix_groups)
    if settings.prefix_ratio is None:
        return rows
    return replace(rows, prefix_tokens=sharing(rows).prefix_for(settings.prefix_ratio))


def check(settings: Settings, wanted: Wanted) -> None:
    """Raise UserError for settings that contradict each other."""
    shared = bool(settings.prefix_tokens or settings.prefix_ratio)
    if settings.prefix_tokens and settings.prefix_ratio:
        raise UserError("prefix_tokens and prefix_ratio both say how long prefixes are; leave one of them out")
    if settings.kind == "string" and shared:
        raise UserError("kind=string shares all it has anyway; leave prefix_tokens and prefix_ratio out")
    if settings.kind == "tokenid" and wanted.tokenizer is None:
        raise UserError("kind=tokenid needs to know the model's tokens; name its tokenizer with --tokenizer")
    if not shared and (settings.prefix_groups > 1 or settings.prefix_weights):
        raise UserError("prefix_groups and prefix_weights are of prefixes; give prefix_tokens or prefix_ratio as well")
    if settings.kind == "tokenid" and wanted.takes_ids and (settings.turns > 1 or settings.images):
        raise UserError("prompts of token ids have no turns and no images; use kind=words, or a chat dialect")


def salt_of(text: str) -> int:
    """A number that all draws of contents depend on."""
    if text == "unique":
        return salt_of_process()
    return 0 if text == "fixed" else 1 + zlib.crc32(text.encode())


@lru_cache(maxsize=1)
def salt_of_process() -> int:
    """A number that no other run has, the same each time it is asked for."""
    return secrets.randbits(62)


@lru_cache(maxsize=8)
def units_of(kind: str, tokenizer: str | Tokenizer | None, trust_remote_code: bool, chat: bool, ids: bool) -> Units:
    """What texts are made of, worked out once per process."""
    known = opened(tokenizer, trust_remote_code)
    if kind == "words":
        return word_units(known, chat)
    if kind == "string" or known is None:
        return letter_units(known, chat)
    return id_units(len(known.plain.ids)) if ids else token_units(known, chat)


def as_ids(rows: Synthetic) -> bool:
    """Whether prompts are sent as token ids."""
    return rows.settings.kind == "tokenid" and rows.wanted.takes_ids


def units(rows: Synthetic) -> Units:
    """What these rows are made of."""
    wanted = rows.wanted
    return rows.made_of or units_of(
        rows.settings.kind, wanted.tokenizer, wanted.trust_remote_code, wanted.chat, as_ids(rows)
    )


def input_lengths(rows: Synthetic) -> Lengths:
    """Lengths of prompts; those of later turns follow on those of all first ones."""
    option = rows.wanted.input_tokens
    own = rows.settings.input_tokens
    spec = option if option is not None else own if own is not None else DEFAULT_TOKENS
    return lengths(spec, rows.wanted.seed, rows.count * rows.settings.turns, "input_tokens")


def batches(rows: Synthetic, numbers: Ints) -> Iterator[Ints]:
    """Numbers of rows that have about TOGETHER_TOKENS tokens together."""
    if not len(numbers):
        return
    tokens = np.cumsum(input_lengths(rows).draw(int(numbers[0]), int(numbers[-1]) + 1)) * rows.settings.turns
    cuts = np.flatnonzero(np.diff(tokens // TOGETHER_TOKENS)) + 1
    yield from (part for part in np.split(numbers, cuts) if len(part))


def rows_of(rows: Synthetic, numbers: Ints) -> Iterator[Row]:
    """Rows of these numbers, which follow each other."""
    first, last = int(numbers[0]), int(numbers[-1]) + 1
    sizes = input_lengths(rows).draw(first, last).tolist()
    groups = groups_of(rows)[first:last].tolist() if rows.prefix_tokens else [0] * len(sizes)
    contents = contents_of(rows, first, sizes, groups)
    limits = answer_limits(rows, first, last)
    for at, (number, size, group) in enumerate(zip(range(first, last), sizes, groups, strict=True)):
        content = contents[at]
        if rows.settings.turns > 1:
            content = {**content, "prompt": None, "turns": turns(rows, number, content["prompt"])}
        yield Row(
            id=str(number + 1),
            **content,
            max_tokens=limits[at] if limits else None,
            images=pictures(rows, number),
            input_tokens=size,
            meta={"prefix_group": group} if rows.prefix_tokens and rows.settings.prefix_groups > 1 else {},
        )


def contents_of(rows: Synthetic, first: int, sizes: Sequence[int], groups: Sequence[int]) -> list[dict[str, Any]]:
    """Prompt (or token ids) and counted tokens of rows from `first` on."""
    made_of = units(rows)
    every = [pieces(rows, number, group) for number, group in enumerate(groups, first)]
    if as_ids(rows):
        known = opened(rows.wanted.tokenizer, rows.wanted.trust_remote_code)
        ids = known.plain.ids if known is not None else np.empty(0, np.int64)
        found = [ids[made_of.made(parts, size)].tolist() for parts, size in zip(every, sizes, strict=True)]
        return [{"token_ids": each, "counted_tokens": len(each)} for each in found]
    short = made_of.overhead + SHORT_TOKENS
    asked = [
        Asked(parts, size, whole=number % COUNTED_EVERY == 0 or size <= short)
        for number, (parts, size) in enumerate(zip(every, sizes, strict=True), first)
    ]
    return [{"prompt": each.text, "counted_tokens": each.counted} for each in made_of.fitted(asked)]


def pieces(rows: Synthetic, number: int, group: int) -> list[Piece]:
    """Parts of a prompt: the prefix of its group, if there is one, and what no other has."""
    own = Piece((rows.wanted.seed, rows.salt, OWN, number), 0)
    if not rows.prefix_tokens:
        return [own]
    return [Piece((rows.wanted.seed, rows.salt, SHARED, group), rows.prefix_tokens), own]


def turns(rows: Synthetic, number: int, prompt: str) -> list[dict[str, Any]]:
    """Messages of a user: the prompt, and further ones of their own length, without what the service adds."""
    later, made_of = rows.settings.turns - 1, units(rows)
    start = rows.count + number * later
    sizes = input_lengths(rows).draw(start, start + later).tolist()
    seeds = (rows.wanted.seed, rows.salt, LATER, number)
    asked = [
        Asked([Piece((*seeds, turn), 0)], size + made_of.overhead, size <= SHORT_TOKENS)
        for turn, size in enumerate(sizes)
    ]
    return [{"role": "user", "content": text} for text in [prompt, *(each.text for each in made_of.fitted(asked))]]


def answer_limits(rows: Synthetic, first: int, last: int) -> list[int] | None:
    """Longest answers of rows, where they are drawn."""
    spec = rows.wanted.output_tokens if rows.wanted.output_tokens is not None else rows.settings.output_tokens
    if spec is None:
        return None
    found: list[int] = lengths(spec, rows.wanted.seed, rows.count, "output_tokens").draw(first, last).tolist()
    return found


def pictures(rows: Synthetic, number: int) -> list[str]:
    """data: URLs of a row's pictures."""
    settings = rows.settings
    if not (count := picture_count(rows, number)):
        return []
    size = settings.image_width, settings.image_height
    made: list[str] = importlib.import_module(PICTURES).urls(
        (rows.wanted.seed, rows.salt, number), count, size, settings.image_format, settings.image_content
    )
    return made


def picture_count(rows: Synthetic, number: int) -> int:
    """How many pictures a row has."""
    if rows.settings.images in (0, "0"):
        return 0
    return int(lengths(rows.settings.images, rows.wanted.seed, rows.count, "images").draw(number, number + 1)[0])


@lru_cache(maxsize=4)
def groups_of(rows: Synthetic) -> Ints:
    """Group of each row."""
    settings = rows.settings
    shares = group_shares(settings.prefix_weights, settings.prefix_groups)
    return group_of_each(shares, settings.prefix_order, rows.count, rows.wanted.seed)


def sharing(rows: Synthetic) -> Sharing:
    """What a prefix cache can see of the rows."""
    known = None if as_ids(rows) else opened(rows.wanted.tokenizer, rows.wanted.trust_remote_code)
    ahead, overhead = (0, 0) if known is None else (known.ahead(rows.wanted.chat), units(rows).overhead)
    sizes = input_lengths(rows).draw(0, rows.count)
    return Sharing(sizes, groups_of(rows), ahead, overhead, rows.settings.block_tokens)


def remarks(rows: Synthetic) -> Iterator[str]:
    """What a user should know of the rows' number and lengths."""
    if rows.settings.count is None and rows.wanted.limit is None:
        yield f"{rows.count} prompts are made and sent again when all are sent; a cache knows them then: --num-prompts"
    if rows.wanted.tokenizer is None:
        yield "lengths of prompts are estimates, a token for each word and mark; exact ones need --tokenizer"
        return
    known, made_of = opened(rows.wanted.tokenizer, rows.wanted.trust_remote_code), units(rows)
    if rows.wanted.chat and not as_ids(rows) and known is not None and not known.has_template:
        yield "the tokenizer has no chat template, so that what the service adds to prompts is not in their lengths"
    short = int((input_lengths(rows).draw(0, rows.count) <= made_of.overhead).sum())
    if short:
        yield (
            f"{short} of {rows.count} prompts were asked to be no longer than the {made_of.overhead} tokens that the "
            "service adds; they have at least one of their own and are longer"
        )
    if not made_of.additive:
        yield "the tokenizer does not count words by themselves: each prompt is counted as a whole, which is slow"
