import mmap

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfcore_ext.histogram import BYTES, Histogram
from tests.reference.histogram import Histogram as Twin

NS = st.integers(0, 44).flatmap(lambda bits: st.integers(0, 2**bits))


@settings(deadline=None)
@given(st.lists(NS, min_size=1, max_size=50), st.floats(0, 100))
def test_percentile_is_within_a_thousandth_of_the_exact_one(values: list[int], q: float) -> None:
    histogram, twin = Histogram(), Twin()
    for value in values:
        histogram.record(value)
        twin.record(value)
    assert histogram.percentile(q) == pytest.approx(twin.percentile(q), rel=1e-3, abs=1e-9)


@pytest.mark.parametrize("value", [0, 1, 511, 512, 1023])
def test_small_values_are_exact(value: int) -> None:
    histogram = Histogram()
    histogram.record(value)
    assert histogram.percentile(50) == value


def test_every_power_of_two_lands_in_its_own_bucket() -> None:
    for bits in range(44):
        histogram = Histogram()
        histogram.record(2**bits - 1)
        histogram.record(2**bits)
        low, high = histogram.percentile(0), histogram.percentile(100)
        assert low is not None and high is not None and low < high


def test_percentile_interpolates_between_neighbours() -> None:
    histogram = Histogram()
    histogram.record_many(np.array([10, 20, 30, 40]).data)
    assert [histogram.percentile(q) for q in (0, 50, 90, 100)] == pytest.approx([10, 25, 37, 40])


def test_empty_histogram_has_no_percentile_and_no_mean() -> None:
    histogram = Histogram()
    assert (histogram.count, histogram.percentile(50), histogram.mean) == (0, None, None)


def test_values_out_of_range_are_clamped_and_counted() -> None:
    histogram = Histogram()
    for value in (-5, 2**44, 2**62):
        histogram.record(value)
    assert (histogram.count, histogram.clamped, histogram.percentile(0)) == (3, 2, 0)
    assert histogram.percentile(100) == pytest.approx(2**44, rel=1e-3)


@settings(deadline=None)
@given(st.lists(NS), st.lists(NS))
def test_merged_histogram_is_that_of_all_values(first: list[int], second: list[int]) -> None:
    merged, both = Histogram(), Histogram()
    for values in (first, second):
        part = Histogram()
        part.record_many(np.array(values, np.int64).data)
        merged.merge(part)
        both.record_many(np.array(values, np.int64).data)
    assert (merged.count, merged.mean, merged.percentile(50)) == (both.count, both.mean, both.percentile(50))


def test_histogram_lies_in_the_memory_it_is_given() -> None:
    memory = mmap.mmap(-1, BYTES)
    Histogram(memory).record(7)
    seen = Histogram(memory)
    assert (seen.count, seen.percentile(50), seen.mean) == (1, 7, 7)


def test_memory_that_is_too_small_is_refused() -> None:
    with pytest.raises(ValueError, match="needs 147472 aligned bytes"):
        Histogram(bytearray(BYTES - 1))


@pytest.mark.parametrize("q", [-0.1, 100.1, float("nan")])
def test_percentile_outside_its_range_is_refused(q: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 100"):
        Histogram().percentile(q)
