"""Which names the tests of a task use: these say whether they can be kept apart from the code that they test."""

import ast
import builtins
import re
import warnings
from functools import lru_cache

from evaluators.errors import EvaluationError


@lru_cache(maxsize=4096)
def free_names(tests: str) -> frozenset[str]:
    """Names that tests use and do not define, in the text of a data set; raises EvaluationError."""
    tree = parsed(tests)
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    return frozenset(used - defined(tree))


def defined(tree: ast.AST) -> set[str]:
    """Names that a program binds."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {name.asname or name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
    return found


def tested(tests: str, reference: str) -> tuple[str, bool]:
    """The function that tests are about, and whether they use nothing else of the code.

    It is the one name that they do not define; of several the first that the reference has and they call.
    """
    known = set(dir(builtins))
    unknown = sorted(free_names(tests) - known)
    if len(unknown) == 1:
        return unknown[0], not re.search(rf"^\s*class\s+{re.escape(unknown[0])}\b", reference, re.M)
    functions = re.findall(r"^\s*(?:async\s+)?def\s+(\w+)", reference, re.M)
    called = [
        node.func.id
        for node in ast.walk(parsed(tests))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]
    name = next((one for one in called if one in functions), unknown[0] if unknown else "")
    return name, bool(name) and not unknown


def parsed(text: str) -> ast.Module:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes in texts
            return ast.parse(text)
    except (SyntaxError, ValueError) as error:
        raise EvaluationError(f"the tests of the sample are no Python ({error}); correct the row") from None
