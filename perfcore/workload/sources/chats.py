"""Conversations: ShareGPT's, MT-Bench's, and files of one's own."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from perfcore.errors import UserError
from perfcore.workload.fields import first_there, identity, is_there, limit, rest, texts, wrong
from perfcore.workload.files import Record, decoded, json_kind, lines, records
from perfcore.workload.media import located, with_references
from perfcore.workload.prompting import (
    BATCH,
    Count,
    Least,
    Most,
    PrefixFile,
    Sifted,
    System,
    batches,
    counter,
    prompted,
)
from perfcore.workload.row import Row
from perfcore.workload.source import Reader, Rows, Wanted

# Names that collections of conversations have for a message's role.
ROLES = {
    **dict.fromkeys(("human", "user"), "user"),
    **dict.fromkeys(("gpt", "chatgpt", "bing", "bard", "assistant"), "assistant"),
    "system": "system",
}
LISTS = ("conversations", "conversation", "messages", "turns")
PAIR = ("human", "assistant")
RENAMED = {"from": "role", "value": "content"}
NOT_ALTERNATING = "a person does not begin, or questions and answers do not alternate, or one is blank"
YEAR_S = 365 * 86400

Message = dict[str, Any]
MinTurns = Annotated[int, Meta(ge=1, description="Conversations with fewer turns of the user are left out.")]
MaxTurns = Annotated[
    Annotated[int, Meta(ge=1)] | None,
    Meta(description="Turns of the user that are taken of a longer conversation, from its start."),
]


class ShareGpt(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of the reader `sharegpt`."""

    mode: Annotated[
        Literal["every", "first", "last"],
        Meta(
            description="every: each turn is asked, its history as --history says; first: only the first; "
            "last: only the last, after the recorded ones."
        ),
    ] = "every"
    answer_lengths: Annotated[
        bool, Meta(description="Ask in each turn for an answer as long as the recorded one of that turn.")
    ] = True
    min_turns: MinTurns = 1
    max_turns: MaxTurns = None
    system: System = ""
    prefix_file: PrefixFile = ""
    min_prompt_length: Least = 0
    max_prompt_length: Most = None


