"""The documentation: pages are in the navigation, links lead somewhere, command lines are accepted."""

import importlib
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from perfcore.cli.main import COMMANDS
from perfcore.commands import pages
from perfcore.config import resolve

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("**/*.md"))
TEXTS = [*PAGES, ROOT / "README.md"]
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
# Where a shell ends a command, or turns to its input and output.
ENDS = {"|", "&", "&&", ";", "<", ">", ">>"}
REFERENCES: dict[str, Callable[[], str]] = {
    "datasets": pages.datasets_page,
    "evaluators": pages.evaluators_page,
    "presets": pages.presets_page,
}


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def prose(page: Path) -> str:
    """A page without its code."""
    return CODE.sub("", FENCE.sub("", read(page)))


def listed(entries: list[Any]) -> Iterator[str]:
    """Pages in a navigation, in their order."""
    for entry in entries:
        for value in entry.values() if isinstance(entry, dict) else [entry]:
            yield from listed(value) if isinstance(value, list) else [value]


def anchors(page: Path) -> set[str]:
    """Names of a page's headings, as both GitHub and mkdocs make them where a heading is plain words."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", read(page)), re.MULTILINE)
    return {re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower()) for heading in headings}


def commands(page: Path) -> Iterator[str]:
    """Command lines of perfcore in the code of a page, whole where they go over several lines."""
    blocks = [body for _, _, body in FENCE.findall(read(page))]
    blocks += re.findall(r"(?:^    .*\n)+", FENCE.sub("", read(page)), re.MULTILINE)
    for block in blocks:
        for line in whole_lines(block.replace("\\\n", " ")):
            found = re.match(r"(?:\$ )?(?:\w+=\S* )*perfcore +((?:-|\w+(?: |$)).*)", line.strip(), re.DOTALL)
            if found and "──>" not in line:
                yield found.group(1)
    if page.name == "faq.md":  # there they are the answers
        yield from re.findall(r"`perfcore ([a-z]+ [^`]*)`", " ".join(FENCE.sub("", read(page)).split()))


def whole_lines(block: str) -> Iterator[str]:
    """Lines of a block, those of perfcore to where the quotes are closed that they open."""
    line = ""
    for part in block.splitlines():
        line = f"{line} {part.strip()}".strip()
        if not re.match(r"(\$ )?perfcore ", line) or line.partition(" #")[0].count("'") % 2 == 0:
            yield line
            line = ""


def words_of(line: str) -> list[str]:
    """Arguments of a command line, as a shell takes them."""
    split = shlex.shlex(line, posix=True, punctuation_chars=True)
    split.whitespace_split = True
    words = list(split)
    return words[: next((at for at, word in enumerate(words) if word in ENDS), len(words))]


LINES = sorted({(page.name, line) for page in TEXTS for line in commands(page)})


def test_every_page_is_in_the_navigation_once() -> None:
    config = yaml.safe_load(read(ROOT / "mkdocs.yml"))
    assert sorted(listed(config["nav"])) == [str(page.relative_to(DOCS)) for page in PAGES]


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: page.stem)
def test_links_lead_to_pages_and_headings_that_are_there(page: Path) -> None:
    for link in LINK.findall(prose(page)):
        name, _, anchor = link.partition("#")
        if re.match(r"\w+:", link):
            continue
        there = (page.parent / name).resolve() if name else page
        assert there.exists(), f"{page.name} links to {link}"
        assert not anchor or anchor in anchors(there), f"{page.name} links to {link}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_words_in_angle_brackets_do_not_vanish_from_a_page(page: Path) -> None:
    text = re.sub(r"<!--.*?-->|<https?://[^>]*>|\[[^]]*\]\([^)]*\)", "", prose(page), flags=re.DOTALL)
    assert not re.findall(r"<[a-zA-Z/][^>\n]*>", text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_lists_have_a_blank_line_before_them(page: Path) -> None:
    """GitHub takes them for lists without it, the site does not."""
    text = re.sub(r"^( +).*\n", r"- \n", FENCE.sub("", read(page)), flags=re.MULTILINE)
    assert not re.findall(r"^(?![-*] |\d+\. |\|).+\n(?:[-*] |\d+\. ).*", text, re.MULTILINE)


@pytest.mark.parametrize(("page", "line"), LINES, ids=[f"{page}-{number}" for number, (page, _) in enumerate(LINES)])
def test_command_lines_are_accepted(page: str, line: str) -> None:
    words = words_of(line)
    if words[0].startswith("-"):
        assert words in (["--version"], ["--help"])
        return
    command: click.Command = importlib.import_module(COMMANDS[words[0]][0]).command
    if "..." not in words and "…" not in line and "--help" not in words:
        command.make_context(words[0], words[1:])


@pytest.mark.parametrize("name", COMMANDS)
def test_the_page_of_options_has_every_flag_of_every_command(name: str) -> None:
    page = read(DOCS / "options.md")
    own: click.Command = importlib.import_module(COMMANDS[name][0]).command
    flags = [flag for one in own.params if isinstance(one, click.Option) for flag in one.opts]
    table = page.partition(f"### perfcore {name}\n")[2].partition("###")[0]
    assert [flag for flag in flags if f"`{flag}" not in table and f"\n\n`{flag}" not in page] == []


@pytest.mark.parametrize(
    ("page", "words", "option", "default"),
    [
        ("stress.md", "within `--grace` (30 s)", "grace_s", 30),
        ("stress.md", "Without any of them: 8 clients", "concurrency", 8),
        ("eval.md", "requests in flight at once, 8 if nothing is said", "concurrency", 8),
        ("sweeps.md", "`--cooldown` (5 s)", "cooldown_s", 5),
        ("transport.md", "| `--connect-timeout` | 60 s |", "connect_timeout_s", 60),
        ("transport.md", "| `--timeout` | 600 s |", "timeout_s", 600),
        ("from-evalscope.md", "`--timeout`, 10 minutes if not given", "timeout_s", 600),
        ("from-aisbench.md", "`--max-event-bytes`, 64 MiB if not given", "max_event_bytes", 64 * 2**20),
        ("faq.md", "`--max-event-bytes` (64 MiB)", "max_event_bytes", 64 * 2**20),
        ("local.md", "30 minutes if not given", "local_timeout_s", 1800),
        ("server-metrics.md", "`--server-metrics-interval 1`", "server_metrics_interval_s", 1),
    ],
)
def test_defaults_in_the_text_are_those_of_the_options(page: str, words: str, option: str, default: float) -> None:
    assert words in " ".join(read(DOCS / page).split())
    assert getattr(resolve({}, None, {}).options, option) == default


@pytest.mark.parametrize("topic", REFERENCES)
def test_reference_pages_are_fresh(topic: str) -> None:
    assert read(DOCS / f"reference-{topic}.md") == REFERENCES[topic]() + "\n", "run `make docs`"
