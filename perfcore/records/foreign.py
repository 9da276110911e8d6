"""Answers that other tools saved: the files of AISBench's and EvalScope's predictions."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from perfcore.errors import UserError


class Answer(NamedTuple):
    """One answer. `number` is that of its question in the part of the data set that `part` ends with.

    `repeat` is None where the file numbers the repeats of all questions through.
    """

    place: str  # file and line
    part: str
    number: int
    repeat: int | None
    prompt: Any = None
    prediction: str | None = None
    reasoning: str | None = None
    finish_reason: str | None = None
    error: str | None = None
    gold: Any = None
    model: str = ""


def aisbench(path: Path) -> Iterator[Answer]:
    """Answers in predictions/<model>/<data set>.jsonl of AISBench, or in the .json of its older versions.

    An id that comes again is another answer to the same question. Raises UserError that names file and line.
    """
    seen: Counter[tuple[str, int]] = Counter()
    for place, row in rows_of(path):
        part = str(row.get("data_abbr") or path.stem.removesuffix("_failed"))
        index = whole(row.get("id"), "id", place)
        yield Answer(
            place=place,
            part=part,
            number=index,
            repeat=seen[part, index],
            prompt=row.get("origin_prompt", row.get("input")),
            prediction=texts(row.get("prediction"), place),
            error=None if row.get("success", "error_info" not in row) else str(row.get("error_info") or "failed"),
            gold=row.get("gold"),
            model=path.parent.name,
        )
        seen[part, index] += 1


def evalscope(path: Path) -> Iterator[Answer]:
    """Answers in predictions/<model>/<benchmark>_<subset>.jsonl of EvalScope. Raises UserError for file and line."""
    for place, row in rows_of(path):
        output = row.get("model_output") or {}
        choices = output.get("choices") or row.get("choices") or []
        choice = choices[0] if choices else {}
        content = (choice.get("message") or {}).get("content")
        error = output.get("error")
        yield Answer(
            place=place,
            part=path.stem,
            number=whole(row.get("index"), "index", place),
            repeat=None,
            prompt=[one for one in row.get("messages") or [] if one.get("role") != "assistant"] or None,
            prediction=pieces(content, "text"),
            reasoning=pieces(content, "reasoning") if isinstance(content, list) else None,
            finish_reason=FINISHED.get(reason, reason) if (reason := choice.get("stop_reason")) is not None else None,
            error=str(error) if error else None if choices else "there is no answer in the file",
            model=str(row.get("model") or path.parent.name),
        )


FINISHED = {"max_tokens": "length", "model_length": "length"}
READERS: dict[str, Callable[[Path], Iterator[Answer]]] = {"aisbench": aisbench, "evalscope": evalscope}


def rows_of(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Objects in a file with their places: lines, or the values of one object by number. Raises UserError."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read --predictions {path}: {error.strerror}; give a file that can be read") from None
    if path.suffix == ".json":
        found = decoded(content, f"{path}")
        for key, row in found.items():
            yield f"{path}, {key!r}", {"id": key, **checked(row, f"{path}, {key!r}")}
        return
    for number, line in enumerate(content.splitlines(), 1):
        if line.strip():
            yield f"{path}, line {number}", decoded(line, f"{path}, line {number}")


def decoded(text: bytes, place: str) -> dict[str, Any]:
    """The object in a text. Raises UserError where there is none."""
    try:
        return checked(msgspec.json.decode(text), place)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{place}: {error}; correct it, or take it out") from None


def checked(value: Any, place: str) -> dict[str, Any]:
    """The value, which is an object. Raises UserError."""
    if not isinstance(value, dict):
        raise UserError(f"{place} is no object; --format says what wrote the file: correct it")
    return value


def whole(value: Any, key: str, place: str) -> int:
    """A number of a row, also as text. Raises UserError."""
    if isinstance(value, bool) or not str(value).isdecimal():
        raise UserError(f"{place}: {key} is {value!r:.40}, and a row's number from 0 on is wanted; correct it")
    return int(str(value))


def texts(value: Any, place: str) -> str | None:
    """A prediction; raises UserError for what is no text."""
    if value is None or isinstance(value, str):
        return value
    raise UserError(f"{place}: prediction is {value!r:.60}, and a text is wanted; only answers of text can be scored")


def pieces(content: Any, kind: str) -> str | None:
    """The text of a message, or those parts of it that are of one kind."""
    if not isinstance(content, list):
        return None if content is None else str(content)
    found = [str(one.get(kind) or "") for one in content if isinstance(one, dict) and one.get("type") == kind]
    return "\n".join(found) or None
