"""The reader `table`: any records become rows by templates over their columns; most presets are settings of it."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from perfcore.errors import UserError
from perfcore.workload.beside import values_beside, with_values
from perfcore.workload.columns import from_columns, number
from perfcore.workload.dataset import MEDIA, objects, part_name, references, token_limit, turns
from perfcore.workload.files import Record, format_of, number_of, records
from perfcore.workload.illustrated import from_base64, in_places, lent, sizes, with_lent
from perfcore.workload.joined import Joined, second_file, with_columns
from perfcore.workload.labels import Labels, rows_of_choices
from perfcore.workload.labels import check as check_labels
from perfcore.workload.listed import NTH, for_each, matching, new_ones, with_lists
from perfcore.workload.row import Row
from perfcore.workload.shots import Examples, Shot, shared, shots
from perfcore.workload.source import Reader, Wanted
from perfcore.workload.timestamps import timestamp_ns
from perfcore.workload.turning import turned
from perfcore.workload.wording import column, said, worded

ANSWERS = ("answer", "target", "label")  # names that files give the column of references
EXAMPLES = "examples"  # the word in templates, and the role among messages


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of the reader `table`. A template is text with {column}; see perfcore/workload/wording.py."""

    prompt: Annotated[str, Meta(description="Template of the prompt; {examples} is where the examples stand.")] = ""
    messages: Annotated[
        list[dict[str, str]],
        Meta(
            description="Messages in the place of a prompt: role, and a template of the content; role = 'examples' is "
            "where those of the examples stand."
        ),
    ] = []
    turns: Annotated[str, Meta(description="Column with the turns of a conversation, in the place of a prompt.")] = ""
    system: Annotated[str, Meta(description="Template of a system message.")] = ""
    examples: Annotated[
        list[str] | Examples, Meta(description="Texts, or rows of a file: file, count or ids, text or messages, rows.")
    ] = []
    reference: Annotated[str, Meta(description="Column, or template, of what the answer should be.")] = ""
    id: Annotated[str, Meta(description="Column, or template, of the row's name; else the number of its line.")] = ""
    subset: Annotated[str, Meta(description="Column, or template, of the part of the data set.")] = ""
    subset_of_file: Annotated[
        str, Meta(description="Name of a file in which * is the part of the data set: *_test.csv, */test.parquet.")
    ] = ""
    max_tokens: Annotated[int | str, Meta(description="Longest answer, or the column with it.")] = ""
    images: Annotated[
        list[str],
        Meta(description="Columns with pictures, or templates of paths: paths, URLs, base64, bytes. image_* are all."),
    ] = []
    images_by: Annotated[
        str, Meta(description="Column by whose value a row may name, in the place of a picture, the row that has it.")
    ] = ""
    interleaved: Annotated[
        bool, Meta(description="<image 1> in the prompt is where the first picture stands, <image> where the next one.")
    ] = False
    sizes: Annotated[
        bool, Meta(description="Columns image_width and image_height: those of the first picture in pixels.")
    ] = False
    audios: Annotated[list[str], Meta(description="Columns with sound.")] = []
    videos: Annotated[list[str], Meta(description="Columns with films.")] = []
    tools: Annotated[str, Meta(description="Column with the functions that the model may call.")] = ""
    timestamp: Annotated[str, Meta(description="Column with the time at which a recording sent it.")] = ""
    model: Annotated[str, Meta(description="Column with the model or LoRA adapter to ask for.")] = ""
    where: Annotated[
        dict[str, Any],
        Meta(description="Values, or lists of values, that columns have to have; of numbers also from and to."),
    ] = {}
    first: Annotated[
        Annotated[int, Meta(ge=1)] | None, Meta(description="How many rows of each file are taken; else all.")
    ] = None
    once: Annotated[
        str, Meta(description="Column, or template: of the rows of a file with the same value the first one is taken.")
    ] = ""
    columns: Annotated[
        list[str], Meta(description="Names of the columns of CSV and TSV whose first line does not name them.")
    ] = []
    turned: Annotated[
        list[str],
        Meta(
            max_length=26,
            description="Columns of choices, the right one first: turned by the number of the row they are A, B and so "
            "on, and `right` is the letter of the right one.",
        ),
    ] = []
    lists: Annotated[
        list[str], Meta(description="Columns whose text is a list, as JSON or Python writes it, to be read as one.")
    ] = []
    each: Annotated[
        list[str],
        Meta(
            description="Columns that are lists of the same length: each place of them is a row; {nth} is its number."
        ),
    ] = []
    joined: Annotated[
        Joined | None, Meta(description="A second file with further columns: file, and by, a column that both have.")
    ] = None
    meta: Annotated[list[str] | None, Meta(description="Columns kept beside the answer; else all others.")] = None
    beside: Annotated[
        dict[str, str], Meta(description="Columns that are in files of their own beside the rows, one value a line.")
    ] = {}
    labels: Annotated[
        Labels | None,
        Meta(description="Perplexity mode: of, column, gaps, ask; each choice becomes a request of its own."),
    ] = None


