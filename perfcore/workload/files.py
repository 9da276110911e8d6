"""Files of data: records of JSON lines, JSON, CSV, TSV, Parquet and saved data sets, and lines of text, one at a time.

The name says what a file holds (`.jsonl`, `.json`, `.csv`, `.tsv`, `.parquet`, each also with `.gz`), and where it does
not, its first bytes do. Every mistake is a UserError that names file and line, or row.
"""

import csv
import gzip
import importlib
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO, NamedTuple, cast

import msgspec

from perfcore.errors import UserError

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
GZIP_MAGIC, ZIP_MAGIC, PARQUET_MAGIC = b"\x1f\x8b", b"PK\x03\x04", b"PAR1"
SNIFFED_BYTES = 4096
LONGEST_FIELD = 2**31 - 1  # of CSV; Python's own limit of 128 KiB is shorter than long prompts
ENDINGS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
    ".txt": "text",
}
# What `datasets` writes into the folder of a data set, or of one with several splits.
SAVED, SAVED_SPLITS = "state.json", "dataset_dict.json"
# Lists that make an object one row; any other list makes it a document with rows in it.
LISTS_OF_A_ROW = {"messages", "turns"}
# A module by its name, not an import: pyarrow takes longer to load than most files take to read.
ARROW = "perfcore.workload.arrow"


class Record(NamedTuple):
    """Fields by name, and where they stand: "FILE, line 3" or "FILE, row 3"."""

    place: str
    fields: dict[str, Any]


def records(path: Path, columns: Sequence[str] = ()) -> Iterator[Record]:
    """Records of a file, or of a data set in a folder that `datasets` saved, read as they are asked for.

    A JSON document is a list of objects, or an object with one such list; it alone is held in memory. Fields of CSV and
    TSV are texts; their first line names them unless `columns` does. A line of plain text is a `prompt`. Blank lines do
    not count. Raises UserError for what cannot be read, is broken, or is empty.
    """
    yield from guarded(path, lambda: READ[format_of(path)](path, columns))


def lines(path: Path) -> Iterator[tuple[str, str]]:
    """(place, text without its end) of each line that is not blank, a packed file unpacked. Raises UserError."""
    yield from guarded(path, lambda: ((place, text) for place, text in text_lines(path) if text.strip()))


def read_json(path: Path) -> Any:
    """The value of a whole JSON document. Raises UserError."""
    return next(guarded(path, lambda: iter([decoded(whole(path), str(path))])))


def number_of(place: str) -> str:
    """Number of the line or row of a place."""
    return place.rpartition(" ")[2]


def format_of(path: Path) -> str:
    """jsonl, json, csv, tsv, parquet, text, saved or folder. Raises UserError where the file cannot be read."""
    if path.is_dir():
        return "saved" if (path / SAVED).exists() or (path / SAVED_SPLITS).exists() else "folder"
    stem = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    named = ENDINGS.get(stem.suffix.lower(), "")
    return named if named not in ("", "json", "text") else next(guarded(path, lambda: iter([sniffed(path, named)])))


def sniffed(path: Path, named: str) -> str:
    """Format by the first bytes; many a file that is named .json holds lines."""
    with opened(path) as file:
        head = file.read(SNIFFED_BYTES).removeprefix(BYTE_ORDER_MARK).lstrip()
        if head.startswith(PARQUET_MAGIC):
            return "parquet"
        if head.startswith(ZIP_MAGIC):
            raise UserError(f"{path} is a ZIP archive; unpack it and give what is in it")
        if head[:1] not in (b"[", b"{"):
            return named or "text"
        file.seek(0)
        return "json" if head[:1] == b"[" or not has_lines(file) else "jsonl"


