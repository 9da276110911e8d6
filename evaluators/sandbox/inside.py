"""What a sandbox's own process does: it shuts itself in, runs one command, and says how that ended.

It runs as a program, `python -I -S`, and imports as little as it can: each import is paid by each answer. Order counts
here. Rights over the host are given up first, then the namespaces are made, then the only files that exist are mounted.
The first process of the new process namespace stays outside the command's reach, and when it ends the kernel kills
everything in that namespace, whoever its parents are.
"""

from __future__ import annotations

import ctypes
import errno
import marshal
import os
import resource
import select
import struct
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

NEW_NAMESPACES = (
    0x00020000 | 0x20000000 | 0x40000000 | 0x08000000 | 0x04000000
)  # mounts, processes, net, ipc, host name
NEW_USER = 0x10000000
READ_ONLY, NO_SUID, NO_DEV, NO_EXEC, REMOUNT, BIND, RECURSIVE = 1, 2, 4, 8, 32, 4096, 16384
PRIVATE = 1 << 18
KEPT = {"nosuid": NO_SUID, "nodev": NO_DEV, "noexec": NO_EXEC, "noatime": 1024, "nodiratime": 2048, "relatime": 1 << 21}
SET_DEATH_SIGNAL, SET_DUMPABLE, SET_FILTER, NO_NEW_PRIVILEGES, KILL, DETACH = 1, 4, 22, 38, 9, 2
DEVICES = ("null", "zero", "full", "random", "urandom")
SCRATCH = "/scratch"
# On the host, where the sandbox is started by root: a user that nobody else is, else nobody.
UNPRIVILEGED = (0x40000000 | int.from_bytes(os.urandom(3), "little"), 65534)
INSIDE = 1000
TICK_MS = 25
CAPABILITIES = 0x20080522  # version of the structure
# By machine: its number for the kernel, and its calls for memory that belongs to no process and no file system, so that
# no limit counts it: shmget, msgget, semget, memfd_create, memfd_secret.
UNCOUNTED = {
    "x86_64": (0xC000003E, (29, 68, 64, 319, 447)),
    "aarch64": (0xC00000B7, (194, 186, 190, 279, 447)),
}
OTHER_FORM = 0x40000000  # calls from here on are x86_64's in a second form, and none elsewhere
LOAD, SAME, AT_LEAST, END = 0x20, 0x15, 0x35, 0x06  # instructions of a filter of system calls
ALLOWED, NOT_THERE = 0x7FFF0000, 0x00050000 | errno.ENOSYS
PAGE = resource.getpagesize()
libc = ctypes.CDLL(None, use_errno=True)


def call(name: str, *args: Any) -> None:
    """A function of libc; raises OSError that names it."""
    if getattr(libc, name)(*args) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{name}{args[:2]!r}: {os.strerror(error)}")


def mount(source: str, target: str, kind: str | None, flags: int, data: str = "") -> None:
    call("mount", source.encode(), target.encode(), kind and kind.encode(), ctypes.c_ulong(flags), data.encode())


def write(path: str, text: str) -> None:
    with open(path, "w") as file:  # noqa: PTH123 - pathlib would take longer to import than all the rest
        file.write(text)


def enter(user_namespace: bool) -> None:
    """Give up what rights there are over the host, and go into namespaces of one's own."""
    if user_namespace and os.geteuid() == 0:
        become_unprivileged()
        call("prctl", SET_DUMPABLE, 1, 0, 0, 0)  # else the maps below belong to root
    user, group = os.geteuid(), os.getegid()
    call("unshare", NEW_NAMESPACES | (NEW_USER if user_namespace else 0))
    if user_namespace:
        write("/proc/self/setgroups", "deny")
        write("/proc/self/uid_map", f"{INSIDE} {user} 1")
        write("/proc/self/gid_map", f"{INSIDE} {group} 1")


def become_unprivileged() -> None:
    """Give up being root, for a user of this run alone: limits of processes are counted by user."""
    with_groups = os.getgroups()
    if with_groups:
        os.setgroups([])
    for user in UNPRIVILEGED:
        try:
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
        except OSError:  # this container has not that many users
            continue
        return
    raise OSError("root cannot become another user here")


def build(spec: dict[str, Any]) -> None:
    """A file system of the paths that are allowed and nothing else, read-only but for the scratch directory."""
    root = spec["root"]
    before = {fields[0] for fields in mounts()}
    mount("none", "/", None, RECURSIVE | PRIVATE)
    mount("tmpfs", root, "tmpfs", NO_SUID | NO_DEV, "size=4m,mode=755")
    for source in spec["visible"]:
        show(source, root + source)
    for name, to in spec["links"].items():
        os.makedirs(os.path.dirname(root + name), exist_ok=True)  # noqa: PTH103, PTH120
        os.symlink(to, root + name)  # noqa: PTH211
    for name in DEVICES:
        show(f"/dev/{name}", f"{root}/dev/{name}")
    lock([fields for fields in mounts() if fields[0] not in before], root)
    os.makedirs(root + SCRATCH)  # noqa: PTH103
    mount("tmpfs", root + SCRATCH, "tmpfs", NO_SUID | NO_DEV, f"size={spec['scratch']},nr_inodes=16384,mode=777")
    processes(root + "/proc", spec["user_namespace"])
    mount("none", root, None, REMOUNT | BIND | READ_ONLY | NO_SUID | NO_DEV)
    os.chdir(root)
    call("pivot_root", b".", b".")
    call("umount2", b".", DETACH)
    os.chdir(SCRATCH)