def read(paths: Sequence[Path], settings: Table, wanted: Wanted) -> Iterator[Row]:
    """Rows of all files, one after the other. Raises UserError that names file, line and column."""
    check(settings)
    kept: dict[Path, list[Shot]] = {}
    found = False
    for path in paths:
        part = subset_of(path, settings.subset_of_file, several=len(paths) > 1)
        few = shots(settings.examples, path.parent, part, settings.columns, kept)
        for row in read_file(path, settings, wanted, part, few):
            found = True
            yield row
    if not found:
        names = ", ".join(map(str, paths))
        raise UserError(f"no row of {names} has what `where` asks for ({settings.where}); correct it")


def check(settings: Table) -> None:
    """Raise UserError where the settings do not say in one way what is sent."""
    given = [name for name in ("prompt", "messages", "turns") if getattr(settings, name)]
    if len(given) != 1:
        words = f"has both {given[0]} and {given[1]}" if given else "has neither prompt nor messages nor turns"
        raise UserError(f"the reader table {words}; give one of them, such as prompt='{{question}}'")
    if settings.turns and (settings.system or settings.examples):
        raise UserError("the reader table puts system and examples before prompt or messages only; leave turns out")
    if settings.interleaved and not (settings.prompt and settings.images):
        raise UserError("the reader table puts pictures in the midst of a prompt; give prompt and images")
    for message in settings.messages:
        if "role" not in message or (message["role"] != EXAMPLES and "content" not in message):
            raise UserError(f"the reader table has the message {message}; give each role and content")
    if settings.labels is not None:
        check_labels(settings.labels)
        if settings.turns or settings.images or settings.audios or settings.videos:
            raise UserError("the reader table asks for labels by prompt or messages of text only; leave the rest out")


def subset_of(path: Path, pattern: str, several: bool) -> str:
    """Part of the data set that a file is, by a pattern of its name; raises UserError for a name of another form."""
    if not pattern:
        return part_name(path) if several else ""
    before, _, after = pattern.partition("*")
    others = r"[^/]*".join(map(re.escape, after.split("*")))
    name = "/".join(path.absolute().parts[-1 - pattern.count("/") :])
    found = re.fullmatch(f"{re.escape(before)}([^/]+?){others}", name)
    if found is None:
        raise UserError(f"{path} is no {pattern}, which subset_of_file asks for; correct one of them")
    return found.group(1)


def read_file(path: Path, settings: Table, wanted: Wanted, part: str, few: Sequence[Shot]) -> Iterator[Row]:
    """Rows of one file."""
    typed = format_of(path) in ("parquet", "saved")
    apart = values_beside(path.parent, settings.beside)
    there = second_file(settings.joined, path.parent)
    held = lent(path, settings.images, settings.images_by, settings.columns) if settings.images_by else {}
    every = enumerate(islice(records(path, settings.columns), settings.first))
    for at, record in new_ones(every, settings.once) if settings.once else every:
        if at == 0 and settings.columns:
            check_names(record, settings)
        fields = dict.fromkeys(record.fields) | from_columns(record.fields, (), ()) if typed else record.fields
        if apart:
            fields = with_values(Record(record.place, fields), apart, at)
        if settings.joined is not None:
            fields = with_columns(Record(record.place, fields), settings.joined.by, there)
        if settings.images_by:
            fields = with_lent(Record(record.place, fields), settings.images, settings.images_by, held)
        if settings.turned:
            fields = with_choices(Record(record.place, fields), settings.turned, at + 1)
        if settings.lists:
            fields = with_lists(Record(record.place, fields), settings.lists)
        if all(agrees(fields, *one, record.place) for one in settings.where.items()):
            whole = Record(record.place, fields)
            for one in for_each(whole, settings.each) if settings.each else [fields]:
                yield from rows_of(Record(record.place, one), settings, wanted, path.parent, part, few)


