"""What names and paths of data sets stand for, where their files are found, and the reader of any table."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from perfcore.commands.datasets import described
from perfcore.errors import UserError
from perfcore.workload.catalogue import Preset, names, read_preset
from perfcore.workload.registry import READERS, DataSet, files_of, located, open_dataset, resolved, settings_of
from perfcore.workload.row import Row
from perfcore.workload.source import Made, Wanted

PRESET = """
reader = "rows"
about = "A."
folder = "own"
files = ["a.jsonl", "b.jsonl"]
home = "https://example.org/own"
args = { model = "m" }
[[fetch]]
url = "https://example.org/own/a.jsonl"
to = "a.jsonl"
[variants.own_b]
files = ["b.jsonl"]
max_tokens = 5
args = { columns = ["x"] }
"""
PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 8


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A user's folder of presets with one family."""
    return preset(tmp_path / "config", "own", PRESET)


def preset(folder: Path, name: str, text: str) -> Path:
    (folder / "datasets").mkdir(parents=True, exist_ok=True)
    (folder / "datasets" / f"{name}.toml").write_text(text)
    return folder


def put(path: Path, text: str = '{"prompt": "a"}\n') -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def rows(path: Path, args: dict[str, Any], reader: str = "table", **more: Any) -> list[Row]:
    found = DataSet("set", Preset(reader, args=args, **more), path)
    return opened(found)


def opened(found: DataSet) -> list[Row]:
    rows = open_dataset(found, {}, Wanted(), ())
    assert isinstance(rows, Iterator)
    return list(rows)


def is_deadly(hint: Any) -> bool:
    """Whether a type is a limited number or a fixed tuple: with it, msgspec 0.22 crashes at garbage collection."""
    if hasattr(hint, "__metadata__"):
        return is_deadly(hint.__origin__)
    inner = get_args(hint)
    limited = any(hasattr(one, "__metadata__") and one.__origin__ in (int, float) for one in inner)
    fixed = any(get_origin(one) is tuple and ... not in get_args(one) for one in inner)
    return get_origin(hint) is not tuple and ((limited and fixed) or any(is_deadly(one) for one in inner))


@pytest.mark.parametrize("name", READERS)
def test_a_reader_has_settings_with_defaults_and_words_for_each(name: str) -> None:
    fields = msgspec.structs.fields(READERS[name].settings)
    assert [field.name for field in fields if is_deadly(field.type)] == []
    assert [field.name for field in fields if not described(field.type)] == []
    assert msgspec.convert({}, READERS[name].settings) == READERS[name].settings()
    assert READERS[name].about.endswith(".")


def test_every_built_in_preset_has_a_reader_and_settings_that_it_takes() -> None:
    for name in names(None):
        settings_of(resolved(name, None), {})


def test_a_variant_has_its_keys_over_those_of_its_family(config: Path) -> None:
    found = resolved("own_b", config).preset
    assert (found.files, found.max_tokens, found.home) == (["b.jsonl"], 5, "https://example.org/own")
    assert found.args == {"model": "m", "columns": ["x"]}


def test_a_users_presets_go_before_the_built_in_ones(tmp_path: Path) -> None:
    name = next(iter(names(None)))
    own = preset(tmp_path, name, PRESET)
    assert resolved(name, own).origin == own / "datasets" / f"{name}.toml"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("reader = 3", r"own\.toml: reader wants str, got int"),
        ('reader = "row"', r"own\.toml: unknown reader 'row'; the nearest one is 'rows'"),
        ('reader = "rows"\nfile = []', r"own\.toml: unknown key 'file'; the nearest one is 'files'"),
        ('about = "a"', r"own\.toml: .*missing required field .?reader"),
        ('reader = "rows"\nkind = "slow"', r"own\.toml: .*slow"),
        ("reader = ", r"own\.toml is not valid TOML"),
        ('reader = "rows"\nvariants = 3', r"own\.toml: variants holds no tables"),
        ('reader = "rows"\n[[fetch]]\nurl = "u"\nfrom = "x"', r"own\.toml: unknown key 'from' in fetch"),
    ],
)
def test_a_broken_preset_is_named_with_its_key(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        resolved("own", preset(tmp_path, "own", text))


def test_a_broken_variant_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"own\.toml, variants\.v: unknown key 'maxtokens'; .*'max_tokens'"):
        resolved("v", preset(tmp_path, "own", 'reader = "rows"\n[variants.v]\nmaxtokens = 3'))


def test_a_folder_of_presets_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--config-dir .* is not a folder"):
        resolved("own", tmp_path / "nowhere")


