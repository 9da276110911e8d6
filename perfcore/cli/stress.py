"""`perfcore stress`: load a service with a workload, measure it, report."""

from typing import Any

from perfcore.cli.flags import Load, parameters
from perfcore.commands.counting import finish
from perfcore.commands.load import perform
from perfcore.run.master import stress


def run(**given: Any) -> int:
    """Load a service and measure it.

    Without --url the built-in simulator is measured, so that `perfcore stress` alone does something. Options come from
    flags, from the environment (names in brackets), from --config FILE and from --preset, in this order;
    docs/options.md has them all. Several values of --concurrency or --rate make a sweep, --models and --datasets a run
    of each pair: docs/sweeps.md.
    """
    return perform(given, "stress", stress, finish)[0]


command = Load("stress", callback=run, help=run.__doc__, params=parameters("stress"))
