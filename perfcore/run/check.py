"""`perfcore check`: what a service does with requests, asked one by one before it is loaded."""

import dataclasses
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass

import pycurl

from perfcore.config import request_headers
from perfcore.options import StressOptions
from perfcore.redaction import SECRET_HEADER, redacted_url
from perfcore.run import check_parameters, check_stream
from perfcore.run.check_answer import Answer
from perfcore.run.check_asking import NS, SHORT_PROMPT, OutOfTime, Service, ask, ask_long, get
from perfcore.run.check_connection import (
    context_limit,
    first_answer,
    model_named,
    path_answers,
    read_models,
    way,
    what_to_do,
)
from perfcore.run.check_finding import Finding, unchecked
from perfcore.run.local import with_local_server
from perfcore.run.target import addresses
from perfcore.run.transport import Transport, transport
from perfcore.versions import versions
from perfcore.workload.address import models_url, request_url
from perfcore.workload.dialect import Dialect, is_streamed, load_dialect, response_paths, service_headers

APPROACH = ("dns", "tcp", "tls", "path", "model", "context")
BEHAVIOUR = ("streaming", "first_byte", "role", "usage", "end", "reasoning", "keep_alive", *check_parameters.PROBES)
LEAST_SECRET = 6
OUT_OF_TIME = "the time of --timeout ran out before"
TEXTS = ("content", "reasoning", "tool_calls")


@dataclass(frozen=True)
class Checked:
    """What was found out about one URL."""

    url: str
    model: str | None
    findings: list[Finding]


@dataclass(frozen=True)
class Report:
    """What was found out; of several URLs all about the first one, and of the others whether they answer."""

    dialect: str
    services: list[Checked]
    seconds: float

    @property
    def ok(self) -> bool:
        """Nothing prevents a measurement."""
        return all(finding.level != "problem" for each in self.services for finding in each.findings)


def check(options: StressOptions, within_s: float, say: Callable[[str], None]) -> Report:
    """Find out what the service does, in `within_s` seconds at most. Raises UserError for mistakes in the options."""
    dialect = load_dialect(options.dialect)
    with ExitStack() as stack:
        options = with_local_server(options, stack, say)
        bases = addresses(options, stack, say)
        urls = [request_url(base, dialect, options.stream, options.model) for base in bases]
        travel = transport(options, urls, os.environ, f"perfcore/{versions()['perfcore']}")
        for warning in travel.warnings:
            say(f"Warning: {warning}")
        start_ns = time.monotonic_ns()
        deadline_ns = start_ns + round(within_s * NS)
        services = [service_of(base, options, dialect, travel, deadline_ns, stack) for base in bases]
        approached = [approach(service, options.model) for service in services]
        found = [findings for findings, _ in approached]
        found[0] += behaviour(services[0], approached[0][1])
        seconds = (time.monotonic_ns() - start_ns) / NS
    checked = [
        Checked(redacted_url(service.url), service.model, completed(findings, first=at == 0))
        for at, (service, findings) in enumerate(zip(services, found, strict=True))
    ]
    return Report(dialect.name, checked, round(seconds, 3))


def service_of(
    base: str, options: StressOptions, dialect: Dialect, travel: Transport, deadline_ns: int, stack: ExitStack
) -> Service:
    """Whom to ask at one URL, over connections that end with `stack`."""
    multi = stack.enter_context(closing(pycurl.CurlMulti()))
    for option, value in travel.multi:
        multi.setopt(option, value)
    given = request_headers(options, os.environ)
    headers = service_headers(dialect, options.stream, given, options.header, options.model)
    return Service(
        url=request_url(base, dialect, options.stream, options.model),
        list_url=models_url(base, dialect),
        headers=headers,
        options=travel.curl,
        dialect=dialect,
        stream=is_streamed(dialect, options.stream),
        extra=options.body,
        timeout_s=options.timeout_s,
        deadline_ns=deadline_ns,
        multi=multi,
        secrets=secrets_in(headers),
        http=options.http.removesuffix("-prior-knowledge"),
        model=options.model,
    )


