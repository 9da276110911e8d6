"""The GPUs of this machine, asked through NVIDIA's management library, as Prometheus text.

The text goes the way of every other one that is scraped, so that there is one record of what the servers' machines did.
Needs the package nvidia-ml-py (`pip install 'perfcore[gpu]'`) and NVIDIA's driver.
"""

import contextlib
import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

URL = "nvml://localhost"  # under which the values are kept
LIBRARY = "pynvml"
NO_LIBRARY = "the package nvidia-ml-py is not installed; pip install 'perfcore[gpu]'"


class NoGpuError(Exception):
    """Says in a sentence why there is nothing to read."""


@dataclass(frozen=True)
class Gpus:
    """The library, and of each device its handle and its labels."""

    nvml: Any
    devices: list[tuple[Any, str]]


def find_gpus(nvml: Any = None) -> Gpus:
    """All devices that the driver lists. Raises NoGpuError. `nvml` is the library where it is loaded already."""
    nvml = nvml or load()
    try:
        nvml.nvmlInit()
        handles = [nvml.nvmlDeviceGetHandleByIndex(number) for number in range(nvml.nvmlDeviceGetCount())]
        devices = [(handle, labels(nvml, number, handle)) for number, handle in enumerate(handles)]
    except nvml.NVMLError as error:
        raise NoGpuError(f"NVIDIA's management library says: {error}; is the driver installed here?") from None
    if not devices:
        raise NoGpuError("the driver lists no GPU here")
    return Gpus(nvml, devices)


def load() -> Any:
    try:
        return importlib.import_module(LIBRARY)
    except ImportError:
        raise NoGpuError(NO_LIBRARY) from None


def labels(nvml: Any, number: int, handle: Any) -> str:
    """Labels of a device; nothing in its names needs escaping."""
    name, uuid = (plain(read(handle)) for read in (nvml.nvmlDeviceGetName, nvml.nvmlDeviceGetUUID))
    return f'gpu="{number}",name="{name}",uuid="{uuid}"'


def plain(told: str | bytes) -> str:
    """Older versions of the library answer in bytes."""
    text = told.decode(errors="replace") if isinstance(told, bytes) else told
    return text.replace('"', "'").replace("\\", "/")


def text(gpus: Gpus) -> str:
    """Values of all devices now; what one of them does not tell is left out."""
    return "".join(line + "\n" for handle, named in gpus.devices for line in lines(gpus.nvml, handle, named))


def lines(nvml: Any, handle: Any, named: str) -> Iterator[str]:
    readings: dict[str, Callable[[], float]] = {
        "perfcore_gpu_power_watts": lambda: nvml.nvmlDeviceGetPowerUsage(handle) / 1e3,
        "perfcore_gpu_energy_joules_total": lambda: nvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1e3,
        "perfcore_gpu_utilization": lambda: nvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100,
        "perfcore_gpu_memory_used_bytes": lambda: nvml.nvmlDeviceGetMemoryInfo(handle).used,
    }
    for name, reading in readings.items():
        with contextlib.suppress(nvml.NVMLError):  # an older device, or a virtual one
            yield f"{name}{{{named}}} {float(reading())!r}"
