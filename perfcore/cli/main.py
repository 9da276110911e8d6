"""The command `perfcore`: imports the command that is asked for, and no other, and turns errors into exit codes."""

import difflib
import importlib
import os
import sys
from typing import Any, NoReturn

import click

from perfcore.errors import UserError

# Module and one line of help by name; a module is imported when its command is asked for, and exports it as `command`.
COMMANDS = {
    "stress": ("perfcore.cli.stress", "Load a service and measure it."),
    "steady": ("perfcore.cli.steady", "Measure a service in a proven steady state."),
    "eval": ("perfcore.cli.eval", "Score the answers of a model: those of a run, or collected for it."),
    "tune": ("perfcore.cli.tune", "Find the largest load at which a service meets its objectives."),
    "report": ("perfcore.cli.report", "Finish a run folder and print its report."),
    "explain": ("perfcore.cli.explain", "Explain a metric, or what another tool would have reported of a run."),
    "export": ("perfcore.cli.export", "Write a run in the form of another tool, or hand it to a tracker."),
    "compare": ("perfcore.cli.compare", "Compare runs: differences, how sure they are, and limits for them."),
    "query": ("perfcore.cli.query", "Select single requests of runs in SQL."),
    "simulate": ("perfcore.cli.simulate", "Serve simulated answers on this machine."),
    "calibrate": ("perfcore.cli.calibrate", "Find out what this machine can send and receive without error."),
    "check": ("perfcore.cli.check", "Find out what a service does with requests before it is measured."),
    "list": ("perfcore.cli.list", "List what perfcore knows: data sets, dialects, presets, options."),
    "search": ("perfcore.cli.search", "Print the preset files that take part where a name is given."),
}
USER_ERROR, INTERRUPTED, BROKEN_PIPE = 2, 130, 141


class Commands(click.Group):
    """The commands of the table above; a class because that is how click is told to import late."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        if cmd_name not in COMMANDS:
            near = difflib.get_close_matches(cmd_name, COMMANDS, 1, cutoff=0.0)[0]
            raise UserError(
                f"there is no command {cmd_name!r}; the nearest one is {near!r}, `perfcore --help` lists all"
            )
        command: click.Command = importlib.import_module(COMMANDS[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


def print_versions(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    """Print the versions that decide what is measured, and leave."""
    if wanted:
        for name, version in importlib.import_module("perfcore.versions").versions().items():
            click.echo(f"{name} {version}")
        ctx.exit()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=print_versions, help="Print versions."
)
def cli() -> None:
    """Measure LLM inference services, truly."""


def main() -> NoReturn:
    """Entry of the command line: 0 for success, 2 for what the user can mend, 130 after an interrupt before a run."""
    try:
        sys.exit(exit_code(cli.main(prog_name="perfcore", standalone_mode=False)))
    except UserError as error:
        click.echo(f"perfcore: {error}", err=True)
        sys.exit(USER_ERROR)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has gone; Python would complain of that once more when it closes it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(BROKEN_PIPE)


def exit_code(returned: Any) -> int:
    """Exit code of a command, which returns it, or nothing for 0."""
    return returned if isinstance(returned, int) else 0
