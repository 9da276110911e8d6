"""AISBench's configurations of data sets, in options of perfcore: synthetic_config and lists such as gsm8k_datasets."""

import ast
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from perfcore.aisbench_synthetic import MOST_TOKENS, SYNTHETIC, Values, gathered, synthetic
from perfcore.assignments import WrongError, inner, known, plain, read_assignments, table, whole
from perfcore.errors import UserError
from perfcore.literals import Name, Setting, parsed
from perfcore.paths import expanded
from perfcore.preset import Preset, of_models, place

PACKAGES = ("ais_bench",)
LISTS = "datasets"  # a variable of this name, or ones that end in _datasets
RANGE = re.compile(r"\[(\d*):(\d*)\]")
ROLES = {"HUMAN": "user", "BOT": "assistant", "SYSTEM": "system"}
EXAMPLES = "</E>"


class Kind(NamedTuple):
    """What a class of AISBench's data sets is here: the data set, and what its own keys stand for.

    A key stands for an option, for a setting of the data set ("dataset_args.NAME"), or for nothing ("").
    """

    dataset: str
    keys: Mapping[str, str] = {}
    asks: str = ""  # setting that takes the template, if the prompt is not the data set's own


COMMON = ("abbr", "type", "path", "reader_cfg", "infer_cfg", "eval_cfg", "judge_infer_cfg")
SCHEDULE = ("fixed_schedule_auto_offset", "fixed_schedule_start_offset", "fixed_schedule_end_offset")
KINDS = {
    "SyntheticDataset": Kind("synthetic", {"config": ""}),
    "MooncakeTraceDataset": Kind(
        "mooncake",
        {
            "model_path": "tokenizer",
            "trust_remote_code": "trust_remote_code",
            "random_seed": "dataset_args.seed",
            "generated_prompts_path": "",
            **dict.fromkeys(SCHEDULE, ""),
        },
    ),
    "ShareGPTDataset": Kind("sharegpt", {"disable_shuffle": ""}),
    "MTBenchDataset": Kind("mtbench"),
    "MMCustomDataset": Kind("mm_custom", {"mm_type": "", "num_frames": ""}),
    "CustomDataset": Kind("custom", {"meta_path": "dataset_args.meta_file"}, "template"),
    "GSM8KDataset": Kind("gsm8k", asks="prompt"),
    "MATHDataset": Kind("math500", asks="prompt"),
    "Aime2025Dataset": Kind("aime2025", asks="prompt"),
    "Aime2026Dataset": Kind("aime2026", asks="prompt"),
    "HumanevalDataset": Kind("humaneval", asks="prompt"),
    "IFEvalDataset": Kind("ifeval", asks="prompt"),
    "MGSMSDataset": Kind("mgsm", asks="prompt"),
}
USED = (*SCHEDULE, "disable_shuffle")  # stand for more, or less, than one option
SHOTS = "gsm8k_gen_4_shot_cot_str"
READER_KEYS = ("input_columns", "output_column", "test_range", "train_range", "test_split", "train_split")
INFER_KEYS = ("prompt_template", "ice_template", "retriever", "inferencer")
INFERENCER_KEYS = ("type", "infer_mode", "max_out_len", "stopping_criteria", "save_every")
MODES: dict[str, dict[str, Any]] = {
    "every": {},
    "every_with_gt": {"history": "data"},
    "last": {"dataset_args.mode": "last"},
}
TABLE = Kind("table", asks="prompt")  # any other class, as its template says which columns are asked for


def holds_data(path: Path) -> bool:
    """Whether a Python file assigns a data set of AISBench's. Raises UserError for one that is not Python."""
    targets = [target for node in parsed(path).body if isinstance(node, ast.Assign) for target in node.targets]
    return any(isinstance(target, ast.Name) and is_data(target.id) for target in targets)


def is_data(name: str) -> bool:
    """Whether a variable of this name holds data sets."""
    return name in (SYNTHETIC, LISTS) or name.endswith("_" + LISTS)


