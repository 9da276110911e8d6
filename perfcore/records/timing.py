"""What events say together: the gaps between tokens, and how the client read them."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from perfcore.types import Events, Reads, Stamps
from perfcore_ext.frame import GENERATED
from perfcore_ext.histogram import Histogram


@dataclass
class Timing:
    """Sums over batches of events. Read delays are kept in a histogram, to 0.1 %.

    `stamps` are kept only where asked for: 12 bytes for each token event.
    """

    keeps_stamps: bool = False
    gaps_ns: list[NDArray[np.int64]] = field(default_factory=list)
    stamps: list[Stamps] = field(default_factory=list)
    read_delay_ns: Histogram = field(default_factory=Histogram)
    read_delay_max_ns: int = 0
    token_events: int = 0
    shared_token_events: int = 0


def add(timing: Timing, events: Events, measured: NDArray[np.bool_], successful: NDArray[np.bool_]) -> None:
    """Count a batch. `measured` and `successful` say what each row of Requests was; what is successful is measured."""
    tokens = np.flatnonzero((events.kinds & GENERATED > 0) & measured[events.row])
    row, t_ns, read_seq = events.row[tokens], events.t_ns[tokens], events.read_seq[tokens]
    same_request = row[1:] == row[:-1]
    timing.gaps_ns.append(np.diff(t_ns)[same_request & successful[row[1:]]])
    together = same_request & (read_seq[1:] == read_seq[:-1])
    timing.token_events += tokens.size
    timing.shared_token_events += int(np.count_nonzero(np.append(together, False) | np.append(False, together)))
    _add_delays(timing, events.read_delay_ns[tokens].astype(np.int64))


def add_stamps(timing: Timing, events: Events, counted: NDArray[np.bool_]) -> None:
    """Keep the token events of a batch that belong to the rows of Requests that are `counted`."""
    if timing.keeps_stamps:
        tokens = np.flatnonzero((events.kinds & GENERATED > 0) & counted[events.row])
        timing.stamps.append(Stamps(events.t_ns[tokens], events.row[tokens].astype(np.int32)))


def _add_delays(timing: Timing, delays: NDArray[np.int64]) -> None:
    timing.read_delay_ns.record_many(delays.data)
    timing.read_delay_max_ns = max(timing.read_delay_max_ns, int(delays.max(initial=0)))


def gaps(timing: Timing) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(0, np.int64), *timing.gaps_ns])


def stamps(timing: Timing) -> Stamps | None:
    """All that was kept, which takes the place of its parts; None where it was not asked for."""
    if not timing.keeps_stamps:
        return None
    times = np.concatenate([np.zeros(0, np.int64), *(part.t_ns for part in timing.stamps)])
    rows = np.concatenate([np.zeros(0, np.int32), *(part.row for part in timing.stamps)])
    timing.stamps.clear()
    return Stamps(times, rows)


def reads(timing: Timing) -> Reads:
    percentile = timing.read_delay_ns.percentile
    return Reads(
        token_events=timing.token_events,
        shared_token_events=timing.shared_token_events,
        read_delay_p50_ns=percentile(50),
        read_delay_p90_ns=percentile(90),
        read_delay_p99_ns=percentile(99),
        read_delay_max_ns=float(timing.read_delay_max_ns) if timing.token_events else None,
    )
