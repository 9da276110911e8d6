"""Files of data: every format, and every way in which one can be broken."""

import gzip
import itertools
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcore.errors import UserError
from perfcore.workload.files import Record, format_of, lines, read_json, records

ROWS = [{"q": 'a,\n"b"', "n": 1}, {"q": "ü", "n": 2}]


def written(folder: Path, name: str, data: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def fields(path: Path) -> list[dict[str, object]]:
    return [record.fields for record in records(path)]


def saved(folder: Path, rows: list[dict[str, object]]) -> Path:
    """What `datasets` writes with save_to_disk: two files in Arrow's form for streams, and a list of them."""
    folder.mkdir(parents=True)
    table = pa.Table.from_pylist(rows)
    for number, row in enumerate(rows):
        with pa.ipc.new_stream(folder / f"data-{number}.arrow", table.schema) as out:
            out.write_table(pa.Table.from_pylist([row], schema=table.schema))
    names = [{"filename": f"data-{number}.arrow"} for number in range(len(rows))]
    (folder / "state.json").write_text(json.dumps({"_data_files": names}))
    return folder


@pytest.mark.parametrize(
    ("name", "text", "form"),
    [
        ("x.jsonl", "\n".join(map(json.dumps, ROWS)), "jsonl"),
        ("x.json", "\ufeff" + "\r\n".join(map(json.dumps, ROWS)), "jsonl"),
        ("x.json", json.dumps(ROWS, indent=1), "json"),
        ("x.json", json.dumps({"canary": "c", "examples": ROWS}), "json"),
        ("x", json.dumps(ROWS), "json"),
        ("x.txt", "\n".join(map(json.dumps, ROWS)), "jsonl"),
    ],
)
def test_json_is_read_whatever_its_name_and_shape(tmp_path: Path, name: str, text: str, form: str) -> None:
    path = written(tmp_path, name, text)
    assert (format_of(path), fields(path)) == (form, ROWS)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x.csv", 'q,n\r\n"a,\n""b""",1\r\n\r\nü,2\r\n'),
        ("x.csv", '\ufeff,q,n\n0,"a,\n""b""",1\n1,ü,2'),
        ("x.tsv", 'q\tn\n"a,\n""b"""\t1\nü\t2\n'),
    ],
)
def test_cells_of_csv_and_tsv_are_texts_by_the_names_of_the_first_line(tmp_path: Path, name: str, text: str) -> None:
    expected = [{"q": 'a,\n"b"', "n": "1"}, {"q": "ü", "n": "2"}]
    assert fields(written(tmp_path, name, text)) == expected


def test_columns_may_be_named_where_the_first_line_does_not(tmp_path: Path) -> None:
    path = written(tmp_path, "x.csv", "a,1\nb,2\n")
    assert list(records(path, ["q", "n"])) == [
        Record(f"{path}, line 1", {"q": "a", "n": "1"}),
        Record(f"{path}, line 2", {"q": "b", "n": "2"}),
    ]


def test_a_row_of_csv_is_at_the_line_where_it_begins(tmp_path: Path) -> None:
    path = written(tmp_path, "x.csv", 'q\n"a\nb"\nc\n')
    assert [record.place for record in records(path)] == [f"{path}, line 2", f"{path}, line 4"]


def test_a_field_of_csv_may_be_longer_than_pythons_limit(tmp_path: Path) -> None:
    assert fields(written(tmp_path, "x.csv", f"q\n{'a' * 300_000}\n")) == [{"q": "a" * 300_000}]


@pytest.mark.parametrize("packed", [False, True])
def test_parquet_is_read_in_batches(tmp_path: Path, packed: bool) -> None:
    path = tmp_path / "x.parquet"
    rows = [{"n": number} for number in range(3000)]
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=1000)
    if packed:
        path = written(tmp_path, "x.parquet.gz", gzip.compress(path.read_bytes()))
    found = list(records(path))
    assert [record.fields for record in found] == rows
    assert found[-1].place == f"{path}, row 3000"


def test_a_saved_data_set_is_read_in_the_order_of_its_files(tmp_path: Path) -> None:
    assert fields(saved(tmp_path / "set", [{"q": "a"}, {"q": "b"}])) == [{"q": "a"}, {"q": "b"}]


def test_of_a_saved_data_set_with_splits_one_is_named(tmp_path: Path) -> None:
    saved(tmp_path / "all" / "test", [{"q": "a"}])
    written(tmp_path / "all", "dataset_dict.json", '{"splits": ["train", "test"]}')
    with pytest.raises(UserError, match=r"has the splits train, test; give one, such as .*all/train"):
        fields(tmp_path / "all")
    assert fields(tmp_path / "all" / "test") == [{"q": "a"}]
    written(tmp_path / "all", "dataset_dict.json", '{"splits": ["test"]}')
    assert fields(tmp_path / "all") == [{"q": "a"}]


@pytest.mark.parametrize("name", ["x.jsonl.gz", "x.gz", "x.jsonl"])
def test_packed_files_are_known_by_their_name_or_their_first_bytes(tmp_path: Path, name: str) -> None:
    data = gzip.compress(b'{"q": "a"}\n{"q": "b"}\n')
    assert fields(written(tmp_path, name, data)) == [{"q": "a"}, {"q": "b"}]


