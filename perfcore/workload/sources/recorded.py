"""Requests as a gateway has recorded them: whole bodies with their headers and times."""

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from perfcore.redaction import SECRET_HEADER
from perfcore.workload.fields import identity, is_there, wrong
from perfcore.workload.files import Record, json_kind, records
from perfcore.workload.headers import can_be_sent
from perfcore.workload.row import Row
from perfcore.workload.source import Reader, Wanted
from perfcore.workload.timestamps import timestamp_ns

# RFC 9110, section 7.6.1: what belongs to the connection of the recording.
HOP_BY_HOP = {
    *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer"),
    *("transfer-encoding", "upgrade"),
}
# What the client says itself, of the bytes that it sends and of the answers that it can read.
OURS = {
    *("host", "content-length", "content-type", "content-encoding", "content-md5", "digest", "content-digest"),
    *("expect", "accept", "accept-encoding", "user-agent", "x-request-id", "date"),
}
# Names of an answer's longest length in the bodies of several services.
LIMITS = ("max_completion_tokens", "max_output_tokens", "max_new_tokens", "max_tokens")
ENDINGS = ("stop", "stop_token_ids")
INT32 = 2**31 - 1
LEFT_OUT = "headers_left_out"


class WorkloadTrace(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of the reader `workload_trace`."""

    model_override: Annotated[str, Meta(description="Model to ask for in the place of every recorded one.")] = ""
    model_mapping: Annotated[
        dict[str, str], Meta(description="Model to ask for by the recorded one; others stay as they are.")
    ] = {}
    match_output_length: Annotated[
        bool, Meta(description="Ask for answers of exactly the recorded completion_tokens, by a limit and ignore_eos.")
    ] = False
    keep_headers: Annotated[
        list[str], Meta(description="Headers to send although they look like secrets; they are written to the run.")
    ] = []


@dataclass(frozen=True)
class Recorded:
    """Rows of recorded requests, read as they are gone through; `remarks` are about those that have been."""

    paths: tuple[Path, ...]
    settings: WorkloadTrace
    wanted: Wanted
    left_out: "Counter[str]" = field(default_factory=Counter)  # headers by name

    def __iter__(self) -> Iterator[Row]:
        self.left_out.clear()
        found = itertools.chain.from_iterable(map(records, self.paths))
        for record in itertools.islice(found, self.wanted.limit):
            row = row_of(record, self.settings, self.wanted.timestamp_unit)
            self.left_out.update(row.meta.get(LEFT_OUT, ()))
            yield row

    @property
    def remarks(self) -> list[str]:
        """What has been left out of the requests, in words."""
        return [
            f"the header {name} of {count:,} requests looks like a secret and is not sent; keep_headers keeps it"
            for name, count in self.left_out.most_common()
        ]


def read_workload_trace(paths: Sequence[Path], settings: WorkloadTrace, wanted: Wanted) -> Recorded:
    """Rows of records with `body` and optionally `timestamp`, `headers`, `request_id` and `completion_tokens`.

    Headers of the recording's connection, those that every client sends for itself, and those that look like secrets
    are left out; the names of the latter are in the row's meta.
    """
    return Recorded(tuple(paths), settings, wanted)


def row_of(record: Record, settings: WorkloadTrace, timestamp_unit: str) -> Row:
    """Row of one recorded request; raises UserError that names the field."""
    body = with_model(an_object(record, "body"), settings)
    tokens = completion_tokens(record)
    if settings.match_output_length:
        if tokens is None:
            raise wrong(record, "has no completion_tokens, which match_output_length needs; leave the row or it out")
        body = with_length(body, max(1, tokens))
    headers, secrets = headers_of(record, settings.keep_headers)
    stamp = record.fields.get("timestamp")
    meta = {"completion_tokens": tokens, LEFT_OUT: secrets}
    return Row(
        id=identity(record, "request_id"),
        body=body,
        headers=headers,
        max_tokens=next((body[name] for name in LIMITS if is_limit(body.get(name))), None),
        meta={name: value for name, value in meta.items() if value not in (None, [])},
        timestamp_ns=None if stamp is None else timestamp_ns(stamp, timestamp_unit, record.place),
    )


def an_object(record: Record, name: str) -> dict[str, Any]:
    """A field that is an object, or the text of one, as columns of tables have it; it has to have a key."""
    value = record.fields.get(name)
    if isinstance(value, str):
        try:
            value = msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError) as error:
            raise wrong(record, f"{name} is text that is not JSON ({error}); mend it there") from None
    if value is None:
        raise wrong(record, f"has no {name}; give the body of the request, an object")
    if not isinstance(value, dict) or not value:
        words = "empty" if value == {} else f"a JSON {json_kind(value)}"
        raise wrong(record, f"{name} is {words}; it has to be an object with what was sent")
    return value


def with_model(body: dict[str, Any], settings: WorkloadTrace) -> dict[str, Any]:
    """The body with the model that the settings have for its own."""
    model = settings.model_override or settings.model_mapping.get(str(body.get("model")))
    return body | {"model": model} if model else body


def with_length(body: dict[str, Any], tokens: int) -> dict[str, Any]:
    """The body asking for an answer of just so many tokens, under the name that it has for the limit."""
    names = [name for name in LIMITS if body.get(name) is not None] or ["max_tokens"]
    kept = {key: value for key, value in body.items() if key not in (*LIMITS, *ENDINGS, "min_tokens")}
    return kept | dict.fromkeys(names, tokens) | {"ignore_eos": True}


def completion_tokens(record: Record) -> int | None:
    """Recorded length of the answer, also written as text, or none."""
    if not is_there(record, "completion_tokens"):
        return None
    value = record.fields["completion_tokens"]
    number = int(value) if isinstance(value, str) and value.isascii() and value.isdecimal() else value
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= INT32:
        raise wrong(record, f"completion_tokens is {value!r:.60}; it has to be a whole number from 0 to {INT32:,}")
    return number


def is_limit(value: object) -> bool:
    """Whether a body's value limits its answer."""
    return type(value) is int and 1 <= value <= INT32


def headers_of(record: Record, keep: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Headers to send, and the names of those that are left out as they look like secrets."""
    pairs = header_pairs(record)
    named = {name.strip().lower() for key, value in pairs if key.lower() == "connection" for name in value.split(",")}
    kept, wished, secrets = dict[str, str](), {name.lower() for name in keep}, list[str]()
    for name, value in pairs:
        low = name.lower()
        if low.startswith(":") or low in HOP_BY_HOP | OURS | named:
            continue
        if SECRET_HEADER.search(name) and low not in wished:
            secrets.append(name)
            continue
        if not can_be_sent(name, value):
            raise wrong(record, f"headers has {name!r:.60}, which no request can carry as it stands; mend or remove it")
        kept[name] = f"{kept[name]}, {value}" if name in kept else value
    return kept, secrets


def header_pairs(record: Record) -> list[tuple[str, str]]:
    """Names and values of the recorded headers: an object, the text of one, or a list of pairs."""
    given = record.fields.get("headers")
    if given in (None, "", [], {}):
        return []
    if not isinstance(given, list):
        given = list(an_object(record, "headers").items())
    pairs = []
    for pair in given:
        if not isinstance(pair, (list, tuple)) or len(pair) != 2 or not isinstance(pair[0], str):
            raise wrong(record, 'headers is no object of names and values; give them as in {"x-tenant": "a"}')
        for value in pair[1] if isinstance(pair[1], list) else [pair[1]]:
            if isinstance(value, (dict, list)):
                raise wrong(record, f"headers has {pair[0]!r:.60} with a JSON {json_kind(value)}; it has to be text")
            pairs.append((pair[0], "" if value is None else str(value).strip()))
    return pairs


READERS = {
    "workload_trace": Reader(
        read_workload_trace, WorkloadTrace, "Recorded requests: whole bodies with headers, times and answers' lengths."
    )
}
