"""One run of a program in a sandbox: its processes and pipes, from outside."""

import contextlib
import io
import marshal
import os
import platform
import resource
import selectors
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from evaluators.errors import EvaluationError
from evaluators.sandbox import inside as sandbox_inside

SCRATCH = sandbox_inside.SCRATCH
# What is executable is below these, and on a usual machine everybody may read it. Nothing else of /etc is shown.
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc/alternatives", "/etc/ld.so.cache")
LINKS = {
    "/tmp": SCRATCH,
    "/dev/shm": SCRATCH,
    "/dev/fd": "/proc/self/fd",
    "/dev/stdin": "/proc/self/fd/0",
    "/dev/stdout": "/proc/self/fd/1",
    "/dev/stderr": "/proc/self/fd/2",
}
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": SCRATCH, "TMPDIR": SCRATCH, "LANG": "C.UTF-8"}
PYTHON = os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)
BOOT = "import marshal,sys;f=open(int(sys.argv.pop(1)),'rb');c=f.read();f.close();exec(marshal.loads(c))"
CHUNK = 1 << 16
GRACE_S = 10.0  # for the kernel to end what was stopped
COUNTED_APART = (5, 14)  # since this kernel RLIMIT_NPROC is counted for each user namespace by itself
MIB = 1 << 20


class Limits(NamedTuple):
    """What a program may use. Sizes are bytes; `memory` is of all its processes, `address` of each (None: no limit)."""

    wall_s: float = 10.0
    cpu_s: int = 10
    memory: int = 1024 * MIB
    address: int | None = 2048 * MIB
    processes: int = 64
    file: int = 64 * MIB
    scratch: int = 128 * MIB
    output: int = 4 * MIB
    report: int = 64 * MIB


class Outcome(NamedTuple):
    """How a program ended. Its texts are cut at the limit of output.

    `why` is "" where it ended by itself, else "timed out", "killed: memory", "killed: processes", "killed: output",
    "killed: cpu" or "killed". `report` is what it wrote to file descriptor 4, if it was given something private.
    """

    exit_code: int | None
    signal: int | None
    stdout: bytes
    stderr: bytes
    wall_s: float
    why: str = ""
    report: bytes = b""


class Way(NamedTuple):
    """One way of shutting a program in."""

    name: str
    user_namespace: bool = True
    bubblewrap: str = ""  # its path


class Job(NamedTuple):
    """What is run. No command stands for programs at the beginning of `private`: see packed()."""

    command: Sequence[str]
    files: Mapping[str, bytes] = {}
    stdin: bytes = b""
    limits: Limits = Limits()
    private: bytes | None = None
    visible: Sequence[str] = ()
    environment: Mapping[str, str] = {}


def run_by(way: Way, job: Job) -> Outcome:
    """Run it. Raises EvaluationError where this way does not work on this machine."""
    shown = paths(job.visible)
    with contextlib.ExitStack() as stack:
        program = held(stack, code_of(sandbox_inside.__file__))
        spec = held(stack, marshal.dumps(spec_of(way, job, shown)))
        status, control = pipe(stack), pipe(stack)
        passed = [spec, status[1].fileno(), control[0].fileno()]
        answer = None
        if job.private is not None:
            answer = pipe(stack)
            passed += [held(stack, job.private), answer[1].fileno()]
        process = subprocess.Popen(
            [*wrapping(way, shown, job.limits), PYTHON, "-I", "-S", "-c", BOOT, *map(str, [program, *passed])],
            stdin=held(stack, job.stdin),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={},
            cwd="/",
            pass_fds=[program, *passed],
            start_new_session=True,
        )
        for end in (status[1], control[0], *([answer[1]] if answer else [])):
            end.close()
        with process:
            return watched(process, status[0], control[1], answer[0] if answer else None, job.limits)


def spec_of(way: Way, job: Job, shown: Sequence[str]) -> dict[str, Any]:
    """What the process inside has to know."""
    return {
        "namespaces": not way.bubblewrap,
        "user_namespace": way.user_namespace,
        "root": mount_point(shown),
        "visible": list(shown),
        "links": linked(shown),
        "files": dict(job.files),
        "command": list(job.command),
        "environment": ENVIRONMENT | dict(job.environment),
        "seconds": job.limits.wall_s + GRACE_S,
        "scratch": job.limits.scratch,
        "memory": job.limits.memory,
        "processes": job.limits.processes,
        "rlimits": rlimits(way, job.limits),
    }


