"""What is read beside the load: metrics of the servers, and of GPUs."""

from collections.abc import Callable
from typing import NamedTuple

from perfcore.options import StressOptions
from perfcore.run.scraping import Source, find_sources, reads_gpus
from perfcore.run.target import Target
from perfcore.workload.dialect import Dialect


class Watched(NamedTuple):
    """What is read beside the load."""

    sources: list[Source]
    gpus: bool


def watched_by(options: StressOptions, dialect: Dialect, target: Target, say: Callable[[str], None]) -> Watched:
    """What the options ask to be read; of the simulator, which has no metrics, only what they name."""
    if target.simulated and not options.server_metrics:
        return Watched([], options.gpu == "on" and reads_gpus(options.gpu, target.urls, say))
    sources = find_sources(options.server_metrics, target.urls, dialect, target.headers, target.transport.curl, say)
    return Watched(sources, reads_gpus(options.gpu, target.urls, say))
