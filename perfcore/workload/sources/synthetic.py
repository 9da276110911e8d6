"""Synthetic prompts as a data set: no files, lengths and shared beginnings as they are asked for."""

from collections.abc import Sequence
from pathlib import Path

from perfcore.workload.source import Reader, Wanted
from perfcore.workload.synthetic import Settings, Synthetic, synthetic


def read(_: Sequence[Path], settings: Settings, wanted: Wanted) -> Synthetic:
    """Rows of the settings. Raises UserError for what contradicts itself."""
    return synthetic(settings, wanted)


READERS = {"synthetic": Reader(read, Settings, "Made prompts of exact lengths, with shared beginnings.", False)}
