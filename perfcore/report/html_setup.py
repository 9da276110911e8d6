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
CHANGED, REST = "Options that differ from the defaults", "All other options"
GIB = 1 << 30


def setup(described: Mapping[str, Any], run_dir: Path) -> Iterator[Block | None]:
    """The blocks of the section, from what run.json says."""
    changed, rest = options(described)
    yield command_line(described)
    yield pairs("What was measured", subject(described, run_dir))
    yield pairs(CHANGED, changed)
    yield pairs("Machine and versions", environment(described))
    yield folded(REST, [pairs("", rest)])
    yield folded("Plan", [pairs("", ((name, plain(value)) for name, value in (described.get("plan") or {}).items()))])
    yield lines(["Whatever looks like a secret is ***, here and in run.json, which has all of this and more."], "faint")


def asked(described: Mapping[str, Any]) -> Iterator[Block | None]:
    """The same of an evaluation, from what eval.json says."""
    changed, rest = options(described)
    yield command_line(described)
    yield pairs(CHANGED, changed)
    yield folded(REST, [pairs("", rest)])


def command_line(described: Mapping[str, Any]) -> Block | None:
    """What was typed, to be typed again."""
    command = described.get("command")
    if not isinstance(command, list):
        return None
    return {"kind": "code", "title": "Command line", "text": shlex.join(foreign(word, VALUE) for word in command)}


def options(described: Mapping[str, Any]) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Options that are not as usual, and all others."""
    found = described.get("options")
    given = found if isinstance(found, dict) else {}
    usual = defaults()
    changed = {name: value for name, value in given.items() if name not in usual or value != usual[name]}
    rest = {name: value for name, value in given.items() if name not in changed}
    return [(foreign(name), plain(value)) for name, value in changed.items()], [
        (foreign(name), plain(value)) for name, value in rest.items()
    ]


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
    yield "Data", "; ".join(map(dataset, names)) or "the prompt of the options"
    yield "Started", foreign(described.get("started") or NONE)
    yield "Folder", foreign(run_dir.name)


def dataset(found: Any) -> str:
    """A data set by its name, with the settings that have a value."""
    if not isinstance(found, dict):
        return plain(found)
    settings = found.get("settings")
    given = settings.items() if isinstance(settings, dict) else ()
    told = ", ".join(f"{foreign(key, 60)} {plain(value)}" for key, value in given if value not in (None, "", [], {}))
    return f"{plain(found.get('name'))}{f' ({told})' if told else ''}"


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
