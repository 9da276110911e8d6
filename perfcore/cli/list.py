"""`perfcore list`: what perfcore knows."""

from collections.abc import Callable
from pathlib import Path

import click

from evaluators.registry import MODULES, evaluator
from perfcore.cli.reference import options_page
from perfcore.commands import datasets, pages
from perfcore.errors import UserError
from perfcore.preset import listing
from perfcore.workload.dialect import builtin, load_dialect


def dialects() -> str:
    """Name, path and framing of each built-in dialect, one a line."""
    known = [load_dialect(name) for name in builtin()]
    return "\n".join(f"{dialect.name:20} {dialect.path:50} {dialect.framing}" for dialect in known)


def evaluators() -> str:
    """Name, metric and purpose of each evaluator, one a line."""
    known = [(name, evaluator(name)) for name in sorted(MODULES)]
    return "\n".join(f"{name:20} {found.metric:20} {found.about}" for name, found in known)


TOPICS: dict[str, Callable[[Path | None, Path | None], str]] = {
    "datasets": datasets.listing,
    "evaluators": lambda _, __: evaluators(),
    "dialects": lambda _, __: dialects(),
    "presets": lambda _, config_dir: listing(config_dir),
    "options": lambda _, __: options_page(),
}

PAGES: dict[str, Callable[[Path | None], str]] = {
    "datasets": pages.datasets_page,
    "evaluators": lambda _: pages.evaluators_page(),
    "presets": pages.presets_page,
    "options": lambda _: options_page(),
}


@click.command("list")
@click.argument("topic", type=click.Choice(list(TOPICS)))
@click.argument("name", required=False)
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    envvar="PERFCORE_DATA_DIR",
    help="Folder where files of data sets are looked for first.",
)
@click.option(
    "--config-dir",
    type=click.Path(path_type=Path),
    envvar="PERFCORE_CONFIG_DIR",
    help="Folder with presets of your own, in models, datasets and judges.",
)
@click.option("--markdown", is_flag=True, help="Print a page with all that is known, in Markdown.")
def command(topic: str, name: str | None, data_dir: Path | None, config_dir: Path | None, markdown: bool) -> None:
    """List the data sets, evaluators, dialects or presets, or all options of `perfcore stress` as a Markdown page.

    `perfcore list datasets NAME` tells what is known of one data set, its settings among it.
    """
    if name is not None and topic != "datasets":
        raise UserError(f"perfcore list {topic} takes no name, and {name!r} was given; leave it out")
    if markdown:
        if name is not None or topic not in PAGES:
            raise UserError(f"--markdown prints a page of all {' or '.join(PAGES)}; give one of these and no name")
        click.echo(PAGES[topic](config_dir))
        return
    click.echo(
        TOPICS[topic](data_dir, config_dir) if name is None else datasets.description(name, data_dir, config_dir)
    )
