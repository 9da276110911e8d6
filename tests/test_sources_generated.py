"""Prompts that are made: of the lengths that are asked for, each another text, the same ones wherever they are made."""

import pickle
from pathlib import Path
from typing import Any

import msgspec
import pytest

from perfcore.workload.registry import READERS
from perfcore.workload.row import Row
from perfcore.workload.source import Made, Wanted
from perfcore.workload.tokens import load

TINY = str(Path(__file__).parent / "data" / "tiny-add")
NAMES = ["speed_benchmark", "random_embedding", "random_rerank"]


def made(name: str, wanted: Wanted, **settings: Any) -> Made:
    reader = READERS[name]
    found = reader.read([], msgspec.convert(settings, reader.settings), wanted)
    assert isinstance(found, Made)
    return found


def rows(name: str, wanted: Wanted, **settings: Any) -> list[Row]:
    found = made(name, wanted, **settings)
    return found.part(0, len(found))


def test_the_speed_benchmark_has_two_prompts_of_each_length() -> None:
    found = rows("speed_benchmark", Wanted(chat=False))
    assert [row.input_tokens for row in found] == [1, 1, 6144, 6144, 14336, 14336, 30720, 30720]
    assert [len((row.prompt or "").split()) for row in found] == [row.input_tokens for row in found]
    assert {row.max_tokens for row in found} == {2048}
    assert found[2].prompt != found[3].prompt


def test_prompts_of_the_speed_benchmark_are_exact_by_the_tokenizer() -> None:
    found = rows("speed_benchmark", Wanted(chat=False, tokenizer=TINY), lengths=[1, 300, 2000], repeats=1)
    assert load(TINY).counts([row.prompt or "" for row in found]) == [1, 300, 2000]
    assert [row.counted_tokens for row in found] == [1, 300, 2000]


def test_prompts_of_the_speed_benchmark_are_sent_as_ids_where_the_service_takes_them() -> None:
    found = rows("speed_benchmark", Wanted(chat=False, tokenizer=TINY, takes_ids=True), lengths=[40], repeats=2)
    assert [len(row.token_ids or []) for row in found] == [40, 40]


@pytest.mark.parametrize("name", NAMES)
def test_rows_are_the_same_however_they_are_cut(name: str) -> None:
    found = pickle.loads(pickle.dumps(made(name, Wanted(seed=3, limit=8, input_tokens="uniform:1:20"))))
    assert [row for at in range(8) for row in found.part(at, at + 1)] == found.part(0, 8)
    assert len(found) == 8
    assert found.part(7, 99) == found.part(7, 8)


@pytest.mark.parametrize("name", NAMES)
def test_another_seed_gives_other_texts(name: str) -> None:
    first, second = (rows(name, Wanted(seed=seed, limit=8, input_tokens="30"), salt="fixed")[5] for seed in (1, 2))
    assert (first.prompt, first.documents) != (second.prompt, second.documents)


def test_a_fixed_salt_gives_the_same_texts_and_another_gives_others() -> None:
    first, again, other = (rows("speed_benchmark", Wanted(), salt=salt)[4] for salt in ("fixed", "fixed", "other"))
    assert first == again
    assert first.prompt != other.prompt


def test_texts_to_embed_come_in_batches_of_the_lengths_asked_for() -> None:
    wanted = Wanted(limit=3, input_tokens="7", tokenizer=TINY)
    assert load(TINY).counts([row.prompt or "" for row in rows("random_embedding", wanted)]) == [7, 7, 7]
    batches = rows("random_embedding", wanted, batch_size=2)
    assert [load(TINY).counts(list(map(str, row.input or []))) for row in batches] == [[7, 7]] * 3
    assert {row.input_tokens for row in batches} == {14}
    assert len({str(text) for row in batches for text in row.input or []}) == 6


def test_documents_are_longer_than_their_query() -> None:
    row = rows("random_rerank", Wanted(input_tokens="4"), num_documents=3, document_length_ratio=2.5, count=1)[0]
    assert len((row.query or "").split()) == 4
    assert [len(str(document).split()) for document in row.documents or []] == [10, 10, 10]
    assert row.input_tokens == 34