def rlimits(way: Way, limits: Limits) -> dict[str, tuple[int, int]]:
    """Limits of each process. On old kernels processes outside count too, so that only the watching limits them."""
    apart = not way.user_namespace or kernel() >= COUNTED_APART
    processes = limits.processes + (0 if apart else 8192)
    found = {
        "RLIMIT_CPU": (limits.cpu_s, limits.cpu_s + 1),
        "RLIMIT_FSIZE": (limits.file, limits.file),
        "RLIMIT_NPROC": (processes, processes),
        "RLIMIT_NOFILE": (256, 256),
        "RLIMIT_STACK": (64 * MIB, 64 * MIB),
        "RLIMIT_MEMLOCK": (0, 0),
        "RLIMIT_MSGQUEUE": (0, 0),
        "RLIMIT_CORE": (0, 0),
    }
    if limits.address is not None:
        found["RLIMIT_AS"] = (limits.address, limits.address)
    return {name: capped(name, values) for name, values in found.items()}


def capped(name: str, values: tuple[int, int]) -> tuple[int, int]:
    """No more than this process may have itself."""
    most = resource.getrlimit(getattr(resource, name))[1]
    return values if most == resource.RLIM_INFINITY else (min(values[0], most), min(values[1], most))


def kernel() -> tuple[int, ...]:
    parts = platform.release().split("-")[0].split(".")
    return tuple(int(part) for part in parts[:2] if part.isdecimal())


def paths(further: Sequence[str]) -> list[str]:
    """Folders and files of the host that are shown, none below another."""
    wanted = [os.path.realpath(path) for path in (*python_itself(), *further)]
    found = [path for path in (*SYSTEM, *wanted) if Path(path).exists() and not Path(path).is_symlink()]
    return [one for one in dict.fromkeys(found) if not any(one.startswith(f"{other}/") for other in found)]


def python_itself() -> list[str]:
    """What Python needs: the folder in which it is installed, unless there is more in that."""
    if is_of_its_own(sys.base_prefix):
        return [sys.base_prefix, PYTHON]
    libraries = [str(path) for path in Path(PYTHON).parents[1].glob("lib/libpython*")]
    return [PYTHON, sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), *libraries]


def is_of_its_own(folder: str) -> bool:
    """Whether a folder has nothing but a program in it: not a home directory, nor what is above one."""
    place, home = os.path.realpath(folder), os.path.realpath(os.path.expanduser("~"))  # noqa: PTH111
    return place != "/" and not f"{home}/".startswith(f"{place}/") and place not in ("/opt", "/home", "/var", "/srv")


@lru_cache(maxsize=1)
def links() -> dict[str, str]:
    """Folders of the system that are links: /bin is usr/bin on most machines."""
    return {path: str(Path(path).readlink()) for path in SYSTEM if Path(path).is_symlink()}


def linked(shown: Sequence[str]) -> dict[str, str]:
    """All links, but for those in whose place there has to be a folder with something that is shown."""
    return {
        name: to for name, to in (LINKS | links()).items() if not any(path.startswith(f"{name}/") for path in shown)
    }


def mount_point(shown: Sequence[str]) -> str:
    """A folder over which the new root can be mounted: nothing that is shown is below it."""
    places = ("/mnt", "/media", "/srv", "/opt", "/tmp", "/var", "/run", "/home")
    for place in places:
        if Path(place).is_dir() and not any(f"{path}/".startswith(f"{place}/") for path in shown):
            return os.path.realpath(place)
    raise EvaluationError(f"the sandbox finds none of the folders {', '.join(places)}; make one, such as mkdir /mnt")


def wrapping(way: Way, shown: Sequence[str], limits: Limits) -> list[str]:
    """The words of bubblewrap before a command; none where the process inside makes the namespaces."""
    if not way.bubblewrap:
        return []
    # Without --as-pid-1 the first process is bubblewrap's own, whose memory everything of the same user may write to.
    words = [way.bubblewrap, "--die-with-parent", "--as-pid-1"]
    words += ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"]
    rights = ["--cap-drop", "ALL"]
    if os.geteuid() == 0:
        user = [*rights, "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--cap-add", "CAP_KILL"]
    else:
        inside = str(sandbox_inside.INSIDE)
        user = [*rights, "--unshare-user", "--disable-userns", "--uid", inside, "--gid", inside]
    above = sorted({"/dev", *(str(folder) for path in shown for folder in Path(path).parents)} - {"/"})
    folders = [word for folder in above for word in ("--perms", "0755", "--dir", folder)]
    binds = [*folders, *(word for path in shown for word in ("--ro-bind", path, path))]
    devices = [word for name in sandbox_inside.DEVICES for word in ("--dev-bind", f"/dev/{name}", f"/dev/{name}")]
    ties = [word for name, to in linked(shown).items() for word in ("--symlink", to, name)]
    scratch = ["--perms", "0777", "--size", str(limits.scratch), "--tmpfs", SCRATCH]
    return [*words, *user, *binds, *devices, *ties, "--proc", "/proc", *scratch, "--remount-ro", "/", "--chdir",
            SCRATCH, "--"]  # fmt: skip


