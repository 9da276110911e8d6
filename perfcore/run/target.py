"""What is measured: the service that the user named, or the simulator, asked once whether it answers at all."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from perfcore.config import request_headers
from perfcore.options import StressOptions
from perfcore.redaction import redacted_url
from perfcore.run.preparation import rows_of
from perfcore.run.service import ask, choose_model, list_models, one_token, refuse_hopeless
from perfcore.run.simulator import SimulatorSettings, start_simulator
from perfcore.run.transport import Option, curl_options
from perfcore.versions import versions
from perfcore.workload.address import models_url, request_url
from perfcore.workload.dialect import Dialect, body


@dataclass(frozen=True)
class Target:
    """A service that answers. `options` are libcurl's, `headers` may hold secrets."""

    url: str
    model: str | None
    headers: tuple[str, ...]
    options: list[Option]
    simulated: bool


def find_target(options: StressOptions, dialect: Dialect, stack: ExitStack, say: Callable[[str], None]) -> Target:
    """The service to load. The simulator, if it has to be started, ends with `stack`. Raises UserError."""
    base = options.url
    if base is None:
        simulator = stack.enter_context(start_simulator(SimulatorSettings()))
        base = simulator.url
        say(f"No --url given: measuring the built-in simulator at {base}")
    url = request_url(base, dialect)
    headers = request_headers(options, os.environ)
    curl = curl_options(url, options.timeout_s, f"perfcore/{versions()['perfcore']}")
    list_url = models_url(base, dialect) if options.check or options.model is None else None
    models = list_models(list_url, headers, curl) if list_url is not None else None
    model = choose_model(options.model, models)
    if options.check:
        first = next(rows_of(options))
        encoded = body(
            dialect, first, model=model, max_tokens=options.max_tokens, stream=options.stream, extra=options.body
        )
        refuse_hopeless(ask(url, headers, curl, one_token(encoded)), url, model, models)
    say(f"Measuring {redacted_url(url)}" + (f", model {model}" if model else ""))
    return Target(url, model, headers, curl, options.url is None)
