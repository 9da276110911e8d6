"""Pages of docs/ that are written out of what perfcore knows: data sets, evaluators, presets of services, dialects."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec

from evaluators.registry import MODULES, evaluator
from perfcore.commands.datasets import can_fetch, described, in_json, in_words
from perfcore.preset import files_of, read_preset
from perfcore.workload.catalogue import names
from perfcore.workload.dialect import builtin, load_dialect
from perfcore.workload.registry import READERS, DataSet, of_entry

WRITTEN = "<!-- Written by `make docs` out of {}; change that. -->"
KINDS = {"load": "For load", "accuracy": "For accuracy"}

DATASETS_HEAD = """# All data sets

{written}

`--dataset NAME`, and `--datasets` for several. `perfcore list datasets NAME` says where the files of one are looked for
and has all its settings. Any of them can be sent as load; those for accuracy can be scored as well.
[datasets.md](datasets.md) says how they are read and mixed.
"""

EVALUATORS_HEAD = """# All evaluators

{written}

What `perfcore eval` scores answers with: `evaluator` in the table `evaluation` of a data set, or
`--evaluation evaluator=NAME`; a setting is given as `--evaluation args.KEY=JSON`. [accuracy.md](accuracy.md) leads to
the rules of each.
"""

PRESETS_HEAD = """# All presets and dialects

{written}

`--preset NAME` takes the options of a kind of service ([presets.md](presets.md)), `--dialect NAME` the form of its
requests and answers ([dialects.md](dialects.md)).
"""


def datasets_page(config_dir: Path | None = None) -> str:
    """Every family of data sets with its names, then the readers with their settings, in Markdown."""
    found = [of_entry(name, entry) for name, entry in names(config_dir).items()]
    families = [list(members) for _, members in groupby(sorted(found, key=family), family)]
    parts = [DATASETS_HEAD.format(written=WRITTEN.format("configs/datasets"))]
    for kind, title in KINDS.items():
        parts.append(f"## {title}\n")
        parts += ["\n".join(section(members)) for members in families if kind_of(members) == kind]
    parts.append("## Readers\n\nWhat reads the files, and what `--dataset-args KEY=JSON` can set.\n")
    parts += [settings(f"### Reader {name}", reader.about, reader.settings) for name, reader in READERS.items()]
    return "\n".join(parts).rstrip()


def family(found: DataSet) -> str:
    """Name of the file that has a data set."""
    return found.origin.stem if found.origin else found.name


def kind_of(members: Sequence[DataSet]) -> str:
    """Accuracy, where one of a family can be scored."""
    return "accuracy" if any(member.preset.kind == "accuracy" for member in members) else "load"


def section(members: Sequence[DataSet]) -> Iterator[str]:
    """One family: what it is, where it comes from, and its names."""
    first = next((member for member in members if member.name == family(member)), members[0])
    preset = first.preset
    yield f"### {family(first)}\n"
    yield f"{plain(preset.about or first.reader.about)}\n"
    facts = [
        ("Home", f"<{preset.home}>" if preset.home else ""),
        ("Licence", plain(preset.licence)),
        ("Read by", f"`{preset.reader}`"),
        ("Scored by", scored_by(members)),
        ("Files", files(first)),
    ]
    yield from (f"- {key}: {value}" for key, value in facts if value)
    yield ""
    if len(members) > 1:
        rows = [(f"`{one.name}`", one.preset.kind, differing(one.preset.about, preset.about)) for one in members]
        yield from table(("name", "kind", "what it is, where it differs"), rows)


def differing(about: str, common: str) -> str:
    """What is said of a name, unless it is said of the whole family."""
    return "" if about == common else plain(about)


def scored_by(members: Iterable[DataSet]) -> str:
    """Evaluators of a family."""
    told = dict.fromkeys(str(member.preset.evaluation.get("evaluator", "")) for member in members)
    return ", ".join(f"`{name}`" for name in told if name)


def files(found: DataSet) -> str:
    """Which files a data set needs, and whether they can be fetched."""
    if not found.reader.needs_files:
        return "none"
    if not found.preset.files:
        return f"your own, `--dataset {found.name}:FILE`"
    wanted = ", ".join(f"`{pattern}`" for pattern in found.preset.files)
    folder = f" in `{found.preset.folder}`" if found.preset.folder else ""
    return f"{wanted}{folder}{'; `--download` fetches them' if can_fetch(found.preset) else ''}"


def evaluators_page() -> str:
    """Every evaluator with its settings, in Markdown."""
    parts = [EVALUATORS_HEAD.format(written=WRITTEN.format("evaluators/"))]
    for name in sorted(MODULES):
        found = evaluator(name)
        parts.append(settings(f"## {name}", f"{found.about} Metric: {found.metric}.", found.settings))
    return "\n".join(parts).rstrip()


def presets_page(config_dir: Path | None = None) -> str:
    """Every preset of a service and every dialect, in Markdown."""
    parts = [PRESETS_HEAD.format(written=WRITTEN.format("configs/models and configs/dialects"))]
    parts += ["## Presets\n", *table(("preset", "options"), map(preset_row, files_of(config_dir)))]
    dialects = [load_dialect(name) for name in builtin()]
    rows = [(f"`{one.name}`", f"`{one.path}`" if one.path else "as `--url`", one.framing) for one in dialects]
    return "\n".join([*parts, "## Dialects\n", *table(("dialect", "path", "framing"), rows)]).rstrip()


def preset_row(name: str) -> tuple[str, str]:
    """A preset, and the options that it stands for."""
    options = read_preset(name, None).options
    return f"`{name}`", ", ".join(f"`{key}={in_json(value)}`" for key, (value, _) in options.items())


def settings(heading: str, about: str, struct: Any) -> str:
    """A heading, what it is about, and a table of the settings that a struct takes."""
    lines = [f"{heading}\n", f"{plain(about)}\n"]
    fields = msgspec.structs.fields(struct)
    if fields:
        lines += table(("setting", "default", "type", "what it is"), map(setting, fields))
    return "\n".join(lines)


def setting(field: msgspec.structs.FieldInfo) -> tuple[str, str, str, str]:
    """A row of a table of settings."""
    if field.default_factory is not msgspec.NODEFAULT:
        default = f"`{in_json(field.default_factory())}`"
    else:
        default = "required" if field.default is msgspec.NODEFAULT else f"`{in_json(field.default)}`"
    return f"`{field.encode_name}`", default, in_words(field.type), plain(described(field.type))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table and the blank line behind it."""
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines] + [""]


def plain(text: str) -> str:
    """Text that Markdown takes as it is: on one line, and what looks like a tag or emphasis escaped."""
    line = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    return line.replace("*", "\\*").replace("_", "\\_")
