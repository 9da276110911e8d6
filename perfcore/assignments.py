"""Variables of Python files that hold settings, read as a syntax tree: nothing in them is executed or imported.

Unlike the tables of perfcore.literals, such a file may name its earlier variables, join texts, and append to its lists.
"""

import ast
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from perfcore.literals import (
    MOST_BYTES,
    WRITE,
    Name,
    Setting,
    UnreadableError,
    described,
    is_docstring,
    number,
    pairs,
    parsed,
    refused,
    too_deep,
    unicode,
)

MOST_STATEMENTS = 1000
MOST_VALUES = 100_000  # short lines can name each other so often that what they stand for fills the memory
ALONE = "the file is read, never executed: leave nothing in it but imports and variables with their values"
IMPORTS = "the file is read, never executed: import nothing but classes of {packages}, and write out what else it needs"


class WrongError(Exception):
    """What is wrong with a setting."""

    def __init__(self, setting: Setting | None, words: str) -> None:
        super().__init__(words)
        self.setting = setting


def read_assignments(path: Path, packages: tuple[str, ...]) -> dict[str, Setting]:
    """Values of the variables that a Python file assigns, each with its line, and so on for all within dicts and lists.

    A dict's value is a dict of `Setting` by key, a list's a list of `Setting`; a class or function imported from one of
    `packages` is a `Name`. Raises UserError that names file and line for anything that would have to be executed.
    """
    names: set[str] = set()
    found: dict[str, Setting] = {}
    try:
        for statement in statements(path):
            if isinstance(statement, (ast.Import, ast.ImportFrom)):
                names |= imported(statement, packages)
            elif not is_docstring(statement):
                changed = assign(statement, names, found)
                if weight(found[changed]) > MOST_VALUES:
                    raise UnreadableError(statement, "write fewer of them", "more values than settings can be")
    except UnreadableError as error:
        raise refused(path, error) from None
    except RecursionError:
        raise too_deep(path) from None
    return found


def statements(path: Path) -> list[ast.stmt]:
    """Statements of a file; raises UnreadableError where there are more than a file of settings has."""
    found = parsed(path).body
    if len(found) > MOST_STATEMENTS:
        raise UnreadableError(found[MOST_STATEMENTS], "write fewer of them", "more statements than settings are")
    return found


def plain(setting: Setting) -> Any:
    """The value alone, without the lines of what is within."""
    if isinstance(setting.value, dict):
        return {key: plain(below) for key, below in setting.value.items()}
    return [plain(below) for below in setting.value] if isinstance(setting.value, list) else setting.value


def weight(setting: Setting) -> int:
    """How many values a value has in it; stops counting where there are too many."""
    count, waiting = 0, [setting]
    while waiting and count <= MOST_VALUES:
        count, value = count + 1, waiting.pop().value
        if isinstance(value, (dict, list)):
            waiting += value.values() if isinstance(value, dict) else value
        elif isinstance(value, str):
            count += len(value) // 1000
    return count


def imported(statement: ast.Import | ast.ImportFrom, packages: tuple[str, ...]) -> set[str]:
    """Names that an import of one of `packages` brings; raises UnreadableError for any other."""
    module = statement.module or "" if isinstance(statement, ast.ImportFrom) else ""
    if module.partition(".")[0] not in packages or any(alias.name == "*" for alias in statement.names):
        raise UnreadableError(statement, IMPORTS.format(packages=" and ".join(packages)))
    return {alias.asname or alias.name for alias in statement.names}


def assign(statement: ast.stmt, names: set[str], found: dict[str, Setting]) -> str:
    """Put what a statement assigns, or appends, among what is known; the name of the variable."""
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target = statement.targets[0]
        if isinstance(target, ast.Name):
            found[target.id] = located(statement.value, names, found)
            return target.id
    call = statement.value if isinstance(statement, ast.Expr) else None
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "append":
        target = call.func.value
        name = target.id if isinstance(target, ast.Name) else ""
        known = found[name].value if name in found else None
        if isinstance(known, list) and len(call.args) == 1 and not call.keywords:
            known.append(located(call.args[0], names, found))
            return name
    raise UnreadableError(statement, ALONE)


