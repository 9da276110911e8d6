"""What a machine can, as a table, and what share of it a run has used, as a line."""

from typing import Any

from perfcore.records.machine import NEVER, Calibration, Edge
from perfcore.report.layout import framed, rendered

UNITS = {"events": "events/s", "requests": "requests/s", "connections": "new connections/s"}
DISTURBED = 0.05


def used(validity: dict[str, Any], absent: dict[str, str]) -> str | None:
    """`This run used 23 % of what this machine can: ...`; None where there is nothing to say.

    Takes the parts `validity` and `absent` of metrics.json. What it says of a machine that was never calibrated is
    nothing; of one whose calibration does not hold any more, why.
    """
    found = validity.get("machine")
    if found is not None:
        parts = [
            f"{share(found[kind]['share'])} of {found[kind]['ceiling_per_s']:,.0f} {unit}"
            for kind, unit in UNITS.items()
        ]
        workers = "1 worker" if found["workers"] == 1 else f"{found['workers']} workers"
        return (
            f"This run used {share(found['share'])} of what this machine can with {workers}: {', '.join(parts)} "
            f"(calibrated {found['calibrated'][:10]})."
        )
    why = absent.get("validity.machine", "")
    return f"{why[0].upper()}{why[1:]}." if "calibrate" in why and why != NEVER else None


def share(part: float) -> str:
    """A share in per cent with two digits, `less than 1 %` below that."""
    return "less than 1 %" if part < 0.01 else f"{100 * part:.2g} %" if part < 1 else f"{100 * part:.0f} %"


def table(found: Calibration) -> str:
    """The ceilings as text, and under them what they mean."""
    shown = framed(f"What this machine can (calibrated {found.calibrated})")
    shown.add_column("workers", justify="right")
    for unit in UNITS.values():
        shown.add_column(unit, overflow="fold")
    for each in found.ceilings:
        shown.add_row(str(each.workers), *(cell(getattr(each, kind)) for kind in UNITS))
    return rendered([shown]) + "\n".join(remarks(found))


def cell(edge: Edge) -> str:
    """The ceiling and what came of more."""
    reached = "none passed" if edge.per_s is None else f"{edge.per_s:,.0f}"
    if edge.fails_per_s is None:
        return f"{reached}; no more was tried"
    return f"{reached}; {edge.fails_per_s:,.0f} failed: {edge.why}"


def remarks(found: Calibration) -> list[str]:
    """What to know of the numbers."""
    said = [
        "Simulator and client share this machine, so these are lower bounds: with a server elsewhere it can do more."
    ]
    if found.elsewhere > DISTURBED:
        said.append(
            f"Other programs used {found.elsewhere:.0%} of the processors meanwhile: run perfcore calibrate again when "
            "the machine is quiet."
        )
    if found.quick:
        said.append("Found in a quick search: without --quick the ceilings are known to 10 %.")
    return said
