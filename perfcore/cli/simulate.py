"""`perfcore simulate`: an inference server that only pretends, at the pace that is asked for."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from perfcore.run.simulation import SimulatorSettings, serve
from perfcore_ext.simserver import Simulator


def reader(parse: Callable[[str], Any]) -> Callable[[Any], Any]:
    """A click type out of a function of a text that raises ValueError in words."""

    def read(value: Any) -> Any:
        try:
            return parse(value) if isinstance(value, str) else value
        except ValueError as error:
            raise click.BadParameter(str(error)) from None

    return read


def flag(field: dataclasses.Field[Any]) -> click.Option:
    """The flag of one setting."""
    name = field.name.replace("_", "-")
    known = field.metadata
    if "parse" not in known:
        return click.Option([f"--{name}/--no-{name}"], default=field.default, show_default=True, help=known["help"])
    many = known.get("many", False)
    default = None if many or field.default == "" else field.default
    return click.Option(
        [f"--{name.removesuffix('s')}" if many else f"--{name}", field.name],
        type=reader(known["parse"]),
        metavar=known["metavar"],
        default=default,
        show_default=":".join(map(str, sorted(set(default)))) if isinstance(default, tuple) else default is not None,
        multiple=many,
        help=known["help"],
    )


def announce(simulator: Simulator, model: str) -> None:
    """Print the address."""
    host = f"[{simulator.host}]" if ":" in simulator.host else simulator.host
    click.echo(f"simulating {model} on http://{host}:{simulator.port} until Ctrl-C")


def simulate(truth_log: Path | None, **given: Any) -> None:
    """Serve simulated completions (OpenAI's chat and text completions, streamed and not) on this machine.

    A prompt that contains [[fault:KIND]] or [[fault:KIND=ARG]] gets that fault; docs/simulator.md has them all.
    """
    settings = SimulatorSettings(**{name: value for name, value in given.items() if value is not None})
    counts = serve(settings, truth_log, lambda simulator: announce(simulator, settings.model)).counters()
    click.echo(f"answered {counts['requests']} requests with {counts['events']} events")


command = click.Command(
    "simulate",
    callback=simulate,
    help=simulate.__doc__,
    params=[
        *map(flag, dataclasses.fields(SimulatorSettings)),
        click.Option(
            ["--truth-log"],
            type=click.Path(path_type=Path, dir_okay=False),
            metavar="FILE",
            help="Log there when each event was sent.",
        ),
    ],
)
