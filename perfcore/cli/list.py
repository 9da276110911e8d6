"""`perfcore list`: what perfcore knows."""

import click

from perfcore.cli.reference import options_page
from perfcore.preset import listing
from perfcore.workload.dialect import builtin, load_dialect


def dialects() -> str:
    """Name, path and framing of each built-in dialect, one a line."""
    known = [load_dialect(name) for name in builtin()]
    return "\n".join(f"{dialect.name:20} {dialect.path:50} {dialect.framing}" for dialect in known)


TOPICS = {"dialects": dialects, "presets": listing, "options": options_page}


@click.command("list")
@click.argument("topic", type=click.Choice(list(TOPICS)))
def command(topic: str) -> None:
    """List the built-in dialects or presets, or all options of `perfcore stress` as a Markdown page."""
    click.echo(TOPICS[topic]())
