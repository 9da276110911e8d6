"""What the pages for users of other tools say: every option of theirs has a line, every option of ours is there."""

import importlib
import re
from pathlib import Path

import click
import msgspec
import pytest

from perfcore.cli.main import COMMANDS
from perfcore.workload.catalogue import find
from perfcore.workload.registry import READERS
from tests.test_docs import DOCS, read

DATA = Path(__file__).parent / "data"
PEERS = msgspec.toml.decode((DATA / "peers.toml").read_bytes())
FLAG = re.compile(r"(?<![\w-])--[a-z][\w-]*\w")
END = "## `evalscope eval`"
PARTS = {
    "evalscope perf": read(DOCS / "from-evalscope.md").partition(END)[0],
    "evalscope eval": read(DOCS / "from-evalscope.md").partition(END)[2],
    "ais_bench": read(DOCS / "from-aisbench.md"),
    "vllm bench": read(DOCS / "from-vllm-bench.md"),
}
ASKED = [line.split("\t") for line in (DATA / "asked.tsv").read_text(encoding="utf-8").splitlines()[1:]]
THEIRS = {"--max-concurrency"}  # options of other tools that stand among ours
QUESTIONS = re.findall(r"^### (.*)\n\n((?:(?!^#).*\n)+)", read(DOCS / "faq.md") + "\n", re.MULTILINE)


def cells(text: str, column: int) -> list[str]:
    """A column of all tables of a page."""
    rows = [line.replace("\\|", "/") for line in text.splitlines() if line.startswith("|")]
    return [row.split("|")[column] for row in rows if row.count("|") > column]


def ours() -> set[str]:
    """The flags of all commands."""
    commands: list[click.Command] = [importlib.import_module(module).command for module, _ in COMMANDS.values()]
    return {flag for command in commands for one in command.params for flag in (*one.opts, *one.secondary_opts)}


@pytest.mark.parametrize("tool", PEERS["options"])
def test_every_option_of_another_tool_has_a_line(tool: str) -> None:
    told = set(FLAG.findall(" ".join(cells(PARTS[tool], 1))))
    assert [flag for flag in PEERS["options"][tool] if flag not in told] == []


@pytest.mark.parametrize("tool", PARTS)
def test_every_option_that_stands_for_it_is_there(tool: str) -> None:
    named = set(FLAG.findall(" ".join(cells(PARTS[tool], 2))))
    assert named - ours() - THEIRS == set()


@pytest.mark.parametrize("task", PEERS["tasks"]["ais_bench"])
def test_a_task_of_aisbench_is_a_data_set_here_or_named_as_missing(task: str) -> None:
    missing = PARTS["ais_bench"].partition("Not there, and said so by their names")[2].partition("##")[0]
    assert (find(task, None) is not None or task in READERS) != (f"`{task}`" in missing)


@pytest.mark.parametrize(("tool", "number", "question", "heading"), ASKED)
def test_what_the_faq_of_another_tool_answers_is_answered(tool: str, number: str, question: str, heading: str) -> None:
    assert heading in dict(QUESTIONS), f"{tool} {number}: {question}"


@pytest.mark.parametrize(("heading", "answer"), QUESTIONS, ids=[heading for heading, _ in QUESTIONS])
def test_every_answer_has_a_command_or_an_option(heading: str, answer: str) -> None:
    assert re.search(r"`!?(perfcore |pip |--)[-a-z]", answer), heading
