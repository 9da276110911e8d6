"""The judges of an evaluation: read from files and flags, and checked before anything is asked."""

import difflib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from evaluators.errors import EvaluationError
from evaluators.judging.judge import Contract, JudgeSettings, Judging, Tags, check_contract, strategy_of
from evaluators.settings import Evaluation
from perfcore.errors import UserError
from perfcore.option import has
from perfcore.options import OPTIONS, StressOptions, key_of
from perfcore.paths import expanded
from perfcore.tables import FORMATS, read_table
from perfcore.workload import catalogue
from perfcore.workload.address import request_url
from perfcore.workload.dialect import load_dialect
from perfcore.workload.template import merged

JUDGES = "judges"
UNNAMED = "judge"
NAMES = {key_of(name): name for name in OPTIONS}
# Options that a judge has keys of its own for, or that would make its run another one.
NOT_OPTIONS = {
    *("url", "dialect", "model", "api_key_env", "body", "max_tokens", "concurrency", "timeout_s", "retries"),
    *("dataset", "weights", "dataset_args", "data_dir", "config_dir", "prompt", "num_prompts", "offset", "shuffle"),
    *("requests", "duration_s", "rate", "arrivals", "out", "stream", "preset", "preset_model", "local", "resume"),
}


class Panel(NamedTuple):
    """Who judges the answers to a data set, and how. Each judge has a contract; the strategy is llm or llm_recall.

    `tags` are those of reasoning in the answers, None for the usual ones.
    """

    judging: Judging
    judges: tuple[JudgeSettings, ...]
    tags: Tags = None

    @property
    def contracts(self) -> dict[str, Contract]:
        """The contract of each judge by its name."""
        return {one.name: one.contract for one in self.judges if isinstance(one.contract, Contract)}


def panel_of(
    evaluation: Evaluation,
    place: str,
    given: Sequence[str] = (),
    over: Mapping[str, Any] | None = None,
    config_dir: Path | None = None,
    tags: Tags = None,
) -> Panel | None:
    """The judges of a data set; None where none is to be asked. Nothing is sent.

    `given` are names and files of --judge, `over` what other flags say of all of them, by the names of JudgeSettings;
    `place` is what messages call the data set. Raises UserError for whatever would make judging fail later.
    """
    judging = catalogue.converted(evaluation.judge, Judging, f"{place}, evaluation.judge")
    try:
        strategy = strategy_of(judging, evaluation.evaluator)
    except EvaluationError as error:
        raise UserError(f"{place}: {error}") from None
    if strategy == "rule":
        return None
    own = {key: value for key, value in (over or {}).items() if value is not None and value != {}}
    if not given and "url" not in own:
        raise UserError(
            f"{place}: its answers go to a judge ({strategy}), and none is given; give --judge-url URL and "
            "--judge-model NAME, or --judge FILE"
        )
    contract = changed(contract_named(judging.contract, config_dir, place), judging.changes, place)
    judges = tuple(judge_of(name, own, contract, config_dir) for name in (given or [""]))
    found = Panel(msgspec.structs.replace(judging, strategy=strategy), judges, tags)
    check(found, place)
    return found


def judge_of(given: str, over: Mapping[str, Any], contract: Contract, config_dir: Path | None) -> JudgeSettings:
    """A judge of a name or a file with what flags say of it; `contract` is that of the data set. Raises UserError."""
    path = path_of(given, config_dir) if given else None
    table = read_table(path, "--judge") if path else {}
    place = str(path) if path else "--judge-..."
    judge = catalogue.converted(merged(table, over), JudgeSettings, place)
    own = judge.contract
    if isinstance(own, str):
        own = contract_named(own, config_dir, place)
    return msgspec.structs.replace(
        judge, name=judge.name or (path.stem if path else UNNAMED), contract=contract if own is None else own
    )


def path_of(given: str, config_dir: Path | None) -> Path:
    """File of a judge: its path, or a name in configs/judges or the user's own folder. Raises UserError."""
    path = expanded(given)
    if path.suffix.lower() in FORMATS:
        return path
    files = {file.stem: file for file in reversed(catalogue.files(config_dir, JUDGES))}
    if given not in files:
        near = difflib.get_close_matches(given, files, 1, cutoff=0.0)
        advice = f"the nearest one is {near[0]!r}" if near else "give a file"
        raise UserError(f"unknown judge {given!r}; {advice}")
    return files[given]


def contract_named(name: str, config_dir: Path | None, place: str) -> Contract:
    """The contract in the file of a judge; raises UserError where it has none."""
    path = path_of(name, config_dir)
    found = catalogue.converted(read_table(path, "--judge"), JudgeSettings, str(path)).contract
    if not isinstance(found, Contract):
        raise UserError(f"{place}: the contract {name!r} is looked for in {path}, which has no table `contract`")
    return found


def changed(contract: Contract, changes: Mapping[str, Any], place: str) -> Contract:
    """The contract with a data set's changes. Raises UserError."""
    if not changes:
        return contract
    table = merged(msgspec.to_builtins(contract), changes)
    return catalogue.converted(table, Contract, f"{place}, evaluation.judge.changes")


