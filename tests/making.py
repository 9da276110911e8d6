"""Rows that are made where they are needed, for the tests of making many of them."""

import os
import signal
from dataclasses import dataclass

import numpy as np

from perfcore.errors import UserError
from perfcore.workload.row import Row

VOCABULARY = [f"{head}{tail}" for head in ("ba", "tri", "no", "sel", "ku") for tail in ("lo", "nder", "mi", "t", "sta")]


@dataclass(frozen=True)
class Words:
    """`count` rows of random words.

    Those in `broken` cannot be made, who makes `deadly` dies of it, and `faulty` is a fault of the program.
    """

    count: int
    words: int = 1000
    broken: tuple[int, ...] = ()
    deadly: int = -1
    faulty: int = -1

    def __len__(self) -> int:
        return self.count

    def part(self, start: int, stop: int) -> list[Row]:
        """Rows from `start` up to `stop`."""
        if start <= self.deadly < stop:
            os.kill(os.getpid(), signal.SIGKILL)
        return [self.row(number) for number in range(start, stop)]

    def row(self, number: int) -> Row:
        """One row."""
        if number in self.broken:
            raise UserError("its length is wrong; mend it")
        if number == self.faulty:
            raise ZeroDivisionError
        chosen = np.random.default_rng(number).integers(0, len(VOCABULARY), self.words)
        return Row(id=str(number), prompt=" ".join(VOCABULARY[at] for at in chosen), input_tokens=self.words)
