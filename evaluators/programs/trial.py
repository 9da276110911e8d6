"""Runs candidates of a program against the tests of a task in one sandbox, and says what became of it."""

import marshal
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from evaluators.programs import driver as code_driver
from evaluators.programs import plain as code_plain
from evaluators.programs import process as code_process
from evaluators.programs.extraction import Found
from evaluators.programs.process import EARLY
from evaluators.sandbox import bounded as sandbox
from evaluators.sandbox.ways import packed

MIB = 1 << 20


class Task(NamedTuple):
    """What is run: candidates, and in which mode of evaluators/programs/driver.py with what."""

    mode: str
    found: Sequence[Found]
    limits: sandbox.Limits
    data: Mapping[str, Any] = {}
    files: Mapping[str, bytes] = {}
    visible: Sequence[str] = ()
    environment: Mapping[str, str] = {}


class Result(NamedTuple):
    """`why` is "" where the code has been loaded; then `results` has what the mode gives, one for each test."""

    chosen: Found
    why: str
    results: list[Any] = []  # noqa: RUF012 - of a tuple


def result(task: Task) -> Result:
    """Run it. Raises EvaluationError where there is no sandbox."""
    outcome = sandbox.run(
        (),
        task.files,
        b"",
        task.limits,
        private=private(task),
        visible=task.visible,
        environment=task.environment,
    )
    said = reported(outcome.report)
    first = task.found[0]
    if said is None:
        return Result(first, outcome.why or f"failed: {EARLY}")
    at = said["at"]
    chosen = task.found[at] if isinstance(at, int) and 0 <= at < len(task.found) else first
    why = str(said["why"])
    if said["stage"] == "loaded":
        words = f": {last_words(outcome.stderr)}" if task.mode == "build" and outcome.stderr else ""
        return Result(chosen, "", [f"{one}{words}" if words and one else one for one in said["results"]])
    if said["stage"] == "does not compile":
        return Result(chosen, f"does not compile: {why or last_words(outcome.stderr)}")
    return Result(chosen, worded(why))


def private(task: Task) -> bytes:
    """The judge, and behind it what it is to judge."""
    kind = {"cases": "cases", "build": "build"}.get(task.mode, "calls")
    data = {"mode": task.mode, "programs": [one.code for one in task.found], "prelude": "", "paths": [], **task.data}
    files = [str(module.__file__) for module in (code_plain, code_process, code_driver)]
    return packed(files, b"%-8s" % kind.encode() + marshal.dumps(data))


def reported(content: bytes) -> dict[str, Any] | None:
    """What the judge has said; None where it has not come to its end."""
    if len(content) < 8 or len(content) != 8 + int.from_bytes(content[:8], "little"):
        return None
    found = code_plain.loads(content[8:])
    return found if isinstance(found, dict) else None


def worded(why: str) -> str:
    """Why something failed, by its kind."""
    if why.startswith("timed out"):
        return "timed out"
    if why.startswith("MemoryError"):
        return "killed: memory"
    return f"failed: {why}"


def last_words(stderr: bytes) -> str:
    """The line of a compiler's words that says what is wrong."""
    lines = [line.strip() for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith("#")] or lines  # Go's name of the package
    wrong = [line for line in lines if "error" in line.lower()]
    return (wrong or lines or ["it says nothing"])[0][:300]
