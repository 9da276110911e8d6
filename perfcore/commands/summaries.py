"""The summary of an evaluation: made of its results, written beside them, and printed."""

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from evaluators.statistics import summary
from evaluators.statistics.result import Result, decode
from perfcore.commands.scoring import mendable
from perfcore.errors import UserError
from perfcore.records import evaluation
from perfcore.report import html_eval
from perfcore.report.files import write
from perfcore.report.text import encodable


def results_in(folder: Path) -> list[Result]:
    """All results of an evaluation, in the order of their names. Raises UserError for a broken one."""
    files = sorted((folder / "results").glob("*/*.json"))
    with mendable():
        return [decode(file.read_bytes(), str(file)) for file in files]


def scored_in(folder: Path) -> list[Result]:
    """The same. Raises UserError where there is none."""
    if found := results_in(folder):
        return found
    raise UserError(f"{folder} has no results yet; score what it has with: perfcore eval {folder}")


def finish(folder: Path) -> list[Result]:
    """Make summary and page of an evaluation again; returns its results. Raises UserError where there is none."""
    with evaluation.held(folder):
        results = scored_in(folder)
        write_summary(folder, results)
        html_eval.write_page(folder)
    return results


def write_summary(folder: Path, results: Sequence[Result]) -> None:
    """The summary as text, Markdown, CSV and JSON."""
    place = folder / "summary"
    write(place / "summary.txt", encodable(summary.text(results) + "\n"))
    write(place / "summary.md", encodable(summary.markdown(results) + "\n"))
    write(place / "summary.csv", encodable(summary.csv_text(results)))
    write(place / "summary.json", msgspec.json.format(msgspec.json.encode(summary.as_json(results)), indent=2) + b"\n")


def show(results: Sequence[Result], folder: Path, as_json: bool) -> None:
    """Print the summary: tables as wide as the terminal, or all of it as JSON."""
    if as_json:
        click.echo(json.dumps(summary.as_json(results), indent=2, ensure_ascii=False))
    else:
        click.echo(summary.text(results, width()))
        click.echo(f"\n{folder}")


def width() -> int:
    """Columns of the terminal, or as many as a table likes where there is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
