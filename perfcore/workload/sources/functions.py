"""Functions to be called: the layout of BFCL, a file of questions for each category, possible answers in files beside.

Functions are sent as tools of the request, in the types that JSON schemas have, or described in a message of the
system; then the calls come in the text of the answer.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from perfcore.errors import UserError
from perfcore.paths import expanded
from perfcore.workload.fields import wrong
from perfcore.workload.files import Record, read_json, records
from perfcore.workload.row import Row
from perfcore.workload.source import Reader, Wanted
from perfcore.workload.wording import worded

TYPES = {
    **dict.fromkeys(("integer", "byte", "short", "long", "Bigint"), "integer"),
    **dict.fromkeys(("float", "double", "number"), "number"),
    **dict.fromkeys(("boolean", "bool", "Boolean"), "boolean"),
    **dict.fromkeys(("array", "list", "tuple", "Array", "ArrayList", "Queue", "Stack"), "array"),
    **dict.fromkeys(("dict", "object", "HashMap", "Hashtable"), "object"),
}  # any other, such as `any`, is a string
KEPT = ("description", "enum", "default", "format", "minimum", "maximum", "minItems", "maxItems")
FORBIDDEN = re.compile(r"[^a-zA-Z0-9_-]")
LONGEST_NAME = 64
LANGUAGES = {"python": "Python", "java": "Java 8", "javascript": "JavaScript"}
WORDING = """\
You can call these {language} functions, described in JSON:
{functions}

Answer with the calls that do what the user asks for, and with nothing else, in the form
[first_function(one=1, other="text"), second_function(one=[1, 2])]
Give every argument by its name, as a value of {language}, and leave out what the user did not ask for if the function \
has a default. If no function helps, or a value that is needed is not known, call none: say so in a sentence."""


class Functions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of the reader `functions`."""

    calls: Annotated[
        Literal["tools", "text"], Meta(description="How functions are sent, and where the answer has its calls.")
    ] = "tools"
    system: Annotated[
        str, Meta(description="Of calls in the text: template of the system's message, with {functions}, {language}.")
    ] = WORDING
    ids: Annotated[
        list[str] | str, Meta(description="Rows that are sent alone: their ids, or a JSON file with them by category.")
    ] = []


def read(paths: Sequence[Path], settings: Functions, wanted: Wanted) -> Iterator[Row]:
    """Rows of all files, whose subset is their category. Raises UserError that names file and line."""
    chosen = set(ids_in(settings.ids, paths) if isinstance(settings.ids, str) else settings.ids)
    seen = set()
    for path in paths:
        answers: Mapping[str, Any] | None = None
        for record in records(path):
            category = category_of(record)
            if chosen and record.fields["id"] not in chosen:
                continue
            if answers is None:
                answers = {} if "relevance" in category else answers_beside(path)
            seen.add(record.fields["id"])
            yield row_of(record, category, answers, settings)
    if strange := sorted(chosen - seen):
        raise UserError(f"ids: no row is named {strange[0]!r}; correct it, or take the data set that has it")


def ids_in(file: str, paths: Sequence[Path]) -> list[str]:
    """The ids in a file, which is beside the rows or where its path leads. Raises UserError."""
    places = [paths[0].parent / file, expanded(file)]
    there = next((place for place in places if place.is_file()), None)
    if there is None:
        raise UserError(f"ids: neither {places[0]} nor {file} is there; write ids, or a file that has them by category")
    found = read_json(there)
    lists = list(found.values()) if isinstance(found, dict) else [found]
    if not all(isinstance(one, list) and all(isinstance(name, str) for name in one) for one in lists):
        raise UserError(f'{there} has no lists of ids; write it as {{"simple_python": ["simple_python_0"]}}')
    return [name for one in lists for name in one]


def category_of(record: Record) -> str:
    """What the id of a row says before its number; raises UserError for a row of several turns."""
    name = record.fields.get("id")
    if not isinstance(name, str):
        raise wrong(record, "has no text as id; give it the name of its category and a number, such as simple_python_0")
    category = name.rpartition("_")[0]
    if "multi_turn" in category:
        raise wrong(
            record, f"{category} has several turns, which need simulated services and are not sent; take another file"
        )
    return category


def answers_beside(path: Path) -> dict[str, Any]:
    """The possible answers to the rows of a file, by id. Raises UserError where they are not there."""
    places = [path.parent / "possible_answer" / path.name, path.parent / f"possible_answer_{path.name}"]
    there = next((place for place in places if place.is_file()), None)
    if there is None:
        raise UserError(f"{path} has no possible answers beside it; put them into {places[0]}")
    return {str(record.fields.get("id")): record.fields.get("ground_truth") for record in records(there)}


