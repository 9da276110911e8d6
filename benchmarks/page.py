"""docs/performance.md: the figures of one run of all benchmarks, what they mean and how to repeat them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmarks.figure import Figure, markdown, rows, with_unit
from perfcore.records.folder import machine
from perfcore.versions import versions

HEAD = ("what", "measured", "gate", "met", "beside it")

# Why a gate is missed, as far as that is known, by the key of its figure.
REASONS = {
    "burst-cost": "What libcurl takes of it stands beside it; the rest is the framing, the JSON and the frame.",
    "slip": "At this rate one worker is busy most of the time here, and what its core misses, up to "
    "{longest_ms:.1f} ms at once, it has to catch up with.",
    "peer-whole": "A run starts Python twice, writes Parquet and its page, which is a third of what it costs at this "
    "length.",
    "choice-rate": "It is a time of this processor at this hour; the ratio to a bare search in the same texts stands "
    "above, and is the same where more are scored.",
    "stamps-50k-ttft": "It is the stamp error of the first tokens, for which see above.",
}
UNKNOWN = "The reason is not known yet."

TEMPLATE = Path(__file__).with_name("performance.md.in")


@dataclass(frozen=True)
class Circumstances:
    """When and under what load the figures were measured.

    Shares of all processor time: `other`, what other processes took; `stolen`, what the host took and said so; `away`,
    what spinning programs found missing in gaps of more than 100 us, the longest of which is `longest_ms`.
    """

    date: str
    minutes: float
    other: float
    load: float
    stolen: float
    away: float
    longest_ms: float


def page(figures: Sequence[Figure], peers: str, job: dict[str, float], seen: Circumstances) -> str:
    """The whole page in Markdown; `peers` is their table, `job` what they were asked to do."""
    facts = machine()
    return TEMPLATE.read_text().format(
        processor=facts["processor"],
        cores=facts["cores"],
        memory=f"{facts['memory_bytes'] / 2**30:.0f} GiB of memory",
        system=facts["system"],
        versions=", ".join(f"{name} {version}" for name, version in versions().items()),
        **asdict(seen),
        table=markdown(HEAD, rows(figures)),
        missed=missed(figures, seen),
        peers=peers,
        **job,
    )


def missed(figures: Sequence[Figure], seen: Circumstances) -> str:
    """The gates that are not met, each with its reason."""
    lines = [
        f"- {figure.what}: {figure.measured()}, where {figure.wanted()} is wanted. {reason(figure, seen)}"
        for figure in figures
        if figure.met is False
    ]
    return "\n".join(["Gates that are missed:", "", *lines, ""]) if lines else "All gates are met.\n"


def reason(figure: Figure, seen: Circumstances) -> str:
    """Why a gate is missed: because bare libcurl misses it too, or what is known of this figure."""
    if figure.floor is not None and replace(figure, value=figure.floor).met is False:
        reached = with_unit(figure.floor, figure.unit)
        return f"Bare libcurl in C came to {reached} in the same run: no client that is built on it does better here."
    return REASONS.get(figure.key, UNKNOWN).format(**asdict(seen))


def summary(figures: Sequence[Figure]) -> str:
    """How many gates are met, in one line."""
    gates = [figure for figure in figures if figure.met is not None]
    return f"{sum(bool(figure.met) for figure in gates)} of {len(gates)} gates are met"
