"""Lengths: their grammar, their moments, and that any part of them can be drawn by itself."""

import itertools
import math
import pickle
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfcore.errors import UserError
from perfcore.workload.lengths import lengths

MANY = 200_000
SPECS = [
    "1000",
    "uniform:100:2000",
    "gaussian:512:100",
    "gaussian:512:400:1:1024",
    "lognormal:1000:800",
    "lognormal:1000:800:10:4000",
    "zipf:1.2:10:5000",
    "table:128=0.5,1024=0.5",
]


def drawn(spec: str | int, seed: int = 1, count: int = MANY) -> npt.NDArray[np.int64]:
    return lengths(spec, seed).draw(0, count)


def farthest(values: npt.NDArray[np.int64], below: npt.NDArray[np.float64], first: int) -> float:
    """Kolmogorov and Smirnov's distance times the root of the number; below[i] is the share of at most first + i."""
    seen = np.cumsum(np.bincount(values - first, minlength=len(below))) / len(values)
    return float(np.abs(seen - below).max() * math.sqrt(len(values)))


def normal(places: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.array([math.erfc(-place / math.sqrt(2)) / 2 for place in places])


def truncated(below: npt.NDArray[np.float64], before: float) -> npt.NDArray[np.float64]:
    return np.asarray((below - before) / (below[-1] - before))


@pytest.mark.parametrize("spec", SPECS)
@given(cuts=st.lists(st.integers(0, 20_000), max_size=6), seed=st.integers(0, 2**63))
@settings(max_examples=15, deadline=None)
def test_parts_are_the_same_however_they_are_cut(spec: str, cuts: list[int], seed: int) -> None:
    whole = lengths(spec, seed)
    ends = [0, *sorted(cuts), 20_000]
    parts = [whole.draw(start, stop) for start, stop in itertools.pairwise(ends)]
    assert np.array_equal(np.concatenate(parts), whole.draw(0, 20_000))


@pytest.mark.parametrize("spec", SPECS[1:])
def test_the_seed_decides(spec: str) -> None:
    assert np.array_equal(drawn(spec, 7, 500), drawn(spec, 7, 500))
    assert not np.array_equal(drawn(spec, 7, 500), drawn(spec, 8, 500))


def test_lengths_of_different_options_do_not_depend_on_each_other() -> None:
    one = lengths("uniform:1:1000", 3, name="input_tokens").draw(0, 10_000)
    other = lengths("uniform:1:1000", 3, name="output_tokens").draw(0, 10_000)
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.05


def test_uniform_lengths_include_both_ends_and_all_are_as_often() -> None:
    values = drawn("uniform:5:14")
    expected = MANY / 10
    assert (values.min(), values.max()) == (5, 14)
    assert ((np.bincount(values)[5:] - expected) ** 2 / expected).sum() < 27.9  # chi square, 9 degrees, 0.1 %


def test_a_cut_normal_law_is_drawn_again_and_piles_up_nowhere() -> None:
    values = drawn("gaussian:512:400:1:1024")
    below = normal((np.arange(1, 1025) + 0.5 - 512) / 400)
    assert farthest(values, truncated(below, normal(np.array([(0.5 - 512) / 400]))[0]), 1) < 1.95
    assert max((values == 1).sum(), (values == 1024).sum()) < 3 * MANY / 1024


def test_a_log_normal_law_has_the_mean_and_deviation_that_were_asked_for() -> None:
    values = drawn("lognormal:1000:800")
    assert values.mean() == pytest.approx(1000, rel=0.01)
    assert values.std() == pytest.approx(800, rel=0.02)


def test_a_zipf_law_falls_with_its_power() -> None:
    values = drawn("zipf:1.2:10:5000")
    weights = np.arange(10, 5001, dtype=np.float64) ** -1.2
    assert farthest(values, np.cumsum(weights) / weights.sum(), 10) < 1.95


def test_a_table_keeps_its_shares_exactly_over_a_known_number_of_rows() -> None:
    table = lengths("table:128=0.2,512=0.5,1024=0.3", 5, count=1010)
    values, counts = np.unique(table.draw(0, 1010), return_counts=True)
    assert dict(zip(values.tolist(), counts.tolist(), strict=True)) == {128: 202, 512: 505, 1024: 303}
    assert np.array_equal(table.draw(1010, 1020), table.draw(0, 10))


@pytest.mark.parametrize("count", [10, 100, 1000, 10_000])
def test_a_table_is_as_near_as_may_be_where_the_number_is_not_known(count: int) -> None:
    off = abs((drawn("table:128=20%,512=80%", 3, count) == 128).sum() - count * 0.2)
    assert off <= 3


@pytest.mark.parametrize(
    ("long", "short"),
    [
        ("uniform:min=1,max=9", "uniform:1:9"),
        ("gaussian:std=5,mean=50", "gaussian:50:5"),
        ("Zipf: alpha=1.5, min=1, max=9", "zipf:1.5:1:9"),
        ("fixed:7", "7"),
        ("table:5=30,6=70", "table:5=0.3,6=0.7"),
    ],
)
def test_values_may_be_named(long: str, short: str) -> None:
    assert np.array_equal(drawn(long, count=100), drawn(short, count=100))


def test_a_number_is_a_length() -> None:
    assert drawn(7, count=3).tolist() == [7, 7, 7]


@pytest.mark.parametrize(
    ("name", "content", "more"),
    [
        ("lengths.txt", "5\n\n7\r\n9", ""),
        ("lengths", "5\n7.0\n9\n", ""),
        ("lengths.json", "[5, 7, 9]", ""),
        ("lengths.csv", "input,output\n5,1\n7,1\n9,1\n", ":input"),
        ("lengths.csv", "input\n5\n7\n9\n", ""),
        ("lengths.jsonl", '{"n": 5, "x": "a"}\n{"n": 7}\n{"n": "9"}\n', ":n"),
        ("of:all.csv", "5\n7\n9\n", ""),
    ],
)
def test_lengths_of_a_file_are_drawn_from_it(tmp_path: Path, name: str, content: str, more: str) -> None:
    (tmp_path / name).write_text(content)
    values, counts = np.unique(drawn(f"file:{tmp_path / name}{more}", count=30_000), return_counts=True)
    assert values.tolist() == [5, 7, 9]
    assert counts == pytest.approx([10_000] * 3, rel=0.05)


def test_a_file_may_keep_its_order(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("input,output\n5,50\n7,70\n9,90\n")
    for column, expected in (("input", [7, 9, 5, 7]), ("output", [70, 90, 50, 70])):
        found = lengths(f"file:path={tmp_path / 'x.csv'},column={column},order=file", 1)
        assert found.draw(1, 5).tolist() == expected


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("5\nabc\n", "line 2: 'abc' is no length"),
        ("5\n0\n", "line 2: '0' is no length"),
        ("input,output\n5,6\n", "name one with file:"),
        ("", "is empty"),
    ],
)
def test_a_broken_file_is_named_with_its_place(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "x.csv").write_text(content)
    with pytest.raises(UserError, match=words):
        lengths(f"file:{tmp_path / 'x.csv'}", 1)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("", "is no law"),
        ("x", "'x' is no law"),
        ("0", "from 1 to"),
        ("-5", "at least 0"),
        ("1.5", "whole number"),
        ("nan", "is no law"),
        ("99999999999", "from 1 to"),
        ("uniform:5", "MAX is missing"),
        ("uniform:9:3", "above MAX"),
        ("uniform:1:2:3", "too many"),
        ("uniform:1:inf", "MAX is 'inf'"),
        ("uniform:min=1,max=2,foo=3", "'foo' is unknown"),
        ("uniform:min=1,min=2,max=3", "twice"),
        ("gaussian:100:1:500:600", "nearly nothing"),
        ("lognormal:0:1", "above 0"),
        ("zipf:1:1:99999999", "apart"),
        ("table:", "no lengths"),
        ("table:5=0.3", "make 0.3 together"),
        ("table:a=1", "N is 'a'"),
        ("file:", "names no file"),
        ("file:/not/there", "No such file"),
    ],
)
def test_what_is_no_law_is_refused_by_name(spec: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        lengths(spec, 1, name="--output-tokens")


@given(st.text(max_size=30) | st.from_regex(r"(uniform|gaussian|lognormal|zipf|table|file|fixed):[0-9:=,.e-]{0,20}"))
@settings(max_examples=150, deadline=None)
def test_no_text_makes_a_traceback(spec: str) -> None:
    try:
        found = lengths(spec, 1)
    except UserError:
        return
    assert (found.draw(0, 10) >= 1).all()


@pytest.mark.parametrize("spec", ["file:~nobody-has-this-name", "file:~nobody-has-this-name/lengths.txt:tokens"])
def test_a_home_that_nobody_has_is_a_file_that_is_not_there(spec: str) -> None:
    with pytest.raises(UserError, match="nobody-has-this-name"):
        lengths(spec, 1)


def test_lengths_go_to_another_process() -> None:
    for spec in SPECS:
        found = lengths(spec, 1, count=50)
        assert np.array_equal(pickle.loads(pickle.dumps(found)).draw(0, 99), found.draw(0, 99))