def secrets_in(headers: tuple[str, ...]) -> tuple[str, ...]:
    """Values of header lines that servers like to repeat in their errors and that nobody else should see."""
    lines = [line.partition(":") for line in headers]
    words = [word for name, _, value in lines if SECRET_HEADER.search(name) for word in value.split()]
    return tuple(word for word in words if len(word) >= LEAST_SECRET)


def approach(service: Service, given: str | None) -> tuple[list[Finding], Answer | None]:
    """Findings on the way to a first answer, and that answer if it is one."""
    findings: list[Finding] = []
    answers: list[Answer] = []
    try:
        findings.extend(approached(service, given, answers))
    except OutOfTime:
        findings.append(Finding("path", "problem", "no answer came within the time", "", "give more with --timeout"))
    return findings, answers[0] if answers and answers[0].ok else None


def approached(service: Service, given: str | None, answers: list[Answer]) -> Iterator[Finding]:
    """The same one by one; the first answer is put into `answers`."""
    reading = get(service, service.list_url) if service.list_url else None
    if reading is not None:
        on_the_way = list(way(reading, service.url))
        yield from on_the_way
        if any(finding.level == "problem" for finding in on_the_way):
            return
    listed = read_models(reading, service.list_url or "")
    service.model = given or (listed.names[0] if listed.names else None)
    if service.model is None and reading is not None:
        if not reading.status:
            yield Finding("path", "problem", listed.heard, "no request can be sent", what_to_do(reading))
        yield model_named(listed, given, None)
        return
    answer, cause, change = first_answer(service)
    answers.append(answer)
    if reading is None:
        yield from way(answer.reading, service.url)
    yield path_answers(service, answer, listed, cause, change)
    yield model_named(listed, given, answer)
    yield context_limit(listed, service.model)


def behaviour(service: Service, first: Answer | None) -> list[Finding]:
    """Findings on what the service does with requests, if there was an answer to a first one."""
    if first is None:
        return []
    if not any(field in TEXTS for field, _, _ in response_paths(service.dialect, service.stream)):
        return [unchecked(name, "answers of this dialect are no text") for name in BEHAVIOUR]
    findings: list[Finding] = []
    answers = [first]
    with suppress(OutOfTime):
        findings.extend(observed(service, first, answers))
    findings.append(check_stream.reasoning(answers))
    return findings


def observed(service: Service, first: Answer, answers: list[Answer]) -> Iterator[Finding]:
    """The same one by one; answers are added to `answers`."""
    second = ask_long(service)
    answers.append(second)
    answer = second if second.ok else first
    yield check_stream.keep_alive(service, second)
    yield check_stream.first_byte(answer)
    yield check_stream.role(answer)
    yield check_stream.usage(answer)
    yield check_stream.end(answer, service.dialect)
    yield check_stream.streaming(service, first, second)
    short = ask(service, SHORT_PROMPT, check_parameters.MORE)
    answers.append(short)
    for name, probe in check_parameters.PROBES.items():
        if check_parameters.asks_for(service, name):
            yield probe(service, name, answer, short)
        else:
            yield unchecked(name, "the dialect has no such parameter")


def completed(findings: list[Finding], *, first: bool) -> list[Finding]:
    """Findings in their order, and for each that is missing why."""
    by_name = {finding.name: finding for finding in findings}
    problem = next((finding.name for finding in findings if finding.level == "problem"), None)
    why = f"not reached, see {problem}" if problem in APPROACH else OUT_OF_TIME
    return [by_name.get(name) or unchecked(name, why) for name in (*APPROACH, *(BEHAVIOUR if first else ()))]


def as_json(report: Report) -> dict[str, object]:
    """The report as plain JSON values."""
    return {
        "schema": "perfcore.check/1",
        "ok": report.ok,
        "dialect": report.dialect,
        "seconds": report.seconds,
        "services": [dataclasses.asdict(service) for service in report.services],
    }