def located(node: ast.expr, names: set[str], known: Mapping[str, Setting]) -> Setting:
    """Value of an expression, with its line and those of all within; raises UnreadableError."""
    return Setting(value(node, names, known), node.lineno)


def value(node: ast.expr, names: set[str], known: Mapping[str, Setting]) -> Any:
    """Value of an expression that needs nothing to be executed; raises UnreadableError."""
    if isinstance(node, (ast.List, ast.Tuple)):
        return [located(below, names, known) for below in node.elts]
    if isinstance(node, ast.Dict) or (isinstance(node, ast.Call) and described(node) == "a call of dict()"):
        return {key: located(below, names, known) for key, below in pairs(node).items()}
    if isinstance(node, ast.Name):
        return named(node, names, known)
    if isinstance(node, ast.Constant) and (node.value is None or isinstance(node.value, (bool, str))):
        return unicode(node, node.value) if isinstance(node.value, str) else node.value
    joined = text(node, names, known)
    return number(node) if joined is None else joined


def named(node: ast.Name, names: set[str], known: Mapping[str, Setting]) -> Any:
    """What a name stands for: an earlier variable's value, a copy of its list, or an imported class."""
    if node.id in known:
        found = known[node.id].value
        return list(found) if isinstance(found, list) else found
    if node.id in names:
        return Name(node.id)
    raise UnreadableError(node, WRITE)


def text(node: ast.expr, names: set[str], known: Mapping[str, Setting]) -> str | None:
    """Text of `a + b` or of `a.strip()`, or None where the expression is neither."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        parts = [part_of(side, names, known) for side in (node.left, node.right)]
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "strip":
        whole = None if node.args or node.keywords else part_of(node.func.value, names, known)
        parts = [None if whole is None else whole.strip()]
    else:
        return None
    texts = [part for part in parts if part is not None]
    if len(texts) < len(parts):
        return None
    if sum(map(len, texts)) > MOST_BYTES:
        raise UnreadableError(node, "write a shorter one", "a text that is too long")
    return "".join(texts)


def part_of(node: ast.expr, names: set[str], known: Mapping[str, Setting]) -> str | None:
    """Text of an expression, or None where it is something else."""
    if isinstance(node, ast.Constant):
        return unicode(node, node.value) if isinstance(node.value, str) else None
    if isinstance(node, ast.Name):
        found = known[node.id].value if node.id in known else None
        return found if isinstance(found, str) else None
    return text(node, names, known)


def table(setting: Setting, name: str) -> dict[str, Setting]:
    """A setting's table."""
    if not isinstance(setting.value, dict):
        raise WrongError(setting, f"{name} wants dict(...)")
    return setting.value


def known(given: Mapping[str, Setting], keys: Iterable[str], of: str) -> None:
    """Refuse keys that are unknown."""
    for key in given:
        if key not in (there := [*keys]):
            raise WrongError(
                given[key],
                f"unknown key {key!r} of {of}, the nearest one is {get_close_matches(key, there, 1, 0)[0]!r}",
            )


def inner(given: Mapping[str, Setting], key: str) -> dict[str, Setting]:
    """A table within a table, empty where it is not there."""
    return table(given[key], key) if key in given else {}


def whole(setting: Setting, name: str, least: int, most: int) -> int:
    """A whole number within limits."""
    value = setting.value
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise WrongError(setting, f"{name} {plain(setting)!r:.40} wants a whole number from {least:,} to {most:,}")
    return value


def real(setting: Setting, name: str, least: float, most: float) -> float:
    """A number within limits."""
    value = setting.value
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
        raise WrongError(setting, f"{name} {plain(setting)!r:.40} wants a number from {least:,} to {most:,}")
    return float(value)
