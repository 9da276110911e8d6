"""Presets: options of a kind of service under a name, and AISBench's model configurations, which say the same."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from perfcore.aisbench import (
    DEFAULT_HOST,
    DEFAULT_MAX_OUT_LEN,
    DEFAULT_PORT,
    NAMES,
    PARAMETERS,
    Backend,
    Options,
    checked,
    nearest,
    translated,
)
from perfcore.errors import UserError
from perfcore.literals import Setting, read_tables
from perfcore.options import OPTIONS, key_of
from perfcore.paths import expanded
from perfcore.tables import FORMATS, read_table

PACKAGE = Path(__file__).parent
# An installed perfcore carries its configs inside, a source checkout has them beside it.
FOLDERS = (PACKAGE / "configs" / "models", PACKAGE.parent / "configs" / "models")
KEYS = {key_of(name): name for name in OPTIONS if name not in ("preset", "preset_model")}
OWN_ORIGIN = "AISBench's default"


class Preset(NamedTuple):
    """Options by name, each with where it was found; an API key that was written there; remarks for the user."""

    options: dict[str, tuple[Any, str]]
    api_key: str
    notes: tuple[str, ...]


def builtin() -> dict[str, Path]:
    """File of each built-in preset by name."""
    return {file.stem: file for folder in reversed(FOLDERS) for file in sorted(folder.glob("*.toml"))}


def files_of(config_dir: Path | None) -> dict[str, Path]:
    """File of each preset by name; those in `models` of a user's own folder go before the built-in ones.

    Raises UserError for a folder that is not there.
    """
    existing(config_dir)
    if config_dir is None:
        return builtin()
    own = [file for file in sorted((config_dir / "models").glob("*")) if file.suffix.lower() in (*FORMATS, ".py")]
    return builtin() | {file.stem: file for file in own}


def existing(config_dir: Path | None) -> None:
    """Raise UserError for a folder of presets that is not there."""
    if config_dir is not None and not config_dir.is_dir():
        raise UserError(f"--config-dir {config_dir} is no folder; give one with presets in models, datasets or judges")


def read_preset(name_or_file: str, pick: str | None, config_dir: Path | None = None) -> Preset:
    """Preset of that name, or the one in a file; raises UserError for what is unknown or wrong."""
    path = expanded(name_or_file)
    if path.suffix.lower() in (*FORMATS, ".py"):
        return from_path(path, pick, f"preset {path}")
    files = files_of(config_dir)
    if name_or_file not in files:
        near = nearest(name_or_file, files)
        raise UserError(
            f"unknown preset {name_or_file!r}, the nearest one is {near!r}; `perfcore list presets` names all"
        )
    return from_path(files[name_or_file], pick, f"preset {name_or_file}")


def from_path(path: Path, pick: str | None, origin: str) -> Preset:
    """Preset in a file; raises UserError."""
    if path.suffix.lower() == ".py":
        return read_models(path, pick)
    return from_table(read_table(path, "--preset"), path, origin)


def from_table(table: Mapping[str, Any], path: Path, origin: str) -> Preset:
    """Preset of a table whose keys are options of perfcore or parameters of AISBench."""
    own = {KEYS[key]: value for key, value in table.items() if key in KEYS and key not in PARAMETERS}
    for key in table:
        if key not in KEYS and key not in PARAMETERS:
            near = nearest(key, {*KEYS, *PARAMETERS})
            raise UserError(f"unknown key {key!r} in {path}; the nearest one is {near!r}")
    theirs = {key: Setting(value, 0) for key, value in table.items() if key in PARAMETERS}
    urls = theirs.pop("url", None)  # may be a list here
    got = parameters(theirs, path, Backend(own.get("dialect", ""), local=own.get("local", "")))
    options = dict(got.found)
    if urls is not None and urls.value != "":
        options["url"] = urls.value, "url"
    for name, value in own.items():
        if name in options:
            raise UserError(f"{path} gives {key_of(name)} and {options[name][1]}, which say the same; leave one out")
        options[name] = value, key_of(name)
    return Preset({name: (value, origin) for name, (value, _) in options.items()}, got.api_key, remarks(got, path))


def read_models(path: Path, pick: str | None) -> Preset:
    """Preset of a Python file with `models = [dict(...)]`, which is read and not executed. Raises UserError."""
    return of_models(read_tables(path, "models", NAMES), path, pick)


def of_models(models: list[dict[str, Setting]], path: Path, pick: str | None) -> Preset:
    """Preset of one of a file's models, each a table of AISBench's parameters. Raises UserError."""
    settings = picked(models, path, pick)
    got = parameters(settings, path, Backend(""))
    if "type" not in settings:
        raise UserError(f"{path}: the model has no type; say which class of AISBench's it is")
    options = {name: (value, f"{path} line {settings[key].line}") for name, (value, key) in got.found.items()}
    return Preset(defaults(options) | options, got.api_key, remarks(got, path))


def defaults(options: Mapping[str, Any]) -> dict[str, tuple[Any, str]]:
    """What AISBench takes where a model of a service does not say it."""
    # A replay is not held up there either: it has no limit.
    found: dict[str, Any] = {} if "arrivals" in options and options["arrivals"][0] == "replay" else {"concurrency": 1}
    if "local" not in options:
        found |= {"url": f"http://{DEFAULT_HOST}:{DEFAULT_PORT}", "max_tokens": DEFAULT_MAX_OUT_LEN}
    return {name: (value, OWN_ORIGIN) for name, value in found.items()}


def picked(models: list[dict[str, Setting]], path: Path, pick: str | None) -> dict[str, Setting]:
    """The only model, or the one that `pick` names; raises UserError where neither says which."""
    if not models:
        raise UserError(f"{path} has no model in `models`; write one there")
    names = [abbr_of(settings) for settings in models]
    if pick is None and len(models) > 1:
        raise UserError(f"{path} has {len(models)} models; choose one with --preset-model: {', '.join(names)}")
    found = [settings for settings, name in zip(models, names, strict=True) if pick in (None, name)]
    if len(found) != 1:
        wrong = f"has no model {pick!r}" if not found else f"has {len(found)} models {pick!r}"
        raise UserError(f"{path} {wrong}; its models are {', '.join(names)}")
    return found[0]


def abbr_of(settings: Mapping[str, Setting]) -> str:
    """Name of a model."""
    return str(settings["abbr"].value) if "abbr" in settings else "(no abbr)"


def parameters(settings: Mapping[str, Setting], path: Path, known: Backend) -> Options:
    """Options that parameters of AISBench stand for; raises UserError that names file, line and parameter."""
    for key, setting in settings.items():
        if key not in PARAMETERS:
            near = nearest(key, PARAMETERS)
            raise UserError(f"{place(path, setting)}: unknown parameter {key!r}, the nearest one is {near!r}")
    given = {key: setting for key, setting in settings.items() if setting.value is not None and setting.value != ""}
    try:
        values = {key: checked_in(path, key, setting) for key, setting in given.items()}
        return translated(values, known)
    except ValueError as error:
        key = str(error).partition(":")[0]
        raise UserError(f"{place(path, given.get(key))}: {error}") from None


def checked_in(path: Path, key: str, setting: Setting) -> Any:
    """Value of a parameter; raises UserError that names the place and, unless it may be a secret, the value."""
    try:
        return checked(key, setting.value)
    except ValueError as error:
        number = isinstance(setting.value, (int, float)) or key in ("type", "host_ip")
        shown = f" {setting.value!r}" if number and isinstance(setting.value, (int, float, str)) else ""
        raise UserError(f"{place(path, setting)}: {key}{shown} {error}") from None


def place(path: Path, setting: Setting | None) -> str:
    """File, and line where it is known."""
    return f"{path} line {setting.line}" if setting is not None and setting.line else str(path)


def remarks(got: Options, path: Path) -> tuple[str, ...]:
    """What a user should know of a file that was read."""
    unused = f"{path}: not used here: {', '.join(got.unused)}" if got.unused else ""
    key = f"{path} holds an API key; --api-key-env NAME keeps keys out of files" if got.api_key else ""
    return tuple(filter(None, (unused, key)))


def listing(config_dir: Path | None = None) -> str:
    """Name, dialect and way of answering of each preset, one a line; of one's own also its file, or what is wrong."""
    return "\n".join(line_of(name, file) for name, file in files_of(config_dir).items())


def line_of(name: str, file: Path) -> str:
    """What is to be said of a preset in one line."""
    where = "" if file.parent in FOLDERS else str(file)
    try:
        options = {key: value for key, (value, _) in from_path(file, None, name).options.items()}
    except UserError as error:
        return f"{name:32} {error}"
    streams = {None: "", True: "streamed", False: "whole"}[options.get("stream")]
    how = " ".join(filter(None, (f"local {options['local']}" if "local" in options else "", where)))
    return f"{name:32} {options.get('dialect', ''):20} {streams:10} {how}".rstrip()
