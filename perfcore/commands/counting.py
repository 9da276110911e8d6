"""A run folder finished with the tokens counted that no server reported, by the tokenizer that the run was given."""

import importlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import click

from perfcore.errors import UserError
from perfcore.records.counting import Counter
from perfcore.report import finish as report
from perfcore.workload.dialect import load_dialect
from perfcore.workload.template import placeholders

# A module by its name, not an import: it loads what most runs do without.
TOKENS = "perfcore.workload.tokens"
SERVICE = "server"
UNKNOWN = -1


def finish(run_dir: Path, page: bool = True) -> dict[str, Any]:
    """Rebuild all of a run folder as perfcore.report.finish does, with the tokenizer that its run.json names.

    Where that tokenizer is not there any more, tokens stay estimates, and standard error says so.
    """
    options = report.description(run_dir).get("options")
    return report.finish(run_dir, page, counter_of(options if isinstance(options, dict) else {}))


def finish_steady(run_dir: Path, page: bool = True) -> dict[str, Any]:
    """Look for a steady state in a run, as perfcore.report.finish does, with the tokenizer that its run.json names."""
    options = report.description(run_dir).get("options")
    return report.finish_steady(run_dir, page, counter_of(options if isinstance(options, dict) else {}))


def counter_of(options: dict[str, Any]) -> Counter | None:
    """What counts for a run of these options; None without a tokenizer, or where only the service has it.

    The tokenizer is loaded when there is something to count.
    """
    name, trusted = options.get("tokenizer"), options.get("trust_remote_code") is True
    if not isinstance(name, str) or name == SERVICE:
        return None

    def opened() -> Any:
        return importlib.import_module(TOKENS).load(name, trusted)

    return Counter(
        texts=or_unknown(lambda texts: side_by_side(opened().counts, texts)),
        prompts=or_unknown(lambda asked: prompt_counts(opened(), asked, is_chat(str(options.get("dialect"))))),
    )


def is_chat(dialect: str) -> bool:
    """Whether the service puts prompts into a chat template."""
    return bool(placeholders(load_dialect(dialect).request) & {"messages", "content"})


def or_unknown(count: Callable[[list[Any]], list[int]]) -> Callable[[list[Any]], list[int]]:
    """The same, but for a tokenizer that cannot be used: then the first call says so, and nothing is counted."""
    refused: list[UserError] = []

    def counted(asked: list[Any]) -> list[int]:
        try:
            return [UNKNOWN] * len(asked) if refused else count(asked)
        except UserError as error:
            refused.append(error)
            click.echo(f"tokens that the server did not report are not counted: {error}", err=True)
            return [UNKNOWN] * len(asked)

    return counted


def side_by_side(count: Callable[[Sequence[Any]], list[int]], asked: Sequence[Any]) -> list[int]:
    """Counts, in as many threads as there are cores: tokenizers let go of Python while they count."""
    cores = len(os.sched_getaffinity(0))
    step = max(1, -(-len(asked) // cores))
    with ThreadPoolExecutor(cores) as pool:
        counted = pool.map(count, [asked[at : at + step] for at in range(0, len(asked), step)])
        return [number for part in counted for number in part]


def prompt_counts(tokenizer: Any, asked: Sequence[Any], chat: bool) -> list[int]:
    """What the service sees of prompts, lists of messages and token ids; -1 of anything else."""
    found = [len(each) if is_ids(each) else UNKNOWN for each in asked]
    texts = [at for at, each in enumerate(asked) if isinstance(each, str)]
    messages = [at for at, each in enumerate(asked) if is_messages(each)]
    counts = side_by_side(lambda part: tokenizer.prompt_counts(part, chat), [asked[at] for at in texts])
    counts += side_by_side(tokenizer.chat_counts, [asked[at] for at in messages])
    for at, number in zip([*texts, *messages], counts, strict=True):
        found[at] = number
    return found


def is_ids(asked: Any) -> bool:
    """Whether it is token ids."""
    return isinstance(asked, list) and bool(asked) and all(isinstance(each, int) for each in asked)


def is_messages(asked: Any) -> bool:
    """Whether it is messages that are all text."""
    return (
        isinstance(asked, list)
        and bool(asked)
        and all(isinstance(each, dict) and isinstance(each.get("content"), str) for each in asked)
    )
