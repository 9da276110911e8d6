"""Shared beginnings: which prompts share them, and what a prefix cache can serve of them."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfcore.workload.sharing import Sharing, group_of_each, group_shares
from perfcore.workload.source import Wanted
from perfcore.workload.synthetic import Settings, Synthetic, synthetic
from perfcore.workload.tokens import common_beginning, load

MODEL = str(Path(__file__).parent / "data" / "tiny-add")


def rows_of(count: int, chat: bool = True, **given: Any) -> Synthetic:
    return synthetic(Settings(**given), Wanted(seed=1, limit=count, tokenizer=MODEL, chat=chat))


def prompts_as_ids(rows: Synthetic) -> list[list[int]]:
    """What the service's tokenizer makes of them."""
    tokenizer = load(MODEL)
    before, after = tokenizer.frame or ("", "")
    texts = [row.prompt or "" for row in rows.part(0, len(rows))]
    return tokenizer.encode([f"{before}{text}{after}" for text in texts] if rows.wanted.chat else texts)


def served(prompts: list[list[int]], block: int) -> int:
    """Tokens that a cache of whole blocks serves, which keeps every block by all that is before its end."""
    known: set[tuple[int, ...]] = set()
    found = 0
    for ids in prompts:
        ends = range(block, len(ids), block)  # the last token is always worked out
        hits = [end for end in ends if tuple(ids[:end]) in known]
        found += max(hits, default=0)
        known.update(tuple(ids[:end]) for end in range(block, len(ids) + 1, block))
    return found


@pytest.mark.parametrize("kind", ["words", "tokenid"])
@pytest.mark.parametrize("order", ["round_robin", "random", "grouped"])
@pytest.mark.parametrize("chat", [True, False])
def test_the_intended_ratio_is_what_a_cache_serves(kind: str, order: str, chat: bool) -> None:
    more = {"prefix_tokens": 64, "prefix_groups": 5, "prefix_weights": "zipf:1", "block_tokens": 8}
    rows = rows_of(120, chat, kind=kind, prefix_order=order, input_tokens="uniform:30:200", **more)
    prompts = prompts_as_ids(rows)
    expected = served(prompts, 8) / sum(map(len, prompts))
    # a block beyond the shared ones may be the same by chance
    assert rows.intended_cache_ratio() == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize("wanted", [0.1, 0.33, 0.5, 0.9])
def test_a_wanted_ratio_is_met_as_nearly_as_blocks_allow(wanted: float) -> None:
    rows = rows_of(500, prefix_ratio=wanted, input_tokens=800, prefix_groups=3)
    assert rows.intended_cache_ratio() == pytest.approx(wanted, abs=16 / 800)


def test_a_wanted_ratio_is_met_over_lengths_that_differ() -> None:
    rows = rows_of(500, prefix_ratio=0.6, input_tokens="uniform:300:1500", prefix_groups=7, prefix_order="random")
    assert rows.intended_cache_ratio() == pytest.approx(0.6, abs=0.02)


def test_prompts_of_a_group_begin_alike_and_others_do_not() -> None:
    rows = rows_of(12, prefix_tokens=40, prefix_groups=3, input_tokens=100)
    prompts = prompts_as_ids(rows)
    for one in range(12):
        for other in range(one):
            common = common_beginning(prompts[one], prompts[other])
            assert (common >= 40 + load(MODEL).ahead(chat=True)) == (one % 3 == other % 3)
    assert [row.meta["prefix_group"] for row in rows.part(0, 4)] == [0, 1, 2, 0]


def test_a_prompt_shorter_than_its_prefix_keeps_a_token_to_itself() -> None:
    rows = rows_of(30, chat=False, prefix_tokens=100, input_tokens="uniform:2:150").part(0, 30)
    assert [row.counted_tokens for row in rows] == [row.input_tokens for row in rows]


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=12), st.integers(1, 2000))
@settings(max_examples=60, deadline=None)
def test_groups_in_turn_are_spread_evenly_and_grouped_ones_are_as_many(weights: list[float], count: int) -> None:
    shares = group_shares(tuple(weights), len(weights))
    for order, most in (("round_robin", 2.0), ("grouped", 1.0)):
        counts = np.bincount(group_of_each(shares, order, count, 0), minlength=len(weights))
        assert counts.sum() == count
        assert np.abs(counts - shares * count).max() <= most


def test_random_groups_come_in_their_shares() -> None:
    shares = group_shares((1.0, 3.0), 2)
    drawn = group_of_each(shares, "random", 100_000, 5)
    assert Counter(drawn.tolist())[1] == pytest.approx(75_000, rel=0.01)
    assert not np.array_equal(drawn, group_of_each(shares, "random", 100_000, 6))


def test_zipf_weights_fall_with_their_power() -> None:
    shares = group_shares("zipf:2", 3)
    assert shares.tolist() == pytest.approx([36 / 49, 9 / 49, 4 / 49])


def test_a_cache_serves_whole_blocks_of_what_was_there_before() -> None:
    sizes, groups = np.array([100, 100, 100, 100]), np.array([0, 1, 0, 1])
    sharing = Sharing(sizes, groups, ahead=5, overhead=9, block_tokens=16)
    assert sharing.ratio(60) == (0 + 0 + 64 + 64) / 400
    assert sharing.ratio(58) == (0 + 0 + 48 + 48) / 400
    assert Sharing(sizes, groups, 20, 30, 16).ratio(0) == (0 + 16 + 16 + 16) / 400
    assert Sharing(sizes, groups, 5, 9, 16).ratio(10**6) == (0 + 0 + 80 + 80) / 400
