"""Paths as users write them."""

import os
from pathlib import Path


def expanded(path: str | Path) -> Path:
    """The path with `~` and `~user` as home directories; as it is where nobody has that name, as in a shell."""
    return Path(os.path.expanduser(path))  # noqa: PTH111, Path.expanduser raises RuntimeError there
