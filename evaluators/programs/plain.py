"""Values between a judge and a program that it does not trust: plain ones alone, by a pickle that may name no class.

What a judge reads are numbers, texts, lists, tuples, dicts, sets and the few other kinds in REBUILT. So no object comes
back whose class the program has made, such as one that equals everything. An object of a class that is built on a plain
one (a named tuple, a Counter), or a number of numpy, becomes that; an iterator becomes one over what it gives.
"""

from __future__ import annotations

import _pickle
import builtins
import io
import itertools

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

PLAIN = frozenset(
    [bool, int, float, str, bytes, bytearray, list, tuple, dict, set, frozenset, type(None), type(Ellipsis)]
)
BASES: tuple[Any, ...] = (int, float, str, bytes, bytearray, tuple, list, dict, set, frozenset)
MOST_ITEMS = 1_000_000  # of an iterator, which may have no end
DATES = ("date", "datetime", "time", "timedelta")


def dumps(value: Any) -> bytes:
    """A value as bytes; raises TypeError for one that is not plain."""
    file = io.BytesIO()
    _Pickler(file, 4).dump(value)
    return file.getvalue()


def loads(content: bytes) -> Any:
    """The value of such bytes; raises _pickle.UnpicklingError and others for bytes that are none."""
    return _Unpickler(io.BytesIO(content)).load()


class _Pickler(_pickle.Pickler):
    """Writes what is plain as it is, and the rest as one of REBUILT."""

    def persistent_id(self, value: Any) -> Any:
        """None for what is plain, else a kind and plain values of which it can be rebuilt."""
        kind = type(value)
        if kind in PLAIN:
            return None
        if kind.__module__ in ("decimal", "fractions", "datetime", "builtins", "collections"):
            for name, parts in PARTS.items():
                if kind.__name__ == name:
                    return (name, *parts(value))
        if kind is type and value.__module__ == "builtins":
            return ("class", value.__name__)
        if kind.__module__ == "numpy" and value.shape == ():
            return ("same", value.item())
        for base in BASES:
            if isinstance(value, base):
                return ("same", base(value))
        if hasattr(kind, "__next__"):
            return ("iterator", list(itertools.islice(value, MOST_ITEMS)))
        raise TypeError(f"the value is of the class {kind.__name__}, which cannot be compared")


class _Unpickler(_pickle.Unpickler):
    """Reads what _Pickler writes, and nothing that would call anything else."""

    def find_class(self, module: str, name: str, /) -> Any:
        raise ValueError(f"{module}.{name} is no plain value")

    def persistent_load(self, parts: Any) -> Any:
        """What a kind and its parts stand for."""
        return REBUILT[parts[0]](*parts[1:])


def _date(value: Any) -> tuple[Any, ...]:
    """Kind and arguments of a date or time without a zone."""
    if type(value).__name__ == "timedelta":
        return (value.days, value.seconds, value.microseconds)
    names = ("year", "month", "day", "hour", "minute", "second", "microsecond")
    return tuple(getattr(value, name) for name in names if hasattr(value, name))


def _class(name: str) -> type[Any]:
    """A class that Python has built in; raises ValueError for functions, such as eval."""
    found = getattr(builtins, name)
    if not isinstance(found, type):
        raise ValueError(f"{name} is no plain value")
    return found


def _of(module: str, name: str) -> Callable[..., Any]:
    """A class of a module that few values need, imported when one comes."""
    return lambda *args: getattr(__import__(module), name)(*args)


PARTS: dict[str, Callable[[Any], tuple[Any, ...]]] = {
    "complex": lambda value: (value.real, value.imag),
    "range": lambda value: (value.start, value.stop, value.step),
    "deque": lambda value: (list(value),),
    "dict_keys": lambda value: (list(value),),
    "dict_values": lambda value: (list(value),),
    "dict_items": lambda value: (list(value),),
    "Decimal": lambda value: (str(value),),
    "Fraction": lambda value: (value.numerator, value.denominator),
    **dict.fromkeys(DATES, _date),
}
REBUILT: dict[str, Callable[..., Any]] = {
    "same": lambda value: value,
    "iterator": iter,
    "class": lambda name: _class(name),
    "complex": complex,
    "range": range,
    "deque": _of("collections", "deque"),
    "dict_keys": lambda items: dict.fromkeys(items).keys(),
    "dict_values": lambda items: dict(enumerate(items)).values(),
    "dict_items": lambda items: dict(items).items(),
    "Decimal": _of("decimal", "Decimal"),
    "Fraction": _of("fractions", "Fraction"),
    **{name: _of("datetime", name) for name in DATES},
}
