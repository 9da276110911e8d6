"""Pictures, sound and films: files that rows name, folders of pictures, columns with pictures."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from perfcore.errors import UserError
from perfcore.workload.dialect import body, load_dialect
from perfcore.workload.row import Row
from perfcore.workload.source import Wanted
from perfcore.workload.sources.media import READERS

PNG = b"\x89PNG\r\n\x1a\nrest"


def read(name: str, *paths: Path, **settings: Any) -> list[Row]:
    reader = READERS[name]
    return list(reader.read(paths, reader.settings(**settings), Wanted()))  # type: ignore[arg-type]


def mm(folder: Path, *lines: Any, **settings: Any) -> list[Row]:
    for name in ("a.png", "b.wav", "c.mp4"):
        (folder / name).write_bytes(PNG)
    path = folder / "mm_custom.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return read("mm_custom", path, **settings)


def folder_of(folder: Path, *names: str, **texts: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(PNG)
    for name, text in texts.items():
        (folder / name.replace("_", ".")).write_text(text)
    return folder


@pytest.mark.parametrize(("kind", "file"), [("image", "a.png"), ("audio", "b.wav"), ("video", "c.mp4")])
def test_files_count_from_the_folder_of_the_data_set(tmp_path: Path, kind: str, file: str) -> None:
    row = mm(tmp_path, {"type": kind, "path": [file], "question": "What?", "answer": "", "max_tokens": 5})[0]
    assert row == Row("1", "What?", max_tokens=5, **{f"{kind}s": [str(tmp_path / file)]})  # type: ignore[arg-type]


def test_a_row_has_several_files_or_urls(tmp_path: Path) -> None:
    row = mm(tmp_path, {"type": "image", "path": ["a.png", "https://h/b.png"], "question": "Q", "k": 1})[0]
    assert row.images == [str(tmp_path / "a.png"), "https://h/b.png"]
    assert row.meta == {"k": 1}
    assert mm(tmp_path, {"type": "image", "path": "a.png", "question": "Q"})[0].images == [str(tmp_path / "a.png")]


def test_a_row_is_sent_with_the_bytes_of_its_files(tmp_path: Path) -> None:
    row = mm(tmp_path, {"type": "image", "path": ["a.png"], "question": "Q"})[0]
    sent = body(load_dialect("openai-chat"), row, model="m", max_tokens=None, stream=True, extra={})
    assert b"data:image/png;base64,iVBORw0K" in sent


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"type": "text"}, "type is 'text'"),
        ({"type": None}, "has no type"),
        ({"type": 3}, "type is a JSON number"),
        ({"path": []}, "path is no list of texts"),
        ({"path": [3]}, "path is no list of texts"),
        ({"path": None}, "path is no list of texts"),
        ({"path": ["none.png"]}, "none.png, which is not there"),
        ({"question": ""}, "has no question"),
        ({"question": {}}, "question is a JSON object"),
        ({"max_tokens": 0}, "max_tokens is 0"),
    ],
)
def test_a_broken_row_is_an_error_with_file_and_line(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    good = {"type": "image", "path": ["a.png"], "question": "Q"}
    with pytest.raises(UserError) as caught:
        mm(tmp_path, good, good | change)
    assert "mm_custom.jsonl, line 2: " in str(caught.value)
    assert words in str(caught.value)


def test_files_need_not_be_looked_for(tmp_path: Path) -> None:
    row = mm(tmp_path, {"type": "image", "path": ["none.png"], "question": "Q"}, check_files=False)[0]
    assert row.images == [str(tmp_path / "none.png")]


def test_pictures_of_a_folder_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "b.JPG", "a.png", "notes.md", a_txt="A cat.\n")
    assert read("image_folder", folder) == [
        Row("a.png", "A cat.", images=[str(folder / "a.png")]),
        Row("b.JPG", "Describe this picture.", images=[str(folder / "b.JPG")]),
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("captions_txt", "image,caption\na.png,A cat, black .\na.png,Second.\n"),
        ("captions_csv", 'a.png,"A cat, black ."\na.png,Second.\n'),
        ("captions_txt", "a.png#0\tA cat, black .\na.png#1\tSecond.\n"),
    ],
)
def test_captions_are_read_from_a_table(tmp_path: Path, name: str, text: str) -> None:
    folder = folder_of(tmp_path, "a.png", **{name: text})
    assert [row.prompt for row in read("image_folder", folder)] == ["A cat, black ."]
    every = read("image_folder", folder, every_caption=True)
    assert [(row.id, row.prompt) for row in every] == [("a.png", "A cat, black ."), ("a.png#1", "Second.")]


def test_captions_may_lie_above_the_folder_of_the_pictures(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "Images/a.png", captions_txt="image,caption\na.png,A cat.\n")
    assert [row.prompt for row in read("image_folder", folder)] == ["A cat."]


def test_captions_can_be_what_the_answer_is_compared_with(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "a.png", a_txt="A cat.")
    found = read("image_folder", folder / "a.png", captions="reference", prompt="What is it?")
    assert found == [Row("a.png", "What is it?", reference="A cat.", images=[str(folder / "a.png")])]


@pytest.mark.parametrize(("text", "line"), [("a.png\n", 1), ("image,caption\na.png,A\n,B\n", 3), ("a.png,\n", 1)])
def test_a_broken_table_of_captions_is_an_error_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    with pytest.raises(UserError, match=rf"captions\.txt, line {line}: no caption"):
        read("image_folder", folder_of(tmp_path, "a.png", captions_txt=text))


def test_a_folder_without_pictures_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no picture"):
        read("image_folder", folder_of(tmp_path, "notes.md"))


def test_pictures_in_columns_are_sent_as_their_bytes(tmp_path: Path) -> None:
    rows = [{"image": {"bytes": PNG, "path": None}, "caption": ["A cat.", "B"]}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "x.parquet")
    found = read("image_rows", tmp_path / "x.parquet")
    assert found == [Row("1", "A cat.", images=["data:image/png;base64,iVBORw0KGgpyZXN0"])]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"caption": "A"}, "has no image"),
        ({"image": "a.png"}, "has no caption"),
        ({"image": [], "caption": "A"}, "image is empty"),
        ({"image": 3, "caption": "A"}, "image is a JSON number"),
        ({"image": {"path": None}, "caption": "A"}, "image is a JSON object"),
        ({"image": "a.png", "caption": 3}, "caption is a JSON number"),
        ({"image": "a.png", "caption": [3]}, "caption is no list of texts"),
    ],
)
def test_a_broken_row_with_a_picture_is_an_error_with_its_line(
    tmp_path: Path, fields: dict[str, Any], words: str
) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps(fields))
    with pytest.raises(UserError) as caught:
        read("image_rows", path)
    assert f"x.jsonl, line 1: {words}" in str(caught.value)


def test_bytes_of_no_picture_are_an_error_with_their_row(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist([{"image": b"abc", "text": "A"}]), tmp_path / "x.parquet")
    with pytest.raises(UserError, match=r"x\.parquet, row 1: image holds bytes of no known picture"):
        read("image_rows", tmp_path / "x.parquet")
