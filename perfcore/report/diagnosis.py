"""The part of the text report that says which patterns were recognised."""

from collections.abc import Iterator
from typing import Any

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from perfcore.report.text import clean


def parts(metrics: dict[str, Any]) -> Iterator[RenderableType]:
    """Cause, evidence and next step of each pattern; nothing where none was recognised."""
    found = metrics.get("diagnosis") or []
    if not found:
        return
    yield Text("Diagnosis", "bold")
    for one in found:
        cause, evidence, step = (clean(one[key], 600) for key in ("cause", "evidence", "next"))
        yield Padding(Text.assemble((f"{clean(one['pattern'], 40)}: ", "cyan"), cause), (0, 0, 0, 2))
        yield Padding(Text(evidence), (0, 0, 0, 4))
        yield Padding(Text.assemble(("next: ", "bold"), step), (0, 0, 0, 4))
    yield Text("")
