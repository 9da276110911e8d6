"""Service levels in the report: goodput, and each objective with what was found, its interval and its verdict."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from perfcore.report.layout import framed
from perfcore.report.text import NONE, clean, number

COLOURS = {"meets": "green", "fails": "red", "undecided": "yellow"}


def parts(metrics: Mapping[str, Any]) -> Iterator[RenderableType]:
    """A table of the objectives and a line of goodput; nothing where no objectives were given."""
    found = metrics.get("goodput")
    if not found:
        return
    table = framed("Service levels")
    for head in ("objective", "asked", "found", "95 % interval", "requests", "verdict"):
        table.add_column(head, justify="left" if head in ("objective", "verdict") else "right")
    for one in found["objectives"]:
        told = Text(one["verdict"], COLOURS[one["verdict"]]) if one["verdict"] else Text(NONE)
        judged = number(one.get("judged"))
        table.add_row(clean(one["objective"], 60), asked(one), value(one), interval(one), judged, told)
    yield table
    yield Padding(Text("\n".join(lines(found, metrics["absent"]))), (0, 0, 1, 1))


def asked(one: Mapping[str, Any]) -> str:
    """Share of the requests that has to meet an objective, or the limit of the run's own number."""
    share = one["share"]
    return percent(share) if share is not None else NONE if is_plain(one) else limit(one, one["limit"])


def is_plain(one: Mapping[str, Any]) -> bool:
    """Whether an objective is of single requests and names no share of them."""
    return "not_judged" in one and one["share"] is None


def is_share(one: Mapping[str, Any]) -> bool:
    return "good" in one


def limit(one: Mapping[str, Any], figure: float | None) -> str:
    return percent(figure) if is_share(one) else number(figure)


def value(one: Mapping[str, Any]) -> str:
    return limit(one, one["value"])


def interval(one: Mapping[str, Any]) -> str:
    return NONE if one["ci95"] is None else " to ".join(limit(one, end) for end in one["ci95"])


def percent(share: float | None) -> str:
    return NONE if share is None else f"{100 * share:.5g} %"


def lines(found: Mapping[str, Any], absent: Mapping[str, str]) -> Iterator[str]:
    """Goodput in words, or why there is none."""
    if found["attainment"] is None:
        yield f"No goodput: {clean(absent.get('goodput.attainment', 'not known'), 200)}"
        return
    rates = f"{number(found['requests_per_s'])} requests/s, {number(found['output_tokens_per_s'])} output tokens/s"
    share = f"{percent(found['attainment'])} of {found['judged']:,} requests meet every objective"
    yield f"Goodput {rates}: {share}"
    if found["not_judged"]:
        yield f"{found['not_judged']:,} requests have no value that an objective asks for, and count neither way"
