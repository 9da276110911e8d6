"""An option: what is known of it beside its name, and short ways to write one down."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from perfcore import values

YEAR_S = 365 * 86400
INT32, INT64 = 2**31 - 1, 2**63 - 1


@dataclass(frozen=True)
class Option:
    """What is known of an option beside its name, type and default."""

    parse: Callable[[object], Any]
    metavar: str
    help: str
    least: float | None = None
    above: float | None = None  # exclusive
    most: float | None = None
    unset: str = ""  # what happens without it, where the default is none
    in_eval: str = ""  # what happens without it in `perfcore eval`, where that is something else
    many: bool = False  # the flag may be repeated
    also: str = ""  # one more name in the environment
    only: tuple[str, ...] = ()  # commands that have it; none: all
    swept: bool = False  # several values make a sweep: a list, or text with commas

    def limits(self) -> str:
        """Allowed range in words, or an empty string."""
        if self.most is None:
            return ""
        low = f"at least {self.least:,}" if self.above is None else f"more than {self.above:,}"
        return f"{low} and at most {self.most:,}"

    def check(self, value: object) -> Any:
        """Value of the option's type and within its range; raises ValueError saying what is wanted.

        Several values of a swept option come as a tuple, a list of one as its value.
        """
        if self.swept and (items := several(value)) is not None:
            checked = tuple(self.check_one(item) for item in items)
            return checked[0] if len(checked) == 1 else checked
        return self.check_one(value)

    def check_one(self, value: object) -> Any:
        """One value of the option's type and within its range; raises ValueError saying what is wanted."""
        parsed = self.parse(value)
        low = (self.least is not None and parsed < self.least) or (self.above is not None and parsed <= self.above)
        if low or (self.most is not None and parsed > self.most):
            raise ValueError(f"wants a value of {self.limits()}")
        return parsed


def has(command: str, option: Option) -> bool:
    """Whether a command has an option."""
    return not option.only or command in option.only


def several(value: object) -> list[object] | None:
    """The items of a list, also of one in text ("1,2" or "[1, 2]"); None for anything else; raises ValueError."""
    if isinstance(value, str) and ("," in value or value[:1] + value[-1:] == "[]"):
        inner = value[1:-1] if value[:1] + value[-1:] == "[]" else value
        value = [item.strip() for item in inner.split(",")]
    if not isinstance(value, (list, tuple)):
        return None
    if not value or "" in value:
        raise ValueError("wants values with one comma between them, such as 1,2,4")
    return list(value)


def swept(option: Option) -> Option:
    """The option, of which several values may be given at once: they make a sweep."""
    return replace(option, swept=True, metavar=f"{option.metavar}[,{option.metavar}...]")


def text(metavar: str, words: str, **more: Any) -> Option:
    """Option whose value is text."""
    return Option(values.text, metavar, words, **more)


def count(words: str, least: int, most: int, **more: Any) -> Option:
    """Option whose value is a whole number from `least` to `most`."""
    return Option(values.integer, "N", words, least=least, most=most, **more)


def per_second(words: str, most: int, **more: Any) -> Option:
    """Option whose value is a rate above 0."""
    return Option(values.number, "R", words, above=0, most=most, **more)


def number(words: str, **more: Any) -> Option:
    """Option whose value is a number."""
    return Option(values.number, "X", words, **more)


def seconds(words: str, **more: Any) -> Option:
    """Option whose value is a time."""
    return Option(values.duration, "TIME", words, most=YEAR_S, **more)


def choice(words: str, *names: str, **more: Any) -> Option:
    """Option whose value is one of several names."""
    return Option(values.choice(*names), "|".join(names), words, **more)


def file(words: str, **more: Any) -> Option:
    """Option whose value is the path of a file."""
    return Option(values.path, "FILE", words, **more)


def switch(words: str, **more: Any) -> Option:
    """Option that is on or off."""
    return Option(values.switch, "", words, **more)
