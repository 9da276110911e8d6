"""Which servers are asked for their metrics, and how one is asked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

import msgspec
import pycurl

from perfcore.errors import UserError
from perfcore.records.prometheus import Known, samples
from perfcore.redaction import redacted_url
from perfcore.run.gpu import NoGpuError, find_gpus
from perfcore.run.transport import Option, is_secure, trusted_certificates
from perfcore.workload.address import located, parsed, segments, split_path
from perfcore.workload.dialect import Dialect
from perfcore_ext.clock import monotonic_ns

OFF = "off"
PATH = "metrics"
ACCEPT = "Accept: text/plain;version=0.0.4,application/openmetrics-text;q=0.5,*/*;q=0.1"
MOST_BYTES = 8 << 20
TIMEOUT_S = 10.0
PROBE_TIMEOUT_S = 2.0
NS_PER_S = 1e9
# Of the load's options those that would take a question for another host to the service under load.
ITS_OWN = (pycurl.UNIX_SOCKET_PATH, pycurl.HTTP_VERSION)


class Source(msgspec.Struct, frozen=True):
    """A URL of metrics, how it is shown, and what goes with a question to it. All but `shown` may be secret."""

    url: str
    shown: str
    headers: list[str] = []
    options: list[Option] = []


@dataclass(frozen=True)
class Answer:
    """What came, or why nothing did. Times are ns of CLOCK_MONOTONIC."""

    asked_ns: int
    t_ns: int  # the first byte
    body: bytes = b""
    error: str = ""


def find_sources(
    given: Sequence[str],
    urls: Sequence[str],
    dialect: Dialect,
    headers: Sequence[str],
    options: Sequence[Option],
    say: Callable[[str], None],
) -> list[Source]:
    """Where metrics come from in a run that loads `urls` with these headers and libcurl options.

    With none `given`, /metrics below the base of each URL, as far as it has some: each is asked once. One that is given
    and has none is mentioned and asked all the same, as a server may still be starting. `off` is nothing. Raises
    UserError for what is no URL.
    """
    if any(item.lower() == OFF for item in given):
        return []
    wanted = [checked(item) for item in given] or [metrics_url(url, dialect) for url in urls]
    sources = [source_of(url, urls, headers, options) for url in dict.fromkeys(wanted)]
    troubles = {source.url: trouble(source) for source in sources}
    for source in sources if given else ():
        if troubles[source.url]:
            say(f"Warning: no metrics from {source.shown} yet: {troubles[source.url]}")
    return [source for source in sources if given or not troubles[source.url]]


def checked(given: str) -> str:
    """A URL that was given, with http:// where it has no scheme; raises UserError."""
    try:
        return parsed(given).geturl()
    except UserError as error:
        told = str(error).replace("--url ", "--server-metrics ", 1)
        raise UserError(told.replace("localhost:8000", "localhost:8000/metrics")) from None


def metrics_url(url: str, dialect: Dialect) -> str:
    """Where a service with this URL of requests has its metrics by custom: http://h:1/v1/... and http://h:1/metrics."""
    parts = parsed(url)
    prefix, _ = split_path(segments(parts.path), dialect, segments(dialect.path))
    return located(parts, [*prefix, PATH])


def source_of(url: str, urls: Sequence[str], headers: Sequence[str], options: Sequence[Option]) -> Source:
    """How to ask: like the load where it is the same server; another one is told none of the load's headers."""
    own = origin(url) in {origin(loaded) for loaded in urls}
    taken = [option for option in options if option[0] != pycurl.TIMEOUT_MS and (own or option[0] not in ITS_OWN)]
    if is_secure(url) and not any(option == pycurl.CAINFO for option, _ in taken) and (path := trusted_certificates()):
        taken.append((pycurl.CAINFO, path))
    plain = [line for line in headers if not line.lower().startswith(("content-type:", "accept:"))]
    return Source(url, redacted_url(url), [*(plain if own else ()), ACCEPT], taken)


def origin(url: str) -> tuple[str, str | None, int]:
    """Scheme, host and port."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or (443 if is_secure(url) else 80)


def trouble(source: Source) -> str:
    """Why a URL has no metrics to give, as far as one question tells; empty if it has."""
    answer = get(client(source), PROBE_TIMEOUT_S)
    if answer.error:
        return answer.error
    known = Known()
    return "" if any(True for _ in samples(answer.body.decode(errors="replace"), known)) else "there is no metric in it"


def client(source: Source) -> pycurl.Curl:
    """A handle that asks this source, again and again over one connection."""
    handle = pycurl.Curl()
    for option, value in source.options:
        handle.setopt(option, value)
    handle.setopt(pycurl.URL, source.url)
    handle.setopt(pycurl.HTTPHEADER, source.headers)
    handle.setopt(pycurl.NOSIGNAL, 1)
    return handle


def get(handle: pycurl.Curl, timeout_s: float = TIMEOUT_S) -> Answer:
    """Ask once. Nothing that a server does raises: what went wrong is in the answer's error."""
    pieces: list[bytes] = []
    size = 0

    def keep(data: bytes) -> int:
        nonlocal size
        size += len(data)
        pieces.append(data)
        return len(data) if size <= MOST_BYTES else 0  # anything but the length ends the transfer

    handle.setopt(pycurl.TIMEOUT_MS, round(timeout_s * 1000))
    handle.setopt(pycurl.WRITEFUNCTION, keep)
    asked_ns = monotonic_ns()
    try:
        handle.perform()
    except pycurl.error as error:
        why = f"longer than {MOST_BYTES >> 20} MiB" if size > MOST_BYTES else str(error.args[-1]).rstrip(".")
        return Answer(asked_ns, monotonic_ns(), error=why)
    t_ns = asked_ns + round(handle.getinfo(pycurl.STARTTRANSFER_TIME) * NS_PER_S)
    status = handle.getinfo(pycurl.RESPONSE_CODE)
    if status != 200:
        return Answer(asked_ns, t_ns, error=f"answered {status}")
    return Answer(asked_ns, t_ns, b"".join(pieces))


def reads_gpus(asked: str, urls: Sequence[str], say: Callable[[str], None]) -> bool:
    """Whether to read the GPUs of this machine. `auto` reads them where all of the load stays on it and there are any.

    Raises UserError where they are asked for with `on` and there are none to read.
    """
    if asked == OFF or (asked == "auto" and not all(map(is_here, urls))):
        return False
    try:
        gpus = find_gpus()
    except NoGpuError as error:
        if asked == "auto":
            return False
        raise UserError(f"--gpu on: {error}; or leave --gpu out") from None
    if not all(map(is_here, urls)):
        say("Warning: --gpu on reads the GPUs of this machine, and the load goes to another one")
    gpus.nvml.nvmlShutdown()
    return True


def is_here(url: str) -> bool:
    """Whether a URL names this machine by loopback."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