def read_data(path: Path, pick: str | None) -> Preset:
    """Options of a Python file with one data set of AISBench's, and its model if it has any; nothing in it is executed.

    Raises UserError that names file and line.
    """
    found = read_assignments(path, PACKAGES)
    notes: list[str] = []
    try:
        options = {name: (value, f"{path} line {line}") for name, (value, line) in data(found, notes).items()}
        models = [
            {key: Setting(plain(value), value.line) for key, value in one.items()} for one in listed(found, "models")
        ]
    except WrongError as error:
        raise UserError(f"{place(path, error.setting)}: {error}") from None
    remarks = tuple(f"{path}: {note}" for note in notes)
    if "models" not in found:
        return Preset(options, "", remarks)
    model = of_models(models, path, pick)
    return Preset(model.options | options, model.api_key, (*model.notes, *remarks))


def data(found: Mapping[str, Setting], notes: list[str]) -> Values:
    """Options of the one data set among a file's variables."""
    names = [LISTS] if LISTS in found else [name for name in found if name.endswith("_" + LISTS)]
    entries = [entry for name in names for entry in listed(found, name)]
    if not names:
        return synthetic(table(found[SYNTHETIC], SYNTHETIC))
    if len(entries) != 1:
        abbrs = ", ".join(str(plain(entry["abbr"])) if "abbr" in entry else "(no abbr)" for entry in entries)
        several = f"has {len(entries)} data sets ({abbrs}); leave one in it, and run once for each"
        raise WrongError(found[names[0]], several if entries else "has no data set; write dict(...) there")
    return entry_options(entries[0], found, notes)


def listed(found: Mapping[str, Setting], name: str) -> list[dict[str, Setting]]:
    """Tables in the list that a variable holds; none where there is no such variable."""
    if name not in found:
        return []
    if not isinstance(found[name].value, list):
        raise WrongError(found[name], f"{name} wants a list: [dict(...)]")
    return [table(entry, f"an entry of {name}") for entry in found[name].value]


def entry_options(entry: dict[str, Setting], found: Mapping[str, Setting], notes: list[str]) -> Values:
    """Options of one entry of a list of data sets."""
    if "type" not in entry:
        raise WrongError(next(iter(entry.values()), None), "the data set has no type; say which class it is of")
    given = entry["type"].value
    name = given.text if isinstance(given, Name) else str(given).rpartition(".")[2]
    kind = KINDS.get(name, TABLE)
    known(entry, (*COMMON, *kind.keys), name)
    if kind.dataset == "synthetic":
        return synthetic(table(entry.get("config") or found.get(SYNTHETIC, Setting({}, 0)), "config"))
    options: Values = {"dataset": ((source(entry, kind, name, notes),), entry.get("path", entry["type"]).line)}
    args = {"dataset_args." + key: value for key, value in asked(entry, kind).items()}
    options |= own(entry, kind) | schedule(entry) | rows(entry) | inference(entry) | args
    unused = [key for key, to in kind.keys.items() if key in entry and not to and key not in USED]
    notes += [f"not used here: {', '.join(unused)}"] if unused else []
    return gathered(options)


def source(entry: Mapping[str, Setting], kind: Kind, name: str, notes: list[str]) -> str:
    """NAME:PATH of a data set, or its name alone where AISBench's path is not there."""
    path = entry.get("path")
    if path is not None and isinstance(path.value, str) and path.value:
        if (there := existing(path.value)) is not None:
            return f"{kind.dataset}:{there}"
        if kind.asks == "" or kind.dataset not in ("table", "custom"):
            notes.append(f"{path.value} is not there; the files are looked for in the data folders")
            return kind.dataset
        raise WrongError(path, f"path {path.value!r} is not there; give it as it is seen from this folder, or absolute")
    if kind.dataset in ("table", "custom"):
        raise WrongError(
            entry["type"], f"{name} is not known here, and has no path of a file; `perfcore list datasets`"
        )
    return kind.dataset


