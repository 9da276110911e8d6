"""Summaries against numbers worked out by hand and against numpy's own percentiles."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcore.analysis import stats


def test_summary_of_one_to_five() -> None:
    found = stats.summary(np.array([5, 1, 4, 2, 3]))
    assert found is not None
    assert (found["n"], found["mean"], found["min"], found["max"]) == (5, 3.0, 1.0, 5.0)
    assert found["std"] == pytest.approx(2.5**0.5)  # (4 + 1 + 0 + 1 + 4) / (5 - 1) = 2.5
    assert found["p50"] == 3.0  # position 0.5 * 4 = 2 of 1 2 3 4 5
    assert found["p75"] == 4.0  # position 3
    assert found["p90"] == pytest.approx(4.6)  # position 3.6: 4 + 0.6 * (5 - 4)
    assert found["p99_9"] == pytest.approx(4.996)  # position 3.996


def test_unit_divides_everything_but_the_count() -> None:
    found = stats.summary(np.array([1_000_000, 3_000_000]), unit=1e6)
    assert found is not None
    assert (found["n"], found["mean"], found["p50"], found["max"]) == (2, 2.0, 2.0, 3.0)
    assert found["std"] == pytest.approx(2**0.5)  # (1 + 1) / (2 - 1)


def test_empty_sample_has_no_summary() -> None:
    assert stats.summary(np.array([], dtype=np.int64)) is None


def test_sample_of_one_has_no_standard_deviation() -> None:
    found = stats.summary(np.array([7]))
    assert found is not None
    assert found["std"] is None
    assert found["p50"] == found["p99_9"] == 7.0


@pytest.mark.parametrize(
    ("n", "names"),
    [
        (1, ["p50", "p75", "p90", "p95", "p99", "p99_9"]),
        (19, ["p50", "p75", "p90", "p95", "p99", "p99_9"]),
        (20, ["p75", "p90", "p95", "p99", "p99_9"]),  # 20 * 0.5 = 10 beyond the median
        (999, ["p99", "p99_9"]),
        (1_000, ["p99_9"]),  # 1,000 * 0.01 = 10 exactly: no rounding may decide this
        (9_999, ["p99_9"]),
        (10_000, []),
    ],
)
def test_percentile_needs_ten_samples_beyond_it(n: int, names: list[str]) -> None:
    assert stats.unsupported(n) == names


def test_sample_is_left_as_it_was() -> None:
    values = np.array([3, 1, 2])
    stats.summary(values)
    assert values.tolist() == [3, 1, 2]


@given(st.lists(st.integers(-(2**40), 2**40), min_size=2, max_size=60))
def test_summary_agrees_with_numpy(numbers: list[int]) -> None:
    values = np.array(numbers)
    found = stats.summary(values)
    assert found is not None
    assert found["std"] == pytest.approx(np.std(values, ddof=1))
    for name, rank in stats.PERCENTILES.items():
        assert found[name] == pytest.approx(np.percentile(values, rank / 10))


def test_blocks_add_up_to_the_whole() -> None:
    values = np.arange(1000, dtype=np.float64)
    found = stats.deviation(values, float(values.mean()), block=7)
    assert found == pytest.approx(np.std(values, ddof=1))
