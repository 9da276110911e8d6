"""Which rows a run sends, in which order."""

import itertools
import json
import pickle
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcore.errors import UserError
from perfcore.workload.mixture import mixture, turn_of_each
from perfcore.workload.row import Row
from perfcore.workload.selection import Choice, Selected, rows_of
from perfcore.workload.source import Made, Wanted

MOONCAKE = '{"timestamp": %d, "input_length": 8, "output_length": 4, "hash_ids": [%d]}'


def file(folder: Path, name: str, count: int, **more: Any) -> str:
    path = folder / name
    lines = [json.dumps({"id": f"{path.stem}{number}", "prompt": "a"} | more) for number in range(count)]
    path.write_text("\n".join(lines))
    return str(path)


def trace(folder: Path, name: str, times_ms: list[int]) -> str:
    path = folder / name
    path.write_text("\n".join(MOONCAKE % (time, number) for number, time in enumerate(times_ms)))
    return str(path)


def select(names: list[str], choice: Choice = Choice(), wanted: Wanted = Wanted(), **more: Any) -> Selected:  # noqa: B008
    return rows_of(names, ("p", "q"), choice, wanted, args=more.get("args", {}), dirs=(), config_dir=None)


def rows(selected: Selected) -> list[Row]:
    found = selected.rows
    return found.part(0, len(found)) if isinstance(found, Made) else list(found)


def ids(names: list[str], choice: Choice = Choice(), wanted: Wanted = Wanted()) -> list[str]:  # noqa: B008
    return [row.id for row in rows(select(names, choice, wanted))]


def test_without_a_data_set_the_prompts_are_sent() -> None:
    assert rows(select([])) == [Row("1", "p"), Row("2", "q")]
    assert ids([], Choice(offset=1)) == ["2"]


def test_data_sets_are_sent_one_after_the_other_and_name_their_rows(tmp_path: Path) -> None:
    found = rows(select([file(tmp_path, "a.jsonl", 2), file(tmp_path, "b.jsonl", 1)]))
    assert [(row.id, row.dataset) for row in found] == [("a0", "a.jsonl"), ("a1", "a.jsonl"), ("b0", "b.jsonl")]


@pytest.mark.parametrize(
    ("choice", "limit", "expected"),
    [
        (Choice(offset=1), None, "a1 a2 b0 b1 b2"),
        (Choice(offset=1, count=3), None, "a1 a2 b0"),
        (Choice(count=9), None, "a0 a1 a2 b0 b1 b2"),
        (Choice(offset=2), 4, "a2 b0"),
        (Choice(offset=2, count=1), 4, "a2"),
    ],
)
def test_some_rows_are_passed_over_and_some_taken(
    tmp_path: Path, choice: Choice, limit: int | None, expected: str
) -> None:
    names = [file(tmp_path, "a.jsonl", 3), file(tmp_path, "b.jsonl", 3)]
    assert ids(names, choice, Wanted(limit=limit)) == expected.split()


@pytest.mark.parametrize("shuffle", [False, True])
def test_an_offset_that_leaves_nothing_is_refused(tmp_path: Path, shuffle: bool) -> None:
    with pytest.raises(UserError, match=r"--offset 3 passes over all .*rows of a\.jsonl"):
        ids([file(tmp_path, "a.jsonl", 3)], Choice(offset=3, shuffle=shuffle))


def test_rows_of_a_file_are_read_as_they_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"prompt": "a"}\n' * 2 + "broken\n")
    found = select([str(path)]).rows
    assert isinstance(found, Iterator)
    assert len(list(itertools.islice(found, 2))) == 2
    with pytest.raises(UserError, match="line 3"):
        next(found)


def test_a_shuffle_is_drawn_by_the_seed_and_loses_nothing(tmp_path: Path) -> None:
    names = [file(tmp_path, "a.jsonl", 50)]
    first, again, other = (ids(names, Choice(shuffle=True), Wanted(seed=seed)) for seed in (1, 1, 2))
    assert first == again != other
    assert first != ids(names) and sorted(first) == sorted(ids(names))
    assert ids(names, Choice(shuffle=True, offset=20, count=5), Wanted(seed=1)) == first[20:25]


