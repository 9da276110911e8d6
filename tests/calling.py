"""A chat service on loopback that calls functions, in its stream of events or in its text, as it is told to.

Beside it the calls that possible answers of BFCL stand for, written in all the ways in which models write calls.
"""

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from perfcore.workload import registry
from perfcore.workload.row import Row
from perfcore.workload.source import Wanted
from tests.loopback import Connection, serving

Call = tuple[str, dict[str, Any]]
ROOT = Path(__file__).parents[1]
DATA, LARGE = ROOT / "tests" / "data" / "datasets", ROOT.parent / "shared" / "data"
needs_data = pytest.mark.skipif(
    not (LARGE / "bfcl").is_dir(), reason="the files of BFCL are not in ../shared/data/bfcl"
)


@dataclass
class Caller:
    """`replies` are what it says to the last message of a user: calls, or a text."""

    replies: Mapping[str, Sequence[Call] | str]
    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)


@contextlib.contextmanager
def calling(caller: Caller) -> Iterator[Caller]:
    """The service while it runs."""
    with serving(type("Calling", (Handler,), {"caller": caller})) as caller.url:
        yield caller


class Handler(Connection):
    """One connection."""

    caller: Caller

    def get(self) -> None:
        self.send(200, "application/json", json.dumps({"data": [{"id": "caller"}]}).encode())

    def post(self, body: dict[str, Any]) -> None:
        self.caller.bodies.append(body)
        reply = self.caller.replies[body["messages"][-1]["content"]]
        deltas = [{"content": reply}] if isinstance(reply, str) else list(pieces(reply))
        reason = "stop" if isinstance(reply, str) else "tool_calls"
        events: list[dict[str, Any]] = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
        events.append({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
        lines = [f"data: {json.dumps(event)}\n\n" for event in events]
        self.send(200, "text/event-stream", "".join([*lines, "data: [DONE]\n\n"]).encode())


def pieces(calls: Sequence[Call]) -> Iterator[dict[str, Any]]:
    """The calls as a stream has them: the name first, the arguments in two pieces."""
    for index, (name, arguments) in enumerate(calls):
        text = json.dumps(arguments)
        yield {"tool_calls": [{"index": index, "id": f"c{index}", "function": {"name": name, "arguments": ""}}]}
        for part in (text[:5], text[5:]):
            yield {"tool_calls": [{"index": index, "function": {"arguments": part}}]}


def wanted_calls(possible: Sequence[Mapping[str, Any]], functions: Sequence[Mapping[str, Any]]) -> list[Call]:
    """The calls of possible answers, with the first value of each parameter; what may be left out is."""
    found = []
    for one in possible:
        ((name, options),) = one.items()
        required = next(each["parameters"].get("required", []) for each in functions if each["name"] == name)
        given = {key: values for key, values in options.items() if "" not in values or key in required}
        found.append((name, {key: first(values) if values else [] for key, values in given.items()}))
    return found


def first(values: Sequence[Any]) -> Any:
    """The first value that is given, of which objects have lists of values again."""
    value = next((one for one in values if one != ""), "")
    if isinstance(value, dict):
        return inside(value)
    return [inside(one) if isinstance(one, dict) else one for one in value] if isinstance(value, list) else value


def inside(options: Mapping[str, Any]) -> dict[str, Any]:
    listed = {key: values if isinstance(values, list) else [values] for key, values in options.items()}
    return {key: first(values) for key, values in listed.items() if "" not in values}


def as_python(calls: Sequence[Call]) -> str:
    texts = [f"{name}({', '.join(f'{key}={value!r}' for key, value in given.items())})" for name, given in calls]
    return f"[{', '.join(texts)}]"


def sources(given: Mapping[str, Any], parameters: Mapping[str, Any], language: str) -> dict[str, str]:
    """Arguments as source of Java or JavaScript."""
    write = java if language == "java" else javascript
    return {key: write(value, parameters[key], False) for key, value in given.items()}


def as_source(name: str, given: Mapping[str, str], parameters: Mapping[str, Any]) -> str:
    quoted = {key: json.dumps(one) if is_text(parameters[key]) else one for key, one in given.items()}
    return f"[{name}({', '.join(f'{key}={one}' for key, one in quoted.items())})]"


def is_text(parameter: Mapping[str, Any]) -> bool:
    return parameter["type"] in ("String", "string")


def java(value: Any, parameter: Mapping[str, Any], within: bool = True) -> str:
    kind, item = parameter.get("type"), parameter.get("items", {})
    if isinstance(value, list):
        items = ", ".join(java(one, item) for one in value)
        return f"new ArrayList<>(Arrays.asList({items}))" if kind == "ArrayList" else f"new Object[]{{{items}}}"
    if isinstance(value, dict):
        puts = " ".join(f'put("{key}", {java(one, {})});' for key, one in value.items())
        return f"new HashMap<String, Object>() {{{{ {puts} }}}}"
    if isinstance(value, str):
        return f'"{value}"' if within else value
    return json.dumps(value) + {"long": "L", "float": "f"}.get(str(kind), "")


def javascript(value: Any, _: Mapping[str, Any], within: bool = True) -> str:
    if isinstance(value, list):
        return f"[{', '.join(javascript(one, {}) for one in value)}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {javascript(one, {})}' for key, one in value.items())}}}"
    return json.dumps(value) if within or not isinstance(value, str) else value


def rows(name: str, folder: Path, **args: Any) -> list[Row]:
    return list(registry.open_dataset(registry.resolved(name, None), args, Wanted(), (folder,)))  # type: ignore[arg-type]


def right_calls(row: Row) -> list[tuple[str, dict[str, Any]]]:
    """The calls that are asked for; those of Java and JavaScript with the source of values."""
    functions = row.meta["function"]
    calls = wanted_calls(row.reference, functions)
    if "java" not in row.subset:
        return calls
    ((name, given),) = calls
    language = "javascript" if "javascript" in row.subset else "java"
    return [(name, dict(sources(given, functions[0]["parameters"]["properties"], language)))]


def right_text(row: Row) -> str:
    calls = right_calls(row)
    if "java" not in row.subset:
        return as_python(calls)
    return as_source(*calls[0], row.meta["function"][0]["parameters"]["properties"])
