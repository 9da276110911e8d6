"""Versions of what takes part in a measurement."""

import importlib.metadata
import platform

import pycurl


def versions() -> dict[str, str]:
    """Versions of perfcore, libcurl, its TLS library and Python by name."""
    info = pycurl.version_info()
    try:
        own = importlib.metadata.version("perfcore")
    except importlib.metadata.PackageNotFoundError:
        own = "not installed"
    return {"perfcore": own, "libcurl": info[1], "TLS": info[5] or "none", "Python": platform.python_version()}
