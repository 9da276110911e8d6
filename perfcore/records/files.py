"""Files that are written whole or not at all."""

import contextlib
from pathlib import Path

from perfcore.errors import UserError

GO_ON = "make room or give access, and go on with --resume"


def write(path: Path, content: bytes, remedy: str = GO_ON) -> None:
    """Replace a file: whoever reads it meanwhile finds the old or the new one, and so does who finds no room.

    Makes its folder. Raises UserError, which ends with the remedy, where that fails.
    """
    new = path.with_name(path.name + ".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new.write_bytes(content)
        new.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)  # half a file would keep the room from others
        raise UserError(f"cannot write {path}: {error.strerror}; {remedy}") from None
