"""Prompts that are made and not read: lengths of the speed benchmark, texts to embed, documents to rank."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta

from perfcore.workload.filling import Ask, prompts, texts
from perfcore.workload.lengths import Lengths, lengths
from perfcore.workload.prompting import batches
from perfcore.workload.row import Row
from perfcore.workload.source import Reader, Wanted
from perfcore.workload.synthetic import salt_of

LENGTHS = (1, 6144, 14336, 30720)  # of Qwen's speed benchmark
USUAL_ROWS = 1000  # where the run does not say how many it needs
USUAL_LENGTH = "512"

Length = Annotated[int, Meta(ge=1, le=2**22)]
AtLeastOne = Annotated[int, Meta(ge=1)]
Count = Annotated[AtLeastOne | None, Meta(description="How many rows; else as many as the run needs, or 1,000.")]

Salt = Annotated[
    str, Meta(description="unique: other texts in each run, so that no cache knows them; fixed, or any text: the same.")
]


class Speed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of the reader `speed_benchmark`."""

    lengths: Annotated[tuple[Length, ...], Meta(min_length=1, description="Lengths of the prompts, in tokens.")] = (
        LENGTHS
    )
    repeats: Annotated[int, Meta(ge=1, le=10**6, description="Requests of each length, one after the other.")] = 2
    max_tokens: Annotated[AtLeastOne | None, Meta(description="Tokens of an answer.")] = 2048
    salt: Salt = "unique"


class RandomEmbedding(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of the reader `random_embedding`; --input-tokens says how long the texts are."""

    batch_size: Annotated[int, Meta(ge=1, description="Texts in a request.")] = 1
    count: Count = None
    salt: Salt = "unique"


class RandomRerank(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of the reader `random_rerank`; --input-tokens says how long the queries are."""

    num_documents: Annotated[int, Meta(ge=1, description="Documents in a request.")] = 10
    document_length_ratio: Annotated[float, Meta(gt=0, description="Length of a document: so many queries.")] = 5.0
    count: Count = None
    salt: Salt = "unique"


@dataclass(frozen=True)
class Numbered:
    """Rows of which each depends on its number alone; `make` gives those from one number up to another."""

    count: int
    make: Callable[[int, int], list[Row]]

    def __len__(self) -> int:
        return self.count

    def part(self, start: int, stop: int) -> list[Row]:
        """Rows from `start` up to `stop`."""
        return self.make(start, min(stop, self.count))


def read_speed(_: Sequence[Path], settings: Speed, wanted: Wanted) -> Numbered:
    """Prompts of each length, `repeats` times; every prompt is another text, so that none is answered from a cache."""
    sizes = [length for length in settings.lengths for _ in range(settings.repeats)]
    return Numbered(len(sizes), partial(speed_rows, sizes, settings.max_tokens, wanted, seed_of(wanted, settings.salt)))


def speed_rows(
    sizes: Sequence[int], max_tokens: int | None, wanted: Wanted, seed: int, start: int, stop: int
) -> list[Row]:
    """Rows of prompts of these lengths."""
    asks = [ask(sizes[number], number) for number in range(start, stop)]
    return [
        Row(
            id=str(number),
            prompt=prompt.text,
            token_ids=prompt.ids,
            max_tokens=max_tokens,
            input_tokens=asked.tokens,
            counted_tokens=prompt.counted,
            subset=f"{asked.tokens} tokens",
        )
        for number, asked, prompt in zip(
            range(start + 1, stop + 1), asks, prompts(asks, seed, wanted, as_ids=True), strict=True
        )
    ]


def read_random_embedding(_: Sequence[Path], settings: RandomEmbedding, wanted: Wanted) -> Numbered:
    """Texts of the lengths that the run asks for, `batch_size` in a request."""
    count = count_of(settings.count, wanted)
    law = lengths(wanted.input_tokens or USUAL_LENGTH, wanted.seed, count * settings.batch_size)
    make = partial(embedding_rows, settings.batch_size, law, wanted, seed_of(wanted, settings.salt))
    return Numbered(count, make)


def embedding_rows(size: int, law: Lengths, wanted: Wanted, seed: int, start: int, stop: int) -> list[Row]:
    """Rows of `size` texts each."""
    drawn = law.draw(start * size, stop * size).tolist()
    made = texts([ask(length, number) for number, length in enumerate(drawn, start * size)], seed, wanted)
    return [
        embedding_row(number, list(batch))
        for number, batch in enumerate(batches(zip(made, drawn, strict=True), size), start + 1)
    ]


def embedding_row(number: int, batch: list[tuple[str, int]]) -> Row:
    """Row of texts with their lengths."""
    total = sum(length for _, length in batch)
    if len(batch) == 1:
        return Row(str(number), prompt=batch[0][0], input_tokens=total)
    return Row(str(number), input=[text for text, _ in batch], input_tokens=total)


def read_random_rerank(_: Sequence[Path], settings: RandomRerank, wanted: Wanted) -> Numbered:
    """Queries of the lengths that the run asks for, each with documents of its own."""
    count = count_of(settings.count, wanted)
    law = lengths(wanted.input_tokens or USUAL_LENGTH, wanted.seed, count)
    make = partial(
        rankings, settings.num_documents, settings.document_length_ratio, law, wanted, seed_of(wanted, settings.salt)
    )
    return Numbered(count, make)


def rankings(documents: int, ratio: float, law: Lengths, wanted: Wanted, seed: int, start: int, stop: int) -> list[Row]:
    """Rows of a query each, and of documents that are `ratio` times as long."""
    found = []
    for number, length in enumerate(law.draw(start, stop).tolist(), start):
        sizes = [length, *[max(1, round(length * ratio))] * documents]
        first = number * len(sizes)
        made = texts([ask(size, first + at) for at, size in enumerate(sizes)], seed, wanted)
        query, *others = made
        found.append(Row(str(number + 1), query=query, documents=others, input_tokens=sum(sizes)))
    return found


def seed_of(wanted: Wanted, salt: str) -> int:
    """What the texts of a run depend on."""
    return (wanted.seed ^ salt_of(salt)) % 2**63


def count_of(given: int | None, wanted: Wanted) -> int:
    """How many rows there are."""
    return given or wanted.limit or USUAL_ROWS


def ask(tokens: int, number: int) -> Ask:
    """A text of its own, in one block."""
    return Ask(tokens, np.array([number], np.int64), np.array([tokens], np.int64))


READERS = {
    "speed_benchmark": Reader(read_speed, Speed, "Prompts of 1 to 30,720 tokens, a few of each.", needs_files=False),
    "random_embedding": Reader(read_random_embedding, RandomEmbedding, "Made texts to be embedded.", needs_files=False),
    "random_rerank": Reader(
        read_random_rerank, RandomRerank, "Made queries, and documents to be ranked by them.", needs_files=False
    ),
}
