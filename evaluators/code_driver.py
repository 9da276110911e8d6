"""The program that runs a model's code inside a sandbox: a judge that holds the tests, and a process that holds the code.

The two are apart, so that no code of a model can see a test, a result that is wanted, or the pipe to which verdicts go:
it is asked for values, and only plain values come back. The judge cannot be looked into (it is not dumpable), forks
before it reads the tests, and says nothing of a program that ended early. Standard library alone; see code_plain.py.
"""

from __future__ import annotations

import builtins
import ctypes
import marshal
import os
import resource
import select
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, NoReturn

    from evaluators.code_plain import dumps, loads

PRIVATE, REPORT = 3, 4  # file descriptors
SET_DUMPABLE = 4
SIGXCPU = 24
EARLY = "the program ended before its tests did"
PATIENCE = 3  # wall time for each second of processor time: a machine that is busy does not fail a program
SHORT = 300  # letters of a message


class Lost(Exception):
    """The process with the code has ended, or has sent what cannot be read."""


class TooLong(Exception):
    """The code has taken more time than it may."""


def send(fd: int, value: Any) -> None:
    write(fd, dumps(value))


def write(fd: int, content: bytes) -> None:
    """Length and content."""
    view = memoryview(len(content).to_bytes(8, "little") + content)
    while view:
        view = view[os.write(fd, view) :]


def receive(fd: int) -> Any:
    """What the other side has sent; raises Lost."""
    length = int.from_bytes(exactly(fd, 8), "little")
    try:
        return loads(exactly(fd, length))
    except Exception as error:
        raise Lost(f"a value that cannot be read ({shortened(error)})") from None


def exactly(fd: int, count: int) -> bytes:
    parts = []
    while count > 0:
        part = os.read(fd, min(count, 1 << 20))
        if not part:
            raise Lost(EARLY)
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


# The process with the code.


def compiled(programs: Sequence[str]) -> tuple[int, Any, str]:
    """The first program that compiles: its number and code; else -1 and what is wrong with the first one."""
    first = ""
    for at, text in enumerate(programs):
        try:
            return at, compile(text, "solution.py", "exec", dont_inherit=True), ""
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            first = first or shortened(error)
    return -1, None, first


def module(name: str) -> dict[str, Any]:
    """The namespace of a new module."""
    made = type(sys)(name)
    sys.modules[name] = made
    return made.__dict__


def load(task: Any, name: str) -> tuple[dict[str, Any], Any]:
    """The namespace in which the code has run, and what to say of it."""
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
    """What a function returns or raises; `Class().method` is called of a new object."""
    name, args, named = what
    try:
        owner, _, method = name.rpartition("().")
        function = getattr(space[owner](), method) if owner else space[name]
        return ("value", function(*args, **named))
    except BaseException as error:
        return ("raised", type(error).__name__, shortened(error))


def ran(space: dict[str, Any], tests: Sequence[str]) -> list[str]:
    """Why each of the tests failed, "" for those that passed, in the namespace of the code itself."""
    found = []
    for test in tests:
        try:
            exec(compile(test, "test.py", "exec", dont_inherit=True), space)
            found.append("")
        except BaseException as error:
            found.append(shortened(error))
    return found


def spawn(reading: int, writing: int) -> None:
    """Run the code as a program, once for each case, in a process of its own that begins where this one is."""
    task = receive(reading)
    at, code, why = compiled(task["programs"])
    send(writing, ("loaded" if code is not None else "does not compile", at, why))
    while True:
        stdin, seconds, most = receive(reading)
        send(writing, case(code, task["prelude"], stdin, seconds, most, (reading, writing)))


def case(code: Any, prelude: str, stdin: bytes, seconds: int, most: int, own: Sequence[int]) -> tuple[str, bytes]:
    """Why a case failed, "" if it ended well, and what the program has printed."""
    given, printed = os.memfd_create("stdin"), os.memfd_create("stdout")
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
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: PTH123, SIM115
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: PTH123, SIM115
        space = module("__main__")
        exec(prelude, space)
        exec(code, space)
        status = 0
    except SystemExit as error:
        status = 0 if error.code in (None, 0) else 1
        os.write(saying, b"" if status == 0 else shortened(error).encode("utf-8", "replace"))
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
    for kill, number in ((os.killpg, child), (os.kill, child)):
        try:
            if reap or kill is os.killpg:
                kill(number, 9)
        except (ProcessLookupError, PermissionError):
            continue
    if reap:
        os.waitpid(child, 0)


# The judge.


class Asking:
    """The judge's ends of the pipes to the process with the code."""

    def __init__(self, other: Callable[[int, int], None]) -> None:
        """Start that process: it has the pipes and the usual three files, and nothing else."""
        down, up = os.pipe(), os.pipe()
        self.child = os.fork()
        if self.child == 0:
            for fd in (down[1], up[0], PRIVATE, REPORT):
                os.close(fd)
            try:
                other(down[0], up[1])
            finally:
                os._exit(0)
        os.close(down[0])
        os.close(up[1])
        self.reading, self.writing = up[0], down[1]

    def ask(self, value: Any, seconds: float = 0.0) -> Any:
        """The answer to a question; raises Lost, and TooLong after some seconds, unless these are 0."""
        try:
            send(self.writing, value)
        except BrokenPipeError:
            raise self.end() from None
        if seconds:
            waiting = select.poll()
            waiting.register(self.reading, select.POLLIN)
            if not waiting.poll(seconds * 1000):
                raise TooLong
        try:
            return receive(self.reading)
        except Lost as error:
            raise (self.end() if str(error) == EARLY else error) from None

    def end(self) -> Exception:
        """Why the other process is no more, as far as its status tells."""
        os.close(self.writing)
        number = -os.waitstatus_to_exitcode(os.waitpid(self.child, 0)[1])
        if number == SIGXCPU:
            return TooLong()
        return Lost(f"{EARLY} (signal {number})" if number > 0 else EARLY)


