"""Calls as Python writes them, read off the syntax tree: [f(a=1), g(b=[2, 3])]. Nothing is evaluated but sums."""

import ast
import operator
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

LONGEST = 20_000  # characters; deep trees of longer ones could exhaust the stack of the parser
GREATEST_BASE, GREATEST_POWER, GREATEST_BITS = 10**6, 64, 4096
SIGNS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}


def python_calls(text: str) -> list[tuple[str, Mapping[str, Any]]]:
    """Name and named arguments of each call; raises SyntaxError or ValueError for a text that is anything else.

    A missing bracket at either end is forgiven.
    """
    if len(text) > LONGEST:
        raise ValueError("too long to be calls")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of escapes in strings, which are the model's
        tree = parsed(text)
    return [call_of(node) for node in calls_in(tree)]


def parsed(text: str) -> ast.Module:
    """The tree of a text; raises SyntaxError."""
    try:
        return ast.parse(text)
    except SyntaxError:
        opening, closing = "[" * (not text.startswith("[")), "]" * (not text.endswith("]"))
        if not opening and not closing:
            raise
        return ast.parse(f"{opening}{text}{closing}")


def calls_in(tree: ast.Module) -> Iterator[ast.expr]:
    """What each statement is, or holds as a list; raises ValueError for a statement that is no expression."""
    for statement in tree.body:
        if not isinstance(statement, ast.Expr):
            raise ValueError("a statement, no call")
        value = statement.value
        yield from value.elts if isinstance(value, (ast.List, ast.Tuple)) else [value]


def call_of(node: ast.expr) -> tuple[str, dict[str, Any]]:
    """Name, dots included, and named arguments; arguments without a name are passed over. Raises ValueError."""
    if not isinstance(node, ast.Call) or any(word.arg is None for word in node.keywords):
        raise ValueError("no call")
    return name_of(node.func), {str(word.arg): value_of(word.value) for word in node.keywords}


def name_of(node: ast.expr) -> str:
    """A name with dots; raises ValueError."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        raise ValueError("no name")
    return ".".join([node.id, *reversed(parts)])


def value_of(node: ast.expr) -> Any:
    """A literal's value. Names stand for themselves as text, and so do calls without named arguments.

    Raises ValueError for what is no value, such as a comprehension.
    """
    if isinstance(node, ast.Constant):
        return constant(node.value)
    if isinstance(node, (ast.List, ast.Tuple)):
        items = [value_of(item) for item in node.elts]
        return items if isinstance(node, ast.List) else tuple(items)
    if isinstance(node, ast.Dict):
        return {key_of(key): value_of(value) for key, value in zip(node.keys, node.values, strict=True)}
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        number = number_of(value_of(node.operand))
        return -number if isinstance(node.op, ast.USub) else number
    if isinstance(node, ast.BinOp):
        return result(type(node.op), value_of(node.left), value_of(node.right))
    if isinstance(node, ast.Call) and node.keywords:
        name, arguments = call_of(node)
        return {name: arguments}
    if isinstance(node, (ast.Name, ast.Attribute, ast.Subscript, ast.Call)):
        return ast.unparse(node)
    raise ValueError("no value")


def constant(value: Any) -> Any:
    """A constant that JSON has too, `...` as text; raises ValueError for bytes and complex numbers."""
    if value is Ellipsis:
        return "..."
    if isinstance(value, (bytes, complex)):
        raise ValueError("no value of JSON")
    return value


def key_of(node: ast.expr | None) -> Any:
    """A key of a dictionary; raises ValueError for one that is unpacked or cannot be a key."""
    key = value_of(node) if node is not None else []
    if isinstance(key, (list, dict, tuple)):
        raise ValueError("no key")
    return key


def number_of(value: Any) -> Any:
    """The value if it is a number; raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("no number")
    return value


def result(sign: type[ast.operator], left: Any, right: Any) -> Any:
    """Of a sum of numbers, or of two texts put together; raises ValueError, or as numbers do."""
    if isinstance(left, str) and isinstance(right, str) and sign is ast.Add:
        return left + right
    if sign is ast.Pow and not (abs(number_of(left)) <= GREATEST_BASE and abs(number_of(right)) <= GREATEST_POWER):
        raise ValueError("too great a power")
    if sign not in SIGNS:
        raise ValueError("no sum")
    try:
        value = constant(SIGNS[sign](number_of(left), number_of(right)))
    except ZeroDivisionError:
        raise ValueError("division by 0") from None
    if isinstance(value, int) and value.bit_length() > GREATEST_BITS:
        raise ValueError("too great a number")
    return value
