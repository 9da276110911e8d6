"""What the runs of a comparison have different beside their results, and what of it a reader must know."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from perfcore.report.finish import command_of
from perfcore.report.layout import pick
from perfcore.report.text import clean, number

# Options that say nothing of the runs themselves, or stand elsewhere in run.json as they were resolved.
UNTOLD = {
    *("out", "quiet", "json", "resume", "cooldown_s", "download", "config_dir", "data_dir", "url", "model", "dialect"),
    *("preset_model", "book", "low", "high", "variable"),
}
# Options that cannot change what is measured, or hardly: they are shown, and nothing is said of them.
MINOR = {
    *("preset", "limit", "repeats", "k", "evaluation", "merge_ds", "parallel_tasks", "rescore", "reuse", "processes"),
    *("dump_details", "predictions", "format", "allow_code_execution", "check", "server_metrics", "max_event_bytes"),
    *(
        "server_metrics_interval_s",
        "gpu",
        "ring_mib",
        "api_key_env",
        "keep_events",
        "workers",
        "grace_s",
        "max_duration_s",
    ),
    *("trust_remote_code", "precision", "local_timeout_s", "local_python", "cacert", "cert", "key"),
}
NAMES = {"processor": "machine.processor", "cores": "machine.cores", "system": "machine.system"}
LENGTHS = {"input": "tokens.input_per_request.mean", "output": "tokens.output_per_request.mean"}
NOTABLE = 0.01  # relative difference of lengths, and share of failed requests
NOTABLE_LOAD = 0.05  # relative difference of requests in flight
CACHED = 0.01  # share of the input tokens


class Facts(NamedTuple):
    """What is known of a run beside its requests."""

    letter: str
    described: Mapping[str, Any]
    metrics: Mapping[str, Any]
    prompts: Mapping[tuple[int, int, int], int]


def setup(runs: Sequence[Facts]) -> dict[str, Any]:
    """`differences` of configurations (key, a value for each run, whether it matters), and `warnings` in sentences."""
    found = list(differences(runs))
    return {"differences": found, "warnings": list(warnings(runs, found))}


def differences(runs: Sequence[Facts]) -> Iterator[dict[str, Any]]:
    """What differs, the more important first."""
    flat = [dict(settings(run)) for run in runs]
    keys = dict.fromkeys(key for one in flat for key in one)
    differing = [key for key in keys if len({json.dumps(one.get(key), sort_keys=True) for one in flat}) > 1]
    for key in sorted(differing, key=lambda key: not matters(key)):
        yield {"key": key, "values": [one.get(key) for one in flat], "matters": matters(key)}


def matters(key: str) -> bool:
    return key not in MINOR and not key.startswith("judge")


def settings(run: Facts) -> Iterator[tuple[str, Any]]:
    """What was asked for and where, under flat names."""
    described = run.described
    yield "command", command_of(described)
    for key in ("model", "dialect", "simulated"):
        yield key, described.get(key)
    if not described.get("simulated"):
        yield "url", described.get("urls") or described.get("url")
    options = described.get("options")
    for key, value in (options if isinstance(options, dict) else {}).items():
        if key not in UNTOLD:
            yield key, value
    for group in ("machine", "versions"):
        held = described.get(group)
        yield from ((f"{group}.{key}", value) for key, value in (held if isinstance(held, dict) else {}).items())


def warnings(runs: Sequence[Facts], found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What a reader must know before the numbers, in sentences."""
    important = [one["key"] for one in found if one["matters"]]
    if important:
        yield f"The configurations differ in {', '.join(important)}: any of it may be what the numbers differ by."
    for run in runs:
        yield from of_one(run)
    if len({"steady" in run.metrics for run in runs}) > 1:
        yield "Steady runs have the numbers of a window and stress runs those of a whole run: these are compared here."
    for other in runs[1:]:
        yield from of_two(runs[0], other)


def of_one(run: Facts) -> Iterator[str]:
    """What puts the numbers of one run in doubt."""
    verdict, steady = pick(dict(run.metrics), "validity.verdict"), pick(dict(run.metrics), "steady.verdict")
    if verdict not in (None, "valid"):
        yield f"{run.letter} is {verdict}: perfcore report says why, and what to do about it."
    if steady not in (None, "steady"):
        yield f"{run.letter} was not in a steady state ({steady})."
    total, failed = (pick(dict(run.metrics), f"requests.{name}") for name in ("total", "failed"))
    if total and failed and failed / total > NOTABLE:
        yield f"{number(100 * failed / total)} % of the requests of {run.letter} failed; they are in no latency."


def of_two(first: Facts, other: Facts) -> Iterator[str]:
    """What two runs were made to do without having been asked to."""
    for name, key in LENGTHS.items():
        yield from apart(first, other, key, NOTABLE, f"{name.capitalize()} tokens a request differ")
    asked = [pick(dict(run.metrics), "concurrency.asked") for run in (first, other)]
    if (
        asked[0] == asked[1]
        and asked[0] is not None
        and not any(pick(dict(run.metrics), "rate.asked") for run in (first, other))
    ):
        yield from apart(
            first, other, "concurrency.mean", NOTABLE_LOAD, "Requests in flight differ, though as many were asked for"
        )
    if again(first, other):
        yield (
            f"{other.letter} sent prompts that {first.letter} had sent to the same URL before: a service that caches "
            "prefixes may have answered them faster."
        )


def apart(first: Facts, other: Facts, key: str, limit: float, what: str) -> Iterator[str]:
    a, b = (pick(dict(run.metrics), key) for run in (first, other))
    if a and b and abs(b / a - 1) > limit:
        yield f"{what}: {number(float(a))} in {first.letter}, {number(float(b))} in {other.letter}."


def again(first: Facts, other: Facts) -> bool:
    """Whether the later of two runs may have met a cache that the earlier one had filled."""
    if any(run.described.get("simulated") or not run.described.get("started") for run in (first, other)):
        return False
    same = first.described.get("url") == other.described.get("url")
    shared = set(first.prompts.values()) & set(other.prompts.values())
    return bool(same and shared and not hardly_cached(other))


def hardly_cached(run: Facts) -> bool:
    """Whether the service told that next to none of its input was cached."""
    cached, read = (pick(dict(run.metrics), f"tokens.{name}") for name in ("cached", "input"))
    return cached is not None and bool(read) and cached / read < CACHED


def shown(value: Any) -> str:
    """A setting in few words."""
    text = (
        "-"
        if value in (None, [], {}, "")
        else value
        if isinstance(value, str)
        else json.dumps(value, ensure_ascii=False)
    )
    return clean(text, 48)
