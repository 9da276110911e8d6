"""Calls compared with possible answers by the rules of BFCL's checker of syntax trees (Patil et al. 2025).

A possible answer is {function: {parameter: [values, any of which is right]}}; "" among the values says that the
parameter may be left out. Each comparison gives a sentence that says what is wrong, "" where nothing is.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from evaluators.functions.calls import Call
from evaluators.functions.source import value_of

Function = Mapping[str, Any]  # as the data set describes it: name, parameters
IGNORED = re.compile(r"[ ,./\-_*^]")
TYPES: dict[str, type] = {
    **dict.fromkeys(("string", "any", "String", "char"), str),
    **dict.fromkeys(("integer", "long", "byte", "short", "Bigint"), int),
    **dict.fromkeys(("float", "double"), float),
    **dict.fromkeys(("boolean", "Boolean"), bool),
    **dict.fromkeys(("array", "tuple", "Array", "ArrayList"), list),
    **dict.fromkeys(("dict", "HashMap"), dict),
}
LISTS = ("array", "tuple", "Array", "ArrayList")


def calls_problem(
    calls: Sequence[Call], possible: Sequence[Mapping[str, Any]], known: Sequence[Function], language: str
) -> str:
    """What is wrong with calls, each of which has to be one of the possible answers, in any order."""
    if len(calls) != len(possible):
        return f"{len(calls)} calls in the place of {len(possible)}"
    found = [[call_problem(call, one, known, language) for call in calls] for one in possible]
    if len(calls) == 1:
        return found[0][0]
    open_one = unmatched([[not problem for problem in row] for row in found])
    if open_one is None:
        return ""
    (name,) = possible[open_one]
    same_name = [problem for call, problem in zip(calls, found[open_one], strict=True) if call.name == name and problem]
    return f"none of the calls is the {name} that is asked for: {same_name[0] if same_name else 'it is not called'}"


def unmatched(fits: Sequence[Sequence[bool]]) -> int | None:
    """The first row that gets no column of its own in an assignment of as many as can be; None where all do."""
    owner: dict[int, int] = {}

    def placed(row: int, tried: set[int]) -> bool:
        for column, fit in enumerate(fits[row]):
            if fit and column not in tried:
                tried.add(column)
                if column not in owner or placed(owner[column], tried):
                    owner[column] = row
                    return True
        return False

    return next((row for row in range(len(fits)) if not placed(row, set())), None)


def call_problem(call: Call, possible: Mapping[str, Any], known: Sequence[Function], language: str) -> str:
    """What is wrong with one call."""
    ((name, options),) = possible.items()
    if call.name != name:
        return f"{call.name} is called, not {name}"
    parameters = next((one.get("parameters") or {} for one in known if one.get("name") == name), {})
    described = parameters.get("properties") or {}
    # Where a row contradicts itself, its possible answer goes before the description of the function.
    missing = next(
        (one for one in parameters.get("required") or [] if one not in call.arguments and one in options), None
    )
    if missing is not None:
        return f"{name} lacks {missing}, which is required"
    for parameter, value in call.arguments.items():
        if parameter not in options or (parameter not in described and "" in options[parameter]):
            return f"{name} has no {parameter} that may be given"
        if problem := value_problem(value, options[parameter] or [[], ""], described.get(parameter) or {}, language):
            return f"{parameter} of {name} {problem}"
    lacking = next((one for one in options if one not in call.arguments and "" not in (options[one] or [""])), None)
    return f"{name} lacks {lacking}, whose default would be wrong" if lacking is not None else ""


def value_problem(value: Any, options: Sequence[Any], schema: Mapping[str, Any], language: str) -> str:
    """What is wrong with the value of one parameter."""
    kind, item = str(schema.get("type", "")), str((schema.get("items") or {}).get("type", ""))
    wanted, inner = TYPES.get(kind), TYPES.get(item) if kind in LISTS else None
    if language != "python":
        if not isinstance(value, str):
            return f"is {shortly(value)}, not the source of a value"
        value = value_of(value, kind, item, language)
        inner = None if item == "any" else inner
    elif kind == "tuple" and isinstance(value, tuple):
        value = list(value)
    elif kind == "float" and type(value) is int and abs(value) < 1 << 1000:
        value = float(value)
    return typed_problem(value, options, kind, wanted, inner)


def typed_problem(value: Any, options: Sequence[Any], kind: str, wanted: type | None, inner: type | None) -> str:
    """The same for a value that was read.

    Where the possible values are of another type than the parameter, they are names of variables or the like: they are
    compared as they are.
    """
    meant = first_type(options)
    if wanted is None or type(value) is wanted:
        if type(value) is list and inner is not None and not any(all_of(value, one, inner) for one in options):
            return f"is {shortly(value)}, whose items are of the wrong type"
        if wanted is None or meant in (wanted, None):
            return "" if fits(value, options, inner) else f"is {shortly(value)}, which is none of {shortly(options)}"
    elif meant is not type(value):
        return f"is {shortly(value)}, which is no {kind}"
    return "" if value in options else f"is {shortly(value)}, which is none of {shortly(options)}"


def first_type(options: Sequence[Any]) -> type | None:
    """Type of the first value that is given."""
    return next((type(one) for one in options if one != ""), None)


def all_of(value: Sequence[Any], option: Any, inner: type) -> bool:
    """Whether the items are of a type, or of that which the items of a possible value have."""
    if not isinstance(option, list):
        return True
    return all(type(one) is inner or type(one) is first_type(option) for one in value)


def fits(value: Any, options: Sequence[Any], inner: type | None) -> bool:
    """Whether a value is one of the possible ones. An empty list may stand for what may be left out."""
    if isinstance(value, dict):
        return any(isinstance(one, dict) and object_fits(value, one) for one in options)
    if isinstance(value, list) and inner is dict:
        return any(objects_fit(value, one) for one in options)
    if isinstance(value, list) and not value and "" in options:
        return True
    return any(same(value, one) for one in options)


def objects_fit(value: Sequence[Any], option: Any) -> bool:
    """Whether objects are those of a possible value, in their order."""
    if len(value) != len(option):
        return False
    return all(isinstance(a, dict) and object_fits(a, b) for a, b in zip(value, option, strict=True))


def object_fits(value: Mapping[Any, Any], option: Any) -> bool:
    """Whether each key of an object has one of its possible values, and none is missing that has to be there."""
    if not isinstance(option, dict) or any(key not in option for key in value):
        return False
    if any(key not in value and "" not in listed(options) for key, options in option.items()):
        return False
    return all(any(within(one, possible) for possible in listed(option[key])) for key, one in value.items())


def within(value: Any, option: Any) -> bool:
    """Whether a value within an object is a possible one: the same, or of objects in it each key one of its values."""
    if same(value, option):
        return True
    if isinstance(value, dict):
        return object_fits(value, option)
    both = isinstance(value, list) and isinstance(option, list) and bool(value) and isinstance(value[0], dict)
    return both and objects_fit(value, option)


def listed(options: Any) -> Sequence[Any]:
    """Possible values as a list; a value by itself is the only one."""
    return options if isinstance(options, list) else [options]


def same(value: Any, option: Any) -> bool:
    """Equal, but for case, blanks, punctuation and the kind of quotes in texts."""
    if isinstance(value, str) and isinstance(option, str):
        return plain(value) == plain(option)
    if isinstance(value, list) and isinstance(option, list):
        return len(value) == len(option) and all(map(same, value, option))
    if isinstance(value, dict) and isinstance(option, dict):
        return value.keys() == option.keys() and all(same(one, option[key]) for key, one in value.items())
    return bool(value == option)


def plain(text: str) -> str:
    """A text in its normal form."""
    return IGNORED.sub("", text).lower().replace("'", '"')


def shortly(value: Any) -> str:
    """A value in a sentence."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
