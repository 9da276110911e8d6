"""docs/options.md, written out of the one list of options."""

import dataclasses
import re
from typing import Any

from perfcore.cli.flags import shown
from perfcore.option import Option
from perfcore.options import OPTIONS, StressOptions, flag_of, key_of, variable_of

# What Markdown would take for the beginning of a tag, such as that of outputs/<time>-stress.
TAG = re.compile(r"<(?=[a-z/])")

HEAD = """# Options of `perfcore stress`

<!-- Written by `make docs` out of perfcore/options.py; change that. -->

An option is given as a flag, in the environment, or in a file named by `--config` (TOML, YAML or JSON, by its ending).
Flags go before the environment, the environment before the file, the file before the preset (`docs/presets.md`), the
preset before the default; `perfcore stress --dry-run` prints what holds and where it came from. A value that is given
again replaces the earlier one as a whole, lists and tables too; only `body` is merged over that of a preset. Keys,
flags and variables named `PERFCORE_…` that are not listed here are errors.

Times are seconds, or text such as `500ms`, `30s`, `2m`, `1h30m`; sizes are bytes, or text such as `64MiB`. In the
environment an empty variable counts as not set, a repeatable option takes one value or a JSON list that starts with
`["`, and `PERFCORE_BODY` a JSON object or `key=json`.

"""


def options_page() -> str:
    """The whole page in Markdown."""
    return HEAD + "\n\n".join(entry(field.name, field.default) for field in dataclasses.fields(StressOptions))


def entry(name: str, default: Any) -> str:
    """Section of one option."""
    option = OPTIONS[name]
    spelt = [f"`{flag_of(name)} {option.metavar}`".replace(" `", "`"), f"key `{key_of(name)}`"]
    if default is True:
        spelt[0] += f" or `--no-{key_of(name)}`"
    spelt += [f"`{variable}`" for variable in (variable_of(name), option.also) if variable]
    facts = [fallback(option, default), f"Allowed: {option.limits()}." if option.limits() else ""]
    said = TAG.sub("&lt;", " ".join(filter(None, (option.help, *facts))))
    return f"## {key_of(name)}\n\n{', '.join(spelt)}\n\n{said}"


def fallback(option: Option, default: Any) -> str:
    """What holds where an option is not given."""
    if option.unset:
        return f"Without it: {option.unset}."
    if default == () or default is dataclasses.MISSING:
        return ""
    return f"Default: `{str(default).lower() if isinstance(default, bool) else shown(option, default)}`."
