"""What was measured, with what, and how to do it again: command line, options, plan, versions, machine."""

import dataclasses
import json
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from perfcore.options import StressOptions
from perfcore.report.html_blocks import Block, folded, foreign, lines, pairs
from perfcore.report.text import NONE

VALUE = 2000  # characters of an option
GIB = 1 << 30


def setup(described: Mapping[str, Any], run_dir: Path) -> Iterator[Block | None]:
    """The blocks of the section, from what run.json says."""
    command = described.get("command")
    if isinstance(command, list):
        yield {"kind": "code", "title": "Command line", "text": shlex.join(foreign(word, VALUE) for word in command)}
    options = described.get("options")
    given = dict(options) if isinstance(options, dict) else {}
    usual = defaults()
    changed = {name: value for name, value in given.items() if name not in usual or value != usual[name]}
    yield pairs("What was measured", subject(described, run_dir))
    yield pairs("Options that differ from the defaults", ((name, plain(value)) for name, value in changed.items()))
    yield pairs("Machine and versions", environment(described))
    rest = {name: value for name, value in given.items() if name not in changed}
    yield folded("All other options", [pairs("", ((name, plain(value)) for name, value in rest.items()))])
    yield folded("Plan", [pairs("", ((name, plain(value)) for name, value in (described.get("plan") or {}).items()))])
    yield lines(["Whatever looks like a secret is *** in all of it; see run.json for the whole."], "faint")


def defaults() -> dict[str, Any]:
    """Every option as run.json has it where none was given."""
    plain_values = dataclasses.asdict(StressOptions())
    return dict(json.loads(json.dumps(plain_values, default=str)))


def subject(described: Mapping[str, Any], run_dir: Path) -> Iterator[tuple[str, str]]:
    urls = described.get("urls") or [described.get("url")]
    yield "Service", ", ".join(foreign(url) for url in urls if url) or NONE
    if described.get("simulated"):
        yield "", "the built-in simulator, not a real service"
    yield "Model", foreign(described.get("model") or NONE)
    yield "Dialect", foreign(described.get("dialect") or NONE)
    names = described.get("datasets") or []
    yield "Data", ", ".join(plain(name) for name in names) or "the prompt of the options"
    yield "Started", foreign(described.get("started") or NONE)
    yield "Folder", foreign(run_dir.name)


def environment(described: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    machine = described.get("machine")
    for name, value in (machine if isinstance(machine, dict) else {}).items():
        memory = name == "memory_bytes" and isinstance(value, int)
        yield ("memory", f"{value / GIB:.1f} GiB") if memory else (foreign(name), plain(value))
    versions = described.get("versions")
    for name, value in (versions if isinstance(versions, dict) else {}).items():
        yield foreign(name), plain(value)


def plain(value: Any) -> str:
    """A JSON value as text."""
    shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return foreign(shown, VALUE)
