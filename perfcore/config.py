"""From defaults, preset, file, environment and flags to the options of a run, each with where it came from."""

import dataclasses
import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from perfcore.aisbench_data import holds_data, read_data
from perfcore.errors import UserError
from perfcore.load import choose_load
from perfcore.option import has
from perfcore.options import OPTIONS, StressOptions, flag_of, key_of, variable_of
from perfcore.preset import Preset, existing, read_models, read_preset
from perfcore.redaction import redacted
from perfcore.tables import read_table

PREFIX = "PERFCORE_"
PRESET, FILE, ENVIRONMENT, FLAG = 1, 2, 3, 4  # what goes before what; 0 is a default
API_KEY = "api_key"  # found in presets only, and sent as a header
NAMES = {key_of(name): name for name in OPTIONS}
VARIABLES = {variable_of(name): name for name in OPTIONS} | {
    more.also: name for name, more in OPTIONS.items() if more.also
}

DEFAULT_PROMPT = "Write a short story about a lighthouse keeper who finds a message in a bottle."
DEFAULT_REQUESTS = 100
DEFAULT_WINDOW_S = 60.0
EVAL_RETRIES = 5
# Options that measure speed and would have `perfcore eval` ask other than each question of one model.
NOT_IN_EVAL = ("requests", "duration_s", "arrivals", "rate", "weights", "model_weights")


class Given(NamedTuple):
    """A value as it was given, and where."""

    name: str
    value: object
    origin: str
    rank: int


@dataclass(frozen=True)
class Resolved:
    """Options of a run and by name the origin of each: default, file x.toml, environment PERFCORE_RATE, --rate.

    `notes` are what the user should be told of the files that were read. `lists` holds, by name, the values of options
    that were given several and so make a sweep; `options` has the first of each.
    """

    options: StressOptions
    origins: dict[str, str]
    notes: tuple[str, ...] = ()
    lists: dict[str, tuple[Any, ...]] = field(default_factory=dict)


class Layer(NamedTuple):
    """What one file gives."""

    given: list[Given]
    notes: tuple[str, ...] = ()


def resolve(
    flags: Mapping[str, object], config: Path | None, environment: Mapping[str, str], command: str = "stress"
) -> Resolved:
    """Options from defaults < preset < file < environment < flags, for a command that sends load.

    `flags` holds what was given by option name; None and () stand for flags that were not. Raises UserError for what is
    unknown, out of range, or contradicts itself.
    """
    outer = [*from_environment(environment), *from_flags(flags)]
    file = from_file(config, last("preset_model", outer)) if config else Layer([])
    near = [*file.given, *outer]
    config_dir = last("config_dir", near)
    existing(config_dir)
    preset = from_preset(last("preset", near), last("preset_model", near), config_dir)
    values = dataclasses.asdict(StressOptions())
    origins = dict.fromkeys(values, "default")
    ranks = dict.fromkeys(values, 0)
    for given in (*preset.given, *near):
        if given.name != API_KEY:
            put(given, values, origins, ranks)
    refuse_unused_pick(values, origins, config)
    add_api_key([given for given in (*preset.given, *near) if given.name == API_KEY], values, origins, ranks)
    if command == "eval":
        refuse_speed(values, origins, ranks)
    lists = take_lists(values)
    refuse_lists(lists, origins)
    choose_workload(values, origins, ranks)
    forget_others(values, origins, ranks, command)
    choose_end(values, origins, command)
    choose_load(values, origins, ranks)
    check_api_key(values, origins, environment)
    return Resolved(StressOptions(**values), origins, (*preset.notes, *file.notes), lists)


def last(name: str, given: Iterable[Given]) -> Any:
    """Value that is given for an option nearest to the command line, or None."""
    found = [one for one in given if one.name == name]
    return checked(name, found[-1].value, found[-1].origin) if found else None


def put(given: Given, values: dict[str, Any], origins: dict[str, str], ranks: dict[str, int]) -> None:
    """Put a value in the place of an earlier one; a body is merged over that of a preset."""
    name, value, origin, rank = given
    value = checked(name, value, origin)
    if name == "body" and ranks[name] == PRESET and rank > PRESET:
        value, origin = overlaid(values[name], value), f"{origin} over {origins[name]}"
    values[name], origins[name], ranks[name] = value, origin, rank


