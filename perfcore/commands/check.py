"""What a check of a service found, as tables."""

from typing import TextIO

from rich.console import Console
from rich.text import Text

from perfcore.report.layout import WIDTH, framed
from perfcore.report.text import clean
from perfcore.run.check import Checked, Report

COLOURS = {"ok": "green", "note": "yellow", "problem": "bold red", "unchecked": "dim"}
LABELS = {"unchecked": "-"}


def show(report: Report, stream: TextIO) -> None:
    """Print the tables, in colour on a terminal. What the stream's encoding lacks becomes a question mark."""
    console = Console(file=stream, width=None if stream.isatty() else WIDTH, highlight=False, emoji=False)
    with console.capture() as captured:
        for checked in report.services:
            show_service(checked, report.dialect, console)
        console.print(Text(verdict(report), style="bold"))
    encoding = stream.encoding or "utf-8"
    for line in captured.get().splitlines():
        stream.write(line.rstrip().encode(encoding, "replace").decode(encoding) + "\n")
    stream.flush()


def show_service(checked: Checked, dialect: str, console: Console) -> None:
    """One table: what was seen, and under it what it means and what to change."""
    model = f", model {clean(checked.model)}" if checked.model else ""
    table = framed(f"{clean(checked.url)}, {clean(dialect)}{model}")
    table.add_column("", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("seen", overflow="fold")
    table.show_header = False
    for finding in checked.findings:
        lines = Text(clean(finding.seen, 600), "dim" if finding.level == "unchecked" else "")
        if finding.meaning:
            lines.append(f"\n{clean(finding.meaning, 600)}", "dim")
        if finding.change:
            lines.append(f"\n→ {clean(finding.change, 600)}", COLOURS[finding.level])
        level = LABELS.get(finding.level, finding.level)
        table.add_row(finding.name, Text(level, COLOURS[finding.level]), lines)
    console.print(table)


def verdict(report: Report) -> str:
    """The last line."""
    found = [finding for checked in report.services for finding in checked.findings]
    problems, notes = (sum(finding.level == level for finding in found) for level in ("problem", "note"))
    words = "Nothing prevents a measurement" if report.ok else f"A measurement would fail (problems: {problems})"
    return f"{words}; notes: {notes}. Took {report.seconds:.1f} s."
