"""Several answers to each question: what one, all, or the majority of k of them would get.

Everything is computed item by item and then averaged over items. The formulas take an item's own number of answers n,
of which c are right; k of them are drawn without putting back.
"""

from collections.abc import Callable, Sequence
from functools import partial
from math import ceil, comb
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluators.errors import EvaluationError
from evaluators.statistics.vote import majority, same

Formula = Callable[[int, int, int], float]
SLACK = 1e-9  # so that 0.6 * 5 is 3, not the next whole number above 3.0000000000000004


def pass_at_k(n: int, c: int, k: int) -> float:
    """Chance that at least one of k is right: 1 - C(n-c, k) / C(n, k) (Chen et al. 2021, unbiased)."""
    return 1.0 - comb(n - c, k) / comb(n, k)


def pass_hat_k(n: int, c: int, k: int) -> float:
    """Chance that all of k are right: C(c, k) / C(n, k) (Yao et al. 2024)."""
    return comb(c, k) / comb(n, k)


def g_pass_at_k(n: int, c: int, k: int, tau: float) -> float:
    """Chance that at least the share tau, 0 < tau <= 1, of k is right: a hypergeometric tail (Liu et al. 2024)."""
    least = max(1, ceil(tau * k - SLACK))
    return sum(comb(c, right) * comb(n - c, k - right) for right in range(least, min(c, k) + 1)) / comb(n, k)


def g_pass(tau: float) -> Formula:
    """G-Pass@k with this share."""
    return partial(g_pass_at_k, tau=tau)


def over_items(formula: Formula, n: NDArray[np.int64], c: NDArray[np.int64], k: int) -> NDArray[np.float64]:
    """The formula for each item; nan where an item has fewer than k answers."""
    found = np.full(len(n), np.nan)
    enough = np.flatnonzero(n >= k)
    pairs, which = np.unique(np.stack([n[enough], c[enough]]), axis=1, return_inverse=True)
    values = np.array([formula(answers, right, k) for answers, right in pairs.T.tolist()], np.float64)
    found[enough] = values[which.reshape(-1)]
    return found


def vote(extracted: Sequence[Any]) -> int | None:
    """Position of the first answer that says what most of them say; None if none says anything.

    Of two answers that are equally often given the one that was given first wins. What was not found has no vote.
    """
    placed = [None if answer is None else (at, answer) for at, answer in enumerate(extracted)]
    winner = majority(placed, lambda pair: same(pair[1]))
    return None if winner is None else winner[0]


def cons_at_k(extracted: Sequence[Any], scores: Sequence[float], k: int) -> float:
    """Mean over the item's whole blocks of k answers, in their order, of the score of what the block voted for.

    With k = n that is one vote of all answers. A block in which nothing was found is worth 0; nan for k > n.
    """
    if len(scores) < k:
        return float("nan")
    blocks = len(scores) // k
    return sum(block_score(extracted, scores, at * k, k) for at in range(blocks)) / blocks


def block_score(extracted: Sequence[Any], scores: Sequence[float], start: int, k: int) -> float:
    winner = vote(extracted[start : start + k])
    return 0.0 if winner is None else scores[start + winner]


def sizes(asked: Sequence[int] | None, n: int) -> list[int]:
    """The k for which figures are given: those asked for, else 2, 4, 8 ... and n; raises EvaluationError for k > n."""
    if asked is None:
        return sorted({2**power for power in range(1, n.bit_length()) if 2**power <= n} | {n}) if n > 1 else []
    for k in asked:
        if not 1 <= k <= n:
            raise EvaluationError(
                f"k = {k} of pass@k is not in 1..{n}, the answers to each question; ask for --repeats {max(k, 1)}"
                if k > n
                else f"k = {k} of pass@k is less than 1; give a k of 1 or more"
            )
    return sorted(set(asked))
