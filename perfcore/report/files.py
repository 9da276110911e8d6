"""Files of the run folder that are written whole or not at all."""

from pathlib import Path

from perfcore.records import files as whole


def write(path: Path, content: bytes) -> None:
    """Replace a file: whoever reads it meanwhile finds the old or the new one. Raises UserError where that fails."""
    whole.write(path, content, "make room or give access and run report again")
