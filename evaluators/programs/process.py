"""The process with a model's code: it loads the code, and answers what the judge in evaluators/programs/driver.py asks.

It runs in a sandbox with the standard library alone, before the judge in the same namespace.
"""

from __future__ import annotations

import os
import resource
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, NoReturn

    from evaluators.programs.plain import dumps, loads

SIGXCPU = 24
SCRATCH = "/scratch"
EARLY = "the program ended before its tests did"
PATIENCE = 3  # wall time for each second of processor time: a machine that is busy does not fail a program
SHORT = 300  # letters of a message


class LostError(Exception):
    """The process with the code has ended, or has sent what cannot be read."""


class TooLongError(Exception):
    """The code has taken more time than it may."""


def send(fd: int, value: Any) -> None:
    write(fd, dumps(value))


def write(fd: int, content: bytes) -> None:
    """Length and content."""
    view = memoryview(len(content).to_bytes(8, "little") + content)
    while view:
        view = view[os.write(fd, view) :]


def receive(fd: int) -> Any:
    """What the other side has sent; raises LostError."""
    length = int.from_bytes(exactly(fd, 8), "little")
    try:
        return loads(exactly(fd, length))
    except Exception as error:
        raise LostError(f"a value that cannot be read ({shortened(error)})") from None


def exactly(fd: int, count: int) -> bytes:
    parts = []
    while count > 0:
        part = os.read(fd, min(count, 1 << 20))
        if not part:
            raise LostError(EARLY)
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def shortened(error: BaseException) -> str:
    """An exception in one line."""
    try:
        words = " ".join(str(error).split())
    except BaseException:
        words = ""
    name = type(error).__name__
    return f"{name}: {words}"[:SHORT] if words else name


def compiled(programs: Sequence[str]) -> tuple[int, Any, str]:
    """The first program that compiles: its number and code; else -1 and what is wrong with the first one."""
    first = ""
    for at, text in enumerate(programs):
        try:
            return at, compile(text, "solution.py", "exec", dont_inherit=True), ""
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:  # noqa: PERF203
            first = first or shortened(error)
    return -1, None, first


def module(name: str) -> dict[str, Any]:
    """The namespace of a new module."""
    made = type(sys)(name)
    sys.modules[name] = made
    return made.__dict__


def load(task: Any, name: str) -> tuple[dict[str, Any], Any]:
    """The namespace in which the code has run, and what to say of it."""
    sys.path += task["paths"]
    at, code, why = compiled(task["programs"])
    space = module(name)
    if code is None:
        return space, ("does not compile", at, why)
    try:
        exec(task["prelude"], space)
        exec(code, space)
    except BaseException as error:
        return space, ("failed", at, shortened(error))
    return space, ("loaded", at, "")


def serve(reading: int, writing: int) -> None:
    """Load the code, then answer calls until nobody asks."""
    space, said = load(receive(reading), "solution")
    send(writing, said)
    while True:
        kind, *what = receive(reading)
        send_plain(writing, answered(space, what) if kind == "call" else (what[1], ran(space, what[0])))


def send_plain(fd: int, value: Any) -> None:
    """Send a value, or why it is none that can be sent."""
    try:
        content = dumps(value)
    except BaseException as error:
        content = dumps(("raised", "TypeError", shortened(error)))
    write(fd, content)


def answered(space: dict[str, Any], what: Sequence[Any]) -> tuple[Any, ...]:
    """What a function returns or raises; `Class().method` is called of a new object, or as a function without class."""
    name, args, named, seconds = what
    try:
        limit_further(seconds)
        owner, _, method = name.rpartition("().")
        function = getattr(space[owner](), method) if owner in space else space[method]
        return ("value", function(*args, **named))
    except BaseException as error:
        return ("raised", type(error).__name__, shortened(error))


