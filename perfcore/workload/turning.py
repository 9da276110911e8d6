"""Choices whose right one stands first in the file, turned by the number of their row so that it stands anywhere."""

from collections.abc import Mapping, Sequence
from string import ascii_uppercase
from typing import Any

from perfcore.workload.wording import column

RIGHT = "right"  # the column with the letter of the right choice


def turned(fields: Mapping[str, Any], names: Sequence[str], number: int) -> dict[str, Any]:
    """The fields with columns A, B and so on, and `right`, the letter of what is in the first of `names`.

    Row 1 begins with the second name and ends with the first, row 2 begins with the third, and so on round: over the
    rows each letter is right equally often. Raises ValueError for a column that is not there.
    """
    shift = number % len(names)
    texts = [column(name, fields) for name in (*names[shift:], *names[:shift])]
    return {**fields, **dict(zip(ascii_uppercase, texts, strict=False)), RIGHT: ascii_uppercase[-shift % len(names)]}
