"""The frames of a journal, put together again from the pieces in its blocks, batch by batch."""

from collections.abc import Iterator
from pathlib import Path

from perfcore.records.frame import Frames, cut
from perfcore.records.journal import Kind, read_blocks
from perfcore.types import Damage

BATCH_BYTES = 32 << 20


def read_frames(path: Path, damage: Damage, end: int, batch_bytes: int = BATCH_BYTES) -> Iterator[Frames]:
    """All whole frames of a journal of `end` bytes, in batches of one worker each; the same ones each time it is read.

    About `batch_bytes` are in memory. `damage` counts what cannot be read.
    """
    pending: dict[int, bytearray] = {}
    expected: dict[int, int] = {}
    size = 0
    for block in read_blocks(path, damage, [Kind.FRAMES], end):
        if block.position != expected.get(block.worker, 0):
            # What came before the gap does not go on here.
            yield from _last(pending, block.worker, damage)
        expected[block.worker] = block.position + block.length
        pending.setdefault(block.worker, bytearray()).extend(block.payload)
        size += block.length
        if size >= batch_bytes:
            for worker in sorted(pending):
                yield from _whole(pending, worker, damage)
            size = 0
    for worker in sorted(pending):
        yield from _last(pending, worker, damage, torn=True)


def _whole(pending: dict[int, bytearray], worker: int, damage: Damage) -> Iterator[Frames]:
    data = pending[worker]
    frames, used, passed = cut(data)
    damage.skipped_bytes += passed
    if used:
        pending[worker] = data[used:]
    if len(frames):
        yield frames


def _last(pending: dict[int, bytearray], worker: int, damage: Damage, torn: bool = False) -> Iterator[Frames]:
    if worker not in pending:
        return
    yield from _whole(pending, worker, damage)
    rest = len(pending.pop(worker))
    if torn:
        damage.torn_bytes += rest
    else:
        damage.skipped_bytes += rest
