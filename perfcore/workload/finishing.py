"""What is done to each row when it has been read or made: data set, length of its answer, model."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from perfcore.workload.lengths import lengths
from perfcore.workload.mixture import mixture
from perfcore.workload.row import Row

MODELS = 2  # sets the seed apart from those of other draws
BLOCK = 4096  # lengths that are drawn at once
LEAST_MIX = 1024


class Trait(NamedTuple):
    """What the rows of a data set have: its name, the longest answer of rows without one, and drawn lengths."""

    dataset: str
    max_tokens: int | None = None
    output_tokens: str | None = None


@dataclass(frozen=True)
class Finish:
    """What is done to rows. It can be pickled. `count` is the number of rows of the run, where it is known."""

    traits: tuple[Trait, ...]
    seed: int
    count: int | None = None
    models: tuple[str, ...] = ()
    shares: tuple[float, ...] = ()
    lora: Mapping[str, str] | None = None

    def row(self, row: Row, source: int, number: int) -> Row:
        """The row as it is sent; `number` is its place in the order of all rows, those passed over included."""
        trait = self.traits[source]
        changed: dict[str, Any] = {"dataset": trait.dataset}
        if trait.output_tokens is not None:
            changed |= limited(row, drawn(trait.output_tokens, self.seed, self.count, number // BLOCK)[number % BLOCK])
        elif row.max_tokens is None and trait.max_tokens is not None:
            changed["max_tokens"] = trait.max_tokens
        if self.models:
            changed["model"] = self.models[model_of(self.shares, self.seed, number)]
        elif self.lora and row.id in self.lora:
            changed["model"] = self.lora[row.id]
        return msgspec.structs.replace(row, **changed)


def limited(row: Row, length: int) -> dict[str, Any]:
    """Fields of a row whose answer, or each of whose answers, has this length in the place of the data set's own."""
    if row.turns is None:
        return {"max_tokens": length}
    turns = [{key: value for key, value in turn.items() if key != "max_tokens"} for turn in row.turns]
    return {"max_tokens": length, "turns": turns}


@lru_cache(maxsize=64)
def drawn(spec: str, seed: int, count: int | None, block: int) -> list[int]:
    """Lengths of the rows of one block. Raises UserError for what is no length."""
    start = block * BLOCK
    found: list[int] = lengths(spec, seed, count, "output_tokens").draw(start, start + BLOCK).tolist()
    return found


def model_of(shares: tuple[float, ...], seed: int, number: int) -> int:
    """Which model a row asks for."""
    return models(shares, seed, max(LEAST_MIX, 1 << number.bit_length()))[number]


@lru_cache(maxsize=2)
def models(shares: tuple[float, ...], seed: int, count: int) -> list[int]:
    """Which model each of the first rows asks for."""
    found: list[int] = mixture(shares, [seed, MODELS], count).tolist()
    return found
