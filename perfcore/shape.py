"""The shape of a rate over time, as --rate-shape writes it."""

import re
from typing import NamedTuple

from perfcore.option import YEAR_S
from perfcore.values import duration, number

GRAMMAR = "steps:5@30s,10@30s or spikes:EVERY,FOR,TIMES or onoff:ON,OFF or sine:PERIOD,DEPTH"
STEP = re.compile(r"([^@]+)@([^@]+)")
MOST_TIMES = 1000.0  # a spike is at most so many times the rate
MOST_RATE = 10_000_000.0  # as of --rate


class Shape(NamedTuple):
    """Times and the numbers that go with them.

    steps: how long each lasts, and its rate. spikes and onoff: how long each part of a period lasts, and its share of
    the rate. sine: the period, and the depth.
    """

    kind: str
    lengths_s: tuple[float, ...]
    factors: tuple[float, ...]


def parse_shape(text: str) -> Shape:
    """The shape that a text describes; raises ValueError that says what is wanted."""
    kind, _, rest = text.strip().partition(":")
    if kind not in SHAPES:
        raise ValueError(f"wants {GRAMMAR}")
    return SHAPES[kind]([part.strip() for part in rest.split(",")])


def parse_steps(parts: list[str]) -> Shape:
    found = [STEP.fullmatch(part) for part in parts]
    if not all(found):
        raise ValueError("wants steps of RATE@TIME with commas between them, such as steps:5@30s,10@30s")
    rates = tuple(number(step[1]) for step in found if step)
    if min(rates) < 0 or max(rates) > MOST_RATE or rates[0] == 0 or rates[-1] == 0:
        raise ValueError(f"wants rates from 0 to {MOST_RATE:,.0f}, and above 0 in the first and the last step")
    return Shape("steps", tuple(time(step[2]) for step in found if step), rates)


def parse_spikes(parts: list[str]) -> Shape:
    every, for_, times = wanted(parts, 3, "spikes:EVERY,FOR,TIMES, such as spikes:30s,5s,4")
    every_s, for_s, factor = time(every), time(for_), number(times)
    if for_s >= every_s:
        raise ValueError("wants spikes shorter than the time from the start of one to the start of the next")
    if not 0 < factor <= MOST_TIMES:
        raise ValueError(f"wants spikes of more than 0 and at most {MOST_TIMES:,.0f} times the rate")
    return Shape("spikes", (every_s - for_s, for_s), (1.0, factor))


def parse_onoff(parts: list[str]) -> Shape:
    on, off = wanted(parts, 2, "onoff:ON,OFF, such as onoff:10s,5s")
    return Shape("onoff", (time(on), time(off)), (1.0, 0.0))


def parse_sine(parts: list[str]) -> Shape:
    period, share = wanted(parts, 2, "sine:PERIOD,DEPTH, such as sine:60s,0.5")
    depth = number(share)
    if not 0 < depth <= 1:
        raise ValueError("wants a depth above 0 and at most 1, the share of the rate that the sine takes and gives")
    return Shape("sine", (time(period),), (depth,))


SHAPES = {"steps": parse_steps, "spikes": parse_spikes, "onoff": parse_onoff, "sine": parse_sine}


def wanted(parts: list[str], count: int, form: str) -> list[str]:
    """The parts, if they are so many; raises ValueError that shows the form."""
    if len(parts) != count:
        raise ValueError(f"wants {form}")
    return parts


def time(text: str) -> float:
    """A time above 0 and of at most a year, in seconds."""
    found = duration(text)
    if not 0 < found <= YEAR_S:
        raise ValueError(f"wants times above 0 and of at most a year, which {text} is not")
    return found
