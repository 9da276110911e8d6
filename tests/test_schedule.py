"""Schedules: when requests are due."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcore.workload.schedule import NS, constant, count_within


@pytest.mark.parametrize(
    ("rate", "count", "offsets_ns"),
    [
        (2.0, 4, [0, 500_000_000, 1_000_000_000, 1_500_000_000]),
        (3.0, 4, [0, 333_333_333, 666_666_667, 1_000_000_000]),
        (0.5, 3, [0, 2_000_000_000, 4_000_000_000]),
        (5.0, 0, []),
    ],
)
def test_constant_offsets_are_evenly_spaced_from_zero(rate: float, count: int, offsets_ns: list[int]) -> None:
    offsets = constant(rate, count)
    assert offsets.dtype == np.int64
    assert offsets.tolist() == offsets_ns


def test_the_millionth_request_is_as_exact_as_the_first() -> None:
    exact = [round(Fraction(index * NS, 7)) for index in (1, 999_999)]
    assert constant(7.0, 1_000_000)[[1, 999_999]].tolist() == exact


@pytest.mark.parametrize(
    ("rate", "duration_s", "count"), [(10.0, 1.0, 10), (3.0, 1.0, 3), (10.0, 0.01, 1), (2.0, 0.6, 2), (0.1, 10.5, 2)]
)
def test_a_duration_holds_the_offsets_before_its_end(rate: float, duration_s: float, count: int) -> None:
    assert count_within(rate, duration_s) == count


@given(rate=st.floats(0.01, 100_000), duration_s=st.floats(0.001, 2))
def test_count_within_is_what_counting_gives(rate: float, duration_s: float) -> None:
    count = count_within(rate, duration_s)
    offsets = constant(rate, count + 1)
    assert offsets[count] >= round(duration_s * NS)
    assert count == 1 or offsets[count - 1] < round(duration_s * NS)