def existing(text: str) -> Path | None:
    """Path of a file or folder, or None where there is none."""
    try:
        path = expanded(text)
        return path if path.exists() else None
    except (OSError, RuntimeError):  # too long a name, or the home of nobody
        return None


def own(entry: Mapping[str, Setting], kind: Kind) -> Values:
    """What the keys of a class's own stand for."""
    found = {
        to: (plain(entry[key]), entry[key].line)
        for key, to in kind.keys.items()
        if to and key in entry and entry[key].value not in (None, "")
    }
    order = entry.get("disable_shuffle")
    return found | ({"shuffle": (True, order.line)} if order is not None and order.value is False else {})


def schedule(entry: Mapping[str, Setting]) -> Values:
    """Part of a recording that is replayed, from milliseconds; -1 as the end is none."""
    start, end = (entry.get(f"fixed_schedule_{name}_offset") for name in ("start", "end"))
    found: Values = {}
    if start is not None and (start_ms := whole(start, "fixed_schedule_start_offset", 0, 2**53)):
        found["replay_start_s"] = start_ms / 1000, start.line
    if end is not None and (end_ms := whole(end, "fixed_schedule_end_offset", -1, 2**53)) != -1:
        found["replay_end_s"] = end_ms / 1000, end.line
    return found


def rows(entry: Mapping[str, Setting]) -> Values:
    """Which rows are taken: test_range of reader_cfg, such as [0:8]."""
    config = inner(entry, "reader_cfg")
    known(config, READER_KEYS, "reader_cfg")
    given = config.get("test_range")
    if given is None or given.value in (None, ""):
        return {}
    match = RANGE.fullmatch(given.value.replace(" ", "")) if isinstance(given.value, str) else None
    if match is None:
        raise WrongError(given, f"test_range {plain(given)!r:.40} wants text such as '[0:8]'")
    start, stop = int(match[1] or 0), int(match[2]) if match[2] else None
    if stop is not None and stop <= start:
        raise WrongError(given, f"test_range {given.value!r} has no row in it")
    found: Values = {"offset": (start, given.line)} if start else {}
    return found if stop is None else found | {"num_prompts": (stop - start, given.line)}


def inference(entry: Mapping[str, Setting]) -> Values:
    """How it is asked: infer_cfg's retriever and inferencer."""
    config = inner(entry, "infer_cfg")
    known(config, INFER_KEYS, "infer_cfg")
    retriever = inner(config, "retriever")
    kind = plain(retriever["type"]) if "type" in retriever else Name("ZeroRetriever")
    if "ice_template" in config or str(getattr(kind, "text", kind)).rpartition(".")[2] != "ZeroRetriever":
        words = "takes examples from a train split; write them into the template, or take a data set that has them"
        raise WrongError(config.get("retriever", config.get("ice_template")), f"infer_cfg {words}, such as {SHOTS}")
    inferencer = inner(config, "inferencer")
    known(inferencer, INFERENCER_KEYS, "inferencer")
    found: Values = {}
    if "max_out_len" in inferencer and inferencer["max_out_len"].value is not None:
        line = inferencer["max_out_len"].line
        found["max_tokens"] = whole(inferencer["max_out_len"], "max_out_len", 1, MOST_TOKENS), line
    return found | (modes(inferencer["infer_mode"]) if "infer_mode" in inferencer else {})


def modes(setting: Setting) -> Values:
    """What a way of asking conversations stands for."""
    if not isinstance(setting.value, str) or setting.value not in MODES:
        raise WrongError(setting, f"infer_mode {setting.value!r:.40} wants one of {', '.join(MODES)}")
    return {name: (value, setting.line) for name, value in MODES[setting.value].items()}


