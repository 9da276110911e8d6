"""Times of recordings in all the ways that they are written."""

from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcore.errors import UserError
from perfcore.workload.timestamps import timestamp_ns

NS = 1_000_000_000
DAY = 1_700_158_546  # 2023-11-16 18:15:46 UTC


@pytest.mark.parametrize(
    ("value", "unit", "expected_ns"),
    [
        (5, "s", 5 * NS),
        (5, "ms", 5_000_000),
        (-3, "s", -3 * NS),
        (5.5, "ms", 5_500_000),
        (0.1, "s", 100_000_000),
        (1700000000.123456, "s", 1_700_000_000_123_456_000),
        ("12.25", "s", 12_250_000_000),
        (" 1e3 ", "ms", NS),
        ("2023-11-16 18:15:46.6805900", "s", DAY * NS + 680_590_000),
        ("2023-11-16T18:15:46Z", "ms", DAY * NS),
        ("2023-11-16T18:15:46.123456789123z", "s", DAY * NS + 123_456_789),
        ("2023-11-16 20:15:46,5+02:00", "s", DAY * NS + 500_000_000),
        ("2023-11-16T14:45:46-0330", "s", DAY * NS),
        (datetime(2023, 11, 16, 18, 15, 46, 5, tzinfo=timezone.utc), "s", DAY * NS + 5_000),
    ],
)
def test_a_time_is_read_to_the_nanosecond(value: object, unit: str, expected_ns: int) -> None:
    assert timestamp_ns(value, unit, "FILE, line 1") == expected_ns


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, [1], {}, 1e300, 1.7e12, float("inf")),
        *("", "soon", "nan", "1e999999999", "9" * 5000, "2023-11-16"),
        *("2023-13-01 00:00:00", "2023-11-16 25:00:00", "\uff12023-11-16 18:15:46"),
    ],
)
def test_what_is_no_time_is_refused_with_place_and_field(value: object) -> None:
    with pytest.raises(UserError, match=r"^FILE, line 7: TIMESTAMP is .*"):
        timestamp_ns(value, "s", "FILE, line 7", "TIMESTAMP")


@given(st.integers(-(10**9), 10**9), st.integers(0, 999_999))
def test_microseconds_survive_every_way_of_writing(seconds: int, micros: int) -> None:
    expected_ns = seconds * NS + micros * 1000
    text = datetime.fromtimestamp(seconds, timezone.utc).replace(microsecond=micros).isoformat()
    assert timestamp_ns(text, "s", "here") == expected_ns
    if seconds >= 0:
        assert timestamp_ns(float(f"{seconds}.{micros:06}"), "s", "here") == expected_ns