def test_lines_of_text_are_prompts(tmp_path: Path) -> None:
    path = written(tmp_path, "x.txt", "\ufeffa\r\n\n b \n")
    assert fields(path) == [{"prompt": "a"}, {"prompt": " b "}]
    assert list(lines(path)) == [(f"{path}, line 1", "a"), (f"{path}, line 3", " b ")]


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("x.jsonl", b'{"q": 1}\n{"q": \xff"}', "line 2: not JSON"),
        ("x.jsonl", b'{"q": 1}\n[1]', "line 2: a JSON array, not an object"),
        ("x.jsonl", b'{"q": ' + b"[" * 5000, "line 1: JSON that is nested too deeply"),
        ("x.jsonl", b'{\n "q": 1\n}', "line 1: not JSON"),
        ("x.json", b'[{"q": 1}, 2]', "row 2: a JSON number, not an object"),
        ("x.json", b'[{"q": 1}, {"q": "\xff"}]', "row 2: not JSON"),
        ("x.json", b'[{"q": 1}', "x.json: not JSON"),
        ("x.json", b'{"a": [{}], "b": [{}]}', "has the lists a, b"),
        ("x.json", b"[]", "is empty"),
        ("x.csv", b"q,n\na,1\nb\n", "line 3: 1 columns in the place of 2"),
        ("x.csv", b"q,n\na,1,2\n", "line 2: 3 columns in the place of 2"),
        ("x.csv", b'q,n\na,1\n"b,2\nc,3\n', "line 3: unexpected end of data"),
        ("x.csv", b'q,n\n"a"b,1\n', "line 2: .* double the quotes"),
        ("x.csv", b"q,q\n1,2\n", "line 1: two columns are named 'q'"),
        ("x.csv", b"q,n\na,1\n\xe9,2\n", "line 3: not UTF-8 .* at byte 0"),
        ("x.csv", b"q,n\n", "is empty"),
        ("x.csv", b"\x00\x01", "x.csv"),
        ("x.txt", b"a\n\xff\xfe", "line 2: not UTF-8"),
        ("x.txt", b"", "is empty"),
        ("x", b"PK\x03\x04abc", "is a ZIP archive; unpack it"),
        ("x.parquet", b"nothing", "cannot be read as Parquet"),
        ("x.parquet", b"PAR1" + b"\x00" * 40 + b"PAR1", "cannot be read as Parquet"),
        ("x.parquet", b"", "cannot be read as Parquet"),
        ("x.jsonl.gz", gzip.compress(b'{"q": 1}\n' * 9999)[:-9], "cannot be unpacked after [1-9]"),
        ("x.csv.gz", b"q\na\n", "cannot be unpacked after 0 rows"),
    ],
)
def test_what_is_broken_is_named_with_file_and_place(tmp_path: Path, name: str, data: bytes, words: str) -> None:
    with pytest.raises(UserError, match=words) as error:
        fields(written(tmp_path, name, data))
    assert str(tmp_path / name) in str(error.value)


@pytest.mark.parametrize("state", ["", "{}", "[]", '{"_data_files": []}', '{"_data_files": [{"filename": 3}]}'])
def test_a_saved_data_set_that_names_no_files_is_refused(tmp_path: Path, state: str) -> None:
    written(tmp_path, "state.json", state)
    with pytest.raises(UserError, match=r"state\.json does not say _data_files"):
        fields(tmp_path)


def test_a_saved_data_set_without_its_files_or_with_broken_ones_is_named(tmp_path: Path) -> None:
    folder = saved(tmp_path / "set", [{"q": "a"}])
    written(folder, "data-0.arrow", b"nothing")
    with pytest.raises(UserError, match=r"data-0\.arrow cannot be read as Arrow"):
        fields(folder)
    (folder / "data-0.arrow").unlink()
    with pytest.raises(UserError, match="cannot read the data set"):
        fields(folder)


@pytest.mark.parametrize("name", [".", "nowhere.jsonl", "nowhere"])
def test_a_folder_or_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="cannot read the data set"):
        fields(tmp_path / name)


def test_a_document_is_read_as_a_whole(tmp_path: Path) -> None:
    assert read_json(written(tmp_path, "x.json", "\ufeff[1, 2]")) == [1, 2]
    with pytest.raises(UserError, match=r"y\.json: not JSON"):
        read_json(written(tmp_path, "y.json", "[1"))


def test_records_are_read_as_they_are_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path, "x.jsonl", '{"q": 1}\n' * 2 + "broken\n")
    assert len(list(itertools.islice(records(path), 2))) == 2


@given(
    data=st.binary(max_size=200), name=st.sampled_from(["x.jsonl", "x.json", "x.csv", "x.tsv", "x.txt", "x.parquet"])
)
def test_any_bytes_give_records_or_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, name: str
) -> None:
    path = written(tmp_path_factory.mktemp("any"), name, data)
    try:
        assert all(isinstance(record, Record) for record in records(path))
    except UserError as error:
        assert name in str(error)
