"""Processes that do not outlive the test: servers, and perfcore itself."""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

PR_SET_PDEATHSIG = 1
END_TIMEOUT_S = 10.0
POLL_S = 0.1
LIBC = ctypes.CDLL(None)


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@contextlib.contextmanager
def serving(
    command: Sequence[str], health_url: str, log: Path, timeout_s: float, environment: Mapping[str, str] | None = None
) -> Iterator[None]:
    """A server that answers `health_url` with 200; what it says goes to `log`. Fails the test if it does not start."""
    with log.open("wb") as said:
        process = start(command, said.fileno(), environment or {})
    try:
        wait_until_ready(process, health_url, log, timeout_s)
        yield
    finally:
        end(process)


def start(command: Sequence[str], output: int, environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    """A process in a group of its own, which dies with this one even if that is killed."""
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env={**os.environ, **environment},
        start_new_session=True,
        preexec_fn=lambda: LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL),
    )


def wait_until_ready(process: "subprocess.Popen[bytes]", url: str, log: Path, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not answers(url):
        if process.poll() is not None or time.monotonic() > deadline:
            state = "is not ready" if process.returncode is None else f"ended with {process.returncode}"
            said = log.read_text(errors="replace")[-3000:]
            pytest.fail(f"the server {state} after {timeout_s:.0f} s at most; it said:\n{said}", pytrace=False)
        time.sleep(POLL_S)


def answers(url: str) -> bool:
    """Whether a GET is answered with 200."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
    except urllib.error.HTTPError as error:
        error.close()
        return False
    except OSError:
        return False


def end(process: "subprocess.Popen[bytes]") -> None:
    """Terminate the group, kill it if it does not end, and collect the process."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(END_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        pass
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