def show(source: str, target: str) -> None:
    """Let a path of the host be seen."""
    if os.path.isdir(source):  # noqa: PTH112
        os.makedirs(target, exist_ok=True)  # noqa: PTH103
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)  # noqa: PTH103, PTH120
        os.close(os.open(target, os.O_CREAT, 0o644))
    mount(source, target, None, BIND | RECURSIVE)


def mounts() -> list[list[str]]:
    """Fields of each mount: number, that of its parent, device, root, place, options and more."""
    with open("/proc/self/mountinfo") as file:  # noqa: PTH123
        return [line.split() for line in file]


def lock(made: list[list[str]], root: str) -> None:
    """Make read-only what has been mounted below the new root; flags that the host has set have to stay."""
    for fields in made:
        path = fields[4].encode().decode("unicode_escape")
        if path != root and not path.startswith(root + "/dev/"):
            kept = sum(KEPT.get(option, 0) for option in fields[5].split(",") if option not in ("nosuid", "nodev"))
            mount("none", path, None, REMOUNT | BIND | READ_ONLY | NO_SUID | NO_DEV | kept)


def processes(place: str, user_namespace: bool) -> None:
    """Show the processes of this namespace; where a container forbids that, there is no /proc at all."""
    os.makedirs(place)  # noqa: PTH103
    try:
        mount("proc", place, "proc", NO_SUID | NO_DEV | NO_EXEC)
    except OSError:
        return
    if user_namespace:  # of this namespace alone: the command needs none within it
        write(place + "/sys/user/max_user_namespaces", "0")


def put(files: dict[str, bytes]) -> None:
    """Write files, by their names, into the scratch directory."""
    for name, content in files.items():
        if "/" in name:
            os.makedirs(os.path.dirname(name), exist_ok=True)  # noqa: PTH103, PTH120
        with open(os.open(name, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o666), "wb") as file:  # noqa: PTH123
            file.write(content)


def become(spec: dict[str, Any], kept: list[int], closed: list[int]) -> None:
    """Turn into the command: file descriptors 0, 1, 2, then those kept as 3 and on, limits, no right to gain rights."""
    os.setsid()
    moved = max([9, *kept, *closed]) + 1
    for at, fd in enumerate(kept):
        os.dup2(fd, moved + at, inheritable=False)
    for fd in {*kept, *closed}:
        os.close(fd)
    for at in range(len(kept)):
        os.dup2(moved + at, 3 + at, inheritable=True)
        os.close(moved + at)
    for name, (soft, hard) in spec["rlimits"].items():
        resource.setrlimit(getattr(resource, name), (soft, hard))
    if os.geteuid() == 0:
        become_unprivileged()
    call("capset", (ctypes.c_uint32 * 2)(CAPABILITIES, 0), (ctypes.c_uint32 * 6)())
    call("prctl", NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    refuse_uncounted_memory()
    command = spec["command"]
    if not command:
        run_here(spec["environment"])
    try:
        os.execve(command[0], command, spec["environment"])
    except OSError as error:
        os.write(2, f"cannot run {command[0]}: {error.strerror}\n".encode())
        os._exit(127)


def refuse_uncounted_memory() -> None:
    """Let calls for memory that no limit counts fail as on a kernel without them; on other machines they are there."""
    number, calls = UNCOUNTED.get(os.uname().machine, (0, ()))
    if calls:
        refuse(number, calls)


def refuse(number: int, calls: tuple[int, ...]) -> None:
    """Let these system calls of a machine fail with ENOSYS, in this process and in all that it begins."""
    jumps = [(SAME, len(calls) - at, 0, one) for at, one in enumerate(calls)]
    steps = [(LOAD, 0, 0, 4), (SAME, 0, len(calls) + 3, number), (LOAD, 0, 0, 0)]
    steps += [(AT_LEAST, len(calls) + 1, 0, OTHER_FORM), *jumps, (END, 0, 0, ALLOWED), (END, 0, 0, NOT_THERE)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(steps), ctypes.addressof(code)))
    try:
        call("prctl", SET_FILTER, 2, program, 0, 0)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a kernel that is built without filters
            raise


