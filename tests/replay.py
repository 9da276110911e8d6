"""A server on loopback that answers every request with the same bytes, in the pieces that it is told to."""

import contextlib
import random
import socket
import threading
import time
from collections.abc import Iterator, Sequence

LONGEST_HEAD = 1 << 16


@contextlib.contextmanager
def replay(pieces: Sequence[bytes], pause_s: float = 0.0, *, close: bool = False) -> Iterator[str]:
    """The base URL of a server that sends `pieces` one by one to each request, `pause_s` apart.

    Connections are kept open between requests, unless `close`: then one ends with its first response.
    """
    with socket.create_server(("127.0.0.1", 0)) as listening:
        accepting = threading.Thread(target=accept, args=(listening, pieces, pause_s, close), daemon=True)
        accepting.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)
        accepting.join()


def accept(listening: socket.socket, pieces: Sequence[bytes], pause_s: float, close: bool) -> None:
    """Serve each connection until the socket is shut, then wait until all of them have ended."""
    serving = []
    with contextlib.suppress(OSError):
        while True:
            connection = listening.accept()[0]
            serving.append(threading.Thread(target=serve, args=(connection, pieces, pause_s, close), daemon=True))
            serving[-1].start()
    for thread in serving:
        thread.join()


def serve(connection: socket.socket, pieces: Sequence[bytes], pause_s: float, close: bool) -> None:
    """Answer the requests of one connection."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    received = b""
    with connection, contextlib.suppress(ConnectionError):
        while (rest := after_request(connection, received)) is not None:
            received = rest
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(pause_s) if pause_s else None
            if close:
                return


def after_request(connection: socket.socket, received: bytes) -> bytes | None:
    """Read one request; returns the bytes that came after it, None at the end of the connection."""
    while b"\r\n\r\n" not in received:
        data = connection.recv(LONGEST_HEAD)
        if not data:
            return None
        received += data
    head, _, body = received.partition(b"\r\n\r\n")
    length = content_length(head)
    while len(body) < length:
        data = connection.recv(LONGEST_HEAD)
        if not data:
            return None
        body += data
    return body[length:]


def content_length(head: bytes) -> int:
    """Bytes of the body that a head announces."""
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return int(value)
    return 0


def chunked(pieces: Sequence[bytes]) -> list[bytes]:
    """The pieces of a body, each as one chunk of the chunked transfer coding, and the last chunk."""
    return [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces if piece] + [b"0\r\n\r\n"]


def cut(data: bytes, rng: random.Random, pieces: int) -> list[bytes]:
    """The data cut at random places into at most so many pieces."""
    places = sorted(rng.randrange(len(data) + 1) for _ in range(pieces - 1))
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True) if a < b]