def limit_further(seconds: int) -> None:
    """Limit this process to so many seconds of processor time from now on, in whole ones; 0 is no further limit."""
    if seconds:
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        wanted = int(time.process_time()) + 1 + seconds
        resource.setrlimit(resource.RLIMIT_CPU, (wanted if hard < 0 else min(wanted, hard), hard))


def ran(space: dict[str, Any], tests: Sequence[str]) -> list[str]:
    """Why each of the tests failed, "" for those that passed, in the namespace of the code itself."""
    found = []
    for test in tests:
        try:
            exec(compile(test, "test.py", "exec", dont_inherit=True), space)
            found.append("")
        except BaseException as error:  # noqa: PERF203
            found.append(shortened(error))
    return found


def spawn(reading: int, writing: int) -> None:
    """Run the code as a program, once for each case, in a process of its own that begins where this one is."""
    task = receive(reading)
    sys.path += task["paths"]
    at, code, why = compiled(task["programs"])
    exec(task["prelude"], {})  # so that each case finds the modules imported
    send(writing, ("loaded" if code is not None else "does not compile", at, why))
    while True:
        stdin, seconds, most = receive(reading)
        send(writing, case(code, task["prelude"], stdin, seconds, most, (reading, writing)))


def case(code: Any, prelude: str, stdin: bytes, seconds: int, most: int, own: Sequence[int]) -> tuple[str, bytes]:
    """Why a case failed, "" if it ended well, and what the program has printed."""
    # In the scratch directory and not beside it, so that its limit counts them.
    given, printed = (os.open(SCRATCH, os.O_TMPFILE | os.O_RDWR, 0o600) for _ in range(2))
    try:
        os.write(given, stdin)
        os.lseek(given, 0, os.SEEK_SET)
        said, saying = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(said)
            as_program(code, prelude, (given, printed), own, saying, seconds)
        os.close(saying)
        why = ended(child, said, PATIENCE * seconds)
        os.close(said)
        os.lseek(printed, 0, os.SEEK_SET)
        return why, os.read(printed, most)
    finally:
        os.close(given)
        os.close(printed)


def as_program(
    code: Any, prelude: str, files: Sequence[int], own: Sequence[int], saying: int, seconds: int
) -> NoReturn:
    """Run the code as the program of this process, and end it."""
    status = 1
    try:
        os.setpgid(0, 0)
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        for at, fd in enumerate(files):
            os.dup2(fd, at)
        for fd in own:
            os.close(fd)
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        space = module("__main__")
        exec(prelude, space)
        exec(code, space)
        status = 0
    except SystemExit:  # what has been printed counts, and not the status
        status = 0
    except BaseException as error:
        os.write(saying, shortened(error).encode("utf-8", "replace"))
    try:
        if "threading" in sys.modules:
            sys.modules["threading"]._shutdown()
        sys.stdout.flush()
    except BaseException as error:
        os.write(saying, shortened(error).encode("utf-8", "replace"))
        status = 1
    os._exit(status)


def ended(child: int, said: int, seconds: float) -> str:
    """Wait for a program, and say what went wrong with it."""
    until = time.monotonic() + seconds
    pause = 0.0005
    while True:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            break
        if time.monotonic() > until:
            stop_group(child)
            return "timed out"
        time.sleep(pause)
        pause = min(pause * 1.5, 0.01)
    stop_group(child, reap=False)
    os.set_blocking(said, False)
    try:
        words = os.read(said, 4096).decode("utf-8", "replace")
    except BlockingIOError:
        words = ""
    code = os.waitstatus_to_exitcode(status)
    if code == -SIGXCPU:
        return "timed out"
    return words or ("" if code == 0 else f"signal {-code}" if code < 0 else f"exit status {code}")


def stop_group(child: int, reap: bool = True) -> None:
    """Kill a program and what it has started in its process group."""
    try:  # noqa: SIM105 - contextlib takes longer to import
        os.killpg(child, 9)
    except (ProcessLookupError, PermissionError):
        pass
    if reap:
        os.kill(child, 9)
        os.waitpid(child, 0)