def run_here(environment: dict[str, str]) -> None:
    """Run the programs at the beginning of what is private in this process, which saves starting another Python."""
    os.environ.clear()
    os.environ.update(environment)
    space: dict[str, Any] = {"__name__": "__main__", "__builtins__": __builtins__}
    for program in marshal.loads(os.read(3, int(os.read(3, 8), 16))):
        exec(program, space)
    os._exit(0)


def supervise(child: int, control: int, spec: dict[str, Any]) -> tuple[int | None, str]:
    """Status of the command, and why it was stopped: "" if it ended by itself.

    A byte from the caller stops it, and so does the caller's end; should that not be seen, the time does.
    """
    until = time.monotonic() + spec["seconds"]
    waiting = select.poll()
    waiting.register(control)
    ended = watch(child)
    if ended >= 0:
        waiting.register(ended, select.POLLIN)
    while True:
        called = any(fd == control for fd, _ in waiting.poll(TICK_MS if ended >= 0 else 2))
        if called or time.monotonic() > until:
            return None, "stopped"
        status = reaped(child)
        if status is not None:
            return status, ""
        if why := over(spec["memory"], spec["processes"]):
            return None, why


def watch(child: int) -> int:
    """A file descriptor that tells of a process's end; -1 where Python, the kernel or a container has none."""
    try:
        return os.pidfd_open(child)
    except (AttributeError, OSError):
        return -1


def reaped(child: int) -> int | None:
    """Status of the command if it has ended; whatever else was left to this process is reaped too."""
    try:
        while True:
            found, status = os.waitpid(-1, os.WNOHANG)
            if found == child:
                return os.waitstatus_to_exitcode(status)
            if not found:
                return None
    except ChildProcessError:
        return None


def over(memory: int, most: int) -> str:
    """Which limit all processes together have passed, or "". Where /proc is not to be had only rlimits count."""
    try:
        names = [name for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208
    except FileNotFoundError:
        return ""
    if len(names) > most + 3:
        return "processes"
    own = str(os.getpid())
    others = [name for name in names if name not in ("1", own)]
    if total(others, resident) > memory and total(others, proportional) > memory:
        return "memory"
    return ""


def total(names: list[str], measure: Callable[[str], int]) -> int:
    found = 0
    for name in names:
        try:
            found += measure(name)
        except (OSError, ValueError, IndexError):  # noqa: PERF203 - it has ended meanwhile
            continue
    return found


def resident(name: str) -> int:
    with open(f"/proc/{name}/statm") as file:  # noqa: PTH123
        return int(file.read().split()[1]) * PAGE


def proportional(name: str) -> int:
    """Bytes of a process, of shared pages its share alone: forked processes have most in common."""
    try:
        with open(f"/proc/{name}/smaps_rollup") as file:  # noqa: PTH123
            return sum(int(line.split()[1]) * 1024 for line in file if line.startswith("Pss:"))
    except PermissionError:
        return resident(name)


def supervised(spec: dict[str, Any], status: int, control: int, kept: list[int]) -> None:
    """Run the command below this process, and say how it ended."""
    os.umask(0o077 if spec["user_namespace"] else 0)  # root's command is another user, for whom its folders are too
    put(spec["files"])
    call("prctl", SET_DUMPABLE, 0, 0, 0, 0)
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        guarded(lambda: become(spec, kept, [status, control]), 2)
    for fd in kept:
        os.close(fd)
    code, why = supervise(child, control, spec)
    report(status, {"code": code, "why": why, "seconds": time.monotonic() - started})


def report(status: int, said: dict[str, Any]) -> None:
    os.write(status, marshal.dumps(said))


def first(spec: dict[str, Any], status: int, control: int, kept: list[int]) -> None:
    """The first process of the namespace, which ends together with the one that started it."""
    call("prctl", SET_DEATH_SIGNAL, KILL, 0, 0, 0)
    build(spec)
    supervised(spec, status, control, kept)


def guarded(act: Callable[[], None], status: int) -> None:
    """Do it and end; what goes wrong is told to the caller, or as words where that cannot be reached any more."""
    try:
        act()
    except BaseException as error:
        words = f"{type(error).__name__}: {error}"
        if status == 2:
            os.write(2, words.encode("utf-8", "replace"))
            os._exit(1)
        report(status, {"error": words})
    os._exit(0)


def main() -> None:
    own, status, control, *kept = map(int, sys.argv[1:])
    for fd in (status, control, *kept):
        os.set_inheritable(fd, False)
    with open(own, "rb") as file:  # noqa: PTH123
        spec = marshal.loads(file.read())
    if not spec["namespaces"]:  # bubblewrap has made them
        guarded(lambda: supervised(spec, status, control, kept), status)
    try:
        enter(spec["user_namespace"])
        child = os.fork()
    except OSError as error:
        report(status, {"error": str(error)})
        return
    if child == 0:
        guarded(lambda: first(spec, status, control, kept), status)
    os.waitpid(child, 0)
    os._exit(0)


if __name__ == "__main__":
    main()
