"""From defaults, a file, the environment and flags to the options of a run, each with where it came from."""

import dataclasses
import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from perfcore.errors import UserError
from perfcore.options import OPTIONS, StressOptions, flag_of, key_of, variable_of
from perfcore.redaction import redacted

PREFIX = "PERFCORE_"
FORMATS: dict[str, Callable[[bytes], Any]] = {
    ".toml": msgspec.toml.decode,
    ".yaml": msgspec.yaml.decode,
    ".yml": msgspec.yaml.decode,
    ".json": msgspec.json.decode,
}
NAMES = {key_of(name): name for name in OPTIONS}
VARIABLES = {variable_of(name): name for name in OPTIONS} | {
    more.also: name for name, more in OPTIONS.items() if more.also
}

DEFAULT_PROMPT = "Write a short story about a lighthouse keeper who finds a message in a bottle."
DEFAULT_CONCURRENCY = 8
DEFAULT_REQUESTS = 100


class Given(NamedTuple):
    """A value as it was given, and where."""

    name: str
    value: object
    origin: str
    rank: int


@dataclass(frozen=True)
class Resolved:
    """Options of a run and by name the origin of each: default, file x.toml, environment PERFCORE_RATE, --rate."""

    options: StressOptions
    origins: dict[str, str]


def resolve(flags: Mapping[str, object], config: Path | None, environment: Mapping[str, str]) -> Resolved:
    """Options from defaults < file < environment < flags.

    `flags` holds what was given by option name; None and () stand for flags that were not. Raises UserError for what is
    unknown, out of range, or contradicts itself.
    """
    given = [*(from_file(config) if config else ()), *from_environment(environment), *from_flags(flags)]
    values = dataclasses.asdict(StressOptions())
    origins = dict.fromkeys(values, "default")
    ranks = dict.fromkeys(values, 0)
    for name, value, origin, rank in given:
        values[name], origins[name], ranks[name] = checked(name, value, origin), origin, rank
    choose_workload(values, origins, ranks)
    choose_load(values, origins)
    check_api_key(values, origins, environment)
    return Resolved(StressOptions(**values), origins)


def from_file(path: Path) -> list[Given]:
    """What a TOML, YAML or JSON file gives; raises UserError for one that cannot be read and for unknown keys."""
    decode = FORMATS.get(path.suffix.lower())
    if decode is None:
        raise UserError(f"--config {path} ends in none of {', '.join(FORMATS)}; rename it to what it holds")
    try:
        table = decode(path.read_bytes())
    except OSError as error:
        raise UserError(f"cannot read --config {path}: {error.strerror}; give a file that can be read") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UserError(f"--config {path} is not valid {path.suffix[1:].upper()}: {error}; mend it there") from None
    if not isinstance(table, dict) and table is not None:
        raise UserError(f"--config {path} holds no table of keys; write lines such as concurrency = 16")
    return [
        Given(known(str(key).replace("-", "_"), NAMES, f"key {key!r} in {path}"), value, f"file {path}", 1)
        for key, value in (table or {}).items()
    ]


def from_environment(environment: Mapping[str, str]) -> list[Given]:
    """What the environment gives; an empty variable gives nothing, and PERFCORE_WORKERS goes before WORKERS_NUM."""
    ours = {name: value for name, value in environment.items() if name.startswith(PREFIX) or name in VARIABLES}
    for variable in ours:
        known(variable, VARIABLES, f"environment variable {variable}")
    ordered = sorted((name for name in ours if ours[name]), key=lambda name: name.startswith(PREFIX))
    return [Given(VARIABLES[name], ours[name], f"environment {name}", 2) for name in ordered]


def from_flags(flags: Mapping[str, object]) -> list[Given]:
    """What the command line gives."""
    return [
        Given(name, value, "--no-" + key_of(name) if value is False else flag_of(name), 3)
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


def choose_workload(values: dict[str, Any], origins: dict[str, str], ranks: dict[str, int]) -> None:
    """Leave a prompt or a data set, whichever was given nearer to the command line, and say how often it is sent."""
    if values["prompt"] and values["dataset"]:
        if ranks["prompt"] == ranks["dataset"]:
            both = f"prompt ({origins['prompt']}) and dataset ({origins['dataset']})"
            raise UserError(f"{both} exclude each other; leave one of them out")
        winner, loser = sorted(("prompt", "dataset"), key=ranks.__getitem__, reverse=True)
        values[loser] = () if loser == "prompt" else None
        origins[loser] = f"left out for {origins[winner]}"
    if not values["prompt"] and not values["dataset"]:
        values["prompt"], origins["prompt"] = (DEFAULT_PROMPT,), "default, as no data set is given"
    if values["requests"] is None and values["duration_s"] is None:
        if values["dataset"]:
            origins["requests"] = "default: one pass over the data set"
        else:
            values["requests"] = max(DEFAULT_REQUESTS, len(values["prompt"]))
            origins["requests"] = "default, as neither requests nor duration is given"


def choose_load(values: dict[str, Any], origins: dict[str, str]) -> None:
    """Choose a concurrency where nothing says how much to send at once; raises UserError for a ramp of a rate."""
    if values["rate"] is not None and values["ramp"] is not None:
        both = f"ramp ({origins['ramp']}) adds clients, and with rate ({origins['rate']}) there are none"
        raise UserError(f"{both}; leave one of them out")
    if values["rate"] is None and values["concurrency"] is None:
        values["concurrency"] = DEFAULT_CONCURRENCY
        origins["concurrency"] = "default, as neither concurrency nor rate is given"


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
    plain = redacted(resolved.options)
    return [{"key": key_of(name), "value": plain[name], "origin": resolved.origins[name]} for name in plain]
