"""The metrics of a run as an OpenMetrics text exposition, for whatever scrapes or pushes Prometheus metrics.

https://prometheus.io/docs/specs/om/open_metrics_spec/ (1.0). Latencies are in seconds, the base unit.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from perfcore.report.definitions import of_key
from perfcore.report.export_tables import flat
from perfcore.report.layout import pick

PREFIX = "perfcore_"
QUANTILES = {"p50": "0.5", "p75": "0.75", "p90": "0.9", "p95": "0.95", "p99": "0.99", "p99_9": "0.999"}
# Counts by a word that came from the server or names a failure: the word is a label.
LABELLED = {"errors": "class", "retried": "class", "finish_reasons": "reason"}
PARTS = ("latency.", "tokens.input_per_request", "tokens.output_per_request", *(f"{name}." for name in LABELLED))
LISTS = {"targets": "target", "workers": "worker", "classes": "class"}
MS = "_ms"


def exposition(metrics: dict[str, Any], labels: Mapping[str, str]) -> bytes:
    """All numbers of metrics.json with these labels; ends in # EOF."""
    lines = [*information(labels), *summaries(metrics, labels), *counts(metrics, labels), *gauges(metrics, labels)]
    return ("\n".join([*lines, "# EOF"]) + "\n").encode("utf-8", "backslashreplace")


def information(labels: Mapping[str, str]) -> Iterator[str]:
    yield f"# TYPE {PREFIX}run info"
    yield f"# HELP {PREFIX}run What was run."
    yield f"{PREFIX}run_info{labelled(labels)} 1"


def summaries(metrics: dict[str, Any], labels: Mapping[str, str]) -> Iterator[str]:
    """A summary with quantiles, count and sum for each latency and for the tokens of a request."""
    whole = {f"latency.{name}": found for name, found in (metrics.get("latency") or {}).items()}
    for name in ("input_per_request", "output_per_request"):
        whole[f"tokens.{name}"] = pick(metrics, f"tokens.{name}")
    for key, found in whole.items():
        if found is not None:
            yield from summary(key, found, labels)


def summary(key: str, found: dict[str, Any], labels: Mapping[str, str]) -> Iterator[str]:
    in_ms = key.endswith(MS)
    scale, unit = (1e-3, "seconds") if in_ms else (1.0, "tokens")
    name = PREFIX + key.removeprefix("latency.").removesuffix(MS).replace(".", "_") + f"_{unit}"
    yield from headed(name, "summary", key, unit)
    for ours, quantile in QUANTILES.items():
        if found.get(ours) is not None:
            yield f"{name}{labelled({**labels, 'quantile': quantile})} {found[ours] * scale!r}"
    yield f"{name}_count{labelled(labels)} {found['n']}"
    yield f"{name}_sum{labelled(labels)} {found['mean'] * found['n'] * scale!r}"


def counts(metrics: dict[str, Any], labels: Mapping[str, str]) -> Iterator[str]:
    """Failures by class, finish reasons: a gauge with a label each, since a finished run counts no further."""
    for key, label in LABELLED.items():
        if found := metrics.get(key):
            name = f"{PREFIX}{key}"
            yield from headed(name, "gauge", key)
            for word, number in found.items():
                yield f"{name}{labelled({**labels, label: word})} {number}"


def gauges(metrics: dict[str, Any], labels: Mapping[str, str]) -> Iterator[str]:
    """Everything else that is a number; entries of a list with their number as a label."""
    families: dict[str, list[str]] = {}
    keys: dict[str, str] = {}
    for key, value in flat(metrics).items():
        if key.startswith(PARTS):
            continue
        name, more = family(key)
        keys.setdefault(name, key)
        families.setdefault(name, []).append(f"{name}{labelled({**labels, **more})} {value!r}")
    for name, samples in families.items():
        yield from headed(name, "gauge", keys[name])
        yield from samples


def family(key: str) -> tuple[str, dict[str, str]]:
    """Name of the metric of a key, and the labels that stand for the numbers in it."""
    parts, more = key.split("."), {}
    for at, part in enumerate(parts):
        if part.isdigit():
            more[LISTS.get(parts[at - 1], f"{parts[at - 1]}_number")] = part
    return PREFIX + re.sub(r"[^a-zA-Z0-9_]", "_", "_".join(part for part in parts if not part.isdigit())), more


def headed(name: str, kind: str, key: str, unit: str = "") -> Iterator[str]:
    """The lines before a family's samples."""
    yield f"# TYPE {name} {kind}"
    if unit:
        yield f"# UNIT {name} {unit}"
    if (found := of_key(key)) is not None:
        yield f"# HELP {name} {escaped(found.title)}"


def labelled(labels: Mapping[str, str]) -> str:
    inner = ",".join(f'{name}="{escaped(value)}"' for name, value in labels.items())
    return f"{{{inner}}}" if inner else ""


def escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\n")
