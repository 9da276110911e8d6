"""What the definition of a metric consists of."""

from typing import NamedTuple

LOWER, HIGHER, NEITHER = "lower is better", "higher is better", "neither is better"


class Definition(NamedTuple):
    """One metric as a person reads of it; `key` is its place in metrics.json.

    `example` is worked out in words and ends with "= VALUE UNIT". It is "" where a metric is words or a list.
    """

    key: str
    title: str
    unit: str  # "" for words and counts without one
    direction: str
    text: str
    formula: str
    edge_cases: tuple[str, ...] = ()
    example: str = ""
