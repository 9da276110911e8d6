"""JSON paths turned into a deterministic automaton, before any document is read.

A state is the set of places that a value has in the paths: several, where `*` and a name both lead to it.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

PART = re.compile(r"(?:[^.\\]|\\[.*\\])+")
WILDCARD = None
MOST_STATES = 1 << 12


class State(NamedTuple):
    edges: list[tuple[bytes, int]]  # a member's key, its state
    other: int  # state of a member that no edge names, -1 if no path leads to it
    leaves: list[int]  # numbers of the paths that end here


def split_path(path: str) -> list[bytes | None]:
    """The parts of a path: keys in UTF-8, and WILDCARD. Raises ValueError for an empty part or an unknown escape."""
    parts = PART.findall(path)
    if not parts or ".".join(parts) != path:
        raise ValueError(rf"JSON path {path!r}: parts must not be empty, and a backslash stands before . * or \ only")
    return [WILDCARD if part == "*" else re.sub(r"\\(.)", r"\1", part).encode() for part in parts]


def compile_paths(paths: Sequence[str]) -> list[State]:
    """The automaton of the paths; a document's root is in state 0. Raises ValueError past MOST_STATES states."""
    parts = [split_path(path) for path in paths]
    start = frozenset((number, 0) for number in range(len(parts)))
    numbers = {start: 0}
    queue = [start]
    states = []
    for places in queue:  # grows while it is walked
        leads = [(parts[path][at], (path, at + 1)) for path, at in places if at < len(parts[path])]
        others = frozenset(place for part, place in leads if part is WILDCARD)
        named = {
            key: others | {place for part, place in leads if part == key}
            for key in sorted({part for part, _ in leads if part is not None})
        }
        for target in [*named.values(), others]:
            if target and target not in numbers:
                numbers[target] = len(queue)
                queue.append(target)
        if len(queue) > MOST_STATES:
            raise ValueError(f"{len(parts)} JSON paths have too many wildcards in common")
        leaves = sorted(path for path, at in places if at == len(parts[path]))
        states.append(State([(key, numbers[to]) for key, to in named.items()], numbers.get(others, -1), leaves))
    return states


def array_index(key: bytes) -> int:
    """The index that a key spells, -1 if it spells none (or one past nine digits)."""
    return int(key) if re.fullmatch(rb"0|[1-9][0-9]{0,8}", key) else -1
