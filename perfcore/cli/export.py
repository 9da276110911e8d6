"""`perfcore export`: a run in the form of another tool, or handed to a tracker of experiments."""

from pathlib import Path

import click

from perfcore.commands.folders import ready
from perfcore.errors import UserError
from perfcore.report import export, sinks


@click.command("export")
@click.argument("run", type=click.Path(path_type=Path), metavar="RUN")
@click.option("--format", "form", type=click.Choice(list(export.FORMATS)), help="Form of the files.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE|DIR",
    help="File or folder to write; export/FORMAT in the folder of the run otherwise.",
)
@click.option("--to", "sink", type=click.Choice(list(sinks.SINKS)), help="Tracker that takes the run.")
@click.option("--project", default=sinks.PROJECT, show_default=True, help="Project of the tracker.")
@click.option("--with-texts", is_flag=True, help="Put prompts, answers and messages of failures in as well.")
def command(run: Path, form: str | None, out: Path | None, sink: str | None, project: str, with_texts: bool) -> None:
    """Write a RUN in the form of another tool (--format), or hand it to a tracker of experiments (--to)."""
    if (form is None) == (sink is None):
        raise UserError("perfcore export wants one of --format and --to; see perfcore export --help")
    if form is not None:
        for path in export.export(ready(run), form, out, with_texts):
            click.echo(path)
    elif sink is not None:
        if out is not None:
            raise UserError(f"--out says where files go, and --to {sink} writes none; leave one of them out")
        name, left = sinks.send(ready(run), sink, project, with_texts)
        click.echo(f"{name} is in project {project} of {sink}")
        if left:
            names = ", ".join(path.name for path in left)
            click.echo(f"left out, since texts may be in them: {names}; --with-texts sends them", err=True)
