"""Tests of LiveCodeBench (Jain et al. 2024): how they are packed, and when an output is the one that is wanted."""

import base64
import binascii
import io
import json
import pickle
import zlib
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from evaluators.errors import EvaluationError

MOST_BYTES = 1 << 30  # of unpacked tests; the largest real ones have about 100 MB


class Case(NamedTuple):
    """Input and output that is wanted; of a function these are JSON, one argument a line."""

    given: str
    wanted: str


class _Text(pickle.Unpickler):
    """Reads a pickle of text. Whatever names a class or function is refused, so nothing in it is ever called."""

    def find_class(self, module: str, name: str, /) -> Any:
        raise pickle.UnpicklingError(f"it names {module}.{name}, and only text is read")


def unpacked(packed: str) -> str:
    """The JSON of tests that are packed as a pickle in zlib in base64; raises EvaluationError."""
    try:
        stream = zlib.decompressobj()
        content = stream.decompress(base64.b64decode(packed, validate=True), MOST_BYTES)
        if stream.unconsumed_tail:
            raise ValueError(f"more than {MOST_BYTES} bytes")
        text = _Text(io.BytesIO(content)).load()
    except (binascii.Error, zlib.error, pickle.UnpicklingError, EOFError, ValueError, IndexError, KeyError) as error:
        raise EvaluationError(f"private_test_cases cannot be unpacked ({error}); fetch the file again") from None
    except (AttributeError, TypeError, MemoryError, OverflowError) as error:
        raise EvaluationError(f"private_test_cases is no packed text ({error}); fetch the file again") from None
    if not isinstance(text, str):
        raise EvaluationError("private_test_cases holds something else than text; fetch the file again")
    return text


def cases(column: Any, name: str) -> tuple[list[Case], bool]:
    """Tests in a column, which is JSON, or packed, or a list; and whether they are calls of a function."""
    if isinstance(column, str):
        text = column if column.lstrip()[:1] in ("[", "") else unpacked(column)
        try:
            column = json.loads(text or "[]")
        except ValueError as error:
            raise EvaluationError(f"{name} is not JSON ({error}); fetch the file again") from None
    try:
        found = [Case(str(one["input"]), str(one["output"])) for one in column or ()]
        return found, any(one.get("testtype") == "functional" for one in column or ())
    except (TypeError, KeyError, AttributeError):
        raise EvaluationError(f"{name} is no list of tests with input and output; fetch the file again") from None


def all_cases(meta: Mapping[str, Any]) -> tuple[list[Case], bool]:
    """Public tests, then private ones; raises EvaluationError where there are none."""
    found: list[Case] = []
    functional = False
    for name in ("public_test_cases", "private_test_cases"):
        more, calls = cases(meta.get(name), name)
        found, functional = [*found, *more], functional or calls
    if not found:
        raise EvaluationError(
            "the sample has no tests; public_test_cases and private_test_cases belong to evaluation.join"
        )
    return found, functional


def function_of(meta: Mapping[str, Any]) -> str:
    """The method that a problem asks for, as it is called of a new object."""
    about = meta.get("metadata")
    if isinstance(about, str):
        about = json.loads(about or "{}")
    name = about.get("func_name") if isinstance(about, Mapping) else None
    if not name:
        raise EvaluationError("metadata has no func_name; the column `metadata` belongs to evaluation.join")
    return f"Solution().{name}"


def arguments(case: Case) -> tuple[Any, ...]:
    """Arguments of a call: JSON, one a line."""
    return tuple(json.loads(line) for line in case.given.split("\n") if line.strip())


def same_value(got: Any, wanted: Any) -> bool:
    """Whether a value is the one that is wanted, in which tuples are lists, as JSON has no tuples."""
    return bool(listed(got) == wanted)


def listed(value: Any) -> Any:
    """A value with lists in the place of tuples."""
    if isinstance(value, list | tuple):
        return [listed(one) for one in value]
    return {key: listed(one) for key, one in value.items()} if isinstance(value, dict) else value


def same_output(got: str, wanted: str) -> bool:
    """Whether what was printed is what is wanted: line by line without blanks at their ends, or the same numbers."""
    one, other = lines(got), lines(wanted)
    return len(one) == len(other) and all(map(same_line, one, other))


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().split("\n")]


def same_line(got: str, wanted: str) -> bool:
    if got == wanted:
        return True
    try:
        return [Decimal(word) for word in got.split()] == [Decimal(word) for word in wanted.split()]
    except InvalidOperation:  # a word that is no number, or one that cannot be compared, such as sNaN
        return False