def check_names(record: Record, settings: Table) -> None:
    """Raise UserError where the first line of a file without names of columns has names after all."""
    cell = record.fields.get(settings.reference)
    if isinstance(cell, str) and cell.strip().lower() in {*ANSWERS, settings.reference.lower()}:
        raise UserError(
            f"{record.place}: the line names the columns ({', '.join(map(str, record.fields.values()))}), where it "
            "should be a row; take it out, or name a data set for files with such a line, as mmlu_with_header is"
        )


def rows_of(
    record: Record, settings: Table, wanted: Wanted, folder: Path, part: str, few: Sequence[Shot]
) -> Iterator[Row]:
    """The row of a record, or one for each of its choices."""
    if settings.labels is None:
        yield row_of(record, settings, wanted.timestamp_unit, folder, part, few)
    else:
        yield from rows_of_labels(record, settings, settings.labels, wanted, folder, part, few)


def with_choices(record: Record, names: Sequence[str], number: int) -> dict[str, Any]:
    """The fields of the record of a number, from 1, with its choices turned; raises UserError that names the place."""
    try:
        return turned(record.fields, names, number)
    except ValueError as error:
        raise UserError(f"{record.place}: {error}; `turned` asks for it") from None


def rows_of_labels(
    record: Record, settings: Table, given: Labels, wanted: Wanted, folder: Path, part: str, few: Sequence[Shot]
) -> Iterator[Row]:
    """A row for each choice of a record; raises UserError that names place and column."""

    def make(fields: dict[str, Any]) -> Row:
        return row_from(Record(record.place, fields), settings, wanted.timestamp_unit, folder, part, few)

    try:
        yield from rows_of_choices(record.fields, given, wanted.chat, make)
    except ValueError as error:
        raise UserError(f"{record.place}: {error}") from None


def agrees(fields: Mapping[str, Any], name: str, wanted: Any, place: str) -> bool:
    """Whether a column has a value, or one of several; cells of CSV are compared as text."""
    try:
        value = column(name, fields)
    except ValueError as error:
        raise UserError(f"{place}: {error}; `where` asks for it") from None
    if isinstance(wanted, Mapping):
        return between(value, wanted, place)
    return any(value == one or value == str(one) for one in (wanted if isinstance(wanted, list) else [wanted]))


def between(value: Any, wanted: Mapping[str, Any], place: str) -> bool:
    """Whether a number is in a range, both ends included."""
    ends = [wanted.get("from", -math.inf), wanted.get("to", math.inf)]
    if not wanted or not wanted.keys() <= {"from", "to"} or not all(isinstance(one, int | float) for one in ends):
        raise UserError(f"`where` has {dict(wanted)}; give a value, a list of values, or numbers as from and to")
    found = number(value)
    if not isinstance(found, int | float):
        raise UserError(f"{place}: {value!r} is no number, and `where` asks for one from {ends[0]} to {ends[1]}")
    return bool(ends[0] <= found <= ends[1])


def row_of(record: Record, settings: Table, unit: str, folder: Path, part: str, few: Sequence[Shot]) -> Row:
    """Row of a record; raises UserError that names place and column."""
    try:
        return row_from(record, settings, unit, folder, part, few)
    except ValueError as error:
        raise UserError(f"{record.place}: {error}") from None


def row_from(record: Record, settings: Table, unit: str, folder: Path, part: str, few: Sequence[Shot]) -> Row:
    """Row of a record; raises ValueError that names the column."""
    fields = record.fields
    few = shared(few, settings.examples, fields)
    media = {name: media_of(fields, getattr(settings, name), name, folder) for name in MEDIA}
    if settings.sizes:
        fields = {**fields, **sizes(media["images"])}
    words = {**fields, EXAMPLES: few_text(few, settings), "subset": fields.get("subset", part)}
    number = f"{part}/{number_of(record.place)}" if part else number_of(record.place)
    number += f"/{fields[NTH]}" if settings.each and NTH in fields else ""
    sent = sent_of(words, settings, few, media, folder)
    shown = {} if isinstance(sent, list) else media
    return Row(
        id=str(said(settings.id, fields)) if settings.id else number,
        prompt=sent if isinstance(sent, str) else None,
        messages=sent if isinstance(sent, list) else None,
        turns=turns(column(settings.turns, fields), folder) if settings.turns else None,
        max_tokens=longest(settings.max_tokens, fields),
        reference=said(settings.reference, words) if settings.reference else None,
        meta=meta_of(fields, settings),
        tools=tools_of(fields, settings.tools),
        images=shown.get("images", []),
        audios=shown.get("audios", []),
        videos=shown.get("videos", []),
        model=str(column(settings.model, fields)) if settings.model else None,
        timestamp_ns=sent_time(fields, settings.timestamp, unit, record.place),
        subset=str(said(settings.subset, words)) if settings.subset else part,
    )


