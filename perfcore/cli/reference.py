"""docs/options.md, written out of the one list of options."""

import dataclasses
import importlib
import re
from typing import Any

import click

from perfcore.cli.flags import shown
from perfcore.cli.main import COMMANDS
from perfcore.option import Option
from perfcore.options import OPTIONS, StressOptions, flag_of, key_of, variable_of

# What Markdown would take for the beginning of a tag, such as that of outputs/<time>-stress.
TAG = re.compile(r"<(?=[a-z/])")

# Commands whose flags are the list of options; a flag of another one may have the name of an option and mean its own.
TAKE_OPTIONS = ("stress", "steady", "tune", "eval", "check")

HEAD = """# Options

<!-- Written by `make docs` out of perfcore/options.py and perfcore/cli; change these. -->

These are the options of `perfcore stress`, `steady`, `tune` and `eval`; where only some of them have one, it says so.
`perfcore check` has those that say which service is meant. What a command has beside them is [below](#flags-alone).

An option is given as a flag, in the environment, or in a file named by `--config` (TOML, YAML or JSON, by its ending).
Flags go before the environment, the environment before the file, the file before the preset (`docs/presets.md`), the
preset before the default; `perfcore stress --dry-run` prints what holds and where it came from. A value that is given
again replaces the earlier one as a whole, lists and tables too; only `body` is merged over that of a preset. Keys,
flags and variables named `PERFCORE_…` that are not listed here are errors.

Times are seconds, or text such as `500ms`, `30s`, `2m`, `1h30m`; sizes are bytes, or text such as `64MiB`. In the
environment an empty variable counts as not set, a repeatable option takes one value or a JSON list that starts with
`["`, and `PERFCORE_BODY` a JSON object or `key=json`.

"""


FLAGS_ALONE = """## Flags alone

What is given on the command line, and in no file for `--config`.

"""


def options_page() -> str:
    """The whole page in Markdown."""
    entries = "\n\n".join(entry(field.name, field.default) for field in dataclasses.fields(StressOptions))
    tables = "\n\n".join(table for name in COMMANDS if (table := flags_alone(name)))
    return f"{HEAD}{entries}\n\n{FLAGS_ALONE}{tables}"


def flags_alone(command: str) -> str:
    """Table of the flags of a command that are not among the options above; empty without any."""
    own: click.Command = importlib.import_module(COMMANDS[command][0]).command
    listed = {flag_of(name) for name in OPTIONS} if command in TAKE_OPTIONS else set()
    rows = [
        f"| {spelt(one)} | {TAG.sub('&lt;', one.help or '')}{standard(one)} |"
        for one in own.params
        if isinstance(one, click.Option) and listed.isdisjoint(one.opts)
    ]
    head = f"### perfcore {command}\n\n| flag | meaning |\n|---|---|\n"
    return head + "\n".join(rows) if rows else ""


def spelt(flag: click.Option) -> str:
    """A flag as it is written on the command line, for a cell of a table."""
    value = "" if flag.is_flag else f" {flag.make_metavar(click.Context(click.Command('')))}"
    words = f"`{' / '.join([*flag.opts, *flag.secondary_opts])}{value}`"
    return words.replace("|", "\\|")


def standard(flag: click.Option) -> str:
    """What holds without a flag, where its help leaves that to click."""
    if not flag.show_default:
        return ""
    return f" Default: {'on' if flag.default else 'off'}." if flag.is_flag else f" Default: `{flag.default}`."


def entry(name: str, default: Any) -> str:
    """Section of one option."""
    option = OPTIONS[name]
    spelt = [f"`{flag_of(name)} {option.metavar}`".replace(" `", "`"), f"key `{key_of(name)}`"]
    if default is True:
        spelt[0] += f" or `--no-{key_of(name)}`"
    spelt += [f"`{variable}`" for variable in (variable_of(name), option.also) if variable]
    facts = [fallback(option, default), f"Allowed: {option.limits()}." if option.limits() else "", only(option)]
    said = TAG.sub("&lt;", " ".join(filter(None, (option.help, *facts))))
    return f"## {key_of(name)}\n\n{', '.join(spelt)}\n\n{said}"


def only(option: Option) -> str:
    """Which commands have an option, where not all do."""
    return f"Of `perfcore {'` and `perfcore '.join(option.only)}` alone." if option.only else ""


def fallback(option: Option, default: Any) -> str:
    """What holds where an option is not given."""
    elsewhere = f" In `perfcore eval`: {option.in_eval}." if option.in_eval else ""
    if option.unset:
        return f"Without it: {option.unset}.{elsewhere}"
    if default == () or default is dataclasses.MISSING:
        return ""
    return f"Default: `{str(default).lower() if isinstance(default, bool) else shown(option, default)}`."
