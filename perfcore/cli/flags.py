"""Flags of click out of the one list of options."""

import dataclasses
from typing import Any

import click

from perfcore.options import OPTIONS, Option, StressOptions, flag_of, variable_of


def flags() -> list[click.Parameter]:
    """One flag an option. Values stay text, as their checks belong to the list; those not given are None or ()."""
    fields = dataclasses.fields(StressOptions)
    return [flag(field.name, OPTIONS[field.name], field.default) for field in fields]


def flag(name: str, option: Option, default: Any) -> click.Option:
    """Flag of one option."""
    words = f"{option.help} [{'; '.join(filter(None, (effect(option, default), variable_of(name))))}]"
    if not option.metavar:
        both = f"{flag_of(name)}/--no-{flag_of(name)[2:]}" if default else flag_of(name)
        return click.Option([both, name], is_flag=True, default=None, help=words)
    return click.Option([flag_of(name), name], type=str, metavar=option.metavar, multiple=option.many, help=words)


def effect(option: Option, default: Any) -> str:
    """What holds where a flag is not given, in words."""
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
