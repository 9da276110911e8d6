"""Runs programs that nobody has read: without network, without the host's files, within limits, killed as a whole.

docs/code-execution.md says what is cut off and what remains.
"""

import os
import platform
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from evaluators.errors import EvaluationError
from evaluators.sandbox.proof import leaks
from evaluators.sandbox.ways import PYTHON, SCRATCH, Job, Limits, Outcome, Way, run_by

__all__ = ["PYTHON", "SCRATCH", "Limits", "Outcome", "how", "run"]
REMEDY = (
    "install bubblewrap, or allow user namespaces: sysctl user.max_user_namespaces=10000 "
    "kernel.apparmor_restrict_unprivileged_userns=0, in a container --security-opt seccomp=unconfined or --cap-add "
    "SYS_ADMIN"
)


def run(
    command: Sequence[str],
    files: Mapping[str, bytes],
    stdin: bytes,
    limits: Limits,
    private: bytes | None = None,
    visible: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Outcome:
    """Run a command, whose first word is a path, in an empty scratch directory with these files.

    With `private` it finds that under file descriptor 3, to which no file leads, and may write a report to 4. Without
    a command it is programs of Python that are in front of what is private: packed() in evaluators/sandbox/ways.py.
    `visible` are further paths of the host that it may read, `environment` is added to the few variables it has. Many
    threads may call this at once. Raises EvaluationError where this machine has no way to shut a program in.
    """
    return run_by(best(), Job(command, files, stdin, limits, private, visible, environment or {}))


def how() -> str:
    """The way of shutting programs in that is in use; raises EvaluationError where there is none."""
    return best().name


@lru_cache(maxsize=1)
def best() -> Way:
    """The first way that works here and keeps what it promises, which is tried. Raises EvaluationError."""
    return sound(ways(), leaks)


def sound(tried: Sequence[Way], reached: Callable[[Way], list[str]]) -> Way:
    """The first way in which a program reaches nothing that it should not. Raises EvaluationError if there is none."""
    failures = []
    for way in tried:
        try:
            found = reached(way)
        except (EvaluationError, OSError) as error:
            found = [str(error)]
        if not found:
            return way
        failures.append(f"{way.name}: {', '.join(found)}")
    reasons = "; ".join(failures) or f"{platform.system()} has no namespaces"
    raise EvaluationError(f"programs cannot be shut in on this machine ({reasons}); {REMEDY}")


def ways() -> list[Way]:
    """The ways to try, the best one first."""
    if not sys.platform.startswith("linux"):
        return []
    as_root = os.geteuid() == 0
    found = shutil.which("bwrap")
    wrapped = [Way("bubblewrap", not as_root, found)] if found else []
    return [*wrapped, *([Way("namespaces of root", user_namespace=False)] if as_root else []), Way("user namespaces")]