def asked(entry: Mapping[str, Setting], kind: Kind) -> Values:
    """The prompt, or the messages, that the template gives; nothing where the data set has its own."""
    template = inner(inner(entry, "infer_cfg"), "prompt_template").get("template")
    if not kind.asks:
        return {}
    if template is None:
        if kind.dataset == "table":
            raise WrongError(
                entry["type"], "the data set has no infer_cfg with a prompt_template, so there is no prompt"
            )
        return {}
    said = messages(template, columns_of(inner(entry, "reader_cfg"), kind))
    if [message["role"] for message in said] == ["user"]:
        found: dict[str, Any] = {kind.asks: said[0]["content"]} | ({"messages": None} if kind.asks == "prompt" else {})
    elif kind.asks == "prompt":
        found = {"messages": said, "prompt": None}
    else:
        raise WrongError(template, f"the template of {kind.dataset} wants one round of role HUMAN, or a text")
    return {name: (value, template.line) for name, value in found.items()}


class Columns(NamedTuple):
    """Columns that a template asks for, the one that it may not show, and whether other braces are to be doubled."""

    asked: tuple[str, ...]
    output: str | None
    doubled: bool


def columns_of(config: Mapping[str, Setting], kind: Kind) -> Columns:
    """Columns that reader_cfg names."""
    given = plain(config["input_columns"]) if "input_columns" in config else []
    asked = [given] if isinstance(given, str) else given
    if not isinstance(asked, list) or not all(isinstance(name, str) and name for name in asked):
        raise WrongError(config["input_columns"], "input_columns wants names of columns")
    output = config["output_column"].value if "output_column" in config else None
    if not isinstance(output, str) and output is not None:
        raise WrongError(config["output_column"], "output_column wants the name of a column")
    return Columns(tuple(asked), output, kind.asks == "prompt")


def messages(template: Setting, columns: Columns) -> list[dict[str, str]]:
    """Messages of a template, which is a text or a dict with rounds; what the service is to answer is left off."""
    if isinstance(template.value, str):
        return [{"role": "user", "content": ours(template, columns)}]
    parts = table(template, "template")
    known(parts, ("begin", "round", "end"), "template")
    said = [message(turn, columns) for name in ("begin", "round", "end") for turn in turns(parts.get(name))]
    while said and said[-1]["role"] == "assistant":
        said.pop()
    if not said:
        raise WrongError(template, "the template has no round of role HUMAN, so there is nothing to send")
    return [one for one in said if one["content"]]


def turns(part: Setting | None) -> list[Setting]:
    """Rounds of a part of a template; one that is only the place of examples has none."""
    if part is None or part.value in ("", EXAMPLES):
        return []
    if not isinstance(part.value, list):
        raise WrongError(part, "the template wants lists of dict(role=..., prompt=...)")
    return [turn for turn in part.value if turn.value != EXAMPLES]


def message(turn: Setting, columns: Columns) -> dict[str, str]:
    """One round as a message."""
    given = table(turn, "a round")
    known(given, ("role", "fallback_role", "prompt"), "a round")
    role = str(given["role"].value) if "role" in given else ""
    if role not in ROLES or not isinstance(given.get("prompt", turn).value, str):
        raise WrongError(turn, f"a round wants role, one of {', '.join(ROLES)}, and prompt")
    return {"role": ROLES[role], "content": ours(given["prompt"], columns)}


def ours(template: Setting, columns: Columns) -> str:
    """A template in our words: {column} stays, the answer's column is empty, other braces stand for themselves."""
    text = str(template.value).replace(EXAMPLES, "")
    if columns.output is not None and columns.output not in columns.asked:
        text = text.replace("{" + columns.output + "}", "")
    if not columns.doubled or not columns.asked:
        return text
    pieces = re.split("(" + "|".join(re.escape("{" + name + "}") for name in columns.asked) + ")", text)
    return "".join(piece if place % 2 else doubled(piece) for place, piece in enumerate(pieces))


def doubled(text: str) -> str:
    """Text whose braces are no columns."""
    return text.replace("{", "{{").replace("}", "}}")
