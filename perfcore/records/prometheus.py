"""Prometheus text, version 0.0.4, and OpenMetrics: lines to series and values.

Sources: https://prometheus.io/docs/instrumenting/exposition_formats/ and the OpenMetrics specification 1.0.

A run reads the same thousand lines again each second, and only their values differ. So a line is cut at its last blank,
and what stands before it is looked up among the series known from earlier texts; only a line that is new goes through
the grammar. Types, help and units are comments here: which series is a counter, the reader knows by its name.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABELS = r"\{(?:[^\"}]|\"(?:[^\"\\]|\\.)*\")*\}"
# Series, value, then perhaps a timestamp, and an exemplar behind a hash.
LINE = re.compile(rf"\s*({NAME})\s*({LABELS})?\s*(?<=[\s}}])(\S+)(?:\s+([-+0-9.eE]+))?(?:\s+#.*)?\s*")
LABEL = re.compile(r"\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*\"((?:[^\"\\]|\\.)*)\"\s*(,|$)")
ESCAPED = re.compile(r"\\(.)")
ESCAPES = {"n": "\n", "\\": "\\", '"': '"'}
LONGEST_LINE = 1 << 13
MOST_SERIES = 100_000  # of one run: labels that never repeat would fill the memory


@dataclass
class Known:
    """The series met so far by number: name and labels of each; `unread` counts lines that were none."""

    names: list[str] = field(default_factory=list)
    labels: list[dict[str, str]] = field(default_factory=list)
    unread: int = 0
    _codes: dict[str, int] = field(default_factory=dict)


def samples(text: str, known: Known) -> Iterator[tuple[int, float]]:
    """(number of the series, value) of each line with a sample; what is none is counted and passed over."""
    codes = known._codes
    for line in text.split("\n"):
        if not line or line[0] == "#":
            continue
        head, _, tail = line.rpartition(" ")
        try:
            yield codes[head], float(tail)
        except (KeyError, ValueError):
            if line.strip():
                yield from unusual(line, known)


def unusual(line: str, known: Known) -> Iterator[tuple[int, float]]:
    """The same of one line by the grammar."""
    found = LINE.fullmatch(line) if len(line) <= LONGEST_LINE else None
    labels = None if found is None else labels_of((found[2] or "{}")[1:-1])
    value = None if found is None else number(found[3])
    if found is None or labels is None or value is None:
        known.unread += not line.lstrip().startswith("#")
        return
    head = line[: found.end(2) if found[2] else found.end(1)]
    code = known._codes.get(head)
    if code is None:
        if len(known.names) >= MOST_SERIES:
            known.unread += 1
            return
        code = known._codes[head] = len(known.names)
        known.names.append(found[1])
        known.labels.append(labels)
    yield code, value


def labels_of(text: str) -> dict[str, str] | None:
    """Labels between the braces, a comma at the end allowed; None if they are not well formed."""
    found: dict[str, str] = {}
    at = 0
    while at < len(text.rstrip()):
        label = LABEL.match(text, at)
        if label is None:
            return None
        found[label[1]] = ESCAPED.sub(lambda match: ESCAPES.get(match[1], match[0]), label[2])
        at = label.end()
    return found


def number(text: str) -> float | None:
    """A value, NaN and infinities included; None for anything else."""
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None
