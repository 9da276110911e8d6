"""The one registry of data sets: which readers there are, what a name or path stands for, where files are found."""

import dataclasses
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from perfcore.errors import UserError
from perfcore.paths import expanded
from perfcore.workload import dataset, table
from perfcore.workload.catalogue import Entry, Preset, advice, converted, find, names, read_preset
from perfcore.workload.files import ENDINGS, format_of, records
from perfcore.workload.source import Reader, Rows, Wanted
from perfcore.workload.sources import (
    agents,
    archived,
    chats,
    custom,
    documents,
    functions,
    general,
    generated,
    media,
    needlebench,
    prompts,
    recorded,
    retrieval,
    synthetic,
    traces,
)
from perfcore.workload.template import merged

HERE = Path("data")
CACHE = Path("~/.cache/perfcore/data")
PICTURES = {".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp"}
# Fields that tell which reader a file without a preset is for; what has none of these is for `rows`.
TELLING = {
    "mooncake": {"timestamp", "input_length", "hash_ids"},
    "azure": {"TIMESTAMP", "ContextTokens", "GeneratedTokens"},
    "burstgpt": {"Timestamp", "Request tokens", "Response tokens"},
    "workload_trace": {"body", "timestamp"},
    "agent": {"input_prompt_length", "num_turns"},
    "sharegpt": {"conversations"},
    "mm_custom": {"type", "path", "question"},
    "custom": {"question", "A", "B"},
    "general_qa": {"query", "response"},
}

# Data sets of other tools that are not offered: what their names have in them, and why.
SEVERAL_TURNS = (
    "beside the files BFCL_v4_multi_turn_*.json its categories of several turns need the services that the calls "
    "change, which are programs of the authors; BFCL_gen_single_turn has all other categories"
)
NO_EVALUATOR = "perfcore has no evaluator for it; mm_custom:FILE sends pictures, sound and films of your own for load"
NOT_OFFERED = {"bfcl.*multi_turn": SEVERAL_TURNS, "gedit|ocrbench|omnidocbench|videobench|vocalsound": NO_EVALUATOR}

# The modules that have readers, each a READERS of its own: another one is another line here.
MODULES = (
    *(agents, archived, chats, custom, documents, functions, general, generated, media),
    *(needlebench, prompts, recorded, retrieval, synthetic, traces),
    *(dataset, table),
)
READERS: dict[str, Reader] = dict(sorted(one for module in MODULES for one in module.READERS.items()))


@dataclass(frozen=True)
class DataSet:
    """What a name or a path stands for. `path` goes before the files that the preset names."""

    name: str
    preset: Preset
    path: Path | None = None
    origin: Path | None = None  # file of the preset

    @property
    def reader(self) -> Reader:
        return READERS[self.preset.reader]


class Found(NamedTuple):
    """Files of a data set, the data folder they were found in, and the patterns for which there was none."""

    files: tuple[Path, ...]
    folder: Path | None
    missing: tuple[str, ...]


def data_dirs(given: Path | None) -> tuple[Path, ...]:
    """Folders in which files of data sets are looked for, in this order."""
    found: dict[Path, Path] = {}
    for folder in (*([given] if given is not None else []), HERE, expanded(CACHE)):
        found.setdefault(folder.absolute(), folder)
    return tuple(found.values())


def resolved(text: str, config_dir: Path | None) -> DataSet:
    """What NAME, PATH or NAME:PATH stands for; a preset goes before a file of the same name. Raises UserError."""
    if (found := named(text, config_dir)) is not None:
        return found
    path = expanded(text)
    name, colon, rest = text.partition(":")
    if path.exists() or not colon or not rest:
        return of_path(path, text, config_dir)
    found = named(name, config_dir)
    if found is None:
        raise unknown(name, config_dir)
    return DataSet(name, found.preset, existing(expanded(rest)), found.origin)


def named(name: str, config_dir: Path | None) -> DataSet | None:
    """The preset of a name, or the reader of that name without settings, or None. Raises UserError."""
    entry = find(name, config_dir)
    if entry is None:
        return DataSet(name, Preset(name, READERS[name].about)) if name in READERS else None
    return of_entry(name, entry)


def of_entry(name: str, entry: Entry) -> DataSet:
    """The data set of a preset. Raises UserError for one that is broken."""
    preset = read_preset(entry)
    if preset.reader not in READERS:
        raise UserError(f"{entry.path}: unknown reader {preset.reader!r}; {advice(preset.reader, READERS)}")
    return DataSet(name, preset, None, entry.path)


def of_path(path: Path, text: str, config_dir: Path | None) -> DataSet:
    """Data set of a file or folder, read by what it holds. Raises UserError for one that is not there."""
    if not path.exists() and "/" not in text and path.suffix.lower() not in (*ENDINGS, ".gz"):
        raise unknown(text, config_dir)
    reader = telling_reader(existing(path))
    return DataSet(path.name or str(path), Preset(reader, READERS[reader].about), path)


def existing(path: Path) -> Path:
    """The path; raises UserError where nothing is there."""
    if not path.exists():
        raise UserError(f"cannot read the data set {path}: there is no such file; correct the path")
    return path


def unknown(name: str, config_dir: Path | None) -> UserError:
    """What to tell a user whose data set has no such name."""
    reason = next((why for pattern, why in NOT_OFFERED.items() if re.match(pattern, name, re.IGNORECASE)), None)
    if reason is not None:
        return UserError(f"the data set {name} is not offered: {reason}")
    there = [*names(config_dir), *READERS]
    return UserError(f"unknown data set {name!r}; {advice(name, there)}; `perfcore list datasets` names all")


