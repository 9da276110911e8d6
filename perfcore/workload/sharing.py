"""Beginnings that prompts share: which group each prompt is of, and what a prefix cache can serve of them."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from perfcore.errors import UserError

Ints: TypeAlias = npt.NDArray[np.int64]
Shares: TypeAlias = npt.NDArray[np.float64]

ORDERING = 5  # sets the seed apart from those of other draws


def group_shares(given: tuple[float, ...] | str, groups: int) -> Shares:
    """Share of each group, together 1, from a list, from zipf:ALPHA, or equal ones. Raises UserError."""
    weights = np.ones(groups, np.float64)
    if isinstance(given, str):
        weights = np.arange(1, groups + 1, dtype=np.float64) ** -exponent(given)
    elif given:
        weights = np.array(given, np.float64)
    if len(weights) != groups:
        raise UserError(f"prefix_weights has {len(weights)} shares for {groups} prefix_groups; give one for each")
    if not np.isfinite(weights).all() or (weights < 0).any() or not weights.sum() > 0:
        raise UserError("prefix_weights has shares that are no numbers of at least 0, or are all 0; correct them")
    return np.asarray(weights / weights.sum(), np.float64)


def exponent(given: str) -> float:
    """ALPHA of zipf:ALPHA; raises UserError."""
    name, _, text = given.partition(":")
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if name != "zipf" or not 0 <= found <= 100:
        raise UserError(f"prefix_weights is {given!r}; write zipf:ALPHA, such as zipf:1.2, or a list of shares")
    return found


def group_of_each(shares: Shares, order: str, count: int, seed: int) -> Ints:
    """Group of each of `count` prompts: round_robin, random or grouped."""
    if order == "random":
        rng = np.random.default_rng([seed, ORDERING])
        return np.searchsorted(np.cumsum(shares)[:-1], rng.random(count), side="right").astype(np.int64)
    if order == "grouped":
        ends = np.floor(np.cumsum(shares) * count + 0.5).astype(np.int64)
        return np.repeat(np.arange(len(shares)), np.diff(ends, prepend=0))
    return np.arange(count) % len(shares) if (shares == shares[0]).all() else in_turn(shares, count)


def in_turn(shares: Shares, count: int) -> Ints:
    """Groups in turn, each spread evenly: the k-th prompt of one comes at (k + 1/2) / share."""
    there = np.flatnonzero(shares)
    numbers = [np.arange(int(share * count) + 2) for share in shares[there]]
    times = np.concatenate([(each + 0.5) / share for each, share in zip(numbers, shares[there], strict=True)])
    groups = np.repeat(there, [len(each) for each in numbers])
    return np.asarray(groups[np.argsort(times, kind="stable")][:count], np.int64)


@dataclass(frozen=True)
class Sharing:
    """Prompts in the order in which they are sent: their lengths as the service sees them, and their groups.

    The service puts `ahead` tokens before each prompt and adds `overhead` in all; its prefix cache serves whole blocks
    of `block_tokens`, was empty before and forgets nothing.
    """

    sizes: Ints
    groups: Ints
    ahead: int
    overhead: int
    block_tokens: int

    def ratio(self, prefix_tokens: int) -> float:
        """Share of all input tokens that the cache serves where prefixes are that long.

        A prompt finds the prefix of its group there if an earlier one has it, and what the service puts before prompts
        if there is an earlier one at all; of both together whole blocks. It keeps at least one token to itself.
        """
        sizes = np.maximum(self.sizes, self.overhead + 1)
        known = self.ahead + np.minimum(prefix_tokens, sizes - self.overhead - 1)
        known[np.unique(self.groups, return_index=True)[1]] = self.ahead
        known[:1] = 0
        return float((known // self.block_tokens * self.block_tokens).sum() / sizes.sum())

    def prefix_for(self, wanted: float) -> int:
        """Length of the prefix with which the ratio comes nearest to `wanted`. Raises UserError where none does."""
        most = max(0, int(self.sizes.max()) - self.overhead)
        if (highest := self.ratio(most)) < wanted * (1 - self.block_tokens / max(1.0, float(self.sizes.mean()))):
            raise UserError(
                f"prefix_ratio={wanted:g} cannot be reached: with these lengths, {len(self.sizes)} prompts and blocks "
                f"of {self.block_tokens} tokens it is {highest:.3f} at most; take more prompts, longer ones, or fewer "
                "prefix_groups"
            )
        low, high = 0, most  # the shortest prefix with at least the wanted ratio lies between them
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self.ratio(middle) >= wanted else (middle + 1, high)
        block_less = max(0, (self.ahead + low - 1) // self.block_tokens * self.block_tokens - self.ahead)
        return min((low, block_less), key=lambda tokens: abs(self.ratio(tokens) - wanted))
