"""Questions about documents: a template for each part of a data set, and several questions in one record.

Beside it layouts of text that are no tables: two files whose lines go together, and questions with lists of answers.
"""

import ast
import csv
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from perfcore.errors import UserError
from perfcore.workload.fields import wrong
from perfcore.workload.files import Record, guarded, number_of, records, text_lines
from perfcore.workload.row import Row
from perfcore.workload.shots import shots
from perfcore.workload.source import Reader, Wanted
from perfcore.workload.table import Table, agrees, check, row_of, subset_of
from perfcore.workload.wording import said

WORDS = "answer_words"
# Settings that the readers here do not follow.
OF_TABLE = ("turned", "beside", "recode", "labels", "images_by", "interleaved", "sizes", "lists", "joined", "once")


class Documents(Table, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of the reader `documents`: those of `table`, and three more."""

    prompts: Annotated[
        dict[str, str], Meta(description="Templates by the part of the data set; prompt is for the others.")
    ] = msgspec.field(default_factory=dict)
    each: Annotated[
        list[str], Meta(description="Columns that are lists of the same length: each place of them is a row.")
    ] = msgspec.field(default_factory=list)
    without: Annotated[
        str, Meta(description="Files of such names are passed over where there are several, such as *_e.jsonl.")
    ] = ""


def read_documents(paths: Sequence[Path], settings: Documents, wanted: Wanted) -> Iterator[Row]:
    """Rows of all files. Templates may have {answer_words}, how many words the reference has. Raises UserError."""
    checked(settings)
    several = [path for path in paths if not fnmatch(path.name, settings.without)] or paths
    for path in several:
        part = subset_of(path, settings.subset_of_file, several=len(paths) > 1)
        for record in records(path):
            if all(agrees(record.fields, *one, record.place) for one in settings.where.items()):
                yield from questions(record, settings, wanted, path.parent, part)


def checked(settings: Table) -> None:
    """Raise UserError where settings contradict each other, or would be passed over."""
    check(settings)
    passed_over = [name for name in OF_TABLE if getattr(settings, name, None)]
    if passed_over:
        raise UserError(f"{passed_over[0]} is a setting of the reader table alone; leave it out")


def questions(record: Record, settings: Documents, wanted: Wanted, folder: Path, part: str) -> Iterator[Row]:
    """Rows of one record; raises UserError that names place and column."""
    for number, fields in enumerate(apart(record, settings.each), 1):
        one = Record(record.place, {**fields, WORDS: len(str(fields.get(settings.reference)).split())})
        few = shots(settings.examples, folder, part, (), {})
        row = row_of(one, worded_for(one, settings, part), wanted.timestamp_unit, folder, part, few)
        yield msgspec.structs.replace(row, id=f"{row.id}#{number}") if settings.each else row


def apart(record: Record, each: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Fields of each question of a record; raises UserError where the lists do not go together."""
    if not each:
        yield record.fields
        return
    lists = [record.fields.get(name) for name in each]
    if len({len(values) if isinstance(values, list) else -1 for values in lists} | {-1}) != 2:
        raise wrong(record, f"{' and '.join(each)} have to be lists of the same length; correct the row, or `each`")
    for values in zip(*(values or [] for values in lists), strict=True):
        yield {**record.fields, **dict(zip(each, values, strict=True))}


def worded_for(record: Record, settings: Documents, part: str) -> Documents:
    """The settings with the template of the record's part."""
    if not settings.prompts:
        return settings
    try:
        name = str(said(settings.subset, record.fields)) if settings.subset else part
    except ValueError as error:
        raise wrong(record, str(error)) from None
    return msgspec.structs.replace(settings, prompt=settings.prompts.get(name, settings.prompt))


def read_parallel(paths: Sequence[Path], settings: Table, _: Wanted) -> Iterator[Row]:
    """Rows of two files of text: a line of the first is `source`, that of the second `target`. Raises UserError."""
    return read_from(pairs, paths, settings)


def read_answers(paths: Sequence[Path], settings: Table, _: Wanted) -> Iterator[Row]:
    """Rows of lines with a `question`, a tab, and a list of `answers` as Python writes it. Raises UserError."""
    return read_from(answered, paths, settings)


def read_from(
    make: Callable[[Sequence[Path]], Iterator[Record]], paths: Sequence[Path], settings: Table
) -> Iterator[Row]:
    """Rows by the templates of `table`, of records that are made in another way."""
    checked(settings)
    folder = paths[0].parent
    few = shots(settings.examples, folder, "", settings.columns, {})
    for record in make(paths):
        if all(agrees(record.fields, *one, record.place) for one in settings.where.items()):
            yield row_of(record, settings, "s", folder, "", few)


def numbered(path: Path) -> Iterator[tuple[str, str]]:
    """(place, text) of each line, blank ones too. Raises UserError."""
    return guarded(path, lambda: text_lines(path))


def pairs(paths: Sequence[Path]) -> Iterator[Record]:
    """Records of lines that go together; those that are blank in both files are passed over."""
    if len(paths) != 2:
        raise UserError(f"the reader parallel wants two files, of sources and of targets, not {len(paths)}; give both")
    sources, targets = map(numbered, paths)
    for place, source in sources:
        target = next(targets, None)
        if target is None:
            raise UserError(f"{place}: has no line beside it in {paths[1]}, which is shorter; get the whole file")
        if source.strip() or target[1].strip():
            yield Record(place, {"source": source, "target": target[1]})
    if (over := next(targets, None)) is not None:
        raise UserError(f"{over[0]}: has no line beside it in {paths[0]}, which is shorter; get the whole file")


def answered(paths: Sequence[Path]) -> Iterator[Record]:
    """Records of lines of questions with their answers; cells may be in quotes, as in CSV."""
    for place, line in (one for path in paths for one in numbered(path)):
        if line.strip():
            yield Record(place, {"number": number_of(place), **question(line, place)})


def question(line: str, place: str) -> dict[str, Any]:
    """The cells of one line; raises UserError."""
    cells = next(csv.reader([line], delimiter="\t"))
    if len(cells) != 2:
        raise UserError(f"{place}: has {len(cells)} cells between tabs; a question and a list of answers are wanted")
    try:
        answers = ast.literal_eval(cells[1])  # texts, numbers and lists alone; it runs nothing
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        answers = None
    if isinstance(answers, list) and len(answers) == 1 and isinstance(answers[0], list):
        answers = answers[0]  # so it is in the file of the test
    if not isinstance(answers, list) or not answers or not all(isinstance(one, str) for one in answers):
        raise UserError(f"{place}: the answers are {cells[1]!r:.60}; write a list of texts, such as ['one', 'other']")
    return {"question": cells[0], "answers": answers}


READERS = {
    "documents": Reader(read_documents, Documents, "Questions about documents, worded by part of the data set."),
    "parallel": Reader(read_parallel, Table, "Two files of text whose lines go together: {source} and {target}."),
    "question_answers": Reader(read_answers, Table, "Lines of a question, a tab, and a list of answers."),
}