def check(panel: Panel, place: str) -> None:
    """Raise UserError for what would make judging fail."""
    names = [judge.name for judge in panel.judges]
    if len(set(names)) < len(names):
        raise UserError(f"--judge gives {max(names, key=names.count)!r} twice; repeats ask one judge more often")
    if panel.judging.min_valid > len(names):
        raise UserError(f"{place}: min_valid is {panel.judging.min_valid}, and there are {len(names)} judges; lower it")
    if len({contract.pair for contract in panel.contracts.values()}) > 1:
        raise UserError(f"{place}: some judges compare pairs and some do not; give all of them contracts of one kind")
    for judge in panel.judges:
        check_judge(judge)


def check_judge(judge: JudgeSettings) -> None:
    """Raise UserError for a judge that cannot be asked."""
    if not judge.url:
        raise UserError(f"the judge {judge.name} has no service; give --judge-url, or url in its file")
    if Path(judge.name).name != judge.name or judge.name.startswith("."):
        raise UserError(f"the judge {judge.name!r} cannot be the name of a file; give it another `name`")
    try:
        if isinstance(judge.contract, Contract):
            check_contract(judge.contract, f"the judge {judge.name}")
    except EvaluationError as error:
        raise UserError(str(error)) from None
    options_of(judge, Path(), Path())
    try:
        request_url(judge.url, load_dialect(judge.dialect), stream=False, model=judge.model or UNNAMED)
    except UserError as error:
        raise UserError(f"the judge {judge.name}: {error}") from None


def options_of(judge: JudgeSettings, rows: Path, out: Path) -> StressOptions:
    """The run that asks a judge the rows of a file. Raises UserError for what cannot be used."""
    values: dict[str, Any] = {}
    for key, value in judge.options.items():
        name = NAMES.get(key, key)
        if name not in OPTIONS or name in NOT_OPTIONS or not has("stress", OPTIONS[name]):
            raise UserError(f"the judge {judge.name}: options has {key!r}, which is no option of it; leave it out")
        try:
            values[name] = OPTIONS[name].check(value)
        except ValueError as error:
            raise UserError(f"the judge {judge.name}: options.{key}: {error}") from None
    body = merged(sampling(judge), judge.body)
    fixed = {
        "url": checked("url", judge.url, judge),
        "model": judge.model or None,
        "dialect": judge.dialect,
        "api_key_env": judge.api_key_env or None,
        "header": (*values.pop("header", ()), *key_header(judge)),
        "dataset": (f"rows:{rows}",),
        "concurrency": judge.concurrency,
        "timeout_s": judge.timeout_s,
        "retries": judge.retries,
        "max_tokens": judge.max_tokens or None,
        "body": body,
        "stream": False,
        "out": out,
    }
    usual: dict[str, Any] = {"server_metrics": ("off",), "gpu": "off", "keep_events": "never", "quiet": True}
    return StressOptions(**(usual | values | fixed))


def checked(name: str, value: Any, judge: JudgeSettings) -> Any:
    """A value of an option; raises UserError that names the judge."""
    try:
        return OPTIONS[name].check(value)
    except ValueError as error:
        raise UserError(f"the judge {judge.name}: {name} {error}") from None


def sampling(judge: JudgeSettings) -> dict[str, Any]:
    """What asks for the judge's temperature in its dialect. Raises UserError where that is not known."""
    greedy = load_dialect(judge.dialect).greedy
    if judge.temperature == "service":
        return {}
    if judge.temperature == 0:
        return greedy
    if "temperature" in greedy:
        return {**greedy, "temperature": judge.temperature}
    inner = [key for key, value in greedy.items() if isinstance(value, dict) and "temperature" in value]
    if not inner:
        raise UserError(
            f"the judge {judge.name}: {judge.dialect} has no place for a temperature; give temperature = 'service', "
            "and what it wants in body"
        )
    return {**greedy, inner[0]: {**greedy[inner[0]], "temperature": judge.temperature}}


def key_header(judge: JudgeSettings) -> tuple[str, ...]:
    """The header with the key of a file. Raises UserError where no key is to be had."""
    if judge.api_key_env and not os.environ.get(judge.api_key_env):
        raise UserError(
            f"the judge {judge.name}: api_key_env names the environment variable {judge.api_key_env}, which is not "
            "set; export it first"
        )
    if not judge.api_key_file:
        return ()
    path = expanded(judge.api_key_file)
    try:
        key = path.read_text(encoding="utf-8").strip().partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        words = getattr(error, "strerror", None) or "not text"
        raise UserError(f"the judge {judge.name}: cannot read api_key_file {path}: {words}; correct it") from None
    if not key.isascii() or not key.isprintable() or not key:
        raise UserError(f"the judge {judge.name}: api_key_file {path} has no key in its first line; put it there")
    return (f"Authorization: Bearer {key}",)
