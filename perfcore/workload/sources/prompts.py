"""Data sets of single prompts: questions, instructions, and files with a request on each line."""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta

from perfcore.errors import UserError
from perfcore.workload.fields import first_there, identity, limit, rest, text
from perfcore.workload.files import Record, decoded, json_kind, lines, number_of, records
from perfcore.workload.media import located, with_references
from perfcore.workload.prompting import Least, Most, PrefixFile, Sifted, System, prompted
from perfcore.workload.row import Row
from perfcore.workload.source import Reader, Rows, Wanted

Names: TypeAlias = tuple[Sequence[str], Sequence[str]]

PROMPT = "{prompt}"
# Where each data set has the prompt, and where what the answer should be.
OPENQA = (("question",), ("answer", "human_answers"))
LONGALPACA = (("instruction",), ("output", "answer"))
AS_TEXT = "; a line that begins so is taken for JSON, unless lines=text is set"


class Prompts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of the readers `openqa` and `longalpaca`."""

    column: Annotated[str, Meta(description="Column with the prompt, in the place of the usual one.")] = ""
    template: Annotated[str, Meta(description="Text to send, with {prompt} where the prompt goes.")] = PROMPT
    system: System = ""
    prefix_file: PrefixFile = ""
    min_prompt_length: Least = 0
    max_prompt_length: Most = None


class Lines(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of the reader `line_by_line`."""

    lines: Annotated[
        Literal["auto", "text"],
        Meta(description="auto: a line is text, an array of messages, or a whole body; text: each line is a prompt."),
    ] = "auto"
    template: Annotated[str, Meta(description="Text to send for a line of text, which goes where {prompt} is.")] = (
        PROMPT
    )
    system: System = ""
    prefix_file: PrefixFile = ""
    min_prompt_length: Least = 0
    max_prompt_length: Most = None


def read_prompts(names: Names, paths: Sequence[Path], settings: Prompts, wanted: Wanted) -> Rows:
    """Rows of files with a prompt in a column; `names` are those that it and the answer may have. Raises UserError."""
    check_template(settings.template)
    return Sifted(partial(prompt_rows, names, paths, settings, wanted))


def prompt_rows(
    names: Names, paths: Sequence[Path], settings: Prompts, wanted: Wanted, left_out: "Counter[str]"
) -> Iterator[Row]:
    """Rows of prompts that are not left out."""
    prompts, answers = ((settings.column,) if settings.column else names[0]), names[1]
    found = (prompt_row(record, prompts, answers, settings.template) for path in paths for record in records(path))
    return prompted(found, settings, wanted, paths, left_out)


def check_template(template: str) -> None:
    """Raise UserError where a template has no place for the prompt."""
    if PROMPT not in template:
        raise UserError(f"the template {template!r:.80} has no place for the prompt; write {PROMPT} there")


def prompt_row(record: Record, prompts: Sequence[str], answers: Sequence[str], template: str) -> Row:
    """Row of a record with a prompt; raises UserError."""
    name = first_there(record, prompts)
    answer = next((name for name in answers if record.fields.get(name)), "")
    return Row(
        id=identity(record),
        prompt=template.replace(PROMPT, text(record, name)),
        max_tokens=limit(record),
        reference=record.fields.get(answer),
        meta=rest(record, {"id", "max_tokens", name, answer}),
    )


def read_lines(paths: Sequence[Path], settings: Lines, wanted: Wanted) -> Rows:
    """Rows of files whose lines are texts, arrays of messages, or objects that are whole bodies. Raises UserError."""
    check_template(settings.template)
    return Sifted(partial(line_rows, paths, settings, wanted))


def line_rows(paths: Sequence[Path], settings: Lines, wanted: Wanted, left_out: "Counter[str]") -> Iterator[Row]:
    """Rows of lines that are not left out."""
    plain, template = settings.lines == "text", settings.template
    found = (line_row(place, line, template, plain, path.parent) for path in paths for place, line in lines(path))
    return prompted(found, settings, wanted, paths, left_out)


def line_row(place: str, line: str, template: str, plain: bool, folder: Path) -> Row:
    """Row of one line; raises UserError that begins with its place."""
    number = number_of(place)
    if plain or line.lstrip()[0] not in "[{":
        return Row(id=number, prompt=template.replace(PROMPT, line))
    value = decoded(line.encode(), place, AS_TEXT)
    if isinstance(value, list):
        return Row(id=number, messages=messages(value, place, folder))
    model = value.get("model")
    if not value or (model is not None and not (isinstance(model, str) and model)):
        words = "model is no text" if value else "an empty object"
        raise UserError(f'{place}: {words}; write the whole body of a request, such as {{"messages": [...]}}')
    return Row(id=number, body=value, model=model)


def messages(value: list[Any], place: str, folder: Path) -> list[dict[str, Any]]:
    """Messages with their files counted from a folder; raises UserError that names the one that is wrong."""
    if not value:
        raise UserError(f"{place}: an array without messages; give objects with role and content")
    for at, message in enumerate(value):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            kind = json_kind(message)
            raise UserError(f"{place}: [{at}] is a JSON {kind} without a role; give objects with role and content")
    return with_references(value, lambda reference: located(reference, folder))


READERS = {
    "openqa": Reader(partial(read_prompts, OPENQA), Prompts, "Questions, one a row, such as HC3."),
    "longalpaca": Reader(partial(read_prompts, LONGALPACA), Prompts, "Long instructions, one a row."),
    "line_by_line": Reader(read_lines, Lines, "A request on each line: a text, messages, or a whole body."),
}
