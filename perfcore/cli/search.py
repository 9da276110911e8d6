"""`perfcore search`: the preset files that take part where a name is given."""

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click

from perfcore.commands.datasets import aligned
from perfcore.errors import UserError
from perfcore.preset import files_of, read_preset
from perfcore.workload.catalogue import files, names
from perfcore.workload.dialect import builtin

JUDGES = "judges"


class Hit(NamedTuple):
    """One name of a preset, and the file that has it."""

    kind: str
    name: str
    path: Path


def known(config_dir: Path | None) -> list[Hit]:
    """Every preset there is: of models, data sets and judges."""
    return [
        *(Hit("model", name, path) for name, path in sorted(files_of(config_dir).items())),
        *(Hit("dataset", name, entry.path) for name, entry in names(config_dir).items()),
        *(Hit("judge", path.stem, path) for path in files(config_dir, JUDGES)),
    ]


def found(name: str, config_dir: Path | None) -> list[Hit]:
    """Presets of a name, else those whose names contain it. Raises UserError where there is none."""
    there = known(config_dir)
    hits = [hit for hit in there if hit.name == name] or [hit for hit in there if name.lower() in hit.name.lower()]
    if not hits:
        near = difflib.get_close_matches(name, {hit.name for hit in there}, 3, cutoff=0.0)
        raise UserError(f"no preset is named {name!r}; the nearest ones are {', '.join(near)}")
    return hits


def with_dialects(hits: list[Hit], config_dir: Path | None) -> Iterator[Hit]:
    """The presets, and after each of a model the dialect that it speaks."""
    known_dialects = builtin()
    for hit in hits:
        yield hit
        if hit.kind == "model" and hit.path.suffix.lower() != ".py":
            dialect = read_preset(hit.name, None, config_dir).options["dialect"][0]
            yield Hit("dialect", dialect, known_dialects.get(dialect, Path(dialect)))


@click.command("search")
@click.argument("name", nargs=-1, required=True)
@click.option(
    "--config-dir",
    type=click.Path(path_type=Path),
    envvar="PERFCORE_CONFIG_DIR",
    help="Folder with presets of your own, in models, datasets and judges.",
)
def command(name: tuple[str, ...], config_dir: Path | None) -> None:
    """Print the preset files that take part where a model, a data set or a judge is given by NAME."""
    hits = [hit for one in name for hit in with_dialects(found(one, config_dir), config_dir)]
    click.echo(
        aligned([("kind", "name", "file"), *((hit.kind, hit.name, str(hit.path)) for hit in dict.fromkeys(hits))])
    )
