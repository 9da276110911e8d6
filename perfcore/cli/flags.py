"""Flags of click out of the one list of options, and those of every command that sends load."""

import dataclasses
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import click

from perfcore.commands.points import FLAGS
from perfcore.errors import UserError
from perfcore.option import Option, has
from perfcore.options import OPTIONS, StressOptions, flag_of, variable_of


def flags(command: str) -> list[click.Parameter]:
    """One flag an option of a command. Values stay text, as their checks belong to the list; None or () without one.

    Those that measure speed are understood by `perfcore eval`, too, but not shown: perfcore/config.py says why not.
    """
    fields = [
        (field, OPTIONS[field.name])
        for field in dataclasses.fields(StressOptions)
        if has(command, OPTIONS[field.name]) or (command == "eval" and has("stress", OPTIONS[field.name]))
    ]
    return [flag(field.name, option, field.default, command) for field, option in fields]


def flag(name: str, option: Option, default: Any, command: str) -> click.Option:
    """Flag of one option."""
    words = f"{option.help} [{'; '.join(filter(None, (effect(option, default, command), variable_of(name))))}]"
    hidden = not has(command, option)
    if not option.metavar:
        both = f"{flag_of(name)}/--no-{flag_of(name)[2:]}" if default else flag_of(name)
        return click.Option([both, name], is_flag=True, default=None, help=words, hidden=hidden)
    names, many = [flag_of(name), name], option.many
    return click.Option(names, type=str, metavar=option.metavar, multiple=many, help=words, hidden=hidden)


def spread(arguments: Sequence[str], flags: Collection[str], takers: Collection[str]) -> list[str]:
    """The command line with a flag before each of the values that follow one of `flags`, as click wants them.

    `takers` are all flags that take a value: what follows one is its own, whatever it looks like. Raises UserError for
    one of `flags` without a value.
    """
    spread: list[str] = []
    left = list(arguments)
    while left:
        word = left.pop(0)
        name, equals, _ = word.partition("=")
        spread += [word] if equals or name not in flags else []
        if name in flags:
            found = []
            while left and not left[0].startswith("-"):
                found.append(left.pop(0))
            if not found and not equals:
                raise UserError(f"{name} names nothing; give it one name or several, such as {name} A B")
            spread += [part for value in found for part in (name, value)]
        elif word == "--":
            return [*spread, *left]
        elif name in takers and not equals and left:
            spread.append(left.pop(0))
    return spread


def effect(option: Option, default: Any, command: str = "") -> str:
    """What holds where a flag is not given, in words."""
    if option.in_eval and command == "eval":
        return f"without: {option.in_eval}"
    if option.unset:
        return f"without: {option.unset}"
    if default is False or default == () or default is dataclasses.MISSING:
        return ""
    return "default: on" if default is True else f"default: {shown(option, default)}"


def shown(option: Option, value: Any) -> str:
    """Default of an option as a user would write it."""
    if option.metavar == "SIZE":
        return f"{value // 2**20}MiB"
    return f"{value:g}s" if option.metavar == "TIME" else str(value)


class Load(click.Command):
    """A command whose --models and --datasets take names up to the next flag; a class as click is told so."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        takers = {name for flag in self.params if not getattr(flag, "is_flag", False) for name in flag.opts}
        return super().parse_args(ctx, spread(args, [f"--{name}" for name in FLAGS], takers))


def parameters(command: str) -> list[click.Parameter]:
    """All flags of a command."""
    return [
        *flags(command),
        click.Option(
            ["--config"],
            type=click.Path(path_type=Path),
            help="File of options: TOML, YAML, JSON, or an AISBench .py of models, which is read and never executed.",
        ),
        click.Option(
            ["--models"],
            multiple=True,
            metavar="NAME|FILE...",
            help="Presets of models, each in the place of --preset; a run with each of the data sets.",
        ),
        click.Option(
            ["--datasets"],
            multiple=True,
            metavar="NAME|PATH...",
            help="Data sets, each in the place of --dataset; a run with each of the models.",
        ),
        click.Option(["--dry-run"], is_flag=True, help="Print the options and where each came from; send nothing."),
    ]