@pytest.mark.parametrize("inside", ["own", "."])
def test_files_are_found_in_the_folder_of_the_preset_or_in_the_data_folder(
    tmp_path: Path, config: Path, inside: str
) -> None:
    files = [put(tmp_path / "second" / inside / name) for name in ("a.jsonl", "b.jsonl")]
    put(tmp_path / "first" / inside / "a.jsonl")  # not all of them
    dirs = (tmp_path / "first", tmp_path / "second")
    assert [file.resolve() for file in files_of(resolved("own", config), dirs)] == [file.resolve() for file in files]


def test_a_pattern_does_not_take_files_of_other_data_sets(tmp_path: Path) -> None:
    config = preset(tmp_path, "own", 'reader = "rows"\nfolder = "own"\nfiles = ["*.jsonl"]')
    put(tmp_path / "data" / "other.jsonl")
    assert located(resolved("own", config), [tmp_path / "data"]).missing == ("*.jsonl",)
    mine = [put(tmp_path / "data" / "own" / name) for name in ("b.jsonl", "a.jsonl")]
    assert files_of(resolved("own", config), [tmp_path / "data"]) == tuple(sorted(mine))


def test_missing_files_are_named_with_where_to_get_them_and_where_to_put_them(tmp_path: Path, config: Path) -> None:
    put(tmp_path / "own" / "b.jsonl")
    with pytest.raises(UserError) as error:
        files_of(resolved("own", config), [tmp_path])
    for words in ["own lacks a.jsonl in ", str(tmp_path / "own"), "https://example.org/own", "--download"]:
        assert words in str(error.value)
    with pytest.raises(UserError, match="needs a file of your own; write --dataset rows:FILE"):
        files_of(resolved("rows", None), [tmp_path])


def test_a_name_before_a_path_says_how_the_file_is_read(tmp_path: Path, config: Path) -> None:
    path = put(tmp_path / "x.jsonl")
    assert (resolved(f"own_b:{path}", config).preset.max_tokens, resolved(f"own_b:{path}", config).path) == (5, path)
    assert resolved(f"line_by_line:{path}", None).preset.reader == "line_by_line"
    assert files_of(resolved(f"own:{path}", config), []) == (path,)


