"""What an answer says: its events by the dialect's paths, whole and in Python, for a handful of requests."""

from dataclasses import dataclass, field
from typing import Any

import msgspec

from perfcore.run.check_reading import Reading
from perfcore.workload.dialect import Dialect, response_paths
from perfcore_ext.paths import MalformedJSON, PathSet
from perfcore_ext.sse import EventReader, TooLarge

TEXTS = {"content": "content", "reasoning": "reasoning", "tool_calls": "tool"}
COUNTS = ("prompt_tokens", "output_tokens", "reasoning_tokens", "cached_tokens")
GENERATED = frozenset(TEXTS.values())
FRAMINGS = {"text/event-stream": "sse", "application/x-ndjson": "ndjson", "application/jsonl": "ndjson"}
PAGES = ("text/html", "application/xhtml")
SHOWN_CHARACTERS = 300

Found = dict[str, list[tuple[str, bytes]]]  # by field: types and raw bytes of the values


@dataclass(frozen=True)
class Event:
    """One event. Kinds: role, content, reasoning, tool, finish, usage, done, error, result, bad_json."""

    t_ns: int
    kinds: frozenset[str]

    @property
    def is_token(self) -> bool:
        return bool(self.kinds & GENERATED)


@dataclass
class Answer:
    """A reading understood. `counts` are the server's own, by the names of a dialect's fields."""

    reading: Reading
    streamed: bool
    events: list[Event] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=lambda: dict.fromkeys(TEXTS.values(), ""))
    counts: dict[str, int] = field(default_factory=dict)
    finish: str = ""
    error: str = ""
    choices: set[int] = field(default_factory=set)
    failure: str = ""  # in one sentence why the run would count it as failed; empty for success

    @property
    def ok(self) -> bool:
        return not self.failure

    @property
    def accepted(self) -> bool:
        """A success, or a whole answer without text, as a low limit or an early stop makes it."""
        ended = any("finish" in event.kinds for event in self.events)
        return self.ok or (200 <= self.reading.status < 300 and ended and not self.tokens and not self.error)

    @property
    def tokens(self) -> list[Event]:
        return [event for event in self.events if event.is_token]

    @property
    def text(self) -> str:
        """All that was generated."""
        return self.texts["reasoning"] + self.texts["content"] + self.texts["tool"]

    @property
    def length(self) -> int:
        """Output tokens: the server's count, else the events that carry some."""
        return self.counts.get("output_tokens", len(self.tokens))

    @property
    def counted(self) -> bool:
        return "output_tokens" in self.counts


def understand(reading: Reading, dialect: Dialect, stream: bool) -> Answer:
    """Take a reading apart as the load would; `stream` says whether a stream was asked for."""
    framing = framing_of(reading, dialect, stream)
    answer = Answer(reading, streamed=framing != "json")
    if 200 <= reading.status < 300 and not reading.content_type.startswith(PAGES):
        paths = response_paths(dialect, answer.streamed)
        matcher = PathSet([path for _, path, _ in paths])
        for t_ns, data, name in events_of(reading, framing, answer):
            take(answer, dialect, paths, matcher, t_ns, data, name)
    answer.failure = failure_of(answer, dialect, stream)
    return answer


def framing_of(reading: Reading, dialect: Dialect, stream: bool) -> str:
    """How the body is cut: as its head says, else as the dialect does."""
    said = reading.content_type.partition(";")[0].strip()
    expected = dialect.framing if stream else "json"
    if said == "application/json" and expected == "sse":
        return "json"
    return FRAMINGS.get(said, expected)


def events_of(reading: Reading, framing: str, answer: Answer) -> list[tuple[int, bytes, str]]:
    """Stamp, data and name of each event, in order."""
    reader = EventReader(framing)
    found: list[tuple[int, bytes, str]] = []
    try:
        for t_ns, data in reading.reads:
            found += [(t_ns, event, name.decode(errors="replace")) for event, name in reader.feed(data)]
        if not reading.code:
            found += [(reading.end_ns, event, name.decode(errors="replace")) for event, name in reader.finish()]
    except TooLarge as error:
        answer.error = str(error)
    return found


def take(
    answer: Answer,
    dialect: Dialect,
    paths: list[tuple[str, str, str]],
    matcher: PathSet,
    t_ns: int,
    data: bytes,
    name: str,
) -> None:
    """Add one event to an answer."""
    if dialect.done and data == dialect.done.encode():
        answer.events.append(Event(t_ns, frozenset({"done"})))
        return
    try:
        matches = matcher.match(data)
    except MalformedJSON:
        answer.events.append(Event(t_ns, frozenset({"bad_json"})))
        return
    found = values_by_field(paths, matches, name)
    answer.choices |= choice_numbers(data)
    cumulative = dialect.cumulative and answer.streamed
    kinds = {kind for field in found for kind in kinds_of(answer, field, found[field], cumulative)}
    answer.events.append(Event(t_ns, frozenset(kinds)))


