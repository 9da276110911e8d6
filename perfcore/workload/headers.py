"""Header lines that a row may bring."""

import re

NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


def can_be_sent(name: str, value: str) -> bool:
    """Whether this is one header line: no other line, and no end of a line, is in it."""
    return NAME.fullmatch(name) is not None and VALUE.fullmatch(value) is not None
