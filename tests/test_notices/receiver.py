"""A receiver of webhooks on loopback, that checks what it gets with the receivers' own library."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook


@dataclass(frozen=True)
class Received:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def message_id(self) -> str:
        return self.headers["webhook-id"]

    def verified(self, secret: str) -> dict[str, Any]:
        """Return the message. Raises WebhookVerificationError unless it was signed with this secret, and lately."""
        found: dict[str, Any] = Webhook(secret).verify(self.body, self.headers)
        return found


class Receiver:
    """The messages received. `statuses`: of the next answers, the last one for ever; `location`: a header of each."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.statuses = [204]
        self.location = ""
        # Where it is.
        self.port, self.url = 0, ""

    def take(self, received: Received) -> int:
        self.received.append(received)
        return self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]


@contextmanager
def receiving(receiver: Receiver, *, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """Serve the receiver, over TLS with a `context`. Yields the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.send_response(receiver.take(Received(self.path, headers, body)))
            if receiver.location:
                self.send_header("Location", receiver.location)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that ends the connection is none."""

    server = Server(("127.0.0.1", 0), Handler)
    if context is not None:
        # The handshake is the connection's thread's.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
