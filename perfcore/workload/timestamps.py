"""Times of recordings: numbers in seconds or milliseconds, and dates, become whole nanoseconds."""

import functools
import re
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

from perfcore.errors import UserError

NS = 1_000_000_000
UNIT_NS = {"s": NS, "ms": 1_000_000}
EPOCH_DAY = date(1970, 1, 1).toordinal()
INT64 = 2**63 - 1
# Longer fractions than Python's own parser takes, and zones in all their spellings.
DATE = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,18}))?\s*(?:Z|UTC|([+-])(\d\d):?(\d\d)?)?", re.I | re.ASCII
)
WANTED = "give a number, or a date such as 2026-01-31T12:00:00.5Z"


def timestamp_ns(value: object, unit: str, place: str, field: str = "timestamp") -> int:
    """Nanoseconds of a recorded time: of a number (or a text with one) in `unit`, s or ms, or of a date (ISO 8601).

    A date counts from 1970, in UTC unless it names its zone; digits below a nanosecond are rounded. A float gives the
    decimal number that it is written as, so that 0.1 s are 100,000,000 ns. Raises UserError that begins with `place`
    and names the field.
    """
    if isinstance(value, datetime):
        value = value.isoformat()
    found = of_date(value) if isinstance(value, str) else None
    if found is None:
        found = of_number(value, UNIT_NS[unit])
    if found is None:
        shown = "missing" if value is None else f"{value!r:.60}, which is no time"
        raise UserError(f"{place}: {field} is {shown}; {WANTED}")
    if abs(found) > INT64:
        raise UserError(f"{place}: {field} is {value!r:.60}, which is centuries away; was it meant in another unit?")
    return found


def of_number(value: object, unit_ns: int) -> int | None:
    """Nanoseconds of a number in a unit, or None for what is no number."""
    if type(value) is int:
        return value * unit_ns
    if isinstance(value, bool) or not isinstance(value, (float, str, Decimal)):
        return None
    try:
        number = Decimal(repr(value) if isinstance(value, float) else value)
        # A number with a huge exponent would become an integer of as many digits.
        return None if not number.is_finite() or number.adjusted() > 30 else round(number * unit_ns)
    except InvalidOperation:
        return None


def of_date(text: str) -> int | None:
    """Nanoseconds from 1970 to a date with a time of day, or None for what is none."""
    found = DATE.fullmatch(text.strip())
    if found is None:
        return None
    day, hour, minute, second, fraction, sign, zone_hours, zone_minutes = found.groups()
    days = days_to(day)
    if days is None or int(hour) > 23 or int(minute) > 59 or int(second) > 60:  # 60 is a leap second
        return None
    offset_s = (int(zone_hours or 0) * 60 + int(zone_minutes or 0)) * 60
    total_s = (
        days * 86400 + int(hour) * 3600 + int(minute) * 60 + int(second) + (offset_s if sign == "-" else -offset_s)
    )
    # A tenth digit rounds up from 5 on; those behind it do not matter.
    return total_s * NS + (int(f"{fraction or 0:0<10}"[:10]) + 5) // 10


@functools.lru_cache(maxsize=64)
def days_to(day: str) -> int | None:
    """Days from 1970 to a date, or None for one that is in no calendar."""
    try:
        return date.fromisoformat(day).toordinal() - EPOCH_DAY
    except ValueError:
        return None
