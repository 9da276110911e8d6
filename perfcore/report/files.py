"""Files of the run folder that are written whole or not at all."""

from pathlib import Path

from perfcore.errors import UserError


def write(path: Path, content: bytes) -> None:
    """Replace a file: whoever reads it meanwhile finds the old or the new one. Raises UserError where that fails."""
    new = path.with_name(path.name + ".new")
    try:
        new.write_bytes(content)
        new.replace(path)
    except OSError as error:
        raise UserError(
            f"cannot write {path}: {error.strerror}; make room or give access and run report again"
        ) from None
