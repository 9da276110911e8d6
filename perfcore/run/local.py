"""A model on this machine: starts `transformers serve` or vLLM for it on the loopback interface, waits, and ends it.

The server is a process of its own, in the Python environment that has the package, and is spoken to over HTTP like any
other service. A keeper (perfcore/run/keeper) stands between, so that it is gone when perfcore is.
"""

import contextlib
import dataclasses
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perfcore.errors import UserError
from perfcore.options import StressOptions
from perfcore.run.keeper import BY_SIGNAL
from perfcore.run.local_command import (
    KINDS,
    Kind,
    LocalSettings,
    environment,
    installed,
    placed,
    refuse_no_model,
    refuse_options,
    served_name,
)

HOST = "127.0.0.1"
POLL_S = 0.1
PROGRESS_S = 10.0
END_S = 10.0  # that a server gets to end in order
ENDING_S = END_S + 5.0
SAID_LINES = 20
SAID_BYTES = 4000
SHOWN_CHARACTERS = 120
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
Say = Callable[[str], None]


@dataclass(frozen=True)
class LocalServer:
    """A server that is ready, and the name under which its model is asked for."""

    url: str
    model: str
    facts: dict[str, Any]


def with_local_server(options: StressOptions, stack: contextlib.ExitStack, say: Say) -> StressOptions:
    """The options, with the address of the server of a local model if there is one; that ends with `stack`."""
    settings = local_settings(options)
    if settings is None:
        return options
    server = stack.enter_context(local_server(settings, say))
    return dataclasses.replace(options, url=(server.url,), model=server.model)


def local_settings(options: StressOptions) -> LocalSettings | None:
    """What the options say of a local model, or None. Raises UserError where they contradict each other."""
    if options.local is None:
        for name in ("local_path", "local_python", "local_options"):
            if getattr(options, name):
                raise UserError(f"--{name.replace('_', '-')} is for local models; give --local hf or --local vllm too")
        return None
    if options.url:
        raise UserError("--local starts a server and --url names one that runs; leave one of them out")
    if options.unix_socket is not None:
        raise UserError("--local starts a server on a port and --unix-socket names a socket; leave one of them out")
    if options.local_path is None:
        raise UserError(f"--local {options.local} needs the model: give its folder with --local-path")
    return LocalSettings(
        kind=options.local,
        path=options.local_path,
        python=program(options.local_python),
        model=options.model,
        given={name.replace("-", "_"): value for name, value in options.local_options.items()},
        timeout_s=options.local_timeout_s,
    )


def program(python: Path | None) -> str:
    """Absolute path of an interpreter, which may be a name to look up; its links stay, as an environment is one."""
    return str(Path(sys.executable if python is None else shutil.which(python) or python).absolute())


@contextlib.contextmanager
def local_server(settings: LocalSettings, say: Say) -> Iterator[LocalServer]:
    """A server of the model, ready for requests; it has ended when the context has.

    `say` gets a line now and then while it loads, and the end of its log if it ends by itself. Raises UserError where
    it cannot be started: no such model, a package that is missing, whatever it complains of.
    """
    kind = KINDS[settings.kind]
    refuse_options(kind, settings)
    refuse_no_model(settings)
    versions = installed(kind, settings)
    with tempfile.TemporaryDirectory(prefix="perfcore-local-") as scratch:
        folder, model = placed(settings, Path(scratch))
        port = free_port()
        command = [settings.python, *kind.arguments(settings, model), "--host", HOST, "--port", str(port)]
        log = Path(scratch) / "server.log"
        began = time.monotonic()
        keeper = start(command, environment(settings, versions), folder, log)
        try:
            say(f"Starting {kind.name} with {settings.path}" + in_words(versions))
            wait_until_ready(keeper, port, kind, settings.timeout_s, log, say)
            say(f"{kind.name} is ready after {time.monotonic() - began:.1f} s")
            yield LocalServer(f"http://{HOST}:{port}", served_name(settings, model), {"versions": versions})
            if not healthy(port) and has_ended(keeper):
                say(f"{kind.name} {ending(keeper.returncode)} while it was in use; it said:\n{tail(log)}")
        finally:
            end(keeper)


def start(command: Sequence[str], own: Mapping[str, str], folder: Path, log: Path) -> "subprocess.Popen[bytes]":
    """The keeper of a server whose output goes to `log`; closing its standard input ends both."""
    told = {"command": command, "environment": dict(own), "folder": str(folder), "patience_s": END_S}
    with log.open("ab") as said:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "perfcore.run.keeper"],
            stdin=subprocess.PIPE,
            stdout=said,
            stderr=said,
            bufsize=0,
            start_new_session=True,  # Ctrl-C is ours
        )
    assert keeper.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # it has ended, and has said why
        keeper.stdin.write(json.dumps(told).encode() + b"\n")
    return keeper


def wait_until_ready(
    keeper: "subprocess.Popen[bytes]", port: int, kind: Kind, timeout_s: float, log: Path, say: Say
) -> None:
    """Return when the server says that it is well; raises UserError with its words if it ends or takes too long."""
    began = time.monotonic()
    shown = began
    while not healthy(port):
        now = time.monotonic()
        if keeper.poll() is not None:
            raise UserError(f"{kind.name} {ending(keeper.returncode)} before it was ready; it said:\n{tail(log)}")
        if now - began > timeout_s:
            raise UserError(
                f"{kind.name} was not ready after {timeout_s:g} s; raise --local-timeout if it was still loading. "
                f"It said:\n{tail(log)}"
            )
        if now - shown >= PROGRESS_S:
            shown = now
            say(f"Waiting for {kind.name}, {now - began:.0f} s: {tail(log, 1)[:SHOWN_CHARACTERS]}")
        time.sleep(POLL_S)


def healthy(port: int) -> bool:
    """Whether the server answers GET /health with 200."""
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def has_ended(keeper: "subprocess.Popen[bytes]") -> bool:
    """Whether the server ended by itself; its keeper takes a moment to clear up after it."""
    try:
        keeper.wait(ENDING_S)
    except subprocess.TimeoutExpired:
        return False
    return True


def end(keeper: "subprocess.Popen[bytes]") -> None:
    """Have the keeper end the server and itself; kills it, and so the server, if that takes too long."""
    assert keeper.stdin is not None
    keeper.stdin.close()
    try:
        keeper.wait(ENDING_S)
    except subprocess.TimeoutExpired:
        keeper.kill()
        keeper.wait()


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.create_server((HOST, 0)) as listening:
        return int(listening.getsockname()[1])


def ending(status: int) -> str:
    """How a process ended, in words."""
    if status <= BY_SIGNAL:
        return f"ended with status {status}"
    hint = ", perhaps for want of memory" if status == BY_SIGNAL + 9 else ""
    return f"was killed by signal {status - BY_SIGNAL}{hint}"


def tail(log: Path, lines: int = SAID_LINES) -> str:
    """The last lines that a server wrote; of a line that it rewrote in place, the last state."""
    with log.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - SAID_BYTES))
        text = ESCAPE.sub("", file.read().decode(errors="replace"))
    kept = [line.rstrip().rpartition("\r")[2] for line in text.split("\n")]
    return "\n".join([line for line in kept if line.strip()][-lines:])


def in_words(versions: Mapping[str, str]) -> str:
    words = ", ".join(f"{name} {version}" for name, version in versions.items())
    return f" ({words})" if words else ""
