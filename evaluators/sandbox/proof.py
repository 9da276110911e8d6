"""Proves a sandbox before it is used: a program inside tries what it must not be able to do.

The same file runs inside as that program, and says as `python -c` what it has reached.
"""

import contextlib
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

from evaluators.errors import EvaluationError
from evaluators.sandbox.ways import PYTHON, Job, Limits, Way, paths, run_by

# Each line of what it prints is something it could reach. The last line says that it came so far.
PROGRAM = """
import os, socket, sys
port, marker, home, most, *shown = sys.argv[1:]

def tried(what, act):
    try:
        act()
    except OSError:
        return
    print(what)

def connect(address):
    with socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET) as one:
        one.settimeout(2)
        one.connect(address)

def listed(folder):
    beyond = [name for name in os.listdir(folder)
              if not any((path + "/").startswith(os.path.join(folder, name) + "/") for path in shown)]
    if beyond and folder != os.getcwd():
        print("reads the folder", folder)

tried("reaches the network", lambda: connect(("127.0.0.1", int(port))))
tried("reaches a socket of the host", lambda: connect("\\0" + marker))
tried("reads files of the host", lambda: open(marker).close())
tried("reads /etc/shadow", lambda: open("/etc/shadow").close())
if not any(home == path or home.startswith(path + "/") for path in shown) and home[1:]:
    try:
        listed(home)
    except OSError:
        pass
tried("reaches the first process", lambda: open("/proc/1/mem", "rb").close())
for folder in ("/", "/usr", "/etc", "/var/tmp", *shown):
    tried("writes to " + folder, lambda: open(os.path.join(folder, "written"), "w").close())
if len([name for name in os.listdir("/proc") if name.isdigit()] if os.path.isdir("/proc") else []) > 4:
    print("sees processes of the host")
if os.geteuid() == 0:
    print("is root")
if len(os.environ) > int(most):
    print("sees the environment")
open("kept", "w").close()
os.write(1, b"" if os.getcwd() == "/scratch" else b"has no scratch directory\\n")
print("done", flush=True)
"""


def leaks(way: Way) -> list[str]:
    """What a program can do in a sandbox that it should not, in words; empty is what is wanted."""
    with reachable() as (port, marker):
        shown = [path for path in paths(()) if Path(path).is_dir()]
        home = os.path.expanduser("~")  # noqa: PTH111 - Path raises an error for a user without one
        words = [str(port), marker, home, "6", *shown]
        command = [PYTHON, "-I", "-S", "-c", PROGRAM, *words]
        found = run_by(way, Job(command, limits=Limits(wall_s=20)))
    lines = found.stdout.decode("utf-8", "replace").splitlines()
    if not lines or lines[-1] != "done" or found.why or found.exit_code != 0:
        said = found.stderr.decode("utf-8", "replace").strip().splitlines()
        raise EvaluationError(f"nothing can be run in it: {found.why or (said[-1] if said else 'it said nothing')}")
    return lines[:-1]


@contextlib.contextmanager
def reachable() -> Iterator[tuple[int, str]]:
    """A port, and a file that is the name of a socket too, all of which this process itself does reach."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        port = server.getsockname()[1]
        stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5))
        marker = stack.enter_context(tempfile.NamedTemporaryFile(prefix="perfcore-")).name
        hidden = stack.enter_context(socket.socket(socket.AF_UNIX))
        hidden.bind("\0" + marker)
        hidden.listen()
        yield port, marker