def few_text(few: Sequence[Shot], settings: Table) -> str:
    """The examples as one text."""
    joint = settings.examples.joint if isinstance(settings.examples, Examples) else "\n\n"
    return joint.join(shot.text for shot in few)


def sent_of(
    words: Mapping[str, Any], settings: Table, few: Sequence[Shot], media: Mapping[str, list[str]], folder: Path
) -> str | list[dict[str, Any]] | None:
    """The prompt, or the messages where there is more than a prompt."""
    if settings.turns:
        return None
    if settings.prompt and not settings.system and not settings.interleaved:
        return not_empty(worded(settings.prompt, words))
    system = [{"role": "system", "content": worded(settings.system, words)}] if settings.system else []
    if settings.interleaved:
        shown = in_places(not_empty(worded(settings.prompt, words)), placed(words, settings.images, folder))
        return [*system, {"role": "user", "content": shown}]
    asked = settings.messages or [{"role": "user", "content": settings.prompt}]
    found = [*system, *(message for one in asked for message in messages_of(one, words, few))]
    last = max((at for at, message in enumerate(found) if message["role"] == "user"), default=None)
    if any(media.values()) and last is not None:
        found[last] = {**found[last], "content": [*parts(media), {"type": "text", "text": found[last]["content"]}]}
    return found


def not_empty(prompt: str) -> str:
    """The prompt; raises ValueError for one that says nothing."""
    if not prompt.strip():
        raise ValueError("gives a prompt that is empty; correct the row or the template")
    return prompt


def messages_of(message: Mapping[str, str], words: Mapping[str, Any], few: Sequence[Shot]) -> Iterable[dict[str, Any]]:
    """The messages that one of the settings stands for."""
    if message["role"] == EXAMPLES:
        return (one for shot in few for one in shot.messages)
    return [{key: worded(value, words) for key, value in message.items()}]


def parts(media: Mapping[str, list[str]]) -> list[dict[str, Any]]:
    """Parts of a message for pictures, sound and films."""
    return [
        {"type": f"{name[:-1]}_url", f"{name[:-1]}_url": {"url": reference}}
        for name in MEDIA
        for reference in media[name]
    ]


def media_of(fields: Mapping[str, Any], names: Sequence[str], kind: str, folder: Path) -> list[str]:
    """Paths, URLs and data: URLs in several columns; one that is null has none."""
    items = [from_base64(item) for item in items_of(fields, names)]
    return references([item for item in items if item not in (None, "")], kind, folder)


def items_of(fields: Mapping[str, Any], names: Sequence[str]) -> list[Any]:
    """What columns have, the items of their lists one by one."""
    values = [said(name, fields) for name in matching(names, fields)]
    return [item for value in values for item in (value if isinstance(value, list) else [value])]


def placed(fields: Mapping[str, Any], names: Sequence[str], folder: Path) -> list[str | None]:
    """The pictures of columns, each in the place of its number; None where a column has none."""
    found = [from_base64(item) for item in items_of(fields, names)]
    return [None if item in (None, "") else references(item, "images", folder)[0] for item in found]


def longest(given: int | str, fields: Mapping[str, Any]) -> int | None:
    """Longest answer: a number, or that in a column."""
    value = number(column(given, fields)) if isinstance(given, str) and given else given
    return None if value in (None, "") else token_limit(value)


def tools_of(fields: Mapping[str, Any], name: str) -> list[dict[str, Any]] | None:
    """Functions in a column, as a list or as JSON."""
    value = column(name, fields) if name else None
    try:
        return objects(msgspec.json.decode(value) if isinstance(value, str) and value else value or None, name)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(f"{name} is not JSON ({error}); correct it") from None


def sent_time(fields: Mapping[str, Any], name: str, unit: str, place: str) -> int | None:
    """Time at which a recording sent a row."""
    return timestamp_ns(column(name, fields), unit, place, name) if name else None


def meta_of(fields: Mapping[str, Any], settings: Table) -> dict[str, Any]:
    """Columns that are kept beside the answer: those asked for, else all but pictures and what is kept elsewhere."""
    if settings.meta is not None:
        return {name: column(name, fields) for name in settings.meta}
    media = matching([*settings.images, *settings.audios, *settings.videos], fields)
    used = {settings.reference, settings.id, settings.tools, *media}
    return {name: value for name, value in fields.items() if name not in used and value is not None}


READERS = {"table": Reader(read, Table, "Any rows, made into prompts by templates over their columns.")}