def has_lines(file: BinaryIO) -> bool:
    """Whether the first line that is not blank is an object by itself, with another line after it."""
    solid = (line for line in file if line.strip())
    first = next(solid).removeprefix(BYTE_ORDER_MARK)
    try:
        msgspec.json.decode(first, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return next(solid, None) is not None


def guarded(path: Path, start: Callable[[], Iterator[Any]]) -> Iterator[Any]:
    """What an iterator gives; raises UserError where the file cannot be read or unpacked, or where nothing comes."""
    found = 0
    try:
        for item in start():
            found += 1
            yield item
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(f"{path} cannot be unpacked after {found} rows ({error}); fetch or compress it anew") from None
    except OSError as error:
        words = error.strerror or str(error)
        raise UserError(f"cannot read the data set {path}: {words}; give a file of rows, such as JSON lines") from None
    if not found:
        raise UserError(f'the data set {path} is empty; give it at least one row such as {{"prompt": "Hello"}}')


def opened(path: Path) -> BinaryIO:
    """File to be read from its start, unpacked if its name or its first bytes say that it is packed."""
    if path.suffix.lower() == ".gz" or is_packed(path):
        return cast(BinaryIO, gzip.open(path))
    return path.open("rb")


def is_packed(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == GZIP_MAGIC


def whole(path: Path) -> bytes:
    """All bytes of a file, unpacked."""
    with opened(path) as file:
        return file.read().removeprefix(BYTE_ORDER_MARK)


def byte_lines(path: Path) -> Iterator[tuple[str, bytes]]:
    """(place, bytes with their end) of each line."""
    with opened(path) as file:
        for number, line in enumerate(file, 1):
            yield f"{path}, line {number}", line.removeprefix(BYTE_ORDER_MARK) if number == 1 else line


def text_lines(path: Path, ends: bool = False) -> Iterator[tuple[str, str]]:
    """(place, text) of each line, blank ones too, with or without its end."""
    return ((place, text_of(line if ends else line.rstrip(b"\r\n"), place)) for place, line in byte_lines(path))


def text_of(line: bytes, place: str) -> str:
    """Text of bytes; raises UserError that begins with the place."""
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise UserError(f"{place}: not UTF-8 ({error.reason} at byte {error.start}); save it as UTF-8") from None


def from_json_lines(path: Path, _: Sequence[str]) -> Iterator[Record]:
    for place, line in byte_lines(path):
        if line.strip():
            yield Record(place, an_object(decoded(line, place, "; each line has to be one JSON object"), place))


def from_json(path: Path, _: Sequence[str]) -> Iterator[Record]:
    """Rows of a document, each decoded when its turn comes: as objects they would take many times the memory."""
    for number, raw in enumerate(raw_rows(whole(path), path), 1):
        place = f"{path}, row {number}"
        yield Record(place, an_object(decoded(bytes(raw), place), place))


def raw_rows(data: bytes, path: Path) -> list[msgspec.Raw]:
    """The rows of a document, not decoded; raises UserError where it is not clear which they are."""
    if data.lstrip()[:1] == b"[":
        return cast("list[msgspec.Raw]", decoded(data, str(path), of=list[msgspec.Raw]))
    fields = decoded(data, str(path), of=dict[str, msgspec.Raw])
    found = [key for key, raw in fields.items() if bytes(raw)[:1] == b"["]
    if not found or LISTS_OF_A_ROW & set(found):
        return [msgspec.Raw(data)]
    if len(found) > 1:
        raise UserError(f"{path} has the lists {', '.join(found)}; give a file with the one that has the rows")
    return cast("list[msgspec.Raw]", decoded(bytes(fields[found[0]]), f"{path}, {found[0]}", of=list[msgspec.Raw]))


def decoded(data: bytes, place: str, remedy: str = "; mend it there", of: Any = Any) -> Any:
    """Value of JSON; raises UserError that begins with the place."""
    try:
        return msgspec.json.decode(data, type=of)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{place}: not JSON ({error}){remedy}") from None
    except RecursionError:
        raise UserError(f"{place}: JSON that is nested too deeply{remedy}") from None


def an_object(value: object, place: str) -> dict[str, Any]:
    """The value if it is an object; raises UserError."""
    if not isinstance(value, dict):
        raise UserError(f"{place}: a JSON {json_kind(value)}, not an object; each row has to be one object")
    return value


def json_kind(value: object) -> str:
    """Name of a decoded value's type in the words of JSON."""
    names = {bool: "boolean", int: "number", float: "number", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "null")


def from_csv(path: Path, columns: Sequence[str], delimiter: str = ",") -> Iterator[Record]:
    csv.field_size_limit(LONGEST_FIELD)
    reader = csv.reader((text for _, text in text_lines(path, ends=True)), delimiter=delimiter, strict=True)
    names = list(columns)
    before = 0
    try:
        for cells in reader:
            place, before = f"{path}, line {before + 1}", reader.line_num
            if not names:
                names = header(cells, place)
            elif cells:
                yield Record(place, row_of_cells(names, cells, place))
    except csv.Error as error:
        where = f"{path}, line {before + 1}"
        raise UserError(f"{where}: {error} (at line {reader.line_num}); double the quotes in quoted fields") from None


def header(cells: list[str], place: str) -> list[str]:
    """Names of the columns; raises UserError where two are the same."""
    names = [cell.strip() for cell in cells]
    twice = next((name for name in names if name and names.count(name) > 1), None)
    if twice is not None:
        raise UserError(f"{place}: two columns are named {twice!r}; rename one")
    return names


def row_of_cells(names: list[str], cells: list[str], place: str) -> dict[str, Any]:
    """Fields of a line; a column without a name is a row number that pandas wrote, and left out."""
    if len(cells) != len(names):
        raise UserError(f"{place}: {len(cells)} columns in the place of {len(names)}; quote fields that have commas")
    return {name: cell for name, cell in zip(names, cells, strict=True) if name}


def from_tsv(path: Path, columns: Sequence[str]) -> Iterator[Record]:
    return from_csv(path, columns, "\t")


def from_text(path: Path, _: Sequence[str]) -> Iterator[Record]:
    return (Record(place, {"prompt": text}) for place, text in text_lines(path) if text.strip())


def from_parquet(path: Path, _: Sequence[str]) -> Iterator[Record]:
    packed = path.suffix.lower() == ".gz"
    return numbered(path, arrow().parquet_rows(path, whole(path) if packed else None))


def from_saved(path: Path, _: Sequence[str]) -> Iterator[Record]:
    return numbered(path, arrow().saved_rows(path))


def from_folder(path: Path, _: Sequence[str]) -> Iterator[Record]:
    raise IsADirectoryError(0, "Is a folder that `datasets` did not save")


def numbered(path: Path, rows: Iterator[dict[str, Any]]) -> Iterator[Record]:
    """Records of rows that have no lines."""
    return (Record(f"{path}, row {number}", fields) for number, fields in enumerate(rows, 1))


def arrow() -> ModuleType:
    return importlib.import_module(ARROW)


READ: dict[str, Callable[[Path, Sequence[str]], Iterator[Record]]] = {
    "jsonl": from_json_lines,
    "json": from_json,
    "csv": from_csv,
    "tsv": from_tsv,
    "parquet": from_parquet,
    "saved": from_saved,
    "text": from_text,
    "folder": from_folder,
}
