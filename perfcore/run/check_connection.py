"""Findings on the way to the service: name, connection, certificate, models, path."""

import difflib
import ipaddress
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pycurl

from perfcore.redaction import redacted_url
from perfcore.run.check_answer import PAGES, Answer, excerpt
from perfcore.run.check_asking import LONG_PROMPT, THOUGHTFUL_TOKENS, OutOfTime, Service, ask, ask_long
from perfcore.run.check_finding import Finding, in_ms, ms, unchecked
from perfcore.run.check_reading import Reading
from perfcore.run.service import HTTP_VERSIONS, NO_CERTIFICATE, REMEDIES, SAID_REMEDIES

REFUSALS = (400, 404, 422, 500, 501)  # of a body that a service does not like
DAY_S = 86_400
EXPIRY_DAYS = 14
SLOW_CONNECT_NS = 200_000_000
NO_SUCH_HOST = (pycurl.E_COULDNT_RESOLVE_HOST, pycurl.E_COULDNT_RESOLVE_PROXY)
NOT_TRUSTED = (
    pycurl.E_PEER_FAILED_VERIFICATION,
    pycurl.E_SSL_CONNECT_ERROR,
    pycurl.E_SSL_CERTPROBLEM,
    pycurl.E_SSL_CIPHER,
    pycurl.E_SSL_CACERT_BADFILE,
)
# Where servers say how many tokens a model takes in and gives out: vLLM and SGLang, llama.cpp, LiteLLM, others.
CONTEXT = (("max_model_len",), ("meta", "n_ctx"), ("max_input_tokens",), ("context_length",), ("context_window",))


@dataclass(frozen=True)
class Listed:
    """The list of models. `entries` is None where there is none, and `heard` says what came instead."""

    entries: list[dict[str, Any]] | None
    heard: str

    @property
    def names(self) -> list[str]:
        return [name_of(entry) for entry in self.entries or ()]


def way(reading: Reading, url: str) -> Iterator[Finding]:
    """DNS, TCP and TLS of the first connection; nothing that was not reached is reported."""
    host = urlsplit(url).hostname or ""
    if reading.code in NO_SUCH_HOST:
        seen = f"no address for {host}: {reading.message}"
        yield Finding("dns", "problem", seen, "no request can be sent", what_to_do(reading))
        return
    yield name_found(reading, host)
    connected = reading.connection.tcp_ns > 0 or reading.first_byte_ns is not None
    if not connected and reading.code and reading.code not in NOT_TRUSTED:
        yield not_connected(reading, url)
        return
    yield connection_made(reading)
    yield trust(reading, url)


def name_found(reading: Reading, host: str) -> Finding:
    """DNS that worked, or was not needed."""
    took_ns = reading.connection.dns_ns
    if reading.connection.address.startswith("/"):
        return Finding("dns", "ok", "not needed: it is a Unix socket", data={"dns_ms": 0.0})
    if is_address(host):
        return Finding("dns", "ok", f"not needed: {host} is an address", data={"dns_ms": 0.0})
    seen = f"{host} is {reading.connection.address.rpartition(':')[0] or 'known'}, found in {ms(took_ns)}"
    return Finding("dns", "ok", seen, data={"dns_ms": in_ms(took_ns)})