class Turns(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of the readers `mt_bench` and `multi_turn`."""

    min_turns: MinTurns = 1
    max_turns: MaxTurns = None
    system: System = ""
    prefix_file: PrefixFile = ""
    min_prompt_length: Least = 0
    max_prompt_length: Most = None


def read_sharegpt(paths: Sequence[Path], settings: ShareGpt, wanted: Wanted) -> Rows:
    """Conversations that begin with a person, after a system message or not, and alternate; others are left out.

    A last question without an answer is left off. With `answer_lengths` each message of a user gets as `max_tokens`
    the length of the recorded answer to it. Raises UserError, also where no conversation is left.
    """
    check_turns(settings.min_turns, settings.max_turns)
    return Sifted(partial(sharegpt_rows, paths, settings, wanted))


def check_turns(least: int, most: int | None) -> None:
    """Raise UserError for limits that no conversation meets."""
    if most is not None and most < least:
        raise UserError(f"max_turns is {most}; it has to be no less than min_turns, which is {least}")


def sharegpt_rows(paths: Sequence[Path], settings: ShareGpt, wanted: Wanted, left_out: "Counter[str]") -> Iterator[Row]:
    """What is asked of the conversations that are not left out."""
    found = alternating_rows(paths, settings.min_turns, settings.max_turns, left_out)
    if settings.answer_lengths:
        found = with_lengths(found, counter(wanted))
    return prompted((asked(row, settings.mode) for row in found), settings, wanted, paths, left_out)


def alternating_rows(paths: Sequence[Path], least: int, most: int | None, left_out: "Counter[str]") -> Iterator[Row]:
    """Conversations that can be asked, of `least` turns or more, cut to `most`."""
    for record in (record for path in paths for record in records(path)):
        said = conversation(record)
        lead = 1 if said and said[0]["role"] == "system" else 0
        turns = alternating(said[lead:])
        if not turns:
            left_out[NOT_ALTERNATING] += 1
        elif len(turns) < 2 * least:
            left_out[f"fewer turns with answers than min_turns, {least}"] += 1
        else:
            kept = [*said[:lead], *(turns if most is None else turns[: 2 * most])]
            name = next((name for name in ("id", "conversation_id") if is_there(record, name)), "id")
            yield Row(identity(record, name), turns=kept, meta=rest(record, {name, *LISTS}))


def conversation(record: Record) -> list[Message]:
    """Messages of a record, whichever way they are written; raises UserError that names the one that is wrong."""
    name = first_there(record, LISTS)
    given = record.fields[name]
    if not isinstance(given, list):
        raise wrong(record, f"{name} is a JSON {json_kind(given)}; it has to be a list of messages")
    return [message for at, item in enumerate(given) for message in messages_of(record, f"{name}[{at}]", item)]


def messages_of(record: Record, where: str, item: Any) -> Iterator[Message]:
    """Messages of one item: {from, value}, {role, content}, or a pair {human, assistant}."""
    if not isinstance(item, dict):
        raise wrong(record, f"{where} is a JSON {json_kind(item)}; it has to be an object with from and value")
    pairs: list[tuple[Any, Any]]
    if "human" in item:
        pairs = [(name, item.get(name)) for name in PAIR]
    else:
        pairs = [(item.get("from", item.get("role")), item.get("value", item.get("content")))]
    for role, content in pairs:
        if not isinstance(role, str) or not isinstance(content, str):
            raise wrong(record, f"{where} has no text by a named role; give it from and value, or role and content")
        yield {"role": ROLES.get(role.lower(), role), "content": content}


def alternating(said: list[Message]) -> list[Message]:
    """Questions and answers, or nothing where they do not alternate from a person's on, or one of them is blank."""
    whole = said[: len(said) // 2 * 2]
    fits = all(message["role"] == ("user", "assistant")[at % 2] for at, message in enumerate(said))
    return whole if fits and all(message["content"].strip() for message in whole) else []


def with_lengths(rows: Iterable[Row], count: Count) -> Iterator[Row]:
    """Rows whose messages of a user have as `max_tokens` the tokens of the answer that follows."""
    for batch in batches(rows, BATCH):
        answers = [message["content"] for row in batch for message in row.turns or () if message["role"] == "assistant"]
        counted = iter(count(answers))
        for row in batch:
            turns = [
                {**message, "max_tokens": max(1, next(counted))} if message["role"] == "user" else message
                for message in row.turns or ()
            ]
            yield msgspec.structs.replace(row, turns=turns)


def asked(row: Row, mode: str) -> Row:
    """What a mode asks of a conversation: every turn, or one of them as a single request."""
    turns = row.turns or []
    answers = [message["content"] for message in turns if message["role"] == "assistant"]
    if mode == "every":
        return msgspec.structs.replace(row, reference=answers)
    at = len(turns) - 1 if mode == "last" else next(at for at, item in enumerate(turns) if item["role"] == "assistant")
    said = [{key: item[key] for key in ("role", "content")} for item in turns[:at]]
    limit = turns[at - 1].get("max_tokens")
    return msgspec.structs.replace(row, turns=None, messages=said, max_tokens=limit, reference=turns[at]["content"])


def read_mt_bench(paths: Sequence[Path], settings: Turns, wanted: Wanted) -> Rows:
    """MT-Bench's questions: `turns` (or `prompt`), two texts each, `question_id`, `category`, `reference`."""
    check_turns(settings.min_turns, settings.max_turns)
    return Sifted(partial(turn_rows, mt_bench_rows, paths, settings, wanted))


def mt_bench_rows(path: Path) -> Iterator[Row]:
    """Rows of all questions of a file."""
    return map(mt_bench_row, records(path))


def mt_bench_row(record: Record) -> Row:
    """Row of a question; raises UserError."""
    name = first_there(record, ("turns", "prompt"))
    said = [{"role": "user", "content": text} for text in texts(record, name)]
    key = next((key for key in ("question_id", "id") if is_there(record, key)), "id")
    answers = record.fields.get("reference") or None
    return Row(identity(record, key), turns=said, reference=answers, meta=rest(record, {name, key, "reference"}))


def read_multi_turn(paths: Sequence[Path], settings: Turns, wanted: Wanted) -> Rows:
    """Conversations of one's own: an array of messages, or of what the user says, on each line of JSON.

    A line may also be an object with such an array, `id` and `think_s`; a message of the user may have `max_tokens`
    and `think_s`. Raises UserError.
    """
    check_turns(settings.min_turns, settings.max_turns)
    return Sifted(partial(turn_rows, own_rows, paths, settings, wanted))


def own_rows(path: Path) -> Iterator[Row]:
    """Rows of all lines of a file."""
    return (own_row(place, line, path.parent) for place, line in lines(path))


def turn_rows(
    read: Callable[[Path], Iterator[Row]],
    paths: Sequence[Path],
    settings: Turns,
    wanted: Wanted,
    left_out: "Counter[str]",
) -> Iterator[Row]:
    """Conversations of enough turns, cut to the most."""
    found = long_enough((row for path in paths for row in read(path)), settings.min_turns, left_out)
    return prompted((cut(row, settings.max_turns) for row in found), settings, wanted, paths, left_out)


def long_enough(rows: Iterable[Row], least: int, left_out: "Counter[str]") -> Iterator[Row]:
    """Conversations with enough messages of the user."""
    for row in rows:
        if len(places_of_users(row.turns or [])) >= least:
            yield row
        else:
            left_out[f"fewer turns than min_turns, {least}"] += 1


def places_of_users(said: list[Message]) -> list[int]:
    """Where the messages of the user are."""
    return [at for at, message in enumerate(said) if message["role"] == "user"]


def cut(row: Row, most: int | None) -> Row:
    """A conversation up to its `most`-th turn of the user."""
    turns = row.turns or []
    places = places_of_users(turns)
    return (
        row
        if most is None or len(places) <= most
        else msgspec.structs.replace(row, turns=turns[: places[most - 1] + 1])
    )


def own_row(place: str, line: str, folder: Path) -> Row:
    """Row of a line; raises UserError."""
    value = decoded(line.encode(), place, "; each line has to be a JSON array of messages")
    record = Record(place, value if isinstance(value, dict) else {"turns": value})
    name = first_there(record, LISTS)
    items = record.fields[name]
    if not isinstance(items, list):
        raise wrong(record, f"{name} is a JSON {json_kind(items)}; it has to be an array of messages or texts")
    turns = [own_message(record, f"{name}[{at}]", item) for at, item in enumerate(items)]
    if not places_of_users(turns):
        raise wrong(record, f"{name} has no message of a user, so there is nothing to send")
    turns = with_references(turns, lambda reference: located(reference, folder))
    think_s = seconds(record, "think_s", record.fields.get("think_s"))
    return Row(identity(record), turns=turns, think_s=think_s, meta=rest(record, {"id", "think_s", name}))


def own_message(record: Record, where: str, item: Any) -> Message:
    """A message, or a text of the user; raises UserError."""
    if isinstance(item, str) and item:
        return {"role": "user", "content": item}
    given: Message = item if isinstance(item, dict) else {}
    said = {RENAMED.get(key, key): value for key, value in given.items()}
    if not isinstance(said.get("role"), str) or ("content" not in said and "tool_calls" not in said):
        raise wrong(record, f"{where} is no message and no text; give objects with role and content")
    of_turn = {
        "max_tokens": limit(
            Record(record.place, {f"{where}.max_tokens": said.get("max_tokens")}), f"{where}.max_tokens"
        ),
        "think_s": seconds(record, f"{where}.think_s", said.get("think_s")),
    }
    kept = {key: value for key, value in (said | of_turn).items() if key not in of_turn or value is not None}
    return kept | {"role": ROLES.get(said["role"].lower(), said["role"])}


def seconds(record: Record, name: str, value: object) -> float | None:
    """A time of at least 0 s, or none; raises UserError."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < YEAR_S:
        raise wrong(record, f"{name} is {value!r}; it has to be a number of seconds of at least 0")
    return float(value)


READERS = {
    "sharegpt": Reader(read_sharegpt, ShareGpt, "Conversations of people with a model, in ShareGPT's form."),
    "mt_bench": Reader(read_mt_bench, Turns, "MT-Bench's questions of two turns."),
    "multi_turn": Reader(read_multi_turn, Turns, "Conversations of one's own, one on each line."),
}