def test_a_file_may_have_a_colon_in_its_name(tmp_path: Path) -> None:
    path = put(tmp_path / "a:b.jsonl")
    assert resolved(str(path), None).path == path


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rowz", "unknown data set 'rowz'; the nearest one is 'rows'"),
        ("rowz:x.jsonl", "unknown data set 'rowz'"),
        ("rows:nowhere.jsonl", "nowhere.jsonl: there is no such file"),
        ("nowhere.jsonl", "nowhere.jsonl: there is no such file"),
        ("no/where", "no/where: there is no such file"),
    ],
)
def test_what_stands_for_nothing_is_named(text: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        resolved(text, None)


@pytest.mark.parametrize(
    ("row", "reader"),
    [
        ({"prompt": "a"}, "rows"),
        ({"timestamp": 0, "input_length": 1, "output_length": 1, "hash_ids": [1]}, "mooncake"),
        ({"conversations": []}, "sharegpt"),
        ({"type": "image", "path": ["x.png"], "question": "q"}, "mm_custom"),
        ({"question": "q", "A": "1", "B": "2", "answer": "A"}, "custom"),
        ({"timestamp": 0, "body": {}}, "workload_trace"),
        ({"anything": 1}, "rows"),
    ],
)
def test_the_fields_of_a_file_tell_how_it_is_read(tmp_path: Path, row: dict[str, Any], reader: str) -> None:
    assert resolved(str(put(tmp_path / "x.jsonl", json.dumps(row))), None).preset.reader == reader


def test_a_folder_is_its_files_of_rows_or_its_pictures(tmp_path: Path) -> None:
    put(tmp_path / "cats" / "a.png", "x")
    assert resolved(str(tmp_path / "cats"), None).preset.reader == "image_folder"
    files = [put(tmp_path / "rows" / name) for name in ("a.jsonl", "b.jsonl")]
    put(tmp_path / "rows" / "README.md", "x")
    found = resolved(str(tmp_path / "rows"), None)
    assert files_of(found, []) == tuple(files)
    assert [(row.id, row.subset) for row in opened(found)] == [("a/1", "a"), ("b/1", "b")]
    (tmp_path / "none").mkdir()
    with pytest.raises(UserError, match="has no files of rows"):
        files_of(resolved(str(tmp_path / "none"), None), [])


def test_settings_of_the_user_go_over_those_of_the_preset(config: Path) -> None:
    assert settings_of(resolved("own_b", config), {"model": "n"}).model == "n"
    with pytest.raises(UserError, match="--dataset-args of own: unknown key 'modle'; the nearest one is 'model'"):
        settings_of(resolved("own", config), {"modle": "n"})
    with pytest.raises(UserError, match="--dataset-args of own: columns wants array, got int"):
        settings_of(resolved("own", config), {"columns": 3})


def test_a_preset_gives_lengths_that_the_run_does_not(tmp_path: Path) -> None:
    found = DataSet("set", Preset("synthetic", input_tokens=7))
    lengths = []
    for wanted in (Wanted(limit=1), Wanted(limit=1, input_tokens="9")):
        rows = open_dataset(found, {}, wanted, ())
        assert isinstance(rows, Made)
        lengths.append(rows.part(0, 1)[0].input_tokens)
    assert lengths == [7, 9]


QUESTION = '{"question": "2+2?", "choices": ["3", "4"], "answer": 1, "deep": {"a": [1, 2]}, "none": null}\n'


@pytest.mark.parametrize(
    ("template", "prompt"),
    [
        ("Q: {question}", "Q: 2+2?"),
        ("{choices:options}", "A. 3\nB. 4"),
        ("{choices:lines}", "3\n4"),
        ("{choices.1} {deep.a.0} {choices}", '4 1 ["3","4"]'),
        ("{answer:letter}{none}", "B"),
        (r"\boxed{} {{question}} " + '{"a": 1}', r"\boxed{} {question} " + '{"a": 1}'),
        ("{examples}\n{question}", "\n2+2?"),
    ],
)
def test_columns_stand_where_a_template_names_them(tmp_path: Path, template: str, prompt: str) -> None:
    assert rows(put(tmp_path / "x.jsonl", QUESTION), {"prompt": template})[0].prompt == prompt


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"prompt": "{qestion}"}, "line 1: has no column 'qestion'; the nearest one is 'question'"),
        ({"prompt": "{deep.b}"}, "line 1: has no column 'deep.b'"),
        ({"prompt": "{question:big}"}, "line 1: .*'big' is none of the forms letter, letter1, options"),
        ({"prompt": "{deep:letter}"}, "line 1: deep is .* cannot be written as letter"),
        ({"prompt": "{none}"}, "line 1: gives a prompt that is empty"),
        ({"prompt": "a", "reference": "anser"}, "line 1: has no column 'anser'; the nearest one is 'answer'"),
        ({"prompt": "a", "max_tokens": "question"}, "line 1: max_tokens is '2\\+2\\?'"),
        ({"prompt": "a", "turns": "question"}, "has both prompt and turns"),
        ({"turns": "question"}, "line 1: turns is a JSON string"),
        ({}, "has neither prompt nor messages nor turns"),
        ({"messages": [{"content": "a"}]}, "give each role and content"),
        ({"prompt": "a", "where": {"answer": 2}}, "no row of .* has what `where` asks for"),
        ({"prompt": "a", "where": {"b": 2}}, "line 1: has no column 'b'"),
        ({"prompt": "a", "examples": {"file": "none.jsonl", "count": 1}}, "none.jsonl, which is not there"),
        ({"prompt": "a", "examples": {"file": "x.jsonl"}}, "neither count nor ids"),
        ({"prompt": "a", "examples": {"file": "x.jsonl", "ids": [2]}}, "has no row 2, only 1"),
        ({"prompt": "a", "examples": {"file": "x.jsonl", "count": 1, "text": "{b}"}}, "line 1: has no column 'b'"),
        ({"prompt": "a", "subset_of_file": "*_test.csv"}, r"x\.jsonl is no \*_test\.csv"),
        ({"prompt": "a", "tools": "question"}, "line 1: question is not JSON"),
    ],
)
def test_what_a_table_does_not_give_is_named(tmp_path: Path, args: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        rows(put(tmp_path / "x.jsonl", QUESTION), args)


def test_a_row_of_a_table_has_what_the_settings_name(tmp_path: Path) -> None:
    args = {"prompt": "{question}", "reference": "answer", "id": "q-{answer}", "subset": "{deep.a}", "max_tokens": 9}
    [row] = rows(put(tmp_path / "x.jsonl", QUESTION), args | {"meta": ["choices"]})
    assert (row.id, row.reference, row.subset, row.max_tokens) == ("q-1", 1, "[1,2]", 9)
    assert row.meta == {"choices": ["3", "4"]}


def test_examples_of_a_file_stand_before_the_question(tmp_path: Path) -> None:
    put(tmp_path / "dev" / "a_dev.csv", "1+1,2\n2+3,5\n3+3,6\n")
    path = put(tmp_path / "test" / "a_test.csv", "4+4,8\n")
    examples = {"file": "../dev/{subset}_dev.csv", "ids": [3, 1], "text": "{q} = {a}", "joint": "; "}
    args = {"columns": ["q", "a"], "prompt": "{subset}: {examples}; {q} =", "subset_of_file": "*_test.csv"}
    [row] = rows(path, args | {"examples": examples})
    assert (row.prompt, row.id, row.subset) == ("a: 3+3 = 6; 1+1 = 2; 4+4 =", "a/1", "a")


def test_examples_may_be_messages_and_a_system_message_goes_first(tmp_path: Path) -> None:
    told = [{"role": "user", "content": "{q}"}, {"role": "assistant", "content": "{a}"}]
    messages = [{"role": "examples"}, {"role": "user", "content": "{question}"}]
    args = {"system": "Be short.", "messages": messages, "examples": {"rows": [{"q": "1", "a": "2"}], "messages": told}}
    [row] = rows(put(tmp_path / "x.jsonl", QUESTION), args)
    assert [(message["role"], message["content"]) for message in row.messages or []] == [
        ("system", "Be short."),
        ("user", "1"),
        ("assistant", "2"),
        ("user", "2+2?"),
    ]


def test_a_file_of_text_is_one_example_and_texts_are_several(tmp_path: Path) -> None:
    put(tmp_path / "few.txt", "Q: 1\nA: 2\n")
    path = put(tmp_path / "x.jsonl", QUESTION)
    assert rows(path, {"prompt": "{examples}|", "examples": {"file": "few.txt"}})[0].prompt == "Q: 1\nA: 2|"
    assert rows(path, {"prompt": "{examples}|", "examples": ["a", "b"]})[0].prompt == "a\n\nb|"


def test_rows_can_be_chosen_by_the_values_of_columns(tmp_path: Path) -> None:
    path = put(tmp_path / "x.csv", "q,level\na,1\nb,2\nc,3\n")
    assert [row.prompt for row in rows(path, {"prompt": "{q}", "where": {"level": [1, 3]}})] == ["a", "c"]


def test_pictures_of_parquet_are_sent_as_data_urls(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(pa.Table.from_pylist([{"q": "what?", "image": {"bytes": PNG, "path": None}}]), path)
    [row] = rows(path, {"prompt": "{q}", "images": ["image"]})
    assert row.images[0].startswith("data:image/png;base64,iVBOR") and row.meta == {"q": "what?"}
    [led] = rows(path, {"prompt": "{q}", "images": ["image"], "system": "s"})
    assert led.messages is not None
    assert led.messages[1]["content"][0]["image_url"]["url"] == row.images[0]


def test_cells_of_csv_are_values_where_a_row_wants_values(tmp_path: Path) -> None:
    text = 'prompt,max_tokens,messages,images\na,7,,"[""x.png""]"\n,,"[{""role"": ""user""}]",\n'
    first, second = rows(put(tmp_path / "x.csv", text), {}, "rows")
    assert (first.prompt, first.max_tokens, first.images) == ("a", 7, [str(tmp_path / "x.png")])
    assert second.messages == [{"role": "user"}]


def test_columns_of_parquet_lose_the_nulls_that_other_rows_gave_them(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    both = [{"role": "user", "content": "a"}, {"role": "tool", "name": "t", "content": "b"}]
    pq.write_table(pa.Table.from_pylist([{"messages": both, "max_tokens": 5.0}]), path)
    [row] = rows(path, {}, "rows")
    assert (row.messages, row.max_tokens) == (both, 5)


def test_a_row_may_be_a_whole_body_with_headers_and_a_time(tmp_path: Path) -> None:
    text = '{"body": {"model": "m"}, "headers": {"X-A": "1"}, "timestamp": "2026-01-01T00:00:01.5Z"}'
    [row] = rows(put(tmp_path / "x.jsonl", text), {}, "rows")
    assert (row.body, row.headers, (row.timestamp_ns or 0) % 10**10) == ({"model": "m"}, {"X-A": "1"}, 1_500_000_000)
    [other] = rows(put(tmp_path / "y.jsonl", '{"prompt": "a", "timestamp": "soon", "headers": 3}'), {}, "rows")
    assert (other.timestamp_ns, other.meta) == (None, {"timestamp": "soon", "headers": 3})


def test_a_preset_can_be_read_by_its_entry(config: Path) -> None:
    assert read_preset(names(config)["own"]).about == "A."
