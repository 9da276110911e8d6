"""The layering: imports point down one graph, without cycles, and every module can be imported alone."""

import ast
import graphlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GROUND = "ground floor"
# What a layer may import beside itself and the ground floor.
MAY_IMPORT = {
    GROUND: set[str](),
    "workload": set[str](),
    "records": set[str](),
    "run": {"workload", "records"},
    "analysis": {"records"},
    "report": {"analysis", "records"},
    "commands": {"workload", "records", "run", "analysis", "report"},
    "cli": {"workload", "records", "run", "analysis", "report", "commands"},
}


def sources(*packages: str) -> dict[str, Path]:
    """Python files by module name."""
    files = [file for package in packages for file in (ROOT / package).rglob("*.py")]
    return {".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file for file in files}


MODULES = sources("perfcore", "perfcore_ext", "evaluators")


def imported(file: Path) -> Iterator[str]:
    """Modules that a file imports; `from a import b` is a.b where that is a module of ours."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in MODULES else node.module for name in names)


def layer(module: str) -> str:
    parts = module.split(".")
    if module == "perfcore.__main__":
        return "cli"
    return parts[1] if len(parts) > 2 or module in {f"perfcore.{name}" for name in MAY_IMPORT} else GROUND


def test_no_import_points_up() -> None:
    upward = [
        f"{module} imports {name}"
        for module, file in MODULES.items()
        for name in imported(file)
        if module.startswith("perfcore") and name.split(".")[0] == "perfcore"
        if layer(name) not in {layer(module), GROUND, *MAY_IMPORT[layer(module)]}
    ]
    assert upward == []


def test_no_import_goes_round_in_a_circle() -> None:
    graph = {module: {name for name in imported(file) if name in MODULES} for module, file in MODULES.items()}
    graphlib.TopologicalSorter(graph).prepare()


def test_the_engine_and_the_evaluators_import_nothing_of_perfcore() -> None:
    pattern = re.compile(r"^\s*(?:from|import|cimport)\s+perfcore(?!_ext)\b", re.MULTILINE)
    files = [*(ROOT / "perfcore_ext").glob("*.p*"), *(ROOT / "evaluators").rglob("*.py")]
    assert [file.name for file in files if file.suffix != ".so" and pattern.search(file.read_text("utf-8"))] == []


def test_every_init_file_is_empty() -> None:
    inits = [file for file in MODULES.values() if file.name == "__init__.py"]
    assert inits
    assert [str(file) for file in inits if file.read_text("utf-8")] == []


# Each module in its turn, with nothing of ours loaded before it but what is compiled, which loads once in a process.
ALONE = """
import importlib, sys, traceback
for name in sys.stdin.read().split():
    for loaded in [loaded for loaded in sys.modules if loaded.partition(".")[0] in ("perfcore", "evaluators")]:
        del sys.modules[loaded]
    try:
        importlib.import_module(name)
    except BaseException:
        print(name, traceback.format_exc())
"""


def complaints(*modules: str) -> str:
    """What an interpreter says when it imports modules one after the other, warnings being errors."""
    command = [sys.executable, "-W", "error", "-c", ALONE]
    done = subprocess.run(command, cwd=ROOT, input="\n".join(modules), capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.mark.timeout(300)
def test_every_module_can_be_imported_alone() -> None:
    assert complaints(*MODULES) == ""


@pytest.mark.parametrize("name", sorted(file.stem for file in (ROOT / "perfcore_ext").glob("*.pyx")))
def test_every_compiled_module_can_be_imported_alone(name: str) -> None:
    assert complaints(f"perfcore_ext.{name}") == ""


def test_a_module_that_cannot_be_imported_is_told() -> None:
    assert "ModuleNotFoundError" in complaints("perfcore.errors", "perfcore.nothing_like_it")
