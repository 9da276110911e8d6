"""Small HTTP services of the tests' own, on a free port of the loopback interface."""

import contextlib
import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any


class Connection(http.server.BaseHTTPRequestHandler):
    """One connection, kept alive, of which nothing is logged: `get` and `post` answer."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def do_GET(self) -> None:
        self.get()

    def do_POST(self) -> None:
        self.post(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def get(self) -> None:
        raise NotImplementedError

    def post(self, body: dict[str, Any]) -> None:
        raise NotImplementedError

    def send(self, status: int, kind: str, body: bytes) -> None:
        """A whole answer."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(body)


@contextlib.contextmanager
def serving(handler: type[http.server.BaseHTTPRequestHandler]) -> Iterator[str]:
    """The base URL of a service with this handler, while it runs."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
