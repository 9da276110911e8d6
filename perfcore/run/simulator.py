"""Starts the built-in simulator as a process of its own, and reads what it logged."""

import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from perfcore.errors import UserError
from perfcore.run.simulation import SimulatorSettings
from perfcore_ext.simserver import TRUTH_FIELDS, TRUTH_KINDS

__all__ = ["TRUTH_KINDS", "RunningSimulator", "SimulatorSettings", "read_truth", "start_simulator"]

STOP_S = 10.0


class RunningSimulator:
    """A simulator's process; a context that stops it at its end."""

    def __init__(self, process: subprocess.Popen[bytes], host: str, port: int) -> None:
        self.process = process
        self.host = host
        self.port = port

    @property
    def url(self) -> str:
        """Address without a path, such as http://127.0.0.1:8000."""
        return f"http://[{self.host}]:{self.port}" if ":" in self.host else f"http://{self.host}:{self.port}"

    @property
    def pid(self) -> int:
        """Its process number."""
        return self.process.pid

    def stop(self) -> None:
        """End it; its truth log is complete afterwards. Does nothing where it has ended."""
        self.process.terminate()
        try:
            self.process.wait(STOP_S)
        except BaseException as error:  # an interrupt too: it must not go on writing its log
            self.process.kill()
            self.process.wait()
            if not isinstance(error, subprocess.TimeoutExpired):
                raise

    def __enter__(self) -> "RunningSimulator":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start_simulator(settings: SimulatorSettings, truth_log: Path | None = None) -> RunningSimulator:
    """A simulator that listens already and ends with the calling thread at the latest; raises UserError."""
    readable, writable = os.pipe()
    arguments = [msgspec.json.encode(settings).decode(), str(truth_log or ""), str(writable), str(os.getpid())]
    with os.fdopen(readable) as ready:
        try:
            process = subprocess.Popen(
                [sys.executable, "-m", "perfcore.run.simulation", *arguments],
                stdin=subprocess.DEVNULL,
                pass_fds=[writable],
            )
        finally:
            os.close(writable)
        try:
            told = ready.readline().strip()
        except BaseException:
            process.kill()
            process.wait()
            raise
    if not told.isdecimal():
        process.wait()
        raise UserError(told or f"the simulator ended with status {process.returncode} before it listened")
    return RunningSimulator(process, settings.host, int(told))


def read_truth(path: Path) -> npt.NDArray[Any]:
    """The records of a truth log: a structured array with the fields of TRUTH_FIELDS, in the order of sending."""
    return np.fromfile(path, dtype=np.dtype(TRUTH_FIELDS))
