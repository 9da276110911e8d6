"""Python files that hold settings, read as a syntax tree: nothing in them is ever executed or imported."""

import ast
import warnings
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, NamedTuple

from perfcore.errors import UserError

MOST_BYTES = 1 << 20
MOST = 1 << 63  # numbers that any server and any option can take
WRITE = "the file is read, never executed: write text, a number, True, False, None, a list, a tuple or dict(...)"
ALONE = "the file is read, never executed: leave nothing in it but its imports and one {variable} = [...]"
IMPORTS = "the file is read, never executed: import nothing but classes of models, and write out what else is needed"
NUMBERS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: lambda left, right: left + right,
    ast.Sub: lambda left, right: left - right,
    ast.Mult: lambda left, right: left * right,
}
WORDS: dict[type[ast.AST], str] = {
    ast.Constant: "a value of another kind",
    ast.ListComp: "a comprehension",
    ast.SetComp: "a comprehension",
    ast.DictComp: "a comprehension",
    ast.GeneratorExp: "a comprehension",
    ast.JoinedStr: "an f-string",
    ast.Lambda: "a lambda",
    ast.Starred: "an unpacking (*)",
    ast.BinOp: "a calculation",
    ast.BoolOp: "a calculation",
    ast.UnaryOp: "a calculation",
    ast.Compare: "a comparison",
    ast.IfExp: "a condition",
    ast.Set: "a set",
    ast.If: "an if",
    ast.For: "a loop",
    ast.While: "a loop",
    ast.FunctionDef: "a function",
    ast.AsyncFunctionDef: "a function",
    ast.ClassDef: "a class",
    ast.With: "a with block",
    ast.Try: "a try block",
}


class Name(NamedTuple):
    """A class or function that a file names; only its name is known."""

    text: str


class Setting(NamedTuple):
    """A value and the line that gives it."""

    value: Any
    line: int


class UnreadableError(Exception):
    """What stands where a value is wanted, and on which line."""

    def __init__(self, node: ast.AST, remedy: str = WRITE, what: str = "") -> None:
        super().__init__(what or described(node))
        self.line: int = getattr(node, "lineno", 1)
        self.remedy = remedy


def read_tables(path: Path, variable: str, names: Collection[str]) -> list[dict[str, Setting]]:
    """The tables in `variable = [dict(...), ...]`, all that a Python file may hold beside imports of `names`.

    Raises UserError that names file and line for everything else. Values are text, numbers (also their sums and
    products), booleans, None, lists, dicts with text as keys, and `Name`.
    """
    tree = parsed(path)
    found: list[dict[str, Setting]] | None = None
    try:
        for statement in tree.body:
            if is_docstring(statement) or is_import(statement, names):
                continue
            if found is not None or not is_assignment(statement, variable):
                raise UnreadableError(statement, ALONE.format(variable=variable))
            found = tables(statement, names)
    except UnreadableError as error:
        raise refused(path, error) from None
    except RecursionError:
        raise too_deep(path) from None
    if found is None:
        raise UserError(f"{path} has no `{variable} = [...]`; write the settings there")
    return found


def refused(path: Path, error: UnreadableError) -> UserError:
    """What to tell a user whose file holds more than settings."""
    return UserError(f"{path} line {error.line} has {error}; {error.remedy}")


def too_deep(path: Path) -> UserError:
    """What to tell a user whose file would take the parser down."""
    return UserError(f"{path} is nested too deeply; write its values out")


def parsed(path: Path) -> ast.Module:
    """Syntax tree of a file; raises UserError for one that cannot be read or is not Python."""
    try:
        with path.open("rb") as file:
            source = file.read(MOST_BYTES + 1)
        if len(source) > MOST_BYTES:
            raise UserError(f"{path} is larger than a file of settings can be (1 MiB); give the right one")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the parser warns of what it reads, such as "\d" in a text
            return ast.parse(source)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; give a file that can be read") from None
    except SyntaxError as error:
        raise UserError(f"{path} line {error.lineno or 1} is not valid Python: {error.msg}; mend it there") from None
    except ValueError as error:
        raise UserError(f"{path} is not valid Python: {error}; mend it there") from None
    except (RecursionError, MemoryError):
        raise too_deep(path) from None


def is_docstring(statement: ast.stmt) -> bool:
    """Whether a statement is only text."""
    value = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def is_import(statement: ast.stmt, names: Collection[str]) -> bool:
    """Whether a statement brings nothing but `names`; raises UnreadableError for one that brings others."""
    if not isinstance(statement, (ast.Import, ast.ImportFrom)):
        return False
    if isinstance(statement, ast.ImportFrom) and all(
        alias.name in names and alias.asname in (None, alias.name) for alias in statement.names
    ):
        return True
    raise UnreadableError(statement, IMPORTS)