def values_by_field(paths: list[tuple[str, str, str]], matches: list[tuple[int, str, bytes]], name: str) -> Found:
    """The values that count: of each field those of the first path that leads to any, if the event has its type.

    That type is the value of the field "type" as it is spelled, also null or false, else the name of the event.
    """
    named = [name, *(raw.decode(errors="replace") for at, _, raw in matches if paths[at][0] == "type")][-1]
    present = [
        (at, kind, raw)
        for at, kind, raw in matches
        if kind not in ("null", "false") and raw and paths[at][2] in ("", named)
    ]
    chosen: dict[str, int] = {}
    for at in sorted({at for at, _, _ in present}):
        chosen.setdefault(paths[at][0], at)
    return {field: [(kind, raw) for at, kind, raw in present if at == best] for field, best in chosen.items()}


def kinds_of(answer: Answer, field: str, values: list[tuple[str, bytes]], cumulative: bool) -> set[str]:
    """Put the values of one field into an answer; returns the kinds that they make of their event."""
    texts = [text_of(raw) for kind, raw in values if kind == "string"]
    if field in TEXTS and texts:
        return add_text(answer, TEXTS[field], "".join(texts), cumulative and field == "content")
    if field in COUNTS:
        numbers = [int(raw) for kind, raw in values if kind == "number" and raw.isdigit()]
        if numbers:
            answer.counts[field] = numbers[-1]
        return {"usage"} if numbers else set()
    if field == "finish" and texts:
        answer.finish = texts[-1]
        return {"finish"}
    if field == "error":
        answer.error = texts[0] if texts else values[0][1].decode(errors="replace")
        return {"error"}
    return {"role": {"role"}, "end": {"finish"}, "result": {"result"}}.get(field, set())


def add_text(answer: Answer, kind: str, text: str, cumulative: bool) -> set[str]:
    """Add generated text, or replace it by the longer one that holds it; returns the kind if there was any."""
    before = answer.texts[kind]
    answer.texts[kind] = text if cumulative else before + text
    return {kind} if len(answer.texts[kind]) > len(before) else set()


def text_of(raw: bytes) -> str:
    """Text of the inside of a JSON string."""
    try:
        return str(msgspec.json.decode(b'"' + raw + b'"'))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return raw.decode(errors="replace")


def choice_numbers(data: bytes) -> set[int]:
    """Numbers of the choices in an event of OpenAI's forms."""
    try:
        document: Any = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return set()
    choices = document.get("choices") if isinstance(document, dict) else None
    if not isinstance(choices, list):
        return set()
    numbers = [choice.get("index", 0) for choice in choices if isinstance(choice, dict)]
    return {number for number in numbers if isinstance(number, int)}


def failure_of(answer: Answer, dialect: Dialect, stream: bool) -> str:
    """The first of these that is true, as the load would class it, in words."""
    reading = answer.reading
    seen = {kind for event in answer.events for kind in event.kinds}
    completed = seen & set(dialect.complete) or ("end" in dialect.complete and not reading.code)
    if reading.status and not 200 <= reading.status < 300:
        return f"answered {reading.status}: {excerpt(reading.body)}"
    if reading.status and reading.content_type.startswith(PAGES):
        return f"answered with a web page: {excerpt(reading.body)}"
    if answer.error:
        return f"answered with an error inside a status {reading.status}: {excerpt(answer.error.encode())}"
    if reading.code and not completed:
        return f"gave no whole answer: {reading.message}"
    if "bad_json" in seen:
        return f"sent an event that is not JSON: {excerpt(reading.body)}"
    if stream and not answer.streamed and reading.body:
        return f"answered at once although a stream was asked for: {excerpt(reading.body)}"
    if answer.streamed and not completed:
        return f"ended its stream without {' or '.join(ENDS[end] for end in dialect.complete)}"
    if not answer.tokens and "result" not in seen:
        return f"gave an answer without any text: {excerpt(reading.body)}"
    return ""


ENDS = {"finish": "a finish reason", "done": "its end marker", "end": "a clean end"}


def excerpt(body: bytes) -> str:
    """The beginning of what a server said, in one printable line."""
    text = " ".join("".join(c if c.isprintable() else " " for c in body.decode(errors="replace")).split())
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"
