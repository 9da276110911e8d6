"""How the answers to a user's own file are scored where nothing says so: by what its first row holds."""

from collections.abc import Mapping
from string import ascii_uppercase
from typing import Any, NamedTuple

from perfcore.workload.files import records
from perfcore.workload.registry import DataSet, located

# Readers that keep an answer of a row as its reference, and the fields in which they look for it.
ANSWERS = {
    "rows": ("reference", "answer"),
    "custom": ("answer",),
    "mm_custom": ("answer",),
    "general_qa": ("response", "answer"),
}
LETTERS = {"options": ascii_uppercase, "labels": list(ascii_uppercase)}


class Natural(NamedTuple):
    """The table `evaluation`, empty where the rows do not say how, and why it is this one, for a message."""

    evaluation: dict[str, Any]
    why: str = ""


def natural(found: DataSet, args: Mapping[str, Any]) -> Natural:
    """How the answers to a file are scored, by its first row; `args` are those of the user for readers.

    Raises UserError for a file that is broken.
    """
    answers = ANSWERS.get(found.preset.reader)
    if found.path is None or answers is None:
        return Natural({})
    fields = next(records(located(found, ()).files[0])).fields
    if not any(is_answer(fields.get(name)) for name in answers):
        return Natural({})
    if found.preset.reader == "general_qa":
        return Natural({"evaluator": "rouge"}, "its rows have a query and a response")
    if found.preset.reader == "custom" and kind_of(found, args) != "qa" and {"A", "B"} <= fields.keys():
        return Natural({"evaluator": "choice", "args": LETTERS}, "its rows are multiple choice")
    return Natural({"evaluator": "exact", "args": {"take": "answer"}}, "its rows have an answer each")


def kind_of(found: DataSet, args: Mapping[str, Any]) -> Any:
    """The setting `kind`, which of several data sets may stand below the name of one."""
    own = args.get(found.name)
    return (found.preset.args | dict(args) | (dict(own) if isinstance(own, Mapping) else {})).get("kind")


def is_answer(value: Any) -> bool:
    """Whether a field says what an answer should be: a text, a number, or a list of texts."""
    return value not in (None, "", []) and isinstance(value, (str, int, float, list))