def called(asking: Asking, name: str, args: Sequence[Any], named: dict[str, Any], seconds: float) -> Any:
    """What a function of the code returns; what it raises is raised as the same exception of Python, or as none."""
    answer = asking.ask(("call", name, tuple(args), named), seconds)
    if not isinstance(answer, tuple) or len(answer) not in (2, 3) or answer[0] not in ("value", "raised"):
        raise Lost("an answer of another form")
    if answer[0] == "value":
        return answer[1]
    known = getattr(builtins, str(answer[1]), None)
    text = str(answer[2])
    if isinstance(known, type) and issubclass(known, Exception):
        raise known(text.partition(": ")[2])
    raise RuntimeError(text)


def judged(asking: Asking, task: Any) -> list[str]:
    """Run the tests here, where the function that they test is a question to the other process."""
    space: dict[str, Any] = {"__name__": "test"}
    exec(task["trusted"], space)
    entry = task["entry"]
    space[entry] = lambda *args, **named: called(asking, entry, args, named, task["seconds"])
    found: list[str] = []
    for test in task["tests"]:
        found.append(why_failed(test, space))
        if found[-1].startswith(("timed out", EARLY)):
            break
    return found


def why_failed(test: str, space: dict[str, Any]) -> str:
    """ "" for a test that passes."""
    try:
        exec(compile(test, "test.py", "exec", dont_inherit=True), space)
    except TooLong:
        return "timed out"
    except Lost as error:
        return str(error)
    except BaseException as error:
        said = shortened(error)
        return f"{said} in {test.strip()}"[:SHORT] if said == "AssertionError" and test.startswith("assert") else said
    return ""


def together(asking: Asking, task: Any) -> list[str]:
    """Run the tests beside the code, since they need more of it than values of one function."""
    token = os.urandom(16)
    answer = asking.ask(("run", task["tests"], token))
    if not isinstance(answer, tuple) or len(answer) != 2 or answer[0] != token:
        raise Lost("an answer of another form")
    return list(answer[1])


def values(asking: Asking, task: Any) -> list[tuple[str, Any]]:
    """What the function returns for each list of arguments, until one takes too long: (why not, value)."""
    found: list[tuple[str, Any]] = []
    for args in task["calls"]:
        try:
            found.append(("", called(asking, task["entry"], args, {}, task["seconds"])))
        except TooLong:
            return [*found, ("timed out", None)]
        except Lost as error:
            return [*found, (str(error), None)]
        except Exception as error:
            found.append((shortened(error), None))
    return found


def cases(asking: Asking, task: Any) -> list[tuple[str, bytes]]:
    """Why each case failed and what it printed, until one takes too long."""
    found = []
    for stdin, most in task["inputs"]:
        why, printed = asking.ask((stdin, task["seconds"], most))
        found.append((str(why), bytes(printed)))
        if why == "timed out":
            break
    return found


def built(task: Any) -> dict[str, Any]:
    """Compile a program and run it. The last command has to fetch a word from a pipe when all is well, and say it."""
    *first, last = task["steps"]
    for step in first:
        if step_status(step, ()) != 0:
            return {"stage": "does not compile", "at": 0, "why": ""}
    given, said = os.pipe(), os.pipe()
    token = os.urandom(16).hex().encode()
    os.write(given[1], token)
    os.close(given[1])
    status = step_status(last, (given[0], said[1]))
    os.close(said[1])
    os.set_blocking(said[0], False)
    try:
        right = os.read(said[0], 64) == token
    except BlockingIOError:
        right = False
    why = "" if right and status == 0 else f"status {status}" if status else EARLY
    return {"stage": "loaded", "at": 0, "results": [why], "why": ""}


def step_status(command: Sequence[str], fds: Sequence[int]) -> int:
    """Exit status of a command, which has these files as 3 and 4."""
    child = os.fork()
    if child == 0:
        try:
            high = [os.dup2(fd, 100 + at, inheritable=False) for at, fd in enumerate(fds)]
            os.close(PRIVATE)
            os.close(REPORT)
            for at, fd in enumerate(high):
                os.dup2(fd, 3 + at)
            os.execv(command[0], command)
        finally:
            os._exit(127)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


MODES = {"apart": judged, "together": together, "values": values, "cases": cases}


def main() -> None:
    ctypes.CDLL(None).prctl(SET_DUMPABLE, 0, 0, 0, 0)
    builtins.exit = builtins.quit = sys.exit  # type: ignore[assignment] # which only interactive Python has
    sys.argv = ["solution.py"]
    other = {b"calls": serve, b"cases": spawn}.get(os.read(PRIVATE, 8).strip())
    asking = Asking(other) if other else None
    with open(PRIVATE, "rb", closefd=False) as file:  # noqa: PTH123
        task = marshal.loads(file.read())
    if asking is None:
        write(REPORT, dumps(built(task)))
        return
    said: dict[str, Any] = {"stage": "failed", "at": -1, "why": ""}
    try:
        said["stage"], said["at"], said["why"] = asking.ask({"programs": task["programs"], "prelude": task["prelude"]})
        if said["stage"] == "loaded":
            said["results"] = MODES[task["mode"]](asking, task)
    except TooLong:
        said["stage"], said["why"] = "failed", "timed out"
    except (Lost, ValueError, TypeError) as error:
        said["stage"], said["why"] = "failed", str(error)
    write(REPORT, dumps(said))
    os._exit(0)


if __name__ == "__main__":
    main()
