"""What is handed on: the source distribution, and the libraries that it says it needs."""

import ast
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import msgspec
import pytest

from perfcore.versions import SCORING, scoring_versions

ROOT = Path(__file__).parents[1]
PACKAGES = ("perfcore", "perfcore_ext", "evaluators")
SENT = (
    *PACKAGES,
    "configs",
    "tests",
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
    "MANIFEST.in",
    "pyproject.toml",
    "setup.py",
)
UNSENT = shutil.ignore_patterns("__pycache__", "*.so")
OTHERWISE = {"PIL": "pillow"}  # the distribution that has a module of another name


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Names of the files in a source distribution."""
    folder = tmp_path_factory.mktemp("tree")
    for name in SENT:
        place = ROOT / name
        shutil.copytree(place, folder / name, ignore=UNSENT) if place.is_dir() else shutil.copy2(place, folder)
    command = [sys.executable, "setup.py", "-q", "sdist", "--formats=tar"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=110)
    with tarfile.open(next((folder / "dist").glob("*.tar"))) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


def files(*folders: str) -> set[str]:
    found = {path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()}
    return {str(path.relative_to(ROOT)) for path in found if "__pycache__" not in path.parts}


def test_all_that_runs_is_sent(sent: set[str]) -> None:
    wanted = {name for name in files(*PACKAGES, "configs") if not name.endswith((".so", ".c"))}
    assert wanted - sent == set()
    assert {"LICENSE", "README.md", "pyproject.toml", "setup.py"} <= sent


def test_neither_tests_nor_made_files_are_sent(sent: set[str]) -> None:
    assert [name for name in sent if name.startswith("tests") or name.endswith((".c", ".so", ".pyc"))] == []


def imported(folder: str) -> set[str]:
    """First names of what the modules of a package import."""
    nodes = [node for file in (ROOT / folder).rglob("*.py") for node in ast.walk(ast.parse(file.read_text("utf-8")))]
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    members = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    return {name.partition(".")[0] for name in plain | members}


def test_every_library_that_is_imported_is_declared() -> None:
    lines = msgspec.toml.decode((ROOT / "pyproject.toml").read_bytes())["project"]["dependencies"]
    declared = {re.split(r"[^\w-]", line)[0].replace("-", "_") for line in lines}
    used = set.union(*map(imported, PACKAGES)) - sys.stdlib_module_names - {*PACKAGES}
    assert len(used) > 10
    assert {OTHERWISE.get(name, name) for name in used} - declared == set()


def test_a_score_says_which_libraries_it_comes_from() -> None:
    used = imported("evaluators") - sys.stdlib_module_names - {*PACKAGES, "msgspec", "rich"}
    assert used == {name.replace("-", "_") for name in SCORING}
    assert "not installed" not in scoring_versions().values()
