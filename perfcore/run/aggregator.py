"""The aggregator: moves what workers have written into their rings to the journal while the load runs.

It looks at no frame. Live figures come from the workers' own counters, everything else is computed afterwards.
"""

from collections.abc import Mapping

from perfcore.records.journal import JournalWriter, drain
from perfcore_ext.ring import Reader


class Aggregator:
    """Rings by worker number, and the journal that they are emptied into."""

    def __init__(self, journal: JournalWriter, rings: Mapping[int, Reader]) -> None:
        self._journal = journal
        self._rings = rings

    def drain(self) -> int:
        """Move what is there now; returns the bytes. Raises UserError when the disk is full."""
        return sum(drain(ring, self._journal, worker) for worker, ring in self._rings.items())