def test_rows_that_are_made_stay_so_and_are_the_same_in_another_process(tmp_path: Path) -> None:
    name = trace(tmp_path, "t.jsonl", [0, 5, 10, 15])
    choice = Choice(offset=1, shuffle=True, model_weights={"m": 1, "n": 1})
    found = select([name, name], choice).rows
    assert isinstance(found, Made) and len(found) == 7
    there: Made = pickle.loads(pickle.dumps(found))
    assert [*there.part(0, 3), *there.part(3, 7)] == found.part(0, 9) == rows(select([name, name], choice))


def test_a_replay_has_the_rows_in_the_order_of_their_times(tmp_path: Path) -> None:
    made = rows(select([trace(tmp_path, "t.jsonl", [0, 20, 10])], Choice(by_time=True)))
    assert [row.timestamp_ns for row in made] == [0, 10_000_000, 20_000_000]
    path = tmp_path / "x.jsonl"
    path.write_text("\n".join(f'{{"prompt": "a", "timestamp": {time}}}' for time in (3, 1, 2, 1)))
    assert ids([str(path)], Choice(by_time=True)) == ["2", "4", "3", "1"]


def test_a_replay_of_rows_without_times_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"not each of a\.jsonl has one"):
        ids([file(tmp_path, "a.jsonl", 3)], Choice(by_time=True))


@pytest.mark.parametrize("shuffle", [False, True])
def test_a_mix_has_its_shares_and_cycles_each_data_set(tmp_path: Path, shuffle: bool) -> None:
    names = [file(tmp_path, "a.jsonl", 5), file(tmp_path, "b.jsonl", 50)]
    found = ids(names, Choice(weights=(3, 1), shuffle=shuffle), Wanted(limit=400, seed=3))
    counts = Counter(name[0] for name in found)
    assert abs(counts["a"] - 300) <= 2
    each = Counter(name for name in found if name[0] == "a")
    assert max(each.values()) - min(each.values()) <= 1
    assert len(set(found)) == 55


def test_a_mix_begins_the_same_however_long_it_is(tmp_path: Path) -> None:
    names = [file(tmp_path, "a.jsonl", 5), trace(tmp_path, "t.jsonl", [0, 1, 2])]
    long = ids(names, Choice(weights=(1, 2)), Wanted(limit=99))
    assert ids(names, Choice(weights=(1, 2), offset=10, count=20)) == long[10:30]
    assert len(ids(names, Choice(weights=(1, 2)))) == 8


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=6), st.integers(0, 5000), st.integers(0, 2**40))
def test_every_share_is_met_at_every_place(weights: list[float], count: int, seed: int) -> None:
    which = mixture(weights, [seed], count)
    assert len(which) == count
    for thing, weight in enumerate(weights):
        had = np.cumsum(which == thing)
        due = np.arange(1, count + 1) * weight / sum(weights)
        assert np.all(np.abs(had - due) < len(weights) + 1)


def test_a_longer_mix_begins_with_the_shorter_one() -> None:
    assert np.array_equal(mixture([5, 1, 2], [7], 5000)[:777], mixture([5, 1, 2], [7], 777))
    assert turn_of_each(np.array([0, 1, 0, 0, 1], np.int32), 2).tolist() == [0, 0, 1, 2, 1]


def test_models_have_their_shares(tmp_path: Path) -> None:
    choice = Choice(model_weights={"m": 0.9, "n": 0.1})
    found = Counter(row.model for row in rows(select([file(tmp_path, "a.jsonl", 3000)], choice)))
    assert abs(found["n"] - 300) <= 2 and found["m"] + found["n"] == 3000


def test_a_map_gives_rows_their_adapters_and_says_how_many_it_does_not_have(tmp_path: Path) -> None:
    selected = select([file(tmp_path, "a.jsonl", 3)], Choice(lora={"a1": "x"}))
    assert [row.model for row in rows(selected)] == [None, "x", None]
    assert selected.remarks() == ["2 of 3 rows are not in the file of --lora and ask for the model itself"]
    made = select([trace(tmp_path, "t.jsonl", [0, 1, 2])], Choice(lora={"2": "x"}))
    assert [row.model for row in rows(made)] == [None, "x", None]
    assert made.remarks()[-1].startswith("2 of the first 3 rows")


