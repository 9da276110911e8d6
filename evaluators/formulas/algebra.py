"""The inside of the process that compares formulas: only here is a formula of a model read by sympy.

Formulas are read by math-verify's grammar of LaTeX, which builds sympy objects from a syntax tree. Its digits go
through sympy's reader of text, which evaluates Python, so that reader is replaced by one of numbers and words; besides,
the process refuses to compile text, to start programs, and to write files. The kernel ends it when an item takes too
much processor time, also inside arithmetic on huge numbers, where Python's own signals wait.
"""

import json
import logging
import os
import re
import resource
import signal
import sys
from typing import Any

import sympy
from math_verify import LatexExtractionConfig, parse, verify
from sympy.parsing import sympy_parser

MEMORY = 2 << 30
WARM = ("\\frac{x^2-1}{x-1}", "x+1")
ENDED: dict[int, str] = {signal.SIGPROF: "time", signal.SIGKILL: "memory"}
HARMLESS = ("os.listdir", "os.scandir", "os.putenv")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
LONGEST = 4000  # digits that Python turns into a number
GENERATED = b"def monomial_"  # sympy writes its products of powers as Python; no formula is in them


def serve() -> None:
    """Answer lines [reference, answer, seconds] on stdin, until it ends, with a line each: true, false or words."""
    logging.disable()
    same(*WARM)
    say("ready")
    while (worker := os.fork()) != 0:
        _, status = os.waitpid(worker, 0)
        if os.WIFEXITED(status):
            return
        say(ENDED.get(os.WTERMSIG(status), "crash"))
    work()


def work() -> None:
    """Answer lines in the process that may be ended at any time; returns when stdin ends."""
    confine()
    for line in sys.stdin:
        reference, answer, seconds = json.loads(line)
        signal.setitimer(signal.ITIMER_PROF, seconds)
        said = compared(reference, answer)
        signal.setitimer(signal.ITIMER_PROF, 0)
        say(said)


def compared(reference: str, answer: str) -> bool | str:
    """Whether two formulas are the same, or what went wrong."""
    try:
        return same(reference, answer)
    except MemoryError:
        return "memory"
    except RecursionError:
        return "nesting"


def same(reference: str, answer: str) -> bool:
    """Whether math-verify takes two formulas for the same; what it cannot read is compared as text."""
    wanted, given = (
        parse(f"${text}$", [LatexExtractionConfig()], parsing_timeout=None) for text in (reference, answer)
    )
    return bool(verify(wanted, given, timeout_seconds=None))


def literal(text: str, *_: Any, **__: Any) -> sympy.Basic:
    """A number or a word as sympy has it, in the place of sympy's reader, which would evaluate it."""
    if len(text) <= LONGEST and re.fullmatch(r"[0-9]+", text):
        return sympy.Integer(int(text))
    if len(text) <= LONGEST and re.fullmatch(r"[0-9]*\.[0-9]*", text):
        return sympy.Float(text)
    if re.fullmatch(r"[A-Za-z]+", text):
        return sympy.Symbol(text)
    raise SyntaxError("no number")


def confine() -> None:
    """Limit this process's memory and files, and refuse what no formula needs."""
    sympy_parser.parse_expr = literal
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGPROF])
    for limit, most in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0)):
        resource.setrlimit(limit, (most, most))
    sys.addaudithook(refuse)


def refuse(event: str, args: tuple[Any, ...]) -> None:
    """Raise for text that is to be run as Python, for programs, networks, and changes of files."""
    if event == "compile" and args[0] is not None and not bytes(args[0]).startswith(GENERATED):
        raise PermissionError("text is not evaluated here")
    if event == "open" and isinstance(args[2], int) and args[2] & WRITING:
        raise PermissionError("files are not written here")
    if event.startswith(("subprocess.", "socket.", "ctypes.", "shutil.", "os.")) and event not in HARMLESS:
        raise PermissionError(f"{event} is not allowed here")


def say(word: bool | str) -> None:
    """A line to the process that asks."""
    os.write(1, json.dumps(word).encode() + b"\n")