def is_assignment(statement: ast.stmt, variable: str) -> bool:
    """Whether a statement is `variable = ...`."""
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
        return False
    target = statement.targets[0]
    return isinstance(target, ast.Name) and target.id == variable


def tables(statement: ast.stmt, names: Collection[str]) -> list[dict[str, Setting]]:
    """Tables of an assigned list, each value with its line."""
    assert isinstance(statement, ast.Assign)
    if not isinstance(statement.value, (ast.List, ast.Tuple)):
        raise UnreadableError(statement.value, "write a list: [dict(...)]")
    return [
        {key: Setting(value(node, names), node.lineno) for key, node in pairs(entry).items()}
        for entry in statement.value.elts
    ]


def pairs(node: ast.expr) -> dict[str, ast.expr]:
    """Keys and unread values of dict(...) or {...}."""
    found: dict[str, ast.expr] = {}
    for key, below in items(node):
        if key in found:
            raise UnreadableError(below, "leave one of them out", f"the key {key!r} twice")
        found[key] = below
    return found


def items(node: ast.expr) -> list[tuple[str, ast.expr]]:
    """Keys and unread values of dict(...) or {...}, in order."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "dict" and not node.args:
        return [(word.arg or unpacked(word.value), word.value) for word in node.keywords]
    if not isinstance(node, ast.Dict):
        raise UnreadableError(node, "write dict(...) there")
    return [(key_text(key, below), below) for key, below in zip(node.keys, node.values, strict=True)]


def unpacked(node: ast.expr) -> str:
    """No key: what is unpacked is refused."""
    raise UnreadableError(node, what="an unpacking (**)")


def key_text(key: ast.expr | None, below: ast.expr) -> str:
    """Key of a dict, which has to be text."""
    if key is None:
        return unpacked(below)
    if not isinstance(key, ast.Constant) or not isinstance(key.value, str):
        raise UnreadableError(key, "use text as keys")
    return unicode(key, key.value)


def unicode(node: ast.expr, text: str) -> str:
    """The text, if it can be sent as UTF-8."""
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise UnreadableError(node, "write characters, not surrogates", "text that is not UTF-8")
    return text


def value(node: ast.expr, names: Collection[str]) -> Any:
    """Value of an expression that needs nothing to be executed."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return unicode(node, node.value)
    if isinstance(node, ast.Constant) and (node.value is None or isinstance(node.value, bool)):
        return node.value
    if isinstance(node, (ast.List, ast.Tuple)):
        return [value(below, names) for below in node.elts]
    if isinstance(node, ast.Dict) or (isinstance(node, ast.Call) and described(node) == "a call of dict()"):
        return {key: value(below, names) for key, below in pairs(node).items()}
    if isinstance(node, ast.Name) and node.id in names:
        return Name(node.id)
    return number(node)


def number(node: ast.expr) -> int | float:
    """Number with a sign, or a sum, difference or product of numbers (1280 * 28 * 28)."""
    try:
        result: int | float = calculated(node)
    except (TypeError, OverflowError):
        raise UnreadableError(node) from None
    if not -MOST <= result <= MOST:
        raise UnreadableError(node, "write one of at most 64 bits", "a number that is too large")
    return result


def calculated(node: ast.expr) -> Any:
    """Number of an expression; raises TypeError for what is none."""
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -calculated(node.operand)
    if isinstance(node, ast.BinOp) and type(node.op) in NUMBERS:
        return NUMBERS[type(node.op)](calculated(node.left), calculated(node.right))
    raise TypeError


def described(node: ast.AST) -> str:
    """What stands there, in words: names and kinds but no values, as one may be a secret."""
    if isinstance(node, ast.Call):
        return f"a call of {dotted(node.func)}()"
    if isinstance(node, (ast.Name, ast.Attribute)):
        return f"the name {dotted(node)}"
    if isinstance(node, ast.Subscript):
        return f"{dotted(node.value)}[...]"
    if isinstance(node, ast.Import):
        return f"the import of {', '.join(alias.name for alias in node.names)}"
    if isinstance(node, ast.ImportFrom):
        return f"the import of {', '.join(alias.name for alias in node.names)} from {node.module or '.'}"
    if isinstance(node, (ast.Assign, ast.AugAssign, ast.AnnAssign)):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return f"the assignment to {dotted(targets[0])}"
    if isinstance(node, ast.Expr):
        return described(node.value)
    return WORDS.get(type(node), f"this ({type(node).__name__})")


def dotted(node: ast.expr) -> str:
    """Name as it is written, with ... for what is none."""
    if isinstance(node, ast.Name):
        return node.id
    return f"{dotted(node.value)}.{node.attr}" if isinstance(node, ast.Attribute) else "..."
