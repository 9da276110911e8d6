"""`perfcore list datasets` and `perfcore search`, on the command line."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from perfcore.cli.main import cli
from perfcore.errors import UserError

PRESET = """
reader = "table"
about = "Sums."
kind = "accuracy"
folder = "sums"
files = ["test.jsonl"]
home = "https://example.org/sums"
licence = "CC0-1.0"
args = { prompt = "{q}" }
[[fetch]]
url = "https://example.org/sums/test.jsonl"
to = "test.jsonl"
[variants.sums_short]
about = "Few of them."
max_tokens = 7
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "sums.toml").write_text(PRESET)
    return tmp_path


def said(*arguments: str) -> str:
    result: Result = CliRunner().invoke(cli, arguments)
    if result.exception is not None:
        raise result.exception
    return result.output


def test_every_data_set_is_listed_with_its_kind_and_whether_it_is_there(folder: Path) -> None:
    lines = said("list", "datasets", "--config-dir", str(folder), "--data-dir", str(folder)).splitlines()
    found = [line.split(maxsplit=2) for line in lines]
    assert ["sums", "accuracy", "not found, --download fetches them"] in found
    (folder / "sums").mkdir()
    (folder / "sums" / "test.jsonl").write_text('{"q": "1+1"}')
    there = said("list", "datasets", "--config-dir", str(folder), "--data-dir", str(folder))
    assert f"accuracy  in {folder / 'sums'}" in there
    assert len({line.index(line.split()[1]) for line in lines}) == 1  # the columns stand below each other


def test_all_that_is_known_of_one_is_told(folder: Path) -> None:
    found = said("list", "datasets", "sums_short", "--config-dir", str(folder), "--data-dir", "/nowhere")
    for words in [
        "Few of them.",
        "accuracy",
        "test.jsonl: not found",
        "/nowhere/sums",
        "https://example.org/sums/test.jsonl",
        "CC0-1.0",
        "max_tokens  7",
        'prompt = "{q}"  (text)',
        "Template of the prompt",
        "meta = null  (list of text or null)",
    ]:
        assert words in found


@pytest.mark.parametrize("name", ["rows", "synthetic", "mooncake"])
def test_readers_and_built_in_data_sets_are_told_of_too(name: str) -> None:
    assert "settings (--dataset-args KEY=JSON)" in said("list", "datasets", name)


def test_a_file_is_told_of_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"prompt": "a"}')
    assert str(path) in said("list", "datasets", str(path))


def test_search_names_the_files_that_take_part(folder: Path) -> None:
    found = said("search", "sums", "vllm_api_general_chat", "--config-dir", str(folder))
    assert f"dataset  sums                   {folder / 'datasets' / 'sums.toml'}" in found
    assert "configs/models/vllm_api_general_chat.toml" in found
    assert "configs/dialects/openai-chat.toml" in found
    assert "sums_short" not in found
    assert "sums_short" in said("search", "UMS_s", "--config-dir", str(folder))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["search", "sumz"], "no preset is named 'sumz'; the nearest ones are "),
        (["list", "datasets", "nothing_of_that_name"], "unknown data set"),
        (["list", "dialects", "x"], "takes no name"),
        (["list", "datasets", "--config-dir", "/nowhere"], "--config-dir /nowhere"),
    ],
)
def test_mistakes_are_named(arguments: list[str], words: str) -> None:
    with pytest.raises(UserError, match=words):
        said(*arguments)


def test_other_places_of_the_same_files_are_told() -> None:
    assert "or there    agieval: *.jsonl" in said("list", "datasets", "agieval")
