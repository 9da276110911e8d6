"""Blocks of words that come from hashes, and prompts of an exact length made of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcore.workload.blocks import Places, cut_blocks, frequencies, picks
from perfcore.workload.filling import Ask, prompts, texts
from perfcore.workload.source import Wanted
from perfcore.workload.tokens import load

TINY = "tests/data/tiny-add"
TABLE = frequencies(1000)


def ask(tokens: int, *ids: int, block: int = 512) -> Ask:
    return Ask(tokens, np.array(ids), cut_blocks(tokens, len(ids), block))


@pytest.mark.parametrize(
    ("tokens", "blocks", "lengths"),
    [(1024, 2, [512, 512]), (513, 2, [512, 1]), (20, 1, [20]), (5, 3, [5, 0, 0]), (1100, 2, [512, 588])],
)
def test_blocks_are_full_but_for_the_last(tokens: int, blocks: int, lengths: list[int]) -> None:
    assert cut_blocks(tokens, blocks, 512).tolist() == lengths


@given(st.integers(0, 2**63 - 1), st.integers(-(2**40), 2**40), st.integers(1, 40), st.integers(0, 40))
def test_a_cut_block_is_the_beginning_of_the_whole_one_wherever_it_stands(
    seed: int, block: int, cut: int, before: int
) -> None:
    def made(ids: list[int], lengths: list[int]) -> Places:
        return picks(seed, np.array(ids), np.array(lengths), TABLE)

    assert made([1, block], [before, cut])[before:].tolist() == made([block], [40])[:cut].tolist()


def test_other_ids_and_other_seeds_give_other_blocks() -> None:
    full = np.full(3, 512)
    found = [picks(seed, np.array([-1, 0, 1]), full, TABLE).reshape(3, 512) for seed in (0, 1)]
    rows = np.concatenate(found)
    alike = [(rows[i] == rows[j]).mean() for i in range(6) for j in range(i)]
    assert max(alike) < 0.1


def test_words_come_as_often_as_their_rank_says() -> None:
    found = np.bincount(picks(7, np.arange(400), np.full(400, 512), TABLE), minlength=1000)
    weights = 1 / (np.arange(1000) + 3.7)
    assert found.sum() == 400 * 512
    assert np.abs(np.cumsum(found) / found.sum() - np.cumsum(weights) / weights.sum()).max() < 0.02


@pytest.mark.parametrize("choices", [1, 2, 1000, 70_000])
def test_every_choice_is_in_the_table_of_frequencies(choices: int) -> None:
    assert np.unique(frequencies(choices)).size == min(choices, 65_536)


@pytest.mark.parametrize("chat", [True, False])
def test_prompts_have_exactly_the_tokens_that_the_tokenizer_counts(chat: bool) -> None:
    asks = [ask(tokens, 3, *range(7, 7 + (tokens - 1) // 512)) for tokens in (12, 13, 300, 512, 513, 1024, 5000)]
    found = list(prompts(asks, 5, Wanted(tokenizer=TINY, chat=chat)))
    counted = load(TINY).prompt_counts([prompt.text or "" for prompt in found], chat)
    assert counted == [each.tokens for each in asks] == [prompt.counted for prompt in found]


def test_a_prompt_shorter_than_the_chat_template_is_one_word_and_says_its_length() -> None:
    wanted = Wanted(tokenizer=TINY)
    (found,) = prompts([ask(1, 3)], 5, wanted)
    assert found.text and " " not in found.text
    assert found.counted == load(TINY).overhead(True) + 1


def test_equal_ids_give_texts_that_begin_alike_token_by_token() -> None:
    one, two = texts([ask(1500, 1, 2, 3), ask(1500, 1, 2, 4)], 0, Wanted(tokenizer=TINY))
    first, second = load(TINY).encode([one, two])
    assert first[:1024] == second[:1024]
    assert first[1024:1034] != second[1024:1034]


def test_token_ids_are_those_of_the_text() -> None:
    wanted = Wanted(tokenizer=TINY, chat=False, takes_ids=True)
    (sent,), (text,) = ([*prompts([ask(700, 1, 2)], 0, wanted, as_ids=flag)] for flag in (True, False))
    assert sent.text is None and sent.ids is not None
    assert load(TINY).decode([sent.ids]) == [f" {text.text}"]
    assert sent.counted == 700


def test_without_a_tokenizer_a_word_stands_for_a_token() -> None:
    (found,) = prompts([ask(700, 1, 2)], 0, Wanted())
    assert found.counted is None
    assert found.text is not None and len(found.text.split(" ")) == 700


def test_a_tokenizer_without_whole_words_still_gives_exact_lengths(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("characters")
    (folder / "tokenizer.json").write_text(CHARACTERS)
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
    found = list(prompts([ask(100, 1), ask(900, 1, 2)], 0, Wanted(tokenizer=str(folder), chat=False)))
    assert [prompt.counted for prompt in found] == [100, 900]


ALPHABET = "abcdefghijklmnopqrstuvwxyz "
CHARACTERS = (
    '{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null, '
    '"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "."}, "behavior": "Isolated", "invert": false}, '
    '"post_processor": null, "decoder": {"type": "Fuse"}, "model": {"type": "WordLevel", "unk_token": "a", "vocab": {'
    + ", ".join(f'"{letter}": {number}' for number, letter in enumerate(ALPHABET))
    + "}}}"
)
