"""Questions about several documents, which are files of their own: in an archive beside the questions, or a folder."""

import contextlib
import unicodedata
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from perfcore.errors import UserError
from perfcore.workload.files import Record, number_of, records
from perfcore.workload.row import Row
from perfcore.workload.source import Reader, Wanted
from perfcore.workload.wording import column, said, worded

PLACES = ("", "extracted_text")  # below the folder of the questions: where archives and folders of documents are


class Documents(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of the reader `archived`."""

    prompt: Annotated[str, Meta(description="Template of the prompt; {documents} is where they stand.")] = (
        "{documents}\n\n{question}"
    )
    document: Annotated[str, Meta(description="Template of one: {number} from 1, {text}, {name}.")] = (
        "Document {number}:\n{text}"
    )
    joint: Annotated[str, Meta(description="What stands between two of them.")] = "\n\n"
    names: Annotated[str, Meta(description="Column with their names, in the order in which they are shown.")] = "files"
    separator: Annotated[str, Meta(description="What is between two names in a cell.")] = ";"
    path: Annotated[str, Meta(description="Template of the folder that has them.")] = ""
    archive: Annotated[str, Meta(description="ZIP file with these folders; where it is not there, they are.")] = ""
    reference: Annotated[str, Meta(description="Column with what the answer should be.")] = "answer"
    id: Annotated[str, Meta(description="Column with the row's name; else the number of its line.")] = ""
    subset: Annotated[str, Meta(description="Column with the part of the data set.")] = ""
    meta: Annotated[list[str], Meta(description="Columns kept beside the answer.")] = msgspec.field(
        default_factory=lambda: ["question"]
    )


class Store(NamedTuple):
    """Where documents are: the names as they are there, by a form of them that spelling does not change."""

    place: Path
    names: Mapping[str, str]
    read: Callable[[str], bytes]


def read(paths: Sequence[Path], settings: Documents, wanted: Wanted) -> Iterator[Row]:
    """Rows of all files. Raises UserError that names file and line, and the document that is missing."""
    for path in paths:
        if path.suffix.lower() == ".zip":
            continue
        store = store_of(path.parent, settings.archive)
        for record in records(path):
            yield row_of(record, store, settings)


def row_of(record: Record, store: Store, settings: Documents) -> Row:
    """Row of a record; raises UserError that names its place."""
    try:
        fields = {**record.fields, "documents": joined(record, store, settings)}
        return Row(
            id=str(said(settings.id, fields)) if settings.id else number_of(record.place),
            prompt=worded(settings.prompt, fields),
            reference=column(settings.reference, fields),
            meta={name: column(name, fields) for name in settings.meta},
            subset=str(said(settings.subset, fields)) if settings.subset else "",
        )
    except ValueError as error:
        raise UserError(f"{record.place}: {error}") from None


def joined(record: Record, store: Store, settings: Documents) -> str:
    """The documents of a record as one text; raises ValueError for one that is not there."""
    folder = worded(settings.path, record.fields)
    cell = column(settings.names, record.fields)
    names = cell if isinstance(cell, list) else [name for name in str(cell).split(settings.separator) if name.strip()]
    if not names:
        raise ValueError(f"{settings.names} names no document; mend it there")
    texts = (text_of(store, f"{folder}/{name.strip()}") for name in names)
    return settings.joint.join(
        worded(settings.document, {"number": number, "text": text, "name": name})
        for number, (name, text) in enumerate(zip(names, texts, strict=True), 1)
    )


def text_of(store: Store, name: str) -> str:
    """Text of a document; raises ValueError."""
    found = store.names.get(plain(name))
    if found is None:
        raise ValueError(f"the document {name} is not in {store.place}; fetch the documents anew")
    try:
        return store.read(found).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        raise ValueError(f"the document {name} in {store.place} cannot be read ({error}); fetch it anew") from None


def store_of(folder: Path, archive: str) -> Store:
    """The archive, or the folder that it was unpacked to. Raises UserError where there is neither."""
    file = PurePosixPath(archive)
    for inner in dict.fromkeys([str(file.parent), *PLACES]):
        if (path := folder / inner / file.name).is_file():
            return in_archive(path)
    for inner in dict.fromkeys([str(file.parent), *PLACES]):
        for path in (folder / inner / file.stem, folder / inner):
            if found := in_folder(path):
                return Store(path, found, partial(bytes_below, path))
    raise UserError(f"{folder} has no documents: put {archive} there, or the folders that are in it")


def in_archive(path: Path) -> Store:
    """The documents of a ZIP file. Raises UserError for one that is broken."""
    try:
        file = zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} cannot be read as a ZIP archive ({error}); fetch it anew") from None
    return Store(path, {plain(name): name for name in file.namelist() if not name.endswith("/")}, file.read)


def in_folder(path: Path) -> dict[str, str]:
    """The documents below a folder: text files in folders of their own."""
    inside = (file.relative_to(path).as_posix() for file in path.glob("*/**/*.txt"))
    return {plain(name): name for name in inside}


def bytes_below(folder: Path, name: str) -> bytes:
    return (folder / name).read_bytes()


def plain(name: str) -> str:
    """A name without what archives do to it: UTF-8 read as the code page of DOS, accents apart from their letters."""
    with contextlib.suppress(UnicodeError):
        name = name.encode("cp437").decode("utf-8")
    return unicodedata.normalize("NFC", name)


READERS = {
    "archived": Reader(read, Documents, "Questions about documents in an archive or a folder beside them."),
}