def is_address(host: str) -> bool:
    """Whether a host is given as an address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def not_connected(reading: Reading, url: str) -> Finding:
    """TCP that did not work."""
    seen = f"no connection to {redacted_url(url)}: {reading.message}"
    timed_out = reading.code == pycurl.E_OPERATION_TIMEDOUT
    change = "check that no firewall stands between, or give --timeout more" if timed_out else what_to_do(reading)
    return Finding("tcp", "problem", seen, "no request can be sent", change)


def what_to_do(reading: Reading) -> str:
    """What to do where libcurl got no answer: the words of its message may say more than its result."""
    said = (remedy for words, remedy in SAID_REMEDIES.items() if words in reading.message)
    return next(said, REMEDIES.get(reading.code, "check --url"))


def connection_made(reading: Reading) -> Finding:
    """TCP that worked."""
    took_ns = reading.connection.tcp_ns
    seen = f"connected to {reading.connection.address} in {ms(took_ns)}"
    data = {"tcp_ms": in_ms(took_ns), "address": reading.connection.address}
    if took_ns < SLOW_CONNECT_NS:
        return Finding("tcp", "ok", seen, data=data)
    meaning = "each latency holds at least one round trip of about that length"
    return Finding("tcp", "note", seen, meaning, "measure from a machine near the service", data)


def trust(reading: Reading, url: str) -> Finding:
    """TLS, where there is any."""
    if not url.startswith("https:"):
        return Finding("tls", "ok", "none: the URL is http")
    if reading.code in NOT_TRUSTED:
        return Finding("tls", "problem", reading.message, "no request can be sent", what_to_do(reading))
    if not reading.status and not reading.connection.tls_ns:
        change = REMEDIES[pycurl.E_SSL_CONNECT_ERROR]
        return Finding("tls", "problem", f"no agreement on TLS: {reading.message}", "no request can be sent", change)
    certificate = reading.connection.certificate
    took = f"in {ms(reading.connection.tls_ns)}"
    subject, issuer, expires = (certificate.get(name, "") for name in ("Subject", "Issuer", "Expire date"))
    data = {
        "tls_ms": in_ms(reading.connection.tls_ns),
        "subject": subject,
        "issuer": issuer,
        "expires": expires,
        "days_left": days_left(expires),
    }
    seen = f"{took}; certificate of {subject or '?'} by {issuer or '?'}, valid until {expires or '?'}"
    left = data["days_left"]
    if isinstance(left, float) and left < EXPIRY_DAYS:
        return Finding(
            "tls", "note", seen, f"the certificate ends in {left:.0f} days; runs fail then", "renew it", data
        )
    return Finding("tls", "ok", seen, data=data)


def days_left(expires: str) -> float | None:
    """Days until a date as libcurl writes it (`Nov 20 12:00:00 2027 GMT`), None where it cannot be read."""
    parts = expires.split()
    try:
        month, day, clock, year = parts[:4]
        then = parsedate_to_datetime(f"{day} {month} {year} {clock} GMT").timestamp()
    except (ValueError, TypeError):
        return None
    return round((then - time.time()) / DAY_S, 1)


def read_models(reading: Reading | None, url: str) -> Listed:
    """The list of models out of what came."""
    if reading is None:
        return Listed(None, "this dialect has no list of models")
    if not reading.status:
        return Listed(None, f"no answer from {redacted_url(url)}: {reading.message}")
    heard = f"{redacted_url(url)} answered {reading.status}: {excerpt(reading.body)}"
    try:
        document = msgspec.json.decode(reading.body)
        entries = document.get("data", document.get("models"))
    except (msgspec.DecodeError, UnicodeDecodeError, AttributeError):
        return Listed(None, heard)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) and name_of(entry) for entry in entries):
        return Listed(None, heard)
    return Listed(entries, heard)


def name_of(entry: dict[str, Any]) -> str:
    """Name of a listed model."""
    return str(entry.get("id") or entry.get("name") or entry.get("model") or "")


def model_named(listed: Listed, given: str | None, answer: Answer | None) -> Finding:
    """Whether the model that is asked for is there. `answer` is the first one, None if none could be asked for."""
    if given is None and not listed.names:
        if listed.entries is None and answer is not None:
            return Finding("model", "ok", f"none named; {listed.heard}")
        change = "name a model with --model"
        return Finding("model", "problem", listed.heard, "no request can name a model", change)
    if given is None:
        others = f" of {len(listed.names)} that are listed" if len(listed.names) > 1 else ""
        return Finding("model", "ok", f"{listed.names[0]}, the first{others or ' and only one listed'}")
    if given in listed.names:
        return Finding("model", "ok", f"{given} is listed")
    if listed.entries is None:
        level = "ok" if answer is not None and answer.ok else "unchecked"
        return Finding("model", "ok" if level == "ok" else "unchecked", f"{given}; {listed.heard}")
    return unlisted(listed, given, answer)


def unlisted(listed: Listed, given: str, answer: Answer | None) -> Finding:
    """A model that the service does not list."""
    near = difflib.get_close_matches(given, listed.names, 3, cutoff=0.0)
    seen = f"{given!r} is not listed; the nearest are {', '.join(map(repr, near))}" if near else "the list is empty"
    data = {"near": near}
    if answer is not None and answer.ok:
        meaning = "it is answered all the same: the service may take any name, and what was measured is not sure"
        return Finding("model", "note", seen, meaning, "give a listed name with --model", data)
    meaning = "that is probably why the request failed"
    return Finding("model", "problem", seen, meaning, "give a listed name with --model", data)


def context_limit(listed: Listed, model: str | None) -> Finding:
    """How many tokens the model takes, where the list says so."""
    entry = next((entry for entry in listed.entries or () if name_of(entry) == model), None)
    for path in CONTEXT if entry else ():
        value: Any = entry
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            seen = f"{value:,} tokens for prompt and answer ({'.'.join(path)})"
            return Finding("context", "ok", seen, data={"context_tokens": value})
    return unchecked("context", "unknown: the list of models does not tell")


def first_answer(service: Service) -> tuple[Answer, str, str]:
    """The first answer, and where it fails what to leave out so that it succeeds, as (answer, cause, change).

    A service that refuses a limit of tokens is asked without one from here on, since a run need not send any.
    """
    answer = ask_long(service)
    if answer.accepted and not answer.ok:  # it may have thought, out of sight, up to the limit
        service.long_tokens = THOUGHTFUL_TOKENS
        answer = ask_long(service)
    if answer.ok:
        return answer, "", ""
    with suppress(OutOfTime):
        return explained(service, answer)
    return answer, "", ""


def explained(service: Service, answer: Answer) -> tuple[Answer, str, str]:
    """The same for a first answer that failed. Raises OutOfTime."""
    refused = answer.reading.status in REFUSALS
    if refused and (unlimited := ask(service, LONG_PROMPT)).ok:
        service.limited = False
        return unlimited, "", ""
    if refused and service.stream and "stream_options" in service.dialect.request_streaming:
        plain = ask(service, LONG_PROMPT, service.long_tokens, extra={"stream_options": None})
        if plain.ok:
            return answer, "it refuses stream_options", "add --body stream_options=null"
    unstreamed = answer.reading.status == 200 and not answer.streamed
    if service.stream and (refused or unstreamed) and ask(service, LONG_PROMPT, service.long_tokens, stream=False).ok:
        return answer, "it answers when no stream is asked for", "add --no-stream"
    return answer, "", ""


def path_answers(service: Service, answer: Answer, listed: Listed, cause: str, change: str) -> Finding:
    """Whether requests reach something that answers them."""
    reading = answer.reading
    where = f"POST {urlsplit(service.url).path or '/'}"
    data = {"status": reading.status}
    spoken = HTTP_VERSIONS.get(reading.http_version, "?")
    if answer.ok and service.http != spoken:
        seen = f"{where} was asked for HTTP/{service.http} and answered in HTTP/{spoken}"
        return Finding("path", "problem", seen, "a run refuses that", "leave --http out, or switch it on there", data)
    if answer.ok:
        return Finding("path", "ok", f"{where} answered {reading.status} in HTTP/{spoken}", data=data)
    seen, meaning = f"{where} {answer.failure}", "every request of a run would fail like that"
    unknown = service.model is not None and bool(listed.names) and service.model not in listed.names
    if not reading.status:
        return Finding("path", "problem", seen, meaning, "look at the service's log", data)
    if cause:
        return Finding("path", "problem", seen, f"{meaning}; {cause}", change, data)
    return Finding("path", "problem", seen, meaning, remedy(reading, unknown), data)


def remedy(reading: Reading, unknown_model: bool) -> str:
    """What to do about an answer that is no success."""
    status = reading.status
    if status in (401, 403):
        return "give the key with --api-key-env or --header"
    if status in (301, 302, 303, 307, 308):
        return f"give the address it redirects to as --url: {reading.headers.get('location', 'none was named')}"
    if NO_CERTIFICATE in excerpt(reading.body):
        return "give a certificate with --cert and --key"
    if unknown_model:
        return "mend --model first"
    if status in (404, 405):
        return "nothing takes requests under this path: mend the path of --url, or --dialect"
    if reading.content_type.startswith(PAGES):
        return "a web page, not an interface: mend host, port and path of --url, or go round the proxy"
    if status == 429:
        return "wait, or ask for a higher limit"
    if status >= 500:
        return "look at the service's log"
    return "change the request with --body, --dialect or --model"