def overlaid(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Two tables merged deeply; null stays, as it removes a key of the body."""
    both = {
        key: overlaid(below, over[key])
        for key, below in under.items()
        if isinstance(below, dict) and isinstance(over.get(key), dict)
    }
    return {**under, **over, **both}


def from_file(path: Path, pick: str | None) -> Layer:
    """What a TOML, YAML or JSON file gives, or an AISBench configuration; raises UserError."""
    if path.suffix.lower() == ".py":
        return layer(read_data(path, pick) if holds_data(path) else read_models(path, pick), FILE)
    return Layer(
        [
            Given(known(key, NAMES, f"key {key!r} in {path}"), value, f"file {path}", FILE)
            for key, value in read_table(path, "--config").items()
        ]
    )


def from_preset(name: str | None, pick: str | None, config_dir: Path | None) -> Layer:
    """What a preset gives, if one is named; raises UserError for one that is unknown or wrong."""
    return Layer([]) if name is None else layer(read_preset(name, pick, config_dir), PRESET)


def layer(preset: Preset, rank: int) -> Layer:
    """What was read of a preset, among what else is given."""
    given = [Given(name, value, origin, rank) for name, (value, origin) in preset.options.items()]
    if preset.api_key:
        given.append(Given(API_KEY, preset.api_key, "the API key of that file", rank))
    return Layer(given, preset.notes)


def from_environment(environment: Mapping[str, str]) -> list[Given]:
    """What the environment gives; an empty variable gives nothing, and PERFCORE_WORKERS goes before WORKERS_NUM."""
    ours = {name: value for name, value in environment.items() if name.startswith(PREFIX) or name in VARIABLES}
    for variable in ours:
        known(variable, VARIABLES, f"environment variable {variable}")
    ordered = sorted((name for name in ours if ours[name]), key=lambda name: name.startswith(PREFIX))
    return [Given(VARIABLES[name], ours[name], f"environment {name}", ENVIRONMENT) for name in ordered]


def from_flags(flags: Mapping[str, object]) -> list[Given]:
    """What the command line gives."""
    return [
        Given(name, value, "--no-" + key_of(name) if value is False else flag_of(name), FLAG)
        for name, value in flags.items()
        if value is not None and value != ()
    ]


def known(word: str, names: Mapping[str, str], place: str) -> str:
    """Option that a word names; raises UserError that gives the nearest one."""
    if word not in names:
        raise UserError(f"unknown {place}; the nearest one is {nearest(word, names)!r}")
    return names[word]


def nearest(word: str, words: Iterable[str]) -> str:
    """Word that looks most like another."""
    return difflib.get_close_matches(word, words, 1, cutoff=0.0)[0]


def checked(name: str, value: object, origin: str) -> Any:
    """Value of an option; raises UserError that names the key, where the value came from and what is allowed."""
    try:
        return OPTIONS[name].check(value)
    except ValueError as error:
        shown = (
            f" {value!r}" if isinstance(value, (int, float)) or (isinstance(value, str) and name != "header") else ""
        )
        place = "" if origin.startswith("--") else f" ({origin})"
        subject = origin if origin.startswith("--") else key_of(name)
        raise UserError(f"{subject}{shown}{place}: {error}") from None


def take_lists(values: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    """The options with several values; the first of them stays in `values`."""
    lists = {name: values[name] for name in values if OPTIONS[name].swept and isinstance(values[name], tuple)}
    values.update({name: items[0] for name, items in lists.items()})
    return lists


def refuse_lists(lists: Mapping[str, tuple[Any, ...]], origins: Mapping[str, str]) -> None:
    """Raise UserError where lists do not make one sweep."""
    loads = [name for name in ("concurrency", "rate") if name in lists]
    if len(loads) > 1:
        both = " and ".join(f"{name} ({origins[name]})" for name in loads)
        raise UserError(f"{both} have several values each; sweep one of them at a time")
    if "requests" not in lists:
        return
    own = f"requests ({origins['requests']}) has {len(lists['requests'])} values"
    if not loads:
        raise UserError(f"{own}, which is for sweeps; give one, or as many of concurrency or of rate")
    if len(lists["requests"]) != len(lists[loads[0]]):
        load = f"{loads[0]} ({origins[loads[0]]}) has {len(lists[loads[0]])}"
        raise UserError(f"{own} and {load}; give one number of requests, or one for each point")


def choose_workload(values: dict[str, Any], origins: dict[str, str], ranks: dict[str, int]) -> None:
    """Leave a prompt or a data set, whichever was given nearer to the command line, and say how often it is sent."""
    if values["prompt"] and values["dataset"]:
        if ranks["prompt"] == ranks["dataset"]:
            both = f"prompt ({origins['prompt']}) and dataset ({origins['dataset']})"
            raise UserError(f"{both} exclude each other; leave one of them out")
        winner, loser = sorted(("prompt", "dataset"), key=ranks.__getitem__, reverse=True)
        values[loser] = ()
        origins[loser] = f"left out for {origins[winner]}"
    if not values["prompt"] and not values["dataset"]:
        values["prompt"], origins["prompt"] = (DEFAULT_PROMPT,), "default, as no data set is given"


def forget_others(values: dict[str, Any], origins: dict[str, str], ranks: dict[str, int], command: str) -> None:
    """Have what belongs to other commands say nothing."""
    for name in (name for name, option in OPTIONS.items() if not has(command, option)):
        if ranks[name]:
            origins[name] = f"default, as `perfcore {command}` has none"
        values[name], ranks[name] = getattr(StressOptions(), name), 0


def choose_end(values: dict[str, Any], origins: dict[str, str], command: str) -> None:
    """Say when to stop where nothing does."""
    if command == "eval":
        return choose_once(values, origins)
    if any(values[name] is not None for name in ("requests", "duration_s", "precision")):
        return
    if command in ("steady", "tune"):
        values["duration_s"], origins["duration_s"] = DEFAULT_WINDOW_S, "default, as nothing says how long to measure"
    elif values["dataset"]:
        origins["requests"] = "default: one pass over the data set"
    else:
        values["requests"] = max(DEFAULT_REQUESTS, len(values["prompt"]))
        origins["requests"] = "default, as neither requests nor duration is given"


def choose_once(values: dict[str, Any], origins: dict[str, str]) -> None:
    """Have a question asked again that failed, since a score wants all of them."""
    if origins["retries"] == "default":
        values["retries"], origins["retries"] = EVAL_RETRIES, "default of eval"


def refuse_speed(values: Mapping[str, Any], origins: Mapping[str, str], ranks: Mapping[str, int]) -> None:
    """Raise UserError for a flag of measuring speed, and for what would change how often a question is asked.

    Whatever else a file or the environment says of speed is for other commands, and says nothing here.
    """
    for name, option in OPTIONS.items():
        changed = name in NOT_IN_EVAL and values[name] != getattr(StressOptions(), name)
        if not has("eval", option) and has("stress", option) and (ranks[name] == FLAG or changed):
            raise UserError(
                f"{key_of(name)} ({origins[name]}) is for measuring speed; `perfcore eval` asks each question as often "
                "as --repeats says: leave it out, or give --num-prompts or --limit for fewer questions"
            )


def refuse_unused_pick(values: dict[str, Any], origins: dict[str, str], config: Path | None) -> None:
    """Raise UserError where a model is chosen and no file has models to choose from."""
    files = [str(path) for path in (config, values["preset"]) if path is not None]
    if values["preset_model"] is not None and not any(file.lower().endswith(".py") for file in files):
        place = f"preset_model ({origins['preset_model']})"
        raise UserError(f"{place} chooses a model of an AISBench file, and none is given; leave it out")


def add_api_key(keys: list[Given], values: dict[str, Any], origins: dict[str, str], ranks: dict[str, int]) -> None:
    """Send an API key that a file holds as a header, unless another is given nearer to the command line."""
    own = any(line.partition(":")[0].strip().lower() == "authorization" for line in values["header"])
    if not keys or own or (values["api_key_env"] is not None and ranks["api_key_env"] >= keys[-1].rank):
        return
    values["header"] = (*values["header"], f"Authorization: Bearer {keys[-1].value}")
    origins["header"] = f"{origins['header']} and {keys[-1].origin}" if ranks["header"] else keys[-1].origin


def check_api_key(values: dict[str, Any], origins: dict[str, str], environment: Mapping[str, str]) -> None:
    """Raise UserError where the variable that should hold the API key holds none."""
    variable = values["api_key_env"]
    if variable is not None and not environment.get(variable):
        place = f"api_key_env ({origins['api_key_env']})"
        raise UserError(f"{place} names the environment variable {variable}, which is not set; export it first")


def request_headers(options: StressOptions, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Header lines of each request: those given, and the API key and content type where these do not have their own."""
    own = {line.partition(":")[0].strip().lower() for line in options.header}
    lines = {"content-type": "Content-Type: application/json"}
    if options.api_key_env is not None:
        lines["authorization"] = f"Authorization: Bearer {environment[options.api_key_env].strip()}"
    return (*(line for name, line in lines.items() if name not in own), *options.header)


def listing(resolved: Resolved) -> list[dict[str, Any]]:
    """Rows of --dry-run: key, value without secrets, origin."""
    plain = redacted(resolved.options) | {name: list(items) for name, items in resolved.lists.items()}
    return [{"key": key_of(name), "value": plain[name], "origin": resolved.origins[name]} for name in plain]
