"""The sandbox: what programs try there ends with them, and reaches nothing."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from evaluators.errors import EvaluationError
from evaluators.sandbox import bounded as sandbox
from evaluators.sandbox import inside as sandbox_inside
from evaluators.sandbox import proof as sandbox_proof
from evaluators.sandbox import ways as sandbox_run
from evaluators.sandbox.bounded import PYTHON, Limits, Outcome

ROOT = Path(__file__).parents[1]
MIB = 1 << 20
SMALL = Limits(wall_s=10, cpu_s=5, memory=256 * MIB, address=512 * MIB, processes=32, scratch=8 * MIB, file=4 * MIB)


def reason() -> str:
    """Why no program can be shut in here, "" if it can."""
    try:
        sandbox.how()
    except EvaluationError as error:
        return str(error)
    return ""


pytestmark = pytest.mark.skipif(bool(reason()), reason=reason())


def python(text: str, limits: Limits = SMALL, stdin: bytes = b"", **files: bytes) -> Outcome:
    return sandbox.run([PYTHON, "-I", "-S", "-c", text], files, stdin, limits)


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """No process is left after a test, and no file of it."""
    before = set(children())
    yield
    until = time.monotonic() + 5
    while left := set(children()) - before:
        assert time.monotonic() < until, left
        time.sleep(0.01)


def children() -> list[str]:
    """Processes that this one has begun, and all below them, wherever they went."""
    found = subprocess.run(["ps", "-eo", "pid=,args="], capture_output=True, text=True, check=True).stdout
    return [line.split()[0] for line in found.splitlines() if "sandbox-test" in line or "marshal,sys" in line]


def test_a_program_has_its_files_its_input_and_an_empty_environment() -> None:
    text = "import os,sys;print(os.getcwd(), open('a/b').read(), sys.stdin.read(), sorted(os.environ))"
    found = sandbox.run([PYTHON, "-I", "-S", "-c", text], {"a/b": b"file"}, b"input", SMALL)
    assert found.stdout == b"/scratch file input ['HOME', 'LANG', 'PATH', 'TMPDIR']\n"
    assert (found.exit_code, found.signal, found.why, found.stderr) == (0, None, "", b"")


@pytest.mark.parametrize(
    ("text", "code", "number"), [("raise SystemExit(7)", 7, None), ("import os;os.abort()", None, 6)]
)
def test_an_end_is_told_as_it_was(text: str, code: int | None, number: int | None) -> None:
    found = python(text)
    assert (found.exit_code, found.signal, found.why) == (code, number, "")


def test_what_is_private_is_in_no_file_and_the_report_comes_back() -> None:
    text = "import os;print(os.listdir('.'));os.write(4, os.read(3, 99)[::-1])"
    found = sandbox.run([PYTHON, "-I", "-S", "-c", text], {}, b"", SMALL, private=b"secret")
    assert (found.stdout, found.report) == (b"[]\n", b"terces")


LIBC = "import ctypes; l = ctypes.CDLL(None)"
ATTACKS: list[tuple[str, str, str, str]] = [
    ("a fork bomb", "import os\nwhile True:\n  try: os.fork()\n  except OSError: pass", "", "timed out|killed"),
    (
        "a bomb of threads",
        "import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(9,)).start()",
        "can't start new thread",
        "timed out",
    ),
    ("an endless loop", "while True: pass", "", "timed out|killed: cpu"),
    ("a sleeper", "import time; time.sleep(99)", "", "timed out"),
    ("10 GB of output", "import os\nfor _ in range(10240): os.write(1, b'x' * 1048576)", "", "killed: output"),
    ("10 GB of errors", "import os\nfor _ in range(10240): os.write(2, b'x' * 1048576)", "", "killed: output"),
    ("100 GB of memory", "x = bytearray(100 << 30)", "MemoryError", "1"),
    (
        "memory of many",
        "import os\nfor _ in range(3): os.fork()\nx = b'x' * (200 << 20)\nwhile True: pass",
        "",
        "killed: memory",
    ),
    ("memory without a name", "import os; os.memfd_create('x')", "OSError", "1"),
    ("shared memory that outlives it", f"{LIBC}; raise SystemExit(l.shmget(0, 1 << 30, 0o1600) + 2)", "", "1"),
    ("a queue of messages", f"{LIBC}; raise SystemExit(l.msgget(0, 0o1600) + 2)", "", "1"),
    ("a full disk", "f = open('x', 'wb')\nfor _ in range(99): f.write(b'x' * 1048576)", "OSError", "1"),
    ("many files", "for n in range(99): open(str(n), 'wb').write(b'x' * 1048576)", "No space left", "1"),
    ("a kill of the parent", "import os; os.kill(os.getppid(), 9); print('alive')", "", "0|1|killed"),
    ("a kill of everything", "import os; os.kill(-1, 9); print('alive')", "", "0|9|1|killed"),
    ("a file in /", "open('/x', 'w')", "Read-only file system", "1"),
    ("a file in /usr", "open('/usr/x', 'w')", "", "1"),
    ("the shadow file", "open('/etc/shadow')", "FileNotFoundError", "1"),
    ("the project", f"open({str(ROOT / 'README.md')!r})", "FileNotFoundError", "1"),
    ("the home directory", f"open({str(Path.home() / '.bashrc')!r})", "FileNotFoundError", "1"),
    ("a link out of the scratch directory", "import os; os.symlink('/etc/shadow', 'l'); open('l')", "", "1"),
    ("its own limits", "import resource as r; r.setrlimit(r.RLIMIT_NPROC, (9999, 9999))", "", "1"),
    (
        "a mount",
        "import ctypes; raise SystemExit(ctypes.CDLL(None).mount(b'a',b'/scratch',b'tmpfs',0,b'')+2)",
        "",
        "1",
    ),
    (
        "a namespace where it is somebody",
        "import ctypes; l=ctypes.CDLL(None); l.unshare(0x10000000); l.unshare(0x20000); raise SystemExit(1)",
        "",
        "1",
    ),
    ("the first process", "open('/proc/1/mem', 'rb')", "Permission denied", "1"),
    ("the first process's files", "import os; os.listdir('/proc/1/fd')", "Permission denied", "1"),
    ("being root", "import os; os.setuid(0)", "Error: [Errno", "1"),
]


@pytest.mark.parametrize(("text", "said", "ends"), [one[1:] for one in ATTACKS], ids=[one[0] for one in ATTACKS])
def test_a_program_gains_nothing_by(text: str, said: str, ends: str) -> None:
    # A busy machine takes its time to get as far as the limit that is meant.
    limits = SMALL._replace(wall_s=3.0, cpu_s=5) if "timed out" in ends else SMALL._replace(wall_s=60.0, cpu_s=60)
    found = python(text, limits)
    assert said in found.stderr.decode()[-2000:]
    assert (found.why or str(found.exit_code if found.signal is None else found.signal)) in ends.split("|")
    assert len(found.stdout) + len(found.stderr) <= 2 * limits.output
    assert found.wall_s < 90


def test_no_network_is_there_not_even_this_machine() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        found = python(f"import socket; socket.create_connection(('127.0.0.1', {server.getsockname()[1]}), 2)")
        assert b"Error: [Errno" in found.stderr
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.parametrize("ending", ["os._exit(0)", "time.sleep(0.2); os._exit(0)"])
def test_what_runs_off_in_the_background_ends_with_the_program(ending: str) -> None:
    text = f"""