def test_lengths_of_answers_go_before_the_data_sets_own(tmp_path: Path) -> None:
    name = file(tmp_path, "a.jsonl", 5, max_tokens=3)
    found = [row.max_tokens for row in rows(select([name], wanted=Wanted(output_tokens="uniform:10:90")))]
    assert all(length is not None and 10 <= length <= 90 for length in found) and len(set(found)) > 1
    assert [row.max_tokens for row in rows(select([name]))] == [3] * 5
    later = rows(select([name], Choice(offset=2), Wanted(output_tokens="uniform:10:90")))
    assert [row.max_tokens for row in later] == found[2:]


@pytest.mark.parametrize("names", [[], ["a.jsonl"], ["a.jsonl", "t.jsonl"]])
def test_rows_that_come_again_have_lengths_of_their_own(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        trace(tmp_path, name, [0]) if name == "t.jsonl" else file(tmp_path, name, 2)
    paths, drawn = [str(tmp_path / name) for name in names], Wanted(output_tokens="uniform:1:1000")
    found = rows(select(paths, Choice(draws=50), drawn))
    each = len(names) + 1 if names else 2
    assert [row.id for row in found[each : 2 * each]] == [row.id for row in found[:each]]
    assert len(found) == 50 and len({row.max_tokens for row in found}) > 40
    assert rows(select(paths, wanted=drawn)) == found[:each]
    assert rows(select(paths, Choice(draws=50), drawn)) == found


def test_rows_that_come_again_ask_for_all_models(tmp_path: Path) -> None:
    shares = Choice(model_weights={"a": 0.75, "b": 0.25}, draws=100)
    assert Counter(row.model for row in rows(select([file(tmp_path, "a.jsonl", 1)], shares))) == {"a": 75, "b": 25}


def test_rows_of_which_nothing_is_drawn_are_not_repeated(tmp_path: Path) -> None:
    name = file(tmp_path, "a.jsonl", 3)
    assert (
        ids([name], Choice(draws=50)) == ids([name], Choice(draws=50), Wanted(output_tokens="7")) == ["a0", "a1", "a2"]
    )
    with pytest.raises(UserError, match="--offset 3 passes over all 3 rows"):
        rows(select([name], Choice(offset=3, draws=50), Wanted(output_tokens="uniform:1:9")))


def test_lengths_of_answers_replace_those_of_each_turn(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"turns": [{"role": "user", "content": "a", "max_tokens": 5}]}')
    [row] = rows(select([str(path)], wanted=Wanted(output_tokens="7")))
    assert (row.max_tokens, row.turns) == (7, [{"role": "user", "content": "a"}])


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        (Choice(weights=(1,)), "--weights has 1 shares for 2 data sets"),
        (Choice(by_time=True, shuffle=True), "--shuffle would change it"),
        (Choice(by_time=True, weights=(1, 2)), "--weights would change it"),
        (Choice(lora={"1": "x"}, model_weights={"m": 1}), "--lora and --model-weights"),
    ],
)
def test_what_contradicts_itself_is_refused(choice: Choice, words: str) -> None:
    with pytest.raises(UserError, match=words):
        select(["a", "b"], choice)


def test_settings_are_for_all_data_sets_or_for_one_by_its_name(tmp_path: Path) -> None:
    names = [file(tmp_path, "a.jsonl", 1, lora="x"), file(tmp_path, "b.jsonl", 1, lora="y")]
    found = select(names, args={"model": "lora", "b.jsonl": {"model": "id"}})
    assert [row.model for row in rows(found)] == ["x", "b0"]
    assert found.sources[1] == {
        "name": "b.jsonl",
        "reader": "rows",
        "settings": {"columns": [], "model": "id"},
        "files": [names[1]],
    }
    with pytest.raises(UserError, match=r"--dataset-args b\.jsonl is 3"):
        select(names, args={"b.jsonl": 3})
