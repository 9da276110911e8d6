"""Which proxy requests go through: none, unless one is asked for. A proxy nobody thinks of would be measured along."""

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path
from urllib.parse import urlsplit

from perfcore.errors import UserError
from perfcore.redaction import redacted_url

SCHEMES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")
FROM_ENVIRONMENT = "env"


@dataclass(frozen=True)
class Proxy:
    """URL of a proxy, empty for none, and the hosts that are reached without it."""

    url: str = ""
    direct: tuple[str, ...] = ()


def choose_proxy(
    given: str | None, urls: Sequence[str], environment: Mapping[str, str], unix_socket: Path | None = None
) -> Proxy:
    """The proxy of a run. One that is given by its URL is used for every host; those that the environment names are
    used as curl uses them, but never for loopback and private addresses. Raises UserError."""
    if given is None:
        return Proxy()
    if unix_socket is not None:
        raise UserError(f"--proxy and --unix-socket {unix_socket} exclude each other; leave one of them out")
    if given != FROM_ENVIRONMENT:
        return Proxy(checked(given, "--proxy"))
    return from_environment(urls, environment)


def from_environment(urls: Sequence[str], environment: Mapping[str, str]) -> Proxy:
    """What http_proxy, https_proxy, all_proxy and no_proxy say of these URLs."""
    direct: list[str] = []
    named: dict[str, str] = {}
    excluded = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    for url in urls:
        parts = urlsplit(url)
        host = parts.hostname or ""
        variable = named_by(parts.scheme, environment)
        if variable is None or is_excluded(host, excluded) or is_near(host):
            direct.append(host)
        else:
            named[environment[variable]] = variable
    if len(named) > 1:
        raise UserError(f"{' and '.join(named.values())} name different proxies; give one with --proxy URL")
    return next((Proxy(checked(url, name), tuple(direct)) for url, name in named.items()), Proxy())


def named_by(scheme: str, environment: Mapping[str, str]) -> str | None:
    """Variable that names the proxy of a scheme. HTTP_PROXY is not asked: a CGI program's client can set it."""
    names = ("http_proxy",) if scheme == "http" else ("https_proxy", "HTTPS_PROXY")
    return next((name for name in (*names, "all_proxy", "ALL_PROXY") if environment.get(name)), None)


def is_excluded(host: str, names: str) -> bool:
    """Whether no_proxy lists the host: by its name, that of a domain it is in, a network, or an asterisk."""
    return any(covers(name.strip().lower(), host.lower()) for name in names.split(",") if name.strip())


def covers(name: str, host: str) -> bool:
    if name == "*":
        return True
    bare = name.removeprefix(".")
    if host == bare or host.endswith(f".{bare}"):
        return True
    try:
        return "/" in name and ip_address(host) in ip_network(name, strict=False)
    except ValueError:
        return False


def is_near(host: str) -> bool:
    """Whether a host is this machine or in a private network: by its address, or by all that its name stands for."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except OSError:
        return False  # a name that only the proxy can look up
    return all(is_private(address) for address in found)


def is_private(address: str) -> bool:
    parsed = ip_address(address.partition("%")[0])
    return parsed.is_loopback or parsed.is_private or parsed.is_link_local


def checked(url: str, origin: str) -> str:
    """The URL of a proxy, with http:// where it has no scheme; raises UserError."""
    full = url if "://" in url else f"http://{url}"
    try:
        parts = urlsplit(full)
        good = parts.scheme in SCHEMES and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise UserError(
            f"{origin} {redacted_url(url)!r} is no proxy; write it like http://proxy:3128 or socks5h://h:1080"
        )
    return full
