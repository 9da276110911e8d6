"""Numbers and foreign text as a person reads them."""

import unicodedata

# Unicode categories that may move the cursor, hide or reorder text, or cannot be encoded: controls, formats (also the
# bidirectional ones), surrogates, private and unassigned code points, line and paragraph separators.
HOSTILE = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")

NONE = "-"

# Format by size; the limits are those at which rounding reaches the next power of ten.
FORMS = ((999.95, ",.0f"), (99.995, ".1f"), (9.9995, ".2f"), (0.01, ".3f"))


def number(value: float | int | None) -> str:
    """A measured value with about four significant digits and thousands separators; whole numbers as they are."""
    if value is None:
        return NONE
    if isinstance(value, int):
        return f"{value:,}"
    size = abs(value)
    if size == 0:
        return "0"
    for least, form in FORMS:
        if size >= least:
            return format(value, form)
    return f"{value:.2g}"


def clean(text: str, limit: int = 300) -> str:
    """Foreign text on one line of at most `limit` characters; what could act on a terminal is shown escaped."""
    shown = "".join(visible(character) for character in text[: 4 * limit])
    shown = " ".join(shown.split())
    return shown if len(shown) <= limit else shown[: limit - 3] + "..."


def visible(character: str) -> str:
    if character.isspace():
        return " "
    if unicodedata.category(character) in HOSTILE:
        return character.encode("unicode_escape", "backslashreplace").decode("ascii")
    return character


def listing(counts: dict[str, int]) -> str:
    """`stop 88, length 2`; names come from the server and are cleaned."""
    return ", ".join(f"{clean(name, 40)} {count:,}" for name, count in counts.items()) or NONE


def encodable(text: str) -> bytes:
    r"""UTF-8; half a surrogate pair, which servers do send, as its \uXXXX escape: in JSON that is still the same."""
    return text.encode("utf-8", "backslashreplace")
