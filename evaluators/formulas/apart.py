"""Formulas compared in a process apart, which a hanging or hostile one can end without harm to the scoring."""

import atexit
import json
import os
import select
import subprocess
import sys
import threading
from typing import IO, NamedTuple

# The same search path as here, whatever folder and options Python was started with.
START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from evaluators.formulas.algebra import serve; serve()"
)
STARTING_S = 120.0  # on a machine that is busy
PATIENCE = 20  # times the limit: the process may have to wait for a processor
REASONS = {
    "time": "took longer than {seconds:g} s of processor time",
    "memory": "took more memory than 2 GiB",
    "nesting": "is nested too deeply",
    "crash": "ended the process that compares formulas",
}


class Line(NamedTuple):
    """A process and its two ends."""

    process: subprocess.Popen[bytes]
    ask: IO[bytes]
    hear: IO[bytes]


class TooHardError(Exception):
    """Two formulas cannot be compared within the limits."""


_lock = threading.Lock()
_lines: dict[int, Line] = {}  # by the process that started it: a fork must not share its parent's


def same(reference: str, answer: str, seconds: float) -> bool:
    """Whether two formulas in LaTeX are the same by algebra.

    Works in any thread of any process; the first call of a process takes a second. Raises TooHardError where it takes
    more processor time than that, too much memory, or too deep a nesting.
    """
    with _lock:
        line = _lines.get(os.getpid()) or _start()
        try:
            line.ask.write(json.dumps([reference, answer, seconds]).encode() + b"\n")
            word = _word(line, seconds * PATIENCE)
        except BrokenPipeError:
            word = "crash"
        if word in ("crash", ""):
            end()
        if isinstance(word, bool):
            return word
        raise TooHardError(REASONS[word or "time"].format(seconds=seconds))


def _start() -> Line:
    command = [sys.executable, "-c", START, json.dumps(sys.path)]
    process = subprocess.Popen(
        command, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdin is not None and process.stdout is not None
    line = _lines[os.getpid()] = Line(process, process.stdin, process.stdout)
    if _word(line, STARTING_S) != "ready":
        end()
        raise RuntimeError("the process that compares formulas did not start; is math-verify installed?")
    return line


def _word(line: Line, seconds: float) -> bool | str:
    """What the process says next; "" where it says nothing in time."""
    if not select.select([line.hear], [], [], seconds)[0]:
        return ""
    said = line.hear.readline()
    word: bool | str = json.loads(said) if said else "crash"
    return word


def end() -> None:
    """End this process's own, if it has one."""
    line = _lines.pop(os.getpid(), None)
    if line is not None:
        line.ask.close()
        line.process.kill()
        line.process.wait()
        line.hear.close()


def _forked() -> None:
    """In a new process: its own lock, for another thread may have held it, and none of its parent's lines."""
    global _lock
    _lock = threading.Lock()
    for line in _lines.values():
        line.ask.close()
        line.hear.close()


atexit.register(end)
os.register_at_fork(after_in_child=_forked)