def row_of(record: Record, category: str, answers: Mapping[str, Any], settings: Functions) -> Row:
    """Row of a record. Raises UserError that names its place."""
    fields, name = record.fields, record.fields["id"]
    functions, messages = objects(record, fields.get("function"), "function"), messages_of(record)
    if "relevance" not in category and not answers.get(name):
        raise wrong(record, "has no possible answer, though other rows do; get the file of answers that goes with it")
    language = language_of(category)
    meta: dict[str, Any] = {"function": functions, "calls": settings.calls}
    tools = None
    if settings.calls == "tools":
        names = names_of([str(one.get("name", "")) for one in functions])
        meta |= {"names": others} if (others := {sent: own for own, sent in names.items() if sent != own}) else {}
        tools = [tool_of(one, names[str(one.get("name", ""))], language) for one in functions] or None
    else:
        messages = with_system(messages, settings.system, functions, language)
    reference = answers.get(name, [])  # none is asked for where relevance is
    return Row(id=name, messages=messages, tools=tools, reference=reference, meta=meta, subset=category)


def messages_of(record: Record) -> list[dict[str, Any]]:
    """The messages of the one turn that a row has; raises UserError for another number of them."""
    question = record.fields.get("question")
    if not isinstance(question, list) or len(question) != 1:
        raise wrong(record, "question is no list with the messages of one turn; correct it")
    return objects(record, question[0], "question")


def objects(record: Record, value: Any, name: str) -> list[dict[str, Any]]:
    """The value if it is a list of objects; raises UserError."""
    if not (isinstance(value, list) and all(isinstance(one, dict) for one in value)):
        raise wrong(record, f"{name} is no list of objects; correct it")
    return value


def language_of(category: str) -> str:
    """Language of the functions of a category."""
    if "javascript" in category:
        return "javascript"
    return "java" if "java" in category else "python"


def with_system(
    messages: Sequence[dict[str, Any]], template: str, functions: Sequence[Mapping[str, Any]], language: str
) -> list[dict[str, Any]]:
    """The messages behind one of the system with the functions; what the system says already follows in it."""
    described = msgspec.json.format(msgspec.json.encode(functions), indent=2).decode()
    text = worded(template, {"functions": described, "language": LANGUAGES[language]})
    own = messages[0] if messages and messages[0].get("role") == "system" else None
    said = text if own is None else f"{text}\n\n{own.get('content', '')}"
    return [{"role": "system", "content": said}, *(messages if own is None else messages[1:])]


def names_of(names: Sequence[str]) -> dict[str, str]:
    """For each name one that services take, with an underscore in the place of a dot: no two have the same."""
    sent: dict[str, str] = {}
    for name in names:
        usual = FORBIDDEN.sub("_", name)[:LONGEST_NAME]
        number, one = 1, usual
        while one in sent.values() and name not in sent:
            number += 1
            one = f"{usual[: LONGEST_NAME - 4]}_{number}"
        sent.setdefault(name, one)
    return sent


def tool_of(function: Mapping[str, Any], name: str, language: str) -> dict[str, Any]:
    """A function as chat services take it. Arguments of Java and JavaScript are sent as texts, in which they stand."""
    given = function.get("parameters") or {}
    schema = {"properties": {}} | schema_of(given | {"type": "dict"})
    if language != "python":
        properties = {key: as_source(one, language) for key, one in (given.get("properties") or {}).items()}
        schema["properties"] = properties
    described = {"name": name, "description": str(function.get("description", "")), "parameters": schema}
    return {"type": "function", "function": described}


def schema_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """A type with what is in it, as JSON schemas have it."""
    found: dict[str, Any] = {"type": TYPES.get(str(given.get("type")), "string")}
    found |= {key: given[key] for key in KEPT if key in given}
    inside = given.get("properties") or {}
    if found["type"] == "object" and inside:  # without, any object is one
        found["properties"] = {key: schema_of(one) for key, one in inside.items()}
        found["required"] = [name for name in given.get("required") or [] if name in inside]
    if found["type"] == "array":
        found["items"] = schema_of(given["items"]) if isinstance(given.get("items"), dict) else {}
    return found


def as_source(given: Mapping[str, Any], language: str) -> dict[str, Any]:
    """A parameter of Java or JavaScript as a text that says what is to stand in it."""
    kind, item = str(given.get("type", "any")), (given.get("items") or {}).get("type", "")
    items = f" of {item}" if item else ""
    inside = given.get("properties")
    keys = f" with these keys: {msgspec.json.encode(inside).decode()}" if inside else ""
    told = "" if kind in ("String", "string") else f" (As {LANGUAGES[language]} source: {kind}{items}{keys}.)"
    found = {"type": "string", "description": f"{given.get('description', '')}{told}"}
    return found | {key: given[key] for key in ("enum", "default") if isinstance(given.get(key), (list, str))}


READERS = {"functions": Reader(read, Functions, "Questions with functions to be called, in the layout of BFCL.")}