def telling_reader(path: Path) -> str:
    """Reader for a file or folder by the fields of its first record. Raises UserError for one that is broken."""
    if format_of(path) == "folder":
        if (inside := data_files(path)) or not has_pictures(path):
            return telling_reader(inside[0]) if inside else "rows"
        return "image_folder"
    fields = next(records(path)).fields.keys()
    return next((name for name, telling in TELLING.items() if name in READERS and telling <= fields), "rows")


def data_files(folder: Path) -> list[Path]:
    """Files of rows in a folder, by name."""
    inside = sorted(file for file in folder.iterdir() if file.is_file())
    return [file for file in inside if ENDINGS.get(unpacked(file).suffix.lower(), "text") != "text"]


def unpacked(file: Path) -> Path:
    """Name of a file without the ending of a packed one."""
    return file.with_suffix("") if file.suffix.lower() == ".gz" else file


def has_pictures(folder: Path) -> bool:
    """Whether a picture is anywhere below a folder."""
    return any(file.suffix.lower() in PICTURES for file in folder.rglob("*"))


def located(found: DataSet, dirs: Sequence[Path]) -> Found:
    """Files of a data set in the first folder that has all of them, else in the one that has most."""
    if found.path is not None:
        is_folder = found.preset.reader != "image_folder" and found.path.is_dir() and format_of(found.path) == "folder"
        return Found(tuple(in_folder(found)) if is_folder else (found.path,), found.path.parent, ())
    files, args = found.preset.files, found.preset.args
    tried = [with_examples(matched(base, files), files, args) for base in bases(found.preset, dirs)]
    best = min(tried, key=lambda one: len(one.missing), default=Found((), None, tuple(files)))
    places = ((folder / place.folder, place.files) for place in found.preset.also for folder in dirs)
    others = (with_examples(matched(base, names), names, args) for base, names in places)
    return next((one for one in others if not one.missing), best) if best.missing else best


def with_examples(there: Found, patterns: Sequence[str], args: Mapping[str, Any]) -> Found:
    """What was found, files of examples among what is missing: they lie beside the rows, by `examples.file`."""
    examples = args.get("examples")
    name = examples.get("file", "") if isinstance(examples, Mapping) else ""
    if not name or there.folder is None:
        return there
    beside = [os.path.normpath(Path(one).parent / name.replace("{subset}", "*")) for one in patterns]
    lacking = [one for one in dict.fromkeys(beside) if one not in there.missing and not any(there.folder.glob(one))]
    return there._replace(missing=(*there.missing, *lacking))


def in_folder(found: DataSet) -> list[Path]:
    """Files in a folder that was given: those that the preset names, else those of rows. Raises UserError."""
    folder = existing(found.path or Path())
    there = matched(folder, found.preset.files).files or tuple(data_files(folder))
    if not there:
        raise UserError(f"{folder} has no files of rows ({', '.join(ENDINGS)}); give a file, or a folder that has some")
    return list(there)


def bases(preset: Preset, dirs: Sequence[Path]) -> Iterator[Path]:
    """Folders that may have the files: the preset's in each data folder, then the data folders themselves."""
    yield from (folder / preset.folder for folder in dirs if preset.folder)
    # A pattern would match what is of other data sets there.
    if not any(character in name for name in preset.files for character in "*?["):
        yield from dirs


def matched(base: Path, patterns: Sequence[str]) -> Found:
    """Files below a folder that match the patterns, in their order, each once."""
    hits = {pattern: sorted(base.glob(pattern)) if base.is_dir() else [] for pattern in patterns}
    files = dict.fromkeys(file for matches in hits.values() for file in matches)
    return Found(tuple(files), base, tuple(pattern for pattern, matches in hits.items() if not matches))


def settings_of(found: DataSet, args: Mapping[str, Any]) -> Any:
    """Settings of the reader: the preset's, with the user's merged over them. Raises UserError that names the key."""
    own = f"{found.origin or found.name}, args"
    checked = converted(found.preset.args, found.reader.settings, own)
    if not args:
        return checked
    return converted(merged(found.preset.args, args), found.reader.settings, f"--dataset-args of {found.name}")


def files_of(found: DataSet, dirs: Sequence[Path]) -> tuple[Path, ...]:
    """Files that the reader gets; raises UserError that says where they are looked for and how to get them."""
    if not found.reader.needs_files and found.path is None:
        return ()
    there = located(found, dirs)
    if there.missing or not there.files:
        raise UserError(missing(found, there, dirs))
    return there.files


def missing(found: DataSet, there: Found, dirs: Sequence[Path]) -> str:
    """What to tell a user whose files are not there."""
    preset = found.preset
    if not preset.files:
        return f"the data set {found.name} needs a file of your own; write --dataset {found.name}:FILE"
    places = " or ".join(str(folder / preset.folder) for folder in dirs)
    fetched = ", or have them fetched with --download" if preset.fetch or preset.hub else ""
    home = f"get them from {preset.home} and " if preset.home else ""
    names_of = ", ".join(there.missing)
    return f"the data set {found.name} lacks {names_of} in {places}; {home}put them there{fetched}"


def open_dataset(found: DataSet, args: Mapping[str, Any], wanted: Wanted, dirs: Sequence[Path]) -> Rows:
    """Rows of a data set. Raises UserError for settings, files or rows that are wrong."""
    settings = settings_of(found, args)
    preset = found.preset
    lengths = dataclasses.replace(
        wanted,
        input_tokens=wanted.input_tokens or as_text(preset.input_tokens),
        output_tokens=wanted.output_tokens or as_text(preset.output_tokens),
    )
    return found.reader.read(files_of(found, dirs), settings, lengths)


def as_text(lengths: int | str | None) -> str | None:
    """Lengths as the command line has them."""
    return None if lengths is None else str(lengths)
