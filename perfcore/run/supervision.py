"""While a segment of load runs: empty the rings, watch the workers, obey signals, show the live line."""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import msgspec

from perfcore.records.journal import JournalWriter, Kind
from perfcore.run.aggregator import Aggregator
from perfcore.run.workers import Worker, share_limit
from perfcore_ext.clock import monotonic_ns
from perfcore_ext.control import Control

NS = 1_000_000_000
# Between two looks. Every wake-up of the master takes a core from a worker or the server on a small machine, and a ring
# of 16 MiB holds what 100,000 events a second bring in four seconds.
SLEEP_S = 0.02
FULL_BYTES = 2 << 20  # after a look that found more than this, the next one follows at once
NO_FILE = 0


class Signals:
    """Counts what a user wants: 1 is to stop in order, 2 to cut off. In place between enter and exit."""

    def __init__(self) -> None:
        self.count = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Signals":
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.count = self.count + 1 if number == signal.SIGINT else max(self.count, 1)


@dataclass
class Supervisor:
    """What it takes to see a segment through; `lost` are the workers that died."""

    control: Control
    workers: list[Worker]
    aggregator: Aggregator
    journal: JournalWriter
    signals: Signals
    grace_ns: int
    show: Callable[[], None]
    look: Callable[[], None] | None = None  # called at each look at a segment that decides its end itself
    lost: list[Worker] = field(default_factory=list)
    _stop_ns: int | None = None

    def watch(self, number: int, limit: int, phase: str) -> str:
        """Return when every living worker has finished segment `number`; says what ended it.

        `limit` is what all workers together may have in flight: the share of one that dies goes to the others.
        """
        while True:
            moved = self.aggregator.drain()
            self._bury(limit, phase)
            if not any(worker.alive for worker in self.workers):
                return "lost_workers"
            if all(self.control.finished_segment(w.number) >= number for w in self.workers if w.alive):
                self.aggregator.drain()
                return "interrupt" if self.signals.count else "complete"
            self._obey()
            if self.look is not None:
                self.look()
            self.show()
            if moved < FULL_BYTES:
                time.sleep(SLEEP_S)

    def _obey(self) -> None:
        """One signal: send nothing new and give what runs its grace. Two, or the grace is over: cut off."""
        if not self.signals.count:
            return
        now = monotonic_ns()
        if self._stop_ns is None:
            self._stop_ns = now
            self.control.stop()
        if self.signals.count > 1 or now - self._stop_ns >= self.grace_ns:
            self.control.abort()

    def _bury(self, limit: int, phase: str) -> None:
        """Note what a worker that died had in hand, and give its share to the others."""
        dead = [worker for worker in self.workers if worker.ended()]
        for worker in dead:
            self.aggregator.drain()
            self._note_lost(worker, phase)
            self.control.clear_in_flight(worker.number)
        if dead:
            self.lost.extend(dead)
            share_limit(self.control, self.workers, limit)

    def _note_lost(self, worker: Worker, phase: str) -> None:
        slots = self.control.claimed_slots(worker.number)
        lost = [
            {
                "request_id": request_id,
                "sequence": sequence,
                "turn": turn,
                "due_ns": due_ns,
                "sent_ns": sent_ns,
                "worker": worker.number,
                "phase": phase,
            }
            for request_id, sequence, turn, due_ns, sent_ns in slots
            if sent_ns != -2
        ]
        note = {
            "note": "lost_worker",
            "worker": worker.number,
            "exit": worker.exit,
            "time_ns": monotonic_ns(),
            "said": worker.last_words(),
        }
        self.journal.append(Kind.LOST, worker.number, msgspec.json.encode(lost))
        self.journal.append(Kind.NOTE, NO_FILE, msgspec.json.encode(note))