import os, time
for _ in range(2):
    if os.fork():
        {ending}
    os.setsid()
os.execv({PYTHON!r}, ["sandbox-test", "-c", "import time\\nwhile True: time.sleep(1)"])
"""
    found = python(text)
    assert (found.exit_code, found.why) == (0, "")


def test_nothing_runs_on_when_the_one_who_started_it_is_killed() -> None:
    text = "from evaluators.sandbox import bounded as s\nprint(s.how(), flush=True)\n"
    text += "s.run(['/bin/sleep', '60'], {}, b'', s.Limits(wall_s=60))"
    with subprocess.Popen([sys.executable, "-c", text], cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        until = time.monotonic() + 5
        while not children() and time.monotonic() < until:
            time.sleep(0.01)
        process.kill()


def test_a_program_may_write_into_the_folders_that_it_is_given() -> None:
    found = sandbox.run(["/bin/sh", "-c", "echo x > a/new && mkdir a/folder"], {"a/b": b""}, b"", SMALL)
    assert (found.exit_code, found.stderr) == (0, b"")


def test_files_are_written_to_memory_and_never_to_the_host(tmp_path: Path) -> None:
    place = tmp_path / "written"
    python(f"import os; os.makedirs({str(tmp_path)!r}, exist_ok=True); open({str(place)!r}, 'w').write('x')")
    assert not place.exists()
    assert not Path(sandbox.SCRATCH).exists()


def test_a_run_costs_little_and_many_run_at_once() -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda n: python(f"print({n})"), range(16)))
    assert [one.stdout for one in found] == [b"%d\n" % n for n in range(16)]


def test_a_sandbox_that_leaks_is_not_used() -> None:
    with pytest.raises(EvaluationError, match=r"reaches the network.*install bubblewrap"):
        sandbox.sound(sandbox.ways(), lambda way: ["reaches the network"])


@pytest.mark.parametrize(
    ("folder", "own"), [("/", False), (str(Path.home()), False), ("/opt", False), ("/opt/go", True)]
)
def test_no_home_directory_is_shown_because_a_program_is_in_it(folder: str, own: bool) -> None:
    assert sandbox_run.is_of_its_own(folder) is own


def test_the_proof_sees_a_file_of_the_host_that_is_shown() -> None:
    found = sandbox_run.run_by(
        sandbox.best(), sandbox_run.Job([PYTHON, "-c", "open('/etc/hosts')"], visible=["/etc/hosts"])
    )
    assert found.exit_code == 0
    assert sandbox_proof.leaks(sandbox.best()) == []


@pytest.mark.skipif(
    os.geteuid() != 0 or not Path("/usr/bin/python3").exists(), reason="needs root, and a python of all"
)
def test_it_works_for_an_ordinary_user_too() -> None:
    run = "print(s.run(['/bin/echo', 'hello'], {}, b'', s.Limits()))"
    leaks = "print([leaks(way) for way in s.ways() if way.bubblewrap])"
    text = "from evaluators.sandbox import bounded as s\nfrom evaluators.sandbox.proof import leaks\nprint(s.how())\n"
    user = ["setpriv", "--reuid=4321", "--regid=4321", "--clear-groups"]
    command = [*user, "/usr/bin/python3", "-B", "-c", f"{text}{run}\n{leaks}"]
    with tempfile.TemporaryDirectory() as place:  # whom the project belongs to may have shut it to others
        Path(place).chmod(0o755)
        shutil.copytree(ROOT / "evaluators", Path(place) / "evaluators")
        env = {"PATH": "/usr/bin:/bin"}
        found = subprocess.run(command, capture_output=True, text=True, cwd=place, env=env, check=False)
    if "cannot be shut in" in found.stderr:
        pytest.skip(found.stderr.strip().splitlines()[-1])
    assert "namespaces" in found.stdout or "bubblewrap" in found.stdout
    assert "hello" in found.stdout
    assert "first process" not in found.stdout, "bubblewrap's own process is there to be written to"


# 434 is pidfd_open on every machine. Linux before 5.3 lacks it, and some containers refuse it.
WITHOUT_PIDFD = """
import os
from evaluators.sandbox import bounded, inside
inside.call("prctl", inside.NO_NEW_PRIVILEGES, 1, 0, 0, 0)
inside.refuse(inside.UNCOUNTED[os.uname().machine][0], (434,))
found = bounded.run([bounded.PYTHON, "-I", "-S", "-c", "print(6 * 7)"], {}, b"", bounded.Limits())
print(found.exit_code, found.stdout.decode())
"""


@pytest.mark.skipif(os.uname().machine not in sandbox_inside.UNCOUNTED, reason="its numbers of calls are not known")
def test_programs_run_on_a_kernel_that_cannot_tell_of_the_end_of_a_process() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_PIDFD], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["0", "42"], done.stderr
