"""The judge of a model's code inside a sandbox: it holds the tests, and a process of its own holds the code.

The two are apart, so that no code of a model can see a test, a result that is wanted, or the pipe to which verdicts
go: it is asked for values, and only plain values come back. The judge cannot be looked into (it is not dumpable), forks
before it reads the tests, and does not pass a program that ended early. It runs behind evaluators/programs/plain.py and
evaluators/programs/process.py in one namespace, with the standard library alone.
"""

from __future__ import annotations

import builtins
import ctypes
import marshal
import os
import select
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from evaluators.programs.plain import dumps
    from evaluators.programs.process import (
        EARLY,
        PATIENCE,
        SHORT,
        SIGXCPU,
        LostError,
        TooLongError,
        receive,
        send,
        serve,
        shortened,
        spawn,
        write,
    )

PRIVATE, REPORT = 3, 4  # file descriptors
SET_DUMPABLE = 4


class Asking:
    """The judge's ends of the pipes to the process with the code."""

    def __init__(self, other: Callable[[int, int], None]) -> None:
        """Start that process: it has the pipes and the usual three files, and nothing else."""
        down, up = os.pipe(), os.pipe()
        self.child = os.fork()
        if self.child == 0:
            for fd in (down[1], up[0], PRIVATE, REPORT):
                os.close(fd)
            dumpable(1)  # else it could not open /dev/stdin
            try:
                other(down[0], up[1])
            finally:
                os._exit(0)
        os.close(down[0])
        os.close(up[1])
        self.reading, self.writing = up[0], down[1]

    def ask(self, value: Any, seconds: float = 0.0) -> Any:
        """The answer to a question; raises LostError, and TooLongError after some seconds, unless these are 0."""
        try:
            send(self.writing, value)
        except BrokenPipeError:
            raise self.end() from None
        if seconds:
            waiting = select.poll()
            waiting.register(self.reading, select.POLLIN)
            if not waiting.poll(seconds * 1000):
                raise TooLongError
        try:
            return receive(self.reading)
        except LostError as error:
            raise (self.end() if str(error) == EARLY else error) from None

    def end(self) -> Exception:
        """Why the other process is no more, as far as its status tells."""
        os.close(self.writing)
        number = -os.waitstatus_to_exitcode(os.waitpid(self.child, 0)[1])
        if number == SIGXCPU:
            return TooLongError()
        return LostError(f"{EARLY} (signal {number})" if number > 0 else EARLY)


def called(asking: Asking, name: str, args: Sequence[Any], named: dict[str, Any], seconds: int) -> Any:
    """What a function of the code returns; what it raises is raised as the same exception of Python, or as none.

    `seconds` of processor time are what it may take, unless they are 0; the clock is given more patience.
    """
    answer = asking.ask(("call", name, tuple(args), named, seconds), PATIENCE * seconds)
    if not isinstance(answer, tuple) or len(answer) not in (2, 3) or answer[0] not in ("value", "raised"):
        raise LostError("an answer of another form")
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
    except TooLongError:
        return "timed out"
    except LostError as error:
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
        raise LostError("an answer of another form")
    return list(answer[1])


def values(asking: Asking, task: Any) -> list[tuple[str, Any]]:
    """What the function returns for each list of arguments, until one takes too long: (why not, value)."""
    found: list[tuple[str, Any]] = []
    for args in task["calls"]:
        try:
            found.append(("", called(asking, task["entry"], args, {}, task["seconds"])))
        except TooLongError:  # noqa: PERF203
            return [*found, ("timed out", None)]
        except LostError as error:
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
            os.execv(command[0], list(command))
        finally:
            os._exit(127)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


MODES = {"apart": judged, "together": together, "values": values, "cases": cases}


def dumpable(yes: int) -> None:
    """Whether other processes of the same user may look into this one."""
    ctypes.CDLL(None).prctl(SET_DUMPABLE, yes, 0, 0, 0)


def main() -> None:
    dumpable(0)
    builtins.exit = builtins.quit = sys.exit  # type: ignore[assignment] # which only interactive Python has
    sys.argv = ["solution.py"]
    other = {b"calls": serve, b"cases": spawn}.get(os.read(PRIVATE, 8).strip())
    asking = Asking(other) if other else None
    with open(PRIVATE, "rb", closefd=False) as file:
        task = marshal.loads(file.read())
    if asking is None:
        write(REPORT, dumps(built(task)))
        return
    said: dict[str, Any] = {"stage": "failed", "at": -1, "why": ""}
    try:
        said["stage"], said["at"], said["why"] = asking.ask(
            {name: task[name] for name in ("programs", "prelude", "paths")}
        )
        if said["stage"] == "loaded":
            said["results"] = MODES[task["mode"]](asking, task)
    except TooLongError:
        said["stage"], said["why"] = "failed", "timed out"
    except (LostError, ValueError, TypeError) as error:
        said["stage"], said["why"] = "failed", str(error)
    write(REPORT, dumps(said))
    os._exit(0)


if __name__ == "__main__":
    main()
