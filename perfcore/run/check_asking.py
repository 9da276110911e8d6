"""Requests of the check: bodies as the run would send them, with one more parameter each."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pycurl

from perfcore.run.check_answer import Answer, understand
from perfcore.run.check_reading import Reading, read
from perfcore.run.transport import Option
from perfcore.workload.dialect import Dialect, body
from perfcore.workload.row import Row
from perfcore.workload.template import merged, placeholders

NS = 1_000_000_000
LEAST_S = 0.05
LONG_PROMPT = "Count from one to one hundred in words, separated by commas."
SHORT_PROMPT = "Reply with the single word yes."
FREE_PROMPT = "Write the first lines of a story about a place that nobody has ever seen."
LONG_TOKENS, THOUGHTFUL_TOKENS = 32, 512
FEW_TOKENS = 4
LEAST_TOKENS = {"max_output_tokens": 16}  # what services take at least, by the name of the limit

# Names that services have for the most tokens of an answer. Where it stands, their other parameters stand as well.
LIMITS = ("max_tokens", "max_completion_tokens", "max_new_tokens", "max_output_tokens", "num_predict", "n_predict")
USUAL = {name: name for name in ("min_tokens", "ignore_eos", "seed", "stop", "n", "temperature")}
# How a parameter is called beside each of those; what is left out there the service does not have.
SPELLINGS: dict[str, dict[str, str]] = {
    "max_tokens": USUAL,
    "max_completion_tokens": USUAL,
    "max_new_tokens": USUAL | {"min_tokens": "min_new_tokens"},
    "max_output_tokens": {"temperature": "temperature"},
    "num_predict": {"seed": "seed", "stop": "stop", "temperature": "temperature"},
    "n_predict": {name: name for name in ("ignore_eos", "seed", "stop", "temperature")},
}
# The same by dialect, where the name of the limit does not tell.
DIALECT_SPELLINGS: dict[str, dict[str, str]] = {
    "anthropic-messages": {"stop": "stop_sequences", "temperature": "temperature"},
    "tgi-generate": {"seed": "seed", "stop": "stop", "temperature": "temperature"},
}


class OutOfTime(Exception):  # noqa: N818
    """The time for the check has run out."""


@dataclass
class Service:
    """Whom to ask, and until when. `limited` says whether requests carry a limit of tokens: some refuse any."""

    url: str
    list_url: str | None
    headers: tuple[str, ...]
    options: list[Option]
    dialect: Dialect
    stream: bool
    extra: Mapping[str, Any]
    timeout_s: float  # of one request, 0 for none
    deadline_ns: int
    multi: pycurl.CurlMulti
    secrets: tuple[str, ...]
    http: str  # version that is asked for
    model: str | None = None
    limited: bool = True
    long_tokens: int = LONG_TOKENS


def time_for_one(service: Service) -> float:
    """Seconds that the next request may take: half of what is left. Raises OutOfTime where that is nothing."""
    left_s = (service.deadline_ns - time.monotonic_ns()) / NS / 2
    if left_s < LEAST_S:
        raise OutOfTime
    return min(left_s, service.timeout_s or left_s)


def get(service: Service, url: str) -> Reading:
    """What a GET brings. Raises OutOfTime."""
    return read(service.multi, url, service.headers, service.options, limit_s=time_for_one(service))


def ask(
    service: Service,
    prompt: str,
    limit: int | None = None,
    parameters: Mapping[str, Any] | None = None,
    *,
    stream: bool | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Answer:
    """The answer to a prompt of at most `limit` tokens. `parameters` go by their usual names. Raises OutOfTime."""
    streamed = service.stream if stream is None else stream
    added = layered(service.extra, extra or {})
    path = limit_path(service)
    if path and limit is not None and service.limited:
        added = layered(added, nested(path, limit))
    for name, value in (parameters or {}).items():
        added = layered(added, nested((*(path or ())[:-1], spellings(service)[name]), value))
    row = row_of(service.dialect, prompt)
    encoded = body(service.dialect, row, model=service.model, max_tokens=None, stream=streamed, extra=added)
    reading = read(service.multi, service.url, service.headers, service.options, encoded, limit_s=time_for_one(service))
    answer = understand(reading, service.dialect, streamed)
    answer.texts["content"] = answer.texts["content"].removeprefix(prompt)  # which some services repeat
    for secret in service.secrets:
        answer.failure = answer.failure.replace(secret, "***")
    return answer


def ask_long(service: Service) -> Answer:
    """A long answer, as long as makes sense. Raises OutOfTime."""
    return ask(service, LONG_PROMPT, service.long_tokens)


def few_tokens(service: Service) -> int:
    """A low limit that the service should take."""
    path = limit_path(service)
    return LEAST_TOKENS.get(path[-1], FEW_TOKENS) if path else FEW_TOKENS


def limit_path(service: Service) -> tuple[str, ...] | None:
    """Keys down to the limit of tokens in a body, the user's own or the dialect's; None where there is none."""
    template = merged(merged(service.dialect.request, service.dialect.request_streaming), service.extra)
    own = path_to(service.extra, lambda key, value: key in LIMITS)
    return own or path_to(template, lambda key, value: value == "{max_tokens}")


def path_to(table: Any, wanted: Callable[[str, Any], bool], above: tuple[str, ...] = ()) -> tuple[str, ...] | None:
    """Keys down to the first entry of nested tables for which `wanted(key, value)` holds."""
    for key, value in table.items() if isinstance(table, Mapping) else ():
        if value is not None and wanted(key, value):
            return (*above, key)
        if found := path_to(value, wanted, (*above, key)):
            return found
    return None


def row_of(dialect: Dialect, prompt: str) -> Row:
    """What is asked, as a prompt, or as a ranking where the dialect is for rankings."""
    if "query" in placeholders(dialect.request):
        return Row(id="check", query=prompt, documents=["One, two, three.", "A lighthouse."])
    return Row(id="check", prompt=prompt)


def layered(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Two additions to a body as one; null, which removes a key from the body, stays."""
    result = dict(under)
    for key, value in over.items():
        below = result.get(key)
        both = isinstance(value, Mapping) and isinstance(below, Mapping)
        result[key] = layered(below or {}, value) if both else value
    return result


def nested(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """Tables within tables down to a value."""
    for key in reversed(path):
        value = {key: value}
    return dict(value)


def spellings(service: Service) -> dict[str, str]:
    """How the service calls each parameter that it may have."""
    if service.dialect.name in DIALECT_SPELLINGS:
        return DIALECT_SPELLINGS[service.dialect.name]
    path = limit_path(service)
    return SPELLINGS.get(path[-1], USUAL) if path else USUAL
