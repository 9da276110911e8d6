"""Prompts with pictures, sound or films: rows that name files, folders of pictures, and columns with pictures."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from perfcore.errors import UserError
from perfcore.workload.columns import of_column
from perfcore.workload.fields import first_there, identity, limit, reference, rest, text, texts, wrong
from perfcore.workload.files import Record, json_kind, lines, records
from perfcore.workload.media import KINDS, is_local, located
from perfcore.workload.row import Row
from perfcore.workload.source import Reader, Wanted

PICTURES = (".jpg", ".jpeg", ".png", ".gif", ".webp", ".bmp", ".avif")
CAPTION_FILES = ("captions.csv", "captions.txt", "captions.tsv")
CAPTION_COLUMNS = ("caption", "text", "prompt", "instruction", "question")
PICTURE_COLUMNS = ("image", "images", "input_image", "jpg", "png")
UNKNOWN = "application/octet-stream"  # type of bytes that do not begin as a picture does
DESCRIBE = "Describe this picture."


class MmCustom(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of the reader `mm_custom`."""

    check_files: Annotated[bool, Meta(description="Look that each file is there before anything is sent.")] = True


class ImageFolder(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of the reader `image_folder`."""

    prompt: Annotated[str, Meta(description="Prompt of a picture without a caption.", min_length=1)] = DESCRIBE
    captions: Annotated[
        Literal["prompt", "reference"],
        Meta(description="prompt: the caption is sent; reference: the prompt is sent, the caption kept beside it."),
    ] = "prompt"
    every_caption: Annotated[
        bool, Meta(description="A request for each caption of a picture, not for the first alone.")
    ] = False


class ImageRows(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of the reader `image_rows`."""

    image: Annotated[str, Meta(description="Column with the picture, or pictures; else image, images, jpg or png.")] = (
        ""
    )
    text: Annotated[str, Meta(description="Column with the prompt; else caption, text, prompt or instruction.")] = ""


def read_mm_custom(paths: Sequence[Path], settings: MmCustom, wanted: Wanted) -> Iterator[Row]:
    """Rows with `type` (image, video or audio), `path`, `question`, and optionally `answer` and `max_tokens`.

    Paths, one or a list, count from the folder of the file that names them. Raises UserError.
    """
    return (mm_row(record, path.parent, settings.check_files) for path in paths for record in records(path))


def mm_row(record: Record, folder: Path, check_files: bool) -> Row:
    """Row of a record with files; raises UserError."""
    kind = text(record, "type")
    if kind not in KINDS:
        raise wrong(record, f"type is {kind!r}; it has to be one of {', '.join(KINDS)}")
    found = [located(item, folder) for item in texts(record, "path")]
    missing = next((item for item in found if check_files and is_local(item) and not Path(item).is_file()), None)
    if missing is not None:
        raise wrong(record, f"path names the file {missing}, which is not there; correct the path")
    return Row(
        id=identity(record),
        prompt=text(record, "question"),
        max_tokens=limit(record),
        reference=reference(record),
        meta=rest(record, {"id", "type", "path", "question", "answer", "max_tokens"}),
        images=found if kind == "image" else [],
        audios=found if kind == "audio" else [],
        videos=found if kind == "video" else [],
    )


def read_image_folder(paths: Sequence[Path], settings: ImageFolder, wanted: Wanted) -> Iterator[Row]:
    """A row for each picture of folders and those below them (or of a list of pictures), in the order of their names.

    Its caption is in a text file of the same name, or in captions.txt or captions.csv of its folder or of the one
    above: columns `image` and `caption`, or lines of a name, #number, a tab, and the caption. Raises UserError.
    """
    there = sorted(pictures(paths))
    folders = {folder for picture in there for folder in (picture.parent, picture.parent.parent)}
    tables = {folder: captions_of(folder) for folder in folders}
    found = False
    for picture in there:
        near = tables[picture.parent] or tables[picture.parent.parent]
        said = captions_beside(picture) or near.get(picture.name, [])
        for number, caption in enumerate(said if settings.every_caption and said else said[:1] or [""]):
            found = True
            yield picture_row(picture, caption, f"{picture.name}#{number}" if number else picture.name, settings)
    if not found:
        names = ", ".join(map(str, paths))
        raise UserError(f"{names} has no picture ({', '.join(PICTURES)}); give a folder that has some")


def pictures(paths: Sequence[Path]) -> set[Path]:
    """Files of pictures among paths and in the folders among them."""
    found = {file for path in paths for file in (path.rglob("*") if path.is_dir() else [path])}
    return {file for file in found if file.suffix.lower() in PICTURES and file.is_file()}


def picture_row(picture: Path, caption: str, name: str, settings: ImageFolder) -> Row:
    """Row of one picture."""
    if settings.captions == "reference":
        return Row(name, settings.prompt, reference=caption or None, images=[str(picture)])
    return Row(name, caption or settings.prompt, images=[str(picture)])


def captions_beside(picture: Path) -> list[str]:
    """The text of the file beside a picture, as a list of one, or nothing."""
    beside = picture.with_suffix(".txt")
    if not beside.is_file():
        return []
    try:
        return [said] if (said := beside.read_text("utf-8").strip()) else []
    except UnicodeDecodeError:
        raise UserError(f"{beside} is not UTF-8; save it as UTF-8") from None


def captions_of(folder: Path) -> dict[str, list[str]]:
    """Captions by the name of the picture, from the first of CAPTION_FILES that a folder has."""
    file = next((folder / name for name in CAPTION_FILES if (folder / name).is_file()), None)
    found: dict[str, list[str]] = {}
    for name, caption in [] if file is None else captions_in(file):
        found.setdefault(Path(name).name, []).append(caption)
    return found


def captions_in(file: Path) -> Iterator[tuple[str, str]]:
    """(name of a picture, caption) of each line, after a header or without; raises UserError."""
    for place, line in lines(file):
        if "\t" in line:
            name, _, caption = line.partition("\t")
        else:
            cells = next(csv.reader([line], skipinitialspace=True))
            # captions with commas are often not quoted
            name, caption = cells[0], cells[1] if len(cells) == 2 else line.partition(",")[2]
        name = name.partition("#")[0].strip()
        if name.lower() in ("image", "image_name", "file_name", "filename") and file_has_header(place):
            continue
        if not name or not caption.strip():
            raise UserError(f"{place}: no caption of a picture; write IMAGE,CAPTION")
        yield name, caption.strip()


def file_has_header(place: str) -> bool:
    """Whether a place is the first line, where names of columns may be."""
    return place.endswith("line 1")


def read_image_rows(paths: Sequence[Path], settings: ImageRows, wanted: Wanted) -> Iterator[Row]:
    """Rows with pictures in a column: paths, URLs, or bytes as Hugging Face has them. Raises UserError."""
    return (image_row(record, path.parent, settings) for path in paths for record in records(path))


def image_row(record: Record, folder: Path, settings: ImageRows) -> Row:
    """Row of a record with pictures; raises UserError."""
    column = first_there(record, (settings.image,) if settings.image else PICTURE_COLUMNS)
    said = first_there(record, (settings.text,) if settings.text else CAPTION_COLUMNS)
    value = record.fields[column]
    found = [picture_url(record, column, item, folder) for item in (value if isinstance(value, list) else [value])]
    if not found:
        raise wrong(record, f"{column} is empty; give at least one picture")
    used = {"id", column, said, *PICTURE_COLUMNS}
    return Row(identity(record), prompt_of(record, said), images=found, meta=rest(record, used))


def prompt_of(record: Record, name: str) -> str:
    """Text of a column, of several texts the first."""
    return texts(record, name)[0] if isinstance(record.fields[name], list) else text(record, name)


def picture_url(record: Record, column: str, item: Any, folder: Path) -> str:
    """Path or URL of a picture, a data: URL for its bytes; raises UserError."""
    url = of_column(item.get("bytes") or item.get("path") if isinstance(item, dict) else item)
    if not isinstance(url, str) or not url:
        raise wrong(record, f"{column} is a JSON {json_kind(item)}; it has to be a path, a URL, or bytes")
    if url.startswith(f"data:{UNKNOWN}"):
        raise wrong(record, f"{column} holds bytes of no known picture; give PNG, JPEG, GIF, BMP or WebP")
    return located(url, folder)


READERS = {
    "mm_custom": Reader(read_mm_custom, MmCustom, "Questions about pictures, sound or films in files."),
    "image_folder": Reader(read_image_folder, ImageFolder, "Pictures of a folder, with captions."),
    "image_rows": Reader(read_image_rows, ImageRows, "Rows with a picture and a text, such as kontext-bench."),
}
