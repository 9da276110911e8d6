"""How requests travel: libcurl's options, the same for the load and for the questions asked before it."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pycurl

from perfcore.errors import UserError
from perfcore.options import StressOptions
from perfcore.redaction import redacted_url
from perfcore.run.proxy import Proxy, choose_proxy

Option = tuple[int, int | str | list[str]]

READ_BYTES = 65536  # what libcurl takes from a socket at once
# Streams that are sent over one connection of HTTP/2 before another is opened. More than the 100 that a client may
# count on before the server has told its own limit would queue inside of libcurl, where no clock sees them.
STREAMS_PER_CONNECTION = 100
# Where distributions keep the certificates they trust; libcurl's own default is that of the system it was built on.
CERTIFICATES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
# Of libcurl, which not every pycurl names.
HTTP_3_ONLY = 31  # CURL_HTTP_VERSION_3ONLY
SUPPRESS_CONNECT_HEADERS = 265
HTTP = {
    "1.1": pycurl.CURL_HTTP_VERSION_1_1,
    "2": pycurl.CURL_HTTP_VERSION_2TLS,
    "2-prior-knowledge": pycurl.CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE,
    "3": HTTP_3_ONLY,
}
# Bit of libcurl's features that a version needs: VERSION_HTTP2, VERSION_HTTP3.
FEATURES = {"2": 1 << 16, "2-prior-knowledge": 1 << 16, "3": 1 << 25}


@dataclass(frozen=True)
class Transport:
    """Options of each request (`curl`) and of its worker's connections together (`multi`, pycurl's M_ constants)."""

    curl: list[Option]
    multi: list[tuple[int, int]]
    proxy: str  # without its password; empty for none
    warnings: list[str]


def transport(options: StressOptions, urls: Sequence[str], environment: Mapping[str, str], agent: str) -> Transport:
    """How requests get to these URLs. Raises UserError for what is contradictory, missing, or beyond libcurl."""
    check_http(options.http, urls, libcurl_features())
    check_files(options)
    proxy = choose_proxy(options.proxy, urls, environment, options.unix_socket)
    secure = next((url for url in urls if is_secure(url)), urls[0])
    curl = [
        *curl_options(secure, options.timeout_s, agent),
        (pycurl.HTTP_VERSION, HTTP[options.http]),
        (pycurl.CONNECTTIMEOUT_MS, max(1, round(options.connect_timeout_s * 1000))),
        *tls_options(options),
        *connection_options(options),
        *proxy_options(proxy),
    ]
    return Transport(curl, multi_options(options), redacted_url(proxy.url), warnings(options, urls, proxy))


def curl_options(url: str, timeout_s: float, user_agent: str) -> list[Option]:
    """(pycurl constant, value) of every option of a request, as it is where the user gives none."""
    options: list[Option] = [
        (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1),
        (pycurl.PROXY, ""),  # environment variables are not asked: a proxy would be measured along
        (pycurl.BUFFERSIZE, READ_BYTES),
        (pycurl.TCP_NODELAY, 1),
        (pycurl.USERAGENT, user_agent),
        (pycurl.TIMEOUT_MS, round(timeout_s * 1000)),
    ]
    if is_secure(url) and (bundle := trusted_certificates()):
        options.append((pycurl.CAINFO, bundle))
    return options


def is_secure(url: str) -> bool:
    return url.lower().startswith("https:")


def trusted_certificates() -> str | None:
    """The file of certificate authorities to trust: SSL_CERT_FILE, else the distribution's, else libcurl's default."""
    candidates = (os.environ.get("SSL_CERT_FILE", ""), *CERTIFICATES)
    return next((path for path in candidates if path and Path(path).is_file()), None)


def tls_options(options: StressOptions) -> list[Option]:
    """Whom to trust, and what to show."""
    found: list[Option] = []
    if options.cacert is not None:
        found.append((pycurl.CAINFO, str(options.cacert)))
    if options.cert is not None:
        found.append((pycurl.SSLCERT, str(options.cert)))
        found.append((pycurl.SSLCERTTYPE, "P12" if options.cert.suffix in (".p12", ".pfx") else "PEM"))
        found.append((pycurl.KEYPASSWD, ""))  # else OpenSSL asks for one on the terminal
    if options.key is not None:
        found.append((pycurl.SSLKEY, str(options.key)))
    if options.insecure:
        found += [(pycurl.SSL_VERIFYPEER, 0), (pycurl.SSL_VERIFYHOST, 0)]
    return found


def connection_options(options: StressOptions) -> list[Option]:
    """Where connections go and whether they are kept."""
    found: list[Option] = []
    if options.unix_socket is not None:
        found.append((pycurl.UNIX_SOCKET_PATH, str(options.unix_socket)))
    if options.resolve:
        found.append((pycurl.RESOLVE, list(options.resolve)))
    if options.connections == "new":
        found += [(pycurl.FRESH_CONNECT, 1), (pycurl.FORBID_REUSE, 1)]
    elif shares_connections(options):
        found.append((pycurl.PIPEWAIT, 1))  # requests wait for a connection that they can share
    return found


def proxy_options(proxy: Proxy) -> list[Option]:
    """The proxy and the hosts that are reached without it; both empty where there is none."""
    found: list[Option] = [(pycurl.PROXY, proxy.url), (pycurl.NOPROXY, ",".join(proxy.direct))]
    if proxy.url:  # the head with which a proxy opens a tunnel is no first byte of an answer
        found.append((SUPPRESS_CONNECT_HEADERS, 1))
    if is_secure(proxy.url) and (bundle := trusted_certificates()):
        found.append((pycurl.PROXY_CAINFO, bundle))
    return found


def multi_options(options: StressOptions) -> list[tuple[int, int]]:
    """Whether connections carry several requests at a time."""
    if options.http == "1.1":
        return []
    if not shares_connections(options):
        return [(pycurl.M_PIPELINING, pycurl.PIPE_NOTHING)]
    return [
        (pycurl.M_PIPELINING, pycurl.PIPE_MULTIPLEX),
        (pycurl.M_MAX_CONCURRENT_STREAMS, STREAMS_PER_CONNECTION),
    ]


def kept_connections(number: int) -> tuple[int, int]:
    """The option of so many connections that are kept open for requests to come."""
    return pycurl.M_MAXCONNECTS, number


def own_connections(options: StressOptions) -> bool:
    """Whether each client has connections to itself.

    One that carries a request at a time is not worth sharing: libcurl looks through all connections of a pool for each
    request, which with thousands of clients costs more than everything else.
    """
    return options.connections == "sticky" or (options.connections == "pooled" and not shares_connections(options))


def shares_connections(options: StressOptions) -> bool:
    """Whether one connection carries several requests at a time."""
    return options.http != "1.1" and options.multiplex and options.connections != "new"


def check_http(version: str, urls: Sequence[str], features: int) -> None:
    """Raise UserError where libcurl does not speak this version, or cannot over these URLs."""
    needed = FEATURES.get(version, 0)
    if features & needed != needed:
        raise UserError(f"--http {version}: {pycurl.version.split()[1]} of this pycurl lacks it; leave --http out")
    plain = next((url for url in urls if not is_secure(url)), None)
    if version in ("2", "3") and plain is not None:
        other = "--http 2-prior-knowledge or " if version == "2" else ""
        raise UserError(f"--http {version} needs TLS and {redacted_url(plain)} has none; use {other}an https:// URL")


def libcurl_features() -> int:
    """Bits of what the libcurl at hand can do."""
    version: Any = pycurl.version_info()
    return int(version[4])


def check_files(options: StressOptions) -> None:
    """Raise UserError for files that are not there, and for a key that belongs to no certificate."""
    for flag, path in (("--cacert", options.cacert), ("--cert", options.cert), ("--key", options.key)):
        if path is not None and not path.is_file():
            raise UserError(f"{flag} {path} is no file; give the path of one")
    if options.key is not None and options.cert is None:
        raise UserError(f"--key {options.key} belongs to a certificate; give that with --cert")
    if options.unix_socket is not None and not options.unix_socket.is_socket():
        raise UserError(f"--unix-socket {options.unix_socket} is no socket; is the service running?")


def warnings(options: StressOptions, urls: Sequence[str], proxy: Proxy) -> list[str]:
    """What a user must not overlook."""
    found = []
    if options.insecure:
        found.append("--insecure: no certificate is verified, so anyone on the way can read and answer the requests")
    if proxy.url:
        through = [redacted_url(url) for url in urls if urlsplit(url).hostname not in proxy.direct]
        found.append(f"requests to {', '.join(through)} go through the proxy {redacted_url(proxy.url)}")
    return found
