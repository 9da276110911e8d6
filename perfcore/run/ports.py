"""The budget of local ports: each connection to one address and port needs one of its own."""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from perfcore.errors import UserError

PORT_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")  # of IPv6 too
CLOSING_S = 60  # how long a port may be blocked after its connection was closed from this side


def local_ports(setting: Path = PORT_RANGE) -> tuple[int, int]:
    """First and last port that this machine gives to connections it opens."""
    first, last = setting.read_text().split()
    return int(first), int(last)


def destinations(urls: Sequence[str]) -> set[tuple[str, int]]:
    """Hosts and ports to which connections are opened."""
    parts = [urlsplit(url) for url in urls]
    return {(part.hostname or "", part.port or (443 if part.scheme == "https" else 80)) for part in parts}


def check_ports(concurrency: int, urls: Sequence[str], ports: tuple[int, int]) -> None:
    """Raise UserError where there are fewer local ports than connections to each of the URLs."""
    count = ports[1] - ports[0] + 1
    needed = -(-concurrency // len(destinations(urls)))
    if needed > count:
        raise UserError(
            f"concurrency {concurrency} needs {needed} connections to each --url, and net.ipv4.ip_local_port_range "
            f"{ports[0]} {ports[1]} allows {count}: widen it (sysctl -w net.ipv4.ip_local_port_range='1024 65535') or "
            "spread the load over more --url"
        )


def new_connections_warning(rate: float, duration_s: float, urls: Sequence[str], ports: tuple[int, int]) -> str | None:
    """What to say where a connection for each request takes ports faster than they become free again."""
    count = (ports[1] - ports[0] + 1) * len(destinations(urls))
    needed = rate * min(duration_s, CLOSING_S)
    if needed <= count:
        return None
    return (
        f"--connections new at a rate of {rate:g} takes {needed:,.0f} local ports within {CLOSING_S} s, "
        f"net.ipv4.ip_local_port_range has {count:,} of them, and one that was used may be blocked for that long: "
        "requests may fail for want of a port (sysctl -w net.ipv4.tcp_tw_reuse=1 helps)"
    )
