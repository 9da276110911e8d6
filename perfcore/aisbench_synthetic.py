"""AISBench's synthetic_config in options of perfcore."""

import math
from collections.abc import Mapping
from typing import Any

from perfcore.assignments import WrongError, inner, known, real, table, whole
from perfcore.literals import Setting

SYNTHETIC = "synthetic_config"
MOST_ROWS = MOST_TOKENS = 2**20
SYNTHETIC_KEYS = ("Type", "RequestCount", "TrustRemoteCode", "StringConfig", "TokenIdConfig", "VocabSize")
METHODS = {
    "uniform": ("MinValue", "MaxValue"),
    "gaussian": ("Mean", "Var", "MinValue", "MaxValue"),
    "zipf": ("Alpha", "MinValue", "MaxValue"),
}

Values = dict[str, tuple[Any, int]]  # options by name, each with the line that gives it


def synthetic(config: Mapping[str, Setting]) -> Values:
    """Options that a synthetic_config stands for."""
    known(config, SYNTHETIC_KEYS, SYNTHETIC)
    kind = config.get("Type")
    if kind is None or kind.value not in ("string", "tokenid"):
        raise WrongError(kind or next(iter(config.values()), None), "Type wants 'string' or 'tokenid'")
    found: Values = {"dataset": (("synthetic",), kind.line), "dataset_args.kind": (kind.value, kind.line)}
    if "RequestCount" in config:
        count = config["RequestCount"]
        found["num_prompts"] = whole(count, "RequestCount", 1, MOST_ROWS), count.line
    if "TrustRemoteCode" in config:
        if not isinstance(config["TrustRemoteCode"].value, bool):
            raise WrongError(config["TrustRemoteCode"], "TrustRemoteCode wants True or False")
        found["trust_remote_code"] = config["TrustRemoteCode"].value, config["TrustRemoteCode"].line
    return gathered(found | (strings if kind.value == "string" else token_ids)(config, kind))


def strings(config: Mapping[str, Setting], kind: Setting) -> Values:
    """Lengths of prompts and answers of Type string."""
    if "StringConfig" not in config:
        raise WrongError(kind, "Type 'string' wants a StringConfig with Input and Output")
    parts = table(config["StringConfig"], "StringConfig")
    known(parts, ("Input", "Output"), "StringConfig")
    names = {"Input": "input_tokens", "Output": "output_tokens"}
    return {names[key]: (lengths(table(part, key), part), part.line) for key, part in parts.items()}


def lengths(part: Mapping[str, Setting], at: Setting) -> str:
    """A distribution of lengths in our words."""
    known(part, ("Method", "Params"), "StringConfig")
    method = str(part["Method"].value) if "Method" in part else ""
    if method not in METHODS:
        raise WrongError(part.get("Method", at), f"Method wants one of {', '.join(METHODS)}")
    params = inner(part, "Params")
    known(params, METHODS[method], f"Params of {method}")
    if missing := [name for name in METHODS[method] if name not in params]:
        raise WrongError(part.get("Params", at), f"Params of {method} lack {missing[0]}")
    low, high = (whole(params[name], name, 1, MOST_TOKENS) for name in ("MinValue", "MaxValue"))
    if low > high:
        raise WrongError(params["MinValue"], f"MinValue {low} is more than MaxValue {high}")
    if low == high:
        return str(low)
    if method == "uniform":
        return f"uniform:{low}:{high}"
    if method == "zipf":
        return f"zipf:{real(params['Alpha'], 'Alpha', 1, 10):g}:{low}:{high}"
    mean, variance = real(params["Mean"], "Mean", 0, MOST_TOKENS), real(params["Var"], "Var", 0, MOST_TOKENS**2)
    return f"gaussian:{mean:.15g}:{math.sqrt(variance):.15g}:{low}:{high}"


def token_ids(config: Mapping[str, Setting], kind: Setting) -> Values:
    """Length of prompts of Type tokenid, and of the prefix that they share."""
    if "TokenIdConfig" not in config:
        raise WrongError(kind, "Type 'tokenid' wants a TokenIdConfig with RequestSize")
    parts = table(config["TokenIdConfig"], "TokenIdConfig")
    known(parts, ("RequestSize", "PrefixLen"), "TokenIdConfig")
    if "RequestSize" not in parts:
        raise WrongError(config["TokenIdConfig"], "TokenIdConfig lacks RequestSize")
    size = whole(parts["RequestSize"], "RequestSize", 1, MOST_TOKENS)
    found: Values = {"input_tokens": (str(size), parts["RequestSize"].line)}
    if "PrefixLen" in parts and (prefix := whole(parts["PrefixLen"], "PrefixLen", 0, size)):
        found["dataset_args.prefix_tokens"] = prefix, parts["PrefixLen"].line
    return found


def gathered(options: Values) -> Values:
    """The same with the settings of the data set in one table."""
    args = {name.partition(".")[2]: value for name, value in options.items() if "." in name}
    plainly = {name: value for name, value in options.items() if "." not in name}
    if not args:
        return plainly
    return plainly | {"dataset_args": ({key: value for key, (value, _) in args.items()}, line_of(args))}


def line_of(values: Values) -> int:
    """First of the lines that give values."""
    return min(line for _, line in values.values())
