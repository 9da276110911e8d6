"""Versions of what takes part in a measurement."""

import importlib.metadata
import platform

import pycurl

# What evaluators find and compare answers with: another version may read an answer in another way.
SCORING = (
    *("emoji", "jieba", "langdetect", "math-verify", "nltk", "numpy", "rapidfuzz", "regex", "rouge-score"),
    *("sacrebleu", "syllapy", "sympy"),
)


def versions() -> dict[str, str]:
    """Versions of perfcore, libcurl, its TLS library and Python by name."""
    info = pycurl.version_info()
    python = platform.python_version()
    return {"perfcore": installed("perfcore"), "libcurl": info[1], "TLS": info[5] or "none", "Python": python}


def scoring_versions() -> dict[str, str]:
    """Versions of perfcore, Python and the libraries that scores come from by name."""
    own = {"perfcore": installed("perfcore"), "Python": platform.python_version()}
    return own | {name: installed(name) for name in SCORING}


def installed(name: str) -> str:
    """Version of a distribution, or that there is none."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
