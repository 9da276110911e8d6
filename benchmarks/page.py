"""docs/performance.md: the figures of one run of all benchmarks, what they mean and how to repeat them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figure import Figure, markdown, rows
from perfcore.records.folder import machine
from perfcore.versions import versions

HEAD = ("what", "measured", "gate", "met", "beside it")

# Why a gate is missed, as far as that is known, by the key of its figure.
REASONS: dict[str, str] = {}

TEMPLATE = Path(__file__).with_name("performance.md.in")


@dataclass(frozen=True)
class Circumstances:
    """When and under what load the figures were measured."""

    date: str
    minutes: float
    other_share: float
    load: float


def page(figures: Sequence[Figure], peers: str, job: dict[str, float], seen: Circumstances) -> str:
    """The whole page in Markdown; `peers` is their table, `job` what they were asked to do."""
    facts = machine()
    return TEMPLATE.read_text().format(
        processor=facts["processor"],
        cores=facts["cores"],
        memory=f"{facts['memory_bytes'] / 2**30:.0f} GiB of memory",
        system=facts["system"],
        versions=", ".join(f"{name} {version}" for name, version in versions().items()),
        date=seen.date,
        minutes=seen.minutes,
        other=seen.other_share,
        load=seen.load,
        table=markdown(HEAD, rows(figures)),
        missed=missed(figures),
        peers=peers,
        **job,
    )


def missed(figures: Sequence[Figure]) -> str:
    """The gates that are not met, each with its reason."""
    lines = [
        f"- {figure.what}: {figure.measured()}, where {figure.wanted()} is wanted. {REASONS.get(figure.key, UNKNOWN)}"
        for figure in figures
        if figure.met is False
    ]
    return "\n".join(["Gates that are missed:", "", *lines, ""]) if lines else "All gates are met.\n"


UNKNOWN = "The reason is not known yet."


def summary(figures: Sequence[Figure]) -> str:
    """How many gates are met, in one line."""
    gates = [figure for figure in figures if figure.met is not None]
    return f"{sum(bool(figure.met) for figure in gates)} of {len(gates)} gates are met"
