"""Presets of data sets: TOML files, one a family, whose variants are further names; docs/datasets.md has their keys."""

import difflib
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

import msgspec

from perfcore.errors import UserError
from perfcore.workload.template import merged

PACKAGE = Path(__file__).parents[1]
# An installed perfcore carries its configs inside, a source checkout has them beside it.
CONFIGS = (PACKAGE / "configs", PACKAGE.parent / "configs")
DATASETS = "datasets"
VARIANTS = "variants"
UNKNOWN_FIELD = re.compile(r"unknown field `([^`]*)`")
PLACE = re.compile(r" - at `\$\.?([^`]*)`$")
T = TypeVar("T")


class Fetch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file that --download fetches: from where, to which name below the folder, and its SHA-256 if it is known."""

    url: str
    to: str
    sha256: str = ""


class Place(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Another folder below a data folder, and the names that the same files have there."""

    folder: str
    files: list[str]


class Preset(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A data set: what reads it with which settings, and where its files are found and fetched."""

    reader: str
    about: str = ""
    kind: Literal["load", "accuracy"] = "load"
    folder: str = ""
    files: list[str] = []
    also: list[Place] = []  # taken where all files are there, and those above are not
    home: str = ""
    licence: str = ""
    hub: str = ""  # owner/name of a data set on the Hugging Face hub, of which `files` are fetched
    fetch: list[Fetch] = []
    args: dict[str, Any] = {}
    max_tokens: int | None = None  # of rows that have none of their own
    ignore_eos: bool | None = None
    input_tokens: int | str | None = None
    output_tokens: int | str | None = None
    evaluation: dict[str, Any] = {}  # how its answers are scored: evaluators/settings.py


class Entry(NamedTuple):
    """A name of a data set: the file that has it, and which of its variants it is ("" for the family itself)."""

    path: Path
    variant: str


def names(config_dir: Path | None) -> dict[str, Entry]:
    """All names of presets, those in a user's folder before the built-in ones. Raises UserError for broken files."""
    found: dict[str, Entry] = {}
    for path in reversed(files(config_dir)):
        found |= {name: Entry(path, name) for name in variants(path)}
    found |= {path.stem: Entry(path, "") for path in reversed(files(config_dir))}
    return dict(sorted(found.items()))


def files(config_dir: Path | None, kind: str = DATASETS) -> list[Path]:
    """Files of presets of a kind, a user's own before the built-in ones. Raises UserError for a folder that is none."""
    if config_dir is not None and not config_dir.is_dir():
        raise UserError(f"--config-dir {config_dir} is not a folder; give one that holds the folder {kind}")
    folders = [folder / kind for folder in (*([config_dir] if config_dir else []), *CONFIGS)]
    return [file for folder in folders for file in sorted(folder.glob("*.toml"))]


def find(name: str, config_dir: Path | None) -> Entry | None:
    """Where a name of a preset is, or None; files whose name it is are not searched for variants."""
    stems = {path.stem: path for path in reversed(files(config_dir))}
    return Entry(stems[name], "") if name in stems else names(config_dir).get(name)


def variants(path: Path) -> dict[str, dict[str, Any]]:
    """Tables of a family's variants by name. Raises UserError."""
    found = table(path).get(VARIANTS, {})
    if not isinstance(found, dict) or not all(isinstance(value, dict) for value in found.values()):
        raise UserError(f"{path}: {VARIANTS} holds no tables; write [{VARIANTS}.NAME]")
    return found


def read_preset(entry: Entry) -> Preset:
    """The preset of a name, a variant's keys over those of its family. Raises UserError that names file and key."""
    family = {key: value for key, value in table(entry.path).items() if key != VARIANTS}
    siblings = variants(entry.path)
    own = siblings[entry.variant] if entry.variant else {}
    if "evaluation" in family and "evaluation" in own:
        family["evaluation"] = inherited(family["evaluation"], own["evaluation"])
    place = f"{entry.path}, {VARIANTS}.{entry.variant}" if entry.variant else str(entry.path)
    return converted(merged(family, own), Preset, place)


def inherited(family: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """The evaluation that a variant inherits: settings of an evaluator stay with it where the variant names another."""
    if "evaluator" not in own:
        return family
    return {key: value for key, value in family.items() if key not in ("args", "filters")}


def table(path: Path) -> dict[str, Any]:
    """Keys and values of a file, which are not to be changed. Raises UserError."""
    try:
        return parsed(path, path.stat().st_mtime_ns)
    except OSError as error:
        raise UserError(f"cannot read the preset {path}: {error.strerror}; make it readable") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid TOML: {error}; mend it there") from None


@lru_cache(maxsize=1024)
def parsed(path: Path, _: int) -> dict[str, Any]:
    """Keys and values of a file as it was at a time: each has many names, which are asked for one after the other."""
    found: dict[str, Any] = msgspec.toml.decode(path.read_bytes())
    return found


def converted(values: Mapping[str, Any], to: type[T], place: str) -> T:
    """A struct of a table's values; raises UserError that begins with the place and names the key."""
    try:
        return msgspec.convert(values, to)
    except msgspec.ValidationError as error:
        raise UserError(f"{place}: {in_words(str(error), keys_of(to))}") from None


def keys_of(struct: Any) -> tuple[str, ...]:
    """Keys of a struct's table."""
    return tuple(struct.__struct_encode_fields__)


def in_words(message: str, keys: Iterable[str]) -> str:
    """What msgspec says of a table, the key first, with the nearest one where it is unknown."""
    unknown, at = UNKNOWN_FIELD.search(message), PLACE.search(message)
    where = at.group(1) if at else ""
    if unknown and where:
        return f"unknown key {unknown.group(1)!r} in {where}; leave it out or spell it as the documentation does"
    if unknown:
        return f"unknown key {unknown.group(1)!r}; {advice(unknown.group(1), keys)}"
    words = PLACE.sub("", message).replace("Expected ", "wants ").replace("`", "")
    return f"{where or 'the table'} {words}" if words.startswith("wants") else f"{words} {where}".rstrip()


def advice(word: str, words: Iterable[str]) -> str:
    """The word that looks most like another, as the end of a sentence."""
    near = difflib.get_close_matches(word, list(words), 1, cutoff=0.0)
    return f"the nearest one is {near[0]!r}" if near else "there is none, so leave it out"
