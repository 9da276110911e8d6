"""The loops of tests/closed_loop.py as runs: what `perfcore steady` would have recorded of them."""

from typing import Any

import numpy as np

from perfcore.types import Run, Stamps
from tests.closed_loop import EVENTS, Simulated
from tests.reference import records


def run_of(loop: Simulated, asked: int | None, followed: bool | None = True, **more: Any) -> Run:
    """A closed loop with `asked` in flight (None: an open one) that was held for a window.

    With `followed` None it is a run that was not held for one, as those of `perfcore stress`.
    """
    rows = [row(loop, at) for at in range(loop.sent_ns.size)]
    facts = {"end_ns": loop.held_until_ns, "end_reason": "duration", "followed": followed}
    law = None if asked is not None else {"law": "poisson", "rate": 2.0}
    phase = {
        "note": "phase",
        "phase": "measured",
        "start_ns": 0,
        "concurrency": asked,
        "rate": law and law["rate"],
        "arrivals": law,
        "window": None if followed is None else facts,
    }
    good = np.flatnonzero(loop.ok).astype(np.int32)
    stamps = Stamps(loop.stamps_ns, np.repeat(good, EVENTS))
    notes = (phase, {"note": "end", "exit": 0})
    return records.run(*rows, **({"notes": notes, "stamps": stamps} | more))


def row(loop: Simulated, at: int) -> dict[str, Any]:
    """A request of the loop: 10 input tokens, and a failed one without any time but the first and last."""
    sent, ended = int(loop.sent_ns[at]), int(loop.ended_ns[at])
    times: dict[str, Any] = {"due_ns": sent, "sent_ns": sent, "end_ns": ended}
    if not loop.ok[at]:
        return times | {"error_class": "reset", "output_tokens": 0}
    first = sent + int(loop.ttft_ns[at])
    return times | {
        "first_token_ns": first,
        "first_answer_ns": first,
        "last_token_ns": ended,
        "last_output_ns": ended,
        "output_tokens": round(float(loop.tokens[at])),
        "token_events": EVENTS,
        "input_tokens": 10,
    }
