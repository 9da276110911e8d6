"""What is measured: the service that the user named, or the simulator, asked once whether it answers at all."""

import math
import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from perfcore.config import request_headers
from perfcore.options import StressOptions
from perfcore.redaction import redacted_url
from perfcore.run.local import with_local_server
from perfcore.run.ports import check_ports, local_ports, new_connections_warning
from perfcore.run.service import (
    Models,
    ask,
    choose_model,
    list_models,
    one_token,
    refuse_hopeless,
    refuse_other_version,
)
from perfcore.run.simulator import SimulatorSettings, start_simulator
from perfcore.run.transport import Transport, shares_connections, transport
from perfcore.versions import versions
from perfcore.workload.address import models_url, request_url
from perfcore.workload.dialect import Dialect, load_dialect, service_headers

LOCALHOST = "http://localhost"  # the name of a host that only a Unix socket leads to


@dataclass(frozen=True)
class Target:
    """A service that answers at each of `urls`. `headers` may hold secrets."""

    urls: tuple[str, ...]
    model: str | None
    headers: tuple[str, ...]
    transport: Transport
    simulated: bool
    listed: list[Models | None]  # the models of each URL, None where there is no list or nobody needs it


def find_target(options: StressOptions, dialect: Dialect, stack: ExitStack, say: Callable[[str], None]) -> Target:
    """The service to load. The simulator, if it has to be started, ends with `stack`. Raises UserError."""
    options = with_local_server(options, stack, say)
    bases = addresses(options, stack, say)
    urls = tuple(request_url(base, dialect, options.stream, options.model) for base in bases)
    way = transport(options, urls, os.environ, agent())
    for warning in (*way.warnings, *port_warnings(options, urls)):
        say(f"Warning: {warning}")
    given = request_headers(options, os.environ)
    headers = service_headers(dialect, options.stream, given, options.header, options.model)
    models = listed(options, dialect, bases, headers, way)
    model = choose_model(options.model, models[0])
    say(f"Measuring {', '.join(map(redacted_url, urls))}" + (f", model {model}" if model else ""))
    return Target(urls, model, headers, way, not options.url and options.unix_socket is None, models)


def first_model(options: StressOptions) -> str | None:
    """The model that a run would ask for: the given one, else the first that the service lists. Raises UserError."""
    dialect = load_dialect(options.dialect)
    base = (options.url or (LOCALHOST,))[0]
    url = models_url(base, dialect)
    if options.model is not None or url is None:
        return options.model
    way = transport(options, (request_url(base, dialect, options.stream, None),), os.environ, agent())
    given = request_headers(options, os.environ)
    headers = service_headers(dialect, options.stream, given, options.header, None)
    return choose_model(None, list_models(url, headers, way.curl))


def agent() -> str:
    """What a service is told of who asks."""
    return f"perfcore/{versions()['perfcore']}"


def try_out(target: Target, first: bytes, http: str) -> None:
    """Send the first body of the run, for the shortest answer; raises UserError where the run could only fail."""
    encoded = one_token(first)
    for url, known in zip(target.urls, target.listed, strict=True):
        answer = ask(url, target.headers, target.transport.curl, encoded)
        refuse_hopeless(answer, url, target.model, known)
        refuse_other_version(answer, url, http)


def addresses(options: StressOptions, stack: ExitStack, say: Callable[[str], None]) -> tuple[str, ...]:
    """The base URLs of the service, or that of the simulator, which is started then."""
    if options.url:
        return options.url
    if options.unix_socket is not None:
        return (LOCALHOST,)
    simulator = stack.enter_context(start_simulator(SimulatorSettings()))
    say(f"No --url given: measuring the built-in simulator at {simulator.url}")
    return (simulator.url,)


def port_warnings(options: StressOptions, urls: tuple[str, ...]) -> list[str]:
    """What may run out of local ports; raises UserError for what must."""
    if options.unix_socket is not None:
        return []
    ports = local_ports()
    if options.concurrency is not None and not shares_connections(options):
        check_ports(options.concurrency, urls, ports)
    if options.connections != "new" or options.rate is None:
        return []
    warning = new_connections_warning(options.rate, options.duration_s or math.inf, urls, ports)
    return [warning] if warning else []


def listed(
    options: StressOptions, dialect: Dialect, bases: tuple[str, ...], headers: tuple[str, ...], way: Transport
) -> list[Models | None]:
    """The models that each URL lists; None where there is no list or nobody needs it."""
    lists = [models_url(base, dialect) if options.check or options.model is None else None for base in bases]
    return [None if url is None else list_models(url, headers, way.curl) for url in lists]
