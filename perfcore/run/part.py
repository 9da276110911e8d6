"""A part of the request book: rows, their encoded bodies, and what the journal keeps of them."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from perfcore.records.rows import Pack, pack
from perfcore.run.book import Bodies, Gathering
from perfcore.workload.conversation import turns
from perfcore.workload.dialect import Dialect, encoder, line_name
from perfcore.workload.row import Row
from perfcore_ext.clock import monotonic_ns

PACK_BYTES = 1 << 18  # of the rows' JSON: what is unpacked to read one of them again
NO_TIME = -(1 << 63)


@dataclass(frozen=True)
class Form:
    """How rows become requests. It can be pickled."""

    dialect: Dialect
    model: str | None
    max_tokens: int | None
    stream: bool
    extra: dict[str, Any]
    exact: bool
    history: str
    think_s: float
    sent_by_all: frozenset[str] = frozenset()  # names of headers, in small letters, that go before those of a row

    def encoder(self) -> Callable[[Row], bytes]:
        """Function from a row to the encoded body of its request."""
        return encoder(
            self.dialect,
            model=self.model,
            max_tokens=self.max_tokens,
            stream=self.stream,
            extra=self.extra,
            exact=self.exact,
        )


class Part(NamedTuple):
    """Rows ready to be written. `timestamps_ns` has NO_TIME for a row without one, and is empty where none has one."""

    rows: int
    bodies: Bodies
    packs: list[Pack]
    timestamps_ns: list[int]
    made_ns: int  # that making the rows took, or reading them
    encoded_ns: int  # and their bodies


class Trouble(NamedTuple):
    """What was wrong, and whether the user can mend it; else it is a traceback."""

    words: str
    users: bool


def cut(rows: Iterable[Row], form: Form, limit_bytes: int | None = None) -> Iterator[Part]:
    """Parts of about `limit_bytes` of bodies, or a single one."""
    encode = form.encoder()
    source = iter(rows)
    while True:
        part = one_part(source, encode, form, limit_bytes)
        if part.rows:
            yield part
        if limit_bytes is None or part.rows == 0:
            return


def one_part(source: Iterator[Row], encode: Callable[[Row], bytes], form: Form, limit_bytes: int | None) -> Part:
    """The next rows; none where there are no more."""
    gathering, packs, lines, size = Gathering(), list[Pack](), list[bytes](), 0
    stamps: list[int | None] = []
    made_ns, start_ns = 0, monotonic_ns()
    while limit_bytes is None or gathering.size < limit_bytes:
        before_ns = monotonic_ns()
        row = next(source, None)
        made_ns += monotonic_ns() - before_ns
        if row is None:
            break
        for turn in turns(row, encode, form.history, form.think_s):
            headers = [line for line in turn.headers if line_name(line) not in form.sent_by_all]
            gathering.add(turn.body, turn.splices, turn.number, turn.think_ns, headers)
        lines.append(to_json(msgspec.structs.replace(row, headers={}) if row.headers else row))  # may be secrets
        stamps.append(row.timestamp_ns)
        size += len(lines[-1])
        if size >= PACK_BYTES:
            packs.append(pack(lines))
            lines, size = [], 0
    if lines:
        packs.append(pack(lines))
    times = [] if all(stamp is None for stamp in stamps) else [NO_TIME if stamp is None else stamp for stamp in stamps]
    encoded_ns = monotonic_ns() - start_ns - made_ns
    return Part(len(stamps), gathering.taken(), packs, times, made_ns, encoded_ns)


to_json = msgspec.json.Encoder().encode