def packed(files: Sequence[str], data: bytes) -> bytes:
    """Programs of Python that are run in one namespace, one after the other, and behind them what they read."""
    programs = marshal.dumps([marshal.loads(code_of(file)) for file in files])
    return b"%08x" % len(programs) + programs + data


@lru_cache
def code_of(file: str) -> bytes:
    """A program, compiled: that costs a new process less than its text."""
    path = Path(file)
    return marshal.dumps(compile(path.read_text("utf-8"), path.name, "exec"))


def held(stack: contextlib.ExitStack, content: bytes) -> int:
    """A file in memory, open at its beginning, until the stack ends."""
    file = stack.enter_context(io.FileIO(os.memfd_create("sandbox", os.MFD_CLOEXEC), "r+"))
    view = memoryview(content)
    while view:
        view = view[file.write(view) :]
    file.seek(0)
    return file.fileno()


def pipe(stack: contextlib.ExitStack) -> tuple[io.FileIO, io.FileIO]:
    """Both ends of a pipe, until the stack ends."""
    read, write = os.pipe()
    return stack.enter_context(io.FileIO(read, "r")), stack.enter_context(io.FileIO(write, "w"))


def watched(
    process: "subprocess.Popen[bytes]", status: io.FileIO, control: io.FileIO, answer: io.FileIO | None, limits: Limits
) -> Outcome:
    """Read all that is said until the end, and stop what takes too long or says too much."""
    assert process.stdout is not None
    assert process.stderr is not None
    started = time.monotonic()
    named = {"stdout": process.stdout.fileno(), "stderr": process.stderr.fileno(), "status": status.fileno()}
    if answer is not None:
        named["report"] = answer.fileno()
    said: dict[str, bytearray] = {name: bytearray() for name in ("stdout", "stderr", "status", "report")}
    most = {"stdout": limits.output, "stderr": limits.output, "status": CHUNK, "report": limits.report}
    stopped = ""
    deadline = started + limits.wall_s
    with selectors.DefaultSelector() as selector:
        for name, fd in named.items():
            selector.register(fd, selectors.EVENT_READ, name)
        while selector.get_map():
            left = deadline - time.monotonic()
            if left <= 0:
                if stopped:
                    break
                stopped, deadline = stop(control, "timed out")
                continue
            for key, _ in selector.select(left):
                chunk = os.read(key.fd, CHUNK)
                if not chunk:
                    selector.unregister(key.fd)
                text = said[key.data]
                text += chunk[: most[key.data] - len(text)]
                if len(chunk) > 0 and len(text) >= most[key.data] and not stopped:
                    stopped, deadline = stop(control, "killed: output")
    end(process, max(deadline - time.monotonic(), 0.1))
    return outcome(said, stopped, time.monotonic() - started)


def stop(control: io.FileIO, why: str) -> tuple[str, float]:
    """Ask the process inside to end everything; why, and until when that should be done."""
    with contextlib.suppress(BrokenPipeError):
        control.write(b"x")
    return why, time.monotonic() + GRACE_S


def end(process: "subprocess.Popen[bytes]", patience_s: float) -> None:
    """Wait until it has ended; one that does not is killed, and everything inside with it."""
    try:
        process.wait(patience_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def outcome(said: Mapping[str, bytearray], stopped: str, wall_s: float) -> Outcome:
    """What became of it; raises EvaluationError where the sandbox itself failed."""
    status = marshal.loads(bytes(said["status"])) if said["status"] else {}
    if "error" in status:
        raise EvaluationError(f"the sandbox could not be set up: {status['error']}")
    if not status and not stopped:
        words = bytes(said["stderr"]).decode("utf-8", "replace").strip()
        if words.startswith("bwrap:"):
            raise EvaluationError(f"the sandbox could not be set up: {words}")
    code, why = status.get("code"), status.get("why", "killed")
    number = -code if code is not None and code < 0 else None
    if number == signal.SIGXCPU:
        why = "killed: cpu"
    elif why in ("memory", "processes"):
        why = f"killed: {why}"
    return Outcome(
        exit_code=code if number is None else None,
        signal=number,
        stdout=bytes(said["stdout"]),
        stderr=bytes(said["stderr"]),
        wall_s=status.get("seconds", wall_s),
        why=stopped or why,
        report=bytes(said["report"]),
    )
