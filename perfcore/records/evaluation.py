"""The folder of an evaluation: eval.json says what was evaluated, and logs/eval.log what was told meanwhile.

Beside them lie configs/, runs/, predictions/, results/ and summary/.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import msgspec

from perfcore.errors import UserError
from perfcore.records import files
from perfcore.records.folder import OUTPUTS, create_folder

EVAL_SCHEMA = "perfcore.eval/1"
EVAL = "eval.json"
COMMAND = "eval"


class Pair(msgspec.Struct):
    """A model and a data set whose answers are in the folder: the names of their files, and what --dataset named it."""

    model: str
    file: str
    dataset: str
    repeats: int = 1


class Described(msgspec.Struct):
    """What eval.json says."""

    schema: str
    started: str
    command: list[str]
    options: dict[str, Any]
    pairs: list[Pair] = []


def is_evaluation(folder: Path) -> bool:
    """Whether a folder is that of an evaluation."""
    return (folder / EVAL).is_file()


def create(given: Path | None, *, again: bool) -> Path:
    """The folder to evaluate into: a new one, or one that is there if it is to be used again. Raises UserError."""
    if given is not None and is_evaluation(given):
        if not again:
            raise UserError(
                f"{given} has an evaluation already: go on with it by --resume, score it again by --rescore, or choose "
                "another --out"
            )
        return given
    return create_folder(given, COMMAND)


def latest() -> Path:
    """The newest folder among the outputs of an evaluation that asked for answers. Raises UserError without one."""
    found = [folder for folder in OUTPUTS.glob(f"*-{COMMAND}*") if is_evaluation(folder)]
    found.sort(key=lambda folder: (folder / EVAL).stat().st_mtime_ns, reverse=True)
    if (newest := next((folder for folder in found if read(folder).pairs), None)) is not None:
        return newest
    raise UserError(
        f"--reuse latest finds no evaluation in {OUTPUTS} that asked for answers; give its folder, or leave it out"
    )


def read(folder: Path) -> Described:
    """What eval.json says. Raises UserError where it cannot be read."""
    path = folder / EVAL
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Described)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; give the folder of an evaluation") from None
    except msgspec.DecodeError as error:
        raise UserError(f"{path} describes no evaluation ({error}); restore it, or choose a new folder") from None
    if found.schema != EVAL_SCHEMA:
        raise UserError(f"{path} has the schema {found.schema!r}, and this perfcore reads {EVAL_SCHEMA}")
    return found


def describe(folder: Path, command: list[str], options: dict[str, Any], pairs: list[Pair]) -> None:
    """Write eval.json; pairs of an earlier command that are not among these stay. Raises UserError."""
    before = read(folder).pairs if is_evaluation(folder) else []
    own = {(pair.model, pair.file) for pair in pairs}
    kept = [pair for pair in before if (pair.model, pair.file) not in own]
    now = datetime.now().astimezone().isoformat(timespec="milliseconds")
    content = Described(EVAL_SCHEMA, now, command, options, [*kept, *pairs])
    files.write(folder / EVAL, msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep other processes from evaluating into the folder; raises UserError where one does. Ends with the process."""
    file = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise UserError(f"another perfcore is evaluating into {folder}; wait for it, or choose another --out") from None
    finally:
        os.close(file)


def log(folder: Path, line: str) -> None:
    """Add a line to logs/eval.log, with the time of day. A disk that is full takes nothing from the evaluation."""
    with contextlib.suppress(OSError):
        (folder / "logs").mkdir(exist_ok=True)
        with (folder / "logs" / "eval.log").open("a", encoding="utf-8", errors="replace") as file:
            file.write(f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%S}Z {line}\n")
