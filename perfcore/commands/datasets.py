"""`perfcore list datasets`: the names of all data sets, and what is known of one."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_args, get_origin

import msgspec

from perfcore.workload.catalogue import Preset, names, variants
from perfcore.workload.registry import READERS, DataSet, data_dirs, located, of_entry, resolved, settings_of

WIDTH = 76


def listing(data_dir: Path | None, config_dir: Path | None) -> str:
    """Name, kind, and where the files are, of each data set, one a line; then the readers for files of one's own."""
    dirs = data_dirs(data_dir)
    entries = names(config_dir)
    rows = [(name, *state(of_entry(name, entry), dirs)) for name, entry in entries.items()]
    alone = [(name, "reader", reader.about) for name, reader in READERS.items() if name not in entries]
    return aligned([("name", "kind", "files"), *rows, *alone])


def state(found: DataSet, dirs: Sequence[Path]) -> tuple[str, str]:
    """Kind of a data set, and in a few words whether its files are there."""
    if not found.reader.needs_files:
        return found.preset.kind, "none needed"
    if not found.preset.files:
        return found.preset.kind, f"your own: --dataset {found.name}:FILE"
    there = located(found, dirs)
    if not there.missing:
        return found.preset.kind, f"in {there.folder}"
    return found.preset.kind, "not found, --download fetches them" if can_fetch(found.preset) else "not found"


def can_fetch(preset: Preset) -> bool:
    """Whether --download gets files of a data set."""
    return bool(preset.fetch or preset.hub)


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows as columns that stand below each other."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = ("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def description(name: str, data_dir: Path | None, config_dir: Path | None) -> str:
    """All that is known of one data set. Raises UserError for a name that is unknown."""
    found = resolved(name, config_dir)
    preset, dirs = found.preset, data_dirs(data_dir)
    facts = [
        ("name", found.name),
        ("about", preset.about or found.reader.about),
        ("kind", preset.kind),
        ("reader", f"{preset.reader}: {found.reader.about}"),
        ("preset", str(found.origin or "")),
        ("files", files(found, dirs)),
        ("looked for", "\n".join(str(folder / preset.folder) for folder in dirs) if preset.files else ""),
        ("or there", "\n".join(f"{one.folder}: {', '.join(one.files)}" for one in preset.also)),
        ("home", preset.home),
        ("download", download(preset)),
        ("licence", preset.licence),
        ("scored by", in_json(preset.evaluation) if preset.evaluation else ""),
        ("variants", "\n".join(siblings(found))),
        *((key, str(value)) for key in LENGTHS if (value := getattr(preset, key)) is not None),
    ]
    width = max(len(key) for key, _ in facts)
    told = [f"{key:{width}}  {value.replace(chr(10), chr(10) + ' ' * (width + 2))}" for key, value in facts if value]
    return "\n".join([*told, "", "settings (--dataset-args KEY=JSON)", *settings(found)])


LENGTHS = ("max_tokens", "ignore_eos", "input_tokens", "output_tokens")


def files(found: DataSet, dirs: Sequence[Path]) -> str:
    """Files of a data set, each with where it is."""
    if found.preset.files or found.path is not None:
        there = located(found, dirs)
        lines = [*map(str, there.files), *(f"{pattern}: not found" for pattern in there.missing)]
        return "\n".join(lines if len(lines) <= SHOWN else [*lines[:SHOWN], f"and {len(lines) - SHOWN} more"])
    return f"your own: --dataset {found.name}:FILE" if found.reader.needs_files else "none needed"


SHOWN = 8


def download(preset: Preset) -> str:
    """What --download does for a data set."""
    return "\n".join([*(one.url for one in preset.fetch), *([f"hub: {preset.hub}"] if preset.hub else [])])


def siblings(found: DataSet) -> Iterator[str]:
    """Names of the same family, with what is said of each."""
    if found.origin is not None:
        for name, keys in variants(found.origin).items():
            yield f"{name}: {about}" if (about := keys.get("about")) else name


def settings(found: DataSet) -> Iterator[str]:
    """Settings of the reader: name, type, value, and what it is, two lines each."""
    values = msgspec.to_builtins(settings_of(found, {}))
    for field in msgspec.structs.fields(found.reader.settings):
        yield f"  {field.encode_name} = {in_json(values[field.encode_name])}  ({in_words(field.type)})"
        if about := described(field.type):
            yield f"      {about}"


def in_json(value: Any) -> str:
    """A value as JSON, cut where it is long."""
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= WIDTH else text[: WIDTH - 1] + "…"


def described(hint: Any) -> str:
    """What an annotation says of a field."""
    found = (item.description for item in getattr(hint, "__metadata__", ()) if isinstance(item, msgspec.Meta))
    return next((words for words in found if words), "")


def in_words(hint: Any) -> str:
    """A type in the words of JSON."""
    if hasattr(hint, "__metadata__"):
        return in_words(hint.__origin__)
    inner = get_args(hint)
    if get_origin(hint) in (list, tuple, set):
        return f"list of {in_words(inner[0])}"
    if get_origin(hint) is dict:
        return "object"
    if inner and all(not isinstance(item, type) and isinstance(item, (str, int)) for item in inner):
        return " or ".join(map(str, inner))
    if inner:
        return " or ".join(in_words(item) for item in inner)
    return WORDS.get(hint, "object")


WORDS: dict[Any, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    type(None): "null",
    Any: "any",
    list: "list",
}
