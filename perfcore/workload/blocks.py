"""Tokens derived from hashes: equal ids give equal blocks, in any process, so that prefixes are shared as recorded.

A block is a row of numbers without an end; the word at each place is a hash of seed, id and place. A block that is cut
short is therefore the beginning of the whole one, and no block has to be kept to be made again.
"""

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Places = npt.NDArray[np.int32]

# Constants of splitmix64 (Steele, Lea and Flood 2014), whose finalizer is `mixed`.
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
FIRST, SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
TABLE_BITS = 16
ZIPF_SHIFT = 2.7  # Mandelbrot's, for English


def cut_blocks(tokens: int, blocks: int, block_tokens: int) -> Ints:
    """Lengths of `blocks` blocks that have `tokens` together: all of them full but the last that there is room for.

    What does not fit into so many blocks goes into the last one; those for which nothing is left have 0.
    """
    starts = np.arange(blocks, dtype=np.int64) * block_tokens
    lengths = np.clip(tokens - starts, 0, block_tokens)
    lengths[-1] += max(0, tokens - blocks * block_tokens)
    return lengths


def picks(seed: int, ids: Ints, lengths: Ints, table: Places) -> Places:
    """Words of blocks one after the other, as entries of a `frequencies` table; `lengths[i]` of block `ids[i]`."""
    with np.errstate(over="ignore"):
        keys = mixed(ids.astype(np.uint64) * GOLDEN ^ mixed(np.array([seed], np.uint64) + GOLDEN))
        places = np.arange(int(lengths.sum()), dtype=np.int64) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        hashes = mixed(np.repeat(keys, lengths) + places.astype(np.uint64) * GOLDEN)
    found: Places = table[hashes >> np.uint64(64 - TABLE_BITS)]
    return found


def mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """A bijection of 64 bits in which every bit of the result depends on every bit of the value."""
    values = (values ^ (values >> np.uint64(30))) * FIRST
    values = (values ^ (values >> np.uint64(27))) * SECOND
    return values ^ (values >> np.uint64(31))


def frequencies(choices: int) -> Places:
    """Table of 65,536 entries from 0 to `choices` - 1, each as often as Zipf and Mandelbrot have a word of that rank.

    Every choice is there at least once, where there are no more than entries.
    """
    entries = 1 << TABLE_BITS
    choices = min(choices, entries)
    weights = 1 / (np.arange(choices) + 1 + ZIPF_SHIFT)
    ends = np.rint(np.cumsum(weights) / weights.sum() * (entries - choices)).astype(np.int64)
    counts = np.diff(ends, prepend=0) + 1
    return np.repeat(np.arange(choices, dtype=np.int32), counts)
