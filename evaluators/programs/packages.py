"""Packages of Python beside the standard library that programs in a sandbox may import, as far as they are wanted."""

import importlib.util
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from evaluators.errors import EvaluationError

ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # each thread of numpy's would reserve memory


@lru_cache
def places(name: str) -> tuple[str, ...]:
    """Folders, or the file, of an installed package and of the libraries that came with it; raises EvaluationError."""
    found = importlib.util.find_spec(name) if name.isidentifier() else None
    if found is None or found.origin is None or not Path(found.origin).is_file():
        raise EvaluationError(f"the package {name!r} of args.packages is not installed; pip install {name}")
    own = Path(found.origin).resolve()
    folder = own.parent if found.submodule_search_locations else own
    libraries = folder.with_name(f"{name}.libs")
    return (str(folder), *([str(libraries)] if libraries.is_dir() else []))


def visible(names: Sequence[str]) -> list[str]:
    """What a sandbox has to show of packages."""
    return [place for name in names for place in places(name)]


def paths(names: Sequence[str]) -> list[str]:
    """Where Python finds packages: in a sandbox nothing else is there."""
    return list(dict.fromkeys(str(Path(places(name)[0]).parent) for name in names))
