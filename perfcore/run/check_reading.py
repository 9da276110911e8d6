"""One question to a service, read as it comes: which bytes when, and over which connection."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import pycurl

from perfcore.run.transport import Option

MOST_BYTES = 8 << 20
LONGEST_WAIT_S = 0.1
NO_DESCRIPTORS = -1
DISTINGUISHED_NAMES = ("Subject", "Issuer", "Expire date")


@dataclass(frozen=True)
class Connection:
    """How the service was reached. Times are of a new connection, 0 on one that was used before."""

    opened: int
    address: str  # the peer's, with the port
    dns_ns: int
    tcp_ns: int
    tls_ns: int
    certificate: dict[str, str]  # subject, issuer and expire date as libcurl words them; empty without TLS


@dataclass
class Reading:
    """What came back. Stamps are CLOCK_MONOTONIC: of the wake-up that found the bytes, as in the load itself."""

    sent_ns: int
    first_byte_ns: int | None = None
    end_ns: int = 0
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    reads: list[tuple[int, bytes]] = field(default_factory=list)
    received: int = 0  # bytes of the body
    code: int = 0  # libcurl's result
    http_version: int = 0  # libcurl's number of it
    message: str = ""  # what libcurl says of a result that is not 0
    connection: Connection = Connection(0, "", 0, 0, 0, {})

    @property
    def body(self) -> bytes:
        return b"".join(data for _, data in self.reads)

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "").lower()


def read(
    multi: pycurl.CurlMulti,
    url: str,
    headers: Sequence[str],
    options: Sequence[Option],
    body: bytes | None = None,
    *,
    limit_s: float,
) -> Reading:
    """GET, or POST `body`, within `limit_s` seconds. `multi` keeps the connection for the next question.

    Never raises for what goes wrong on the way: `code` and `message` say it.
    """
    handle = pycurl.Curl()
    reading = Reading(time.monotonic_ns())
    wake_ns = [reading.sent_ns]
    try:
        for option, value in options:
            handle.setopt(option, value)
        handle.setopt(pycurl.URL, url)
        handle.setopt(pycurl.HTTPHEADER, [*headers, "Expect:"])
        handle.setopt(pycurl.TIMEOUT_MS, max(1, round(limit_s * 1000)))
        handle.setopt(pycurl.NOSIGNAL, 1)
        handle.setopt(pycurl.OPT_CERTINFO, 1)
        handle.setopt(pycurl.HEADERFUNCTION, lambda line: note_header(reading, line, wake_ns[0]))
        handle.setopt(pycurl.WRITEFUNCTION, lambda data: note_body(reading, data, wake_ns[0]))
        if body is not None:
            handle.setopt(pycurl.POST, 1)
            handle.setopt(pycurl.POSTFIELDS, body)
        drive(multi, handle, reading, wake_ns)
        reading.end_ns = wake_ns[0]
        reading.status = handle.getinfo(pycurl.RESPONSE_CODE)
        reading.http_version = handle.getinfo(pycurl.INFO_HTTP_VERSION)
        reading.connection = connection_of(handle)
    finally:
        handle.close()
    return reading


def drive(multi: pycurl.CurlMulti, handle: pycurl.Curl, reading: Reading, wake_ns: list[int]) -> None:
    """Perform the transfer; between the waits Python handles signals, so that Ctrl-C ends it."""
    multi.add_handle(handle)
    try:
        while True:
            wake_ns[0] = time.monotonic_ns()
            multi.perform()
            _, done, failed = multi.info_read()
            if failed:
                _, reading.code, reading.message = failed[0]
            if done or failed:
                return
            due_ms = multi.timeout()
            wait_s = min(LONGEST_WAIT_S, due_ms / 1000) if due_ms >= 0 else LONGEST_WAIT_S
            if multi.select(wait_s) == NO_DESCRIPTORS:
                time.sleep(min(wait_s, 0.001))
    finally:
        multi.remove_handle(handle)


def note_header(reading: Reading, line: bytes, wake_ns: int) -> None:
    """Keep a line of the head; that of an interim answer is forgotten with the next one."""
    if reading.first_byte_ns is None:
        reading.first_byte_ns = wake_ns
    if line.startswith(b"HTTP/"):
        reading.headers.clear()
    name, colon, value = line.decode("latin-1").partition(":")
    if colon:
        reading.headers[name.strip().lower()] = value.strip()


def note_body(reading: Reading, data: bytes, wake_ns: int) -> int:
    """Keep a piece of the body; anything but its length makes libcurl end the transfer."""
    reading.reads.append((wake_ns, data))
    reading.received += len(data)
    return len(data) if reading.received <= MOST_BYTES else 0


def connection_of(handle: pycurl.Curl) -> Connection:
    """What libcurl knows of the connection, also of one that did not come about."""
    opened = handle.getinfo(pycurl.NUM_CONNECTS)
    host, port = handle.getinfo(pycurl.PRIMARY_IP), handle.getinfo(pycurl.PRIMARY_PORT)
    names = (pycurl.NAMELOOKUP_TIME, pycurl.CONNECT_TIME, pycurl.APPCONNECT_TIME)
    dns_ns, tcp_ns, tls_ns = (round(handle.getinfo(name) * 1e9) for name in names)
    return Connection(
        opened=opened,
        address=address_of(host, port),
        dns_ns=dns_ns if opened else 0,
        tcp_ns=max(tcp_ns - dns_ns, 0) if opened else 0,
        tls_ns=max(tls_ns - tcp_ns, 0) if opened else 0,
        certificate=certificate_of(handle),
    )


def address_of(host: str, port: int) -> str:
    """An address with its port, the path of a Unix socket, or nothing where there was no connection."""
    if port <= 0:
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def certificate_of(handle: pycurl.Curl) -> dict[str, str]:
    """Subject, issuer and expire date of the certificate that the peer has shown."""
    chain = handle.getinfo(pycurl.INFO_CERTINFO)
    return {name: value for name, value in (chain[0] if chain else ()) if name in DISTINGUISHED_NAMES}
