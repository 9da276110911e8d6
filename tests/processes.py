"""Processes that others have started."""

import psutil


def children(pid: int, module: str) -> list[psutil.Process]:
    """The children of a process that run a module, without those that have ended while they were looked at."""
    return [child for child in psutil.Process(pid).children() if runs(child, module)]


def runs(process: psutil.Process, module: str) -> bool:
    """Whether it is there, and runs a module."""
    try:
        return module in process.cmdline()
    except psutil.Error:
        return False
