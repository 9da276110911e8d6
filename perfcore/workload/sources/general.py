"""Questions and answers as EvalScope's general_qa has them: `query` or `messages`, `system`, `response`."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from perfcore.errors import UserError
from perfcore.workload.dataset import messages, part_name, plain
from perfcore.workload.fields import first_there, identity, is_there, limit, rest, text, wrong
from perfcore.workload.files import Record, format_of, records
from perfcore.workload.row import Row
from perfcore.workload.source import Reader, Wanted

ASKED = ("messages", "query", "question")
ANSWERS = ("response", "answer")
USED = {"id", *ASKED, "system", *ANSWERS, "max_tokens"}
EXAMPLE = 'a right row is {"query": "What is the capital of France?", "response": "Paris"}'


class GeneralQa(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of the reader `general_qa`, which has none."""


def read(paths: Sequence[Path], settings: GeneralQa, wanted: Wanted) -> Iterator[Row]:
    """Rows of all files; of several each names its part of the data set. Raises UserError."""
    for path in paths:
        part = part_name(path) if len(paths) > 1 else ""
        form = format_of(path)
        for record in records(path):
            yield row_of(record, form, path.parent, part)


def row_of(record: Record, form: str, folder: Path, part: str) -> Row:
    """Row of a question; raises UserError that names its place and shows a right one."""
    try:
        record = record._replace(fields=plain(record, form))
        asked = messages_of(record, folder)
    except (ValueError, UserError) as error:
        words = str(error).removeprefix(f"{record.place}: ")
        raise wrong(record, f"{words}; {EXAMPLE}") from None
    given = next((name for name in ANSWERS if is_there(record, name)), "")
    number = identity(record)
    return Row(
        id=number if is_there(record, "id") or not part else f"{part}/{number}",
        prompt=asked if isinstance(asked, str) else None,
        messages=asked if isinstance(asked, list) else None,
        max_tokens=limit(record),
        reference=record.fields[given] if given else None,
        meta=rest(record, USED),
        subset=part,
    )


def messages_of(record: Record, folder: Path) -> str | list[dict[str, Any]]:
    """The question as it is sent: its messages, or its text, behind a message of the system where there is one."""
    name = first_there(record, ASKED)
    if name == "messages":
        return messages(record.fields[name], folder) or []
    question = text(record, name)
    if not is_there(record, "system"):
        return question
    return [{"role": "system", "content": text(record, "system")}, {"role": "user", "content": question}]


READERS = {
    "general_qa": Reader(read, GeneralQa, "Questions with `query` or `messages`, `system`, and `response`."),
}
