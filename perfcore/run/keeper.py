"""A process between perfcore and a server that it starts: when perfcore is gone, however, so is the server.

Its standard input is a pipe that perfcore holds open. The end of the pipe, which the kernel brings about even if
perfcore is killed, ends the server and every process that it started, also those that left its process group. Should
this process itself be killed, the kernel kills the server.
"""

import contextlib
import ctypes
import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from typing import NoReturn

import psutil

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
LIBC = ctypes.CDLL(None)
POLL_S = 0.02
STRAGGLERS_S = 1.0
NO_COMMAND = 127  # exit status of a shell that finds no such command
BY_SIGNAL = 128  # is added to the number of a signal, as a shell does


def main() -> int:
    """Run a command until it ends or the pipe does; returns its exit status, or 0 where it was told to end.

    What to run comes as the first line of the pipe: a command line could be read by everyone on the machine.
    """
    with open(0, "rb", buffering=0, closefd=False) as pipe:
        told = json.loads(pipe.readline())
    wake = wake_on(signal.SIGCHLD, signal.SIGTERM)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1)  # grandchildren that lose their parent become ours, and so can be found
    server = start(told["command"], told["environment"], told["folder"])
    status = wait(server, wake)
    end_all(server, told["patience_s"])
    return 0 if status is None else status


def wake_on(*numbers: int) -> int:
    """A descriptor from which the numbers of these signals can be read as they come."""
    readable, writable = os.pipe()
    os.set_blocking(writable, False)
    signal.set_wakeup_fd(writable)
    for number in numbers:
        signal.signal(number, lambda *_: None)
    return readable


def start(command: list[str], environment: dict[str, str], folder: str) -> int:
    """Fork and become the command, in a session of its own; returns its process number."""
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        become(command, environment, folder, parent)
    return child


def become(command: list[str], environment: dict[str, str], folder: str, parent: int) -> NoReturn:
    """Replace this process by the command, which dies with its parent."""
    try:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        os.setsid()
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.chdir(folder)
        if os.getppid() == parent:
            os.execve(command[0], command, environment)
    except OSError as error:
        os.write(2, f"cannot start {command[0]}: {error.strerror}\n".encode())
    os._exit(NO_COMMAND)


def wait(server: int, wake: int) -> int | None:
    """Exit status of the server once it has ended, or None as soon as it has to be ended."""
    while True:
        readable, _, _ = select.select([0, wake], [], [])
        if 0 in readable or signal.SIGTERM in os.read(wake, 512):
            return None
        if (status := reap(server)) is not None:
            return status


def reap(server: int) -> int | None:
    """Collect all children that have ended; returns the exit status of the server if it is among them."""
    found = None
    while True:
        try:
            child, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if child == 0:
            return found
        if child == server:
            code = os.waitstatus_to_exitcode(status)
            found = code if code >= 0 else BY_SIGNAL - code


def end_all(server: int, patience_s: float) -> None:
    """Ask the server's group to end, then what has left it; kill what is there after `patience_s`."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # the group is empty
        os.killpg(server, signal.SIGTERM)
    until(lambda: ended(server), server, patience_s)
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in descendants():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        until(lambda: not descendants(), server, STRAGGLERS_S)


def until(done: Callable[[], bool], server: int, timeout_s: float) -> None:
    """Collect children until something is done, or for so long."""
    deadline = time.monotonic() + timeout_s
    while not done() and time.monotonic() < deadline:
        reap(server)
        time.sleep(POLL_S)


def descendants() -> list[psutil.Process]:
    """All processes below this one that have not ended."""
    return [process for process in psutil.Process().children(recursive=True) if not ended(process.pid)]


def ended(process: int) -> bool:
    """Whether a process is gone, or waits only to be collected."""
    try:
        return bool(psutil.Process(process).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


if __name__ == "__main__":
    sys.exit(main())
