"""Between a client and a server on loopback: with TLS, over a Unix socket, or as a proxy that is told where to go."""

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

PIECE = 1 << 16


class Relay:
    """What a relay has seen: the heads of CONNECT requests."""

    def __init__(self, listening: socket.socket, backend: int | None, context: ssl.SSLContext | None) -> None:
        self.listening = listening
        self.backend = backend
        self.context = context
        self.asked: list[str] = []
        self.threads: list[threading.Thread] = []

    @property
    def port(self) -> int:
        return int(self.listening.getsockname()[1])


@contextlib.contextmanager
def relay(backend: int | None, context: ssl.SSLContext | None = None, path: Path | None = None) -> Iterator[Relay]:
    """Pass bytes on to a port of this machine; without one be a proxy that takes CONNECT.

    With a context it ends TLS, with a path it listens on a Unix socket there.
    """
    if path is None:
        listening = socket.create_server(("127.0.0.1", 0))
    else:
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(path))
        listening.listen()
    with listening:
        state = Relay(listening, backend, context)
        accepting = threading.Thread(target=accept, args=(state,), daemon=True)
        accepting.start()
        yield state
        listening.shutdown(socket.SHUT_RDWR)
        accepting.join()


def accept(state: Relay) -> None:
    with contextlib.suppress(OSError):
        while True:
            client = state.listening.accept()[0]
            state.threads.append(threading.Thread(target=serve, args=(state, client), daemon=True))
            state.threads[-1].start()
    for thread in state.threads:
        thread.join(5)


def serve(state: Relay, client: socket.socket) -> None:
    """One connection."""
    near = client
    if state.context is not None:
        near = state.context.wrap_socket(client, server_side=True, do_handshake_on_connect=False)
    with near, contextlib.suppress(OSError):
        if isinstance(near, ssl.SSLSocket) and not trusted(near):
            return
        port = state.backend or destination(state, near)
        with socket.create_connection(("127.0.0.1", port)) as far:
            pump(near, far)


def trusted(near: ssl.SSLSocket) -> bool:
    """Whether both sides agree; if not, waits until the client has read why: a close at once could overtake it."""
    try:
        near.do_handshake()
    except ssl.SSLError:
        near.shutdown(socket.SHUT_WR)
        while socket.socket.recv(near, PIECE):
            pass
        return False
    return True


def destination(state: Relay, client: socket.socket) -> int:
    """The port that a CONNECT request names."""
    head = b""
    while b"\r\n\r\n" not in head:
        head += client.recv(PIECE)
    state.asked.append(head.split(b"\r\n")[0].decode())
    client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
    return int(state.asked[-1].split()[1].rpartition(":")[2])


def pump(near: socket.socket, far: socket.socket) -> None:
    """Pass bytes on in both directions until one side ends."""
    while True:
        buffered = isinstance(near, ssl.SSLSocket) and near.pending() > 0
        ready = [near] if buffered else select.select([near, far], [], [])[0]
        for source in ready:
            data = source.recv(PIECE)
            if not data:
                return
            (far if source is near else near).sendall(data)
