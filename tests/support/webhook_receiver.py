"""HTTP server on loopback that records webhooks and responds as a test requires."""

import json
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from garimpo.local_stack.system import find_free_port
from tests.support.polling import wait_until

#: Sends a response, or none.
Responder = Callable[["Handler"], None]


@dataclass(frozen=True)
class ReceivedWebhook:
    """A received request."""

    path: str
    #: By lower-case name.
    headers: Mapping[str, str]
    body: str

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def body_json(self) -> dict[str, Any]:
        decoded: dict[str, Any] = json.loads(self.body)
        return decoded


class Handler(BaseHTTPRequestHandler):
    """Handles one request."""

    protocol_version = "HTTP/1.1"
    server: "_Server"

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length", 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(length).decode()
        self.close_connection = True
        self.server.receiver.record(ReceivedWebhook(self.path, headers, body))(self)

    def reply(self, status: int, text: str = "", headers: Mapping[str, str] | None = None) -> None:
        content = text.encode()
        if "Date" in (headers or {}):
            self.send_response_only(status)
        else:
            self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Disable the log on stderr."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    receiver: "WebhookReceiver"

    def handle_error(self, *_: object) -> None:
        """Ignore errors: some tests close the connection during a request."""


def status(number: int, text: str = "", headers: Mapping[str, str] | None = None) -> Responder:
    """Return a responder that sends a response with a status."""
    return lambda handler: handler.reply(number, text, headers)


def cut(handler: Handler) -> None:
    """Close the connection without a response."""
    handler.connection.close()


@dataclass
class WebhookReceiver:
    """Receives webhooks in a `with` block; `stop` and `start` simulate an outage."""

    port: int = field(default_factory=find_free_port)
    #: Certificate for TLS; None is plain HTTP.
    certificate: Path | None = None
    received: list[ReceivedWebhook] = field(default_factory=list)
    #: The next responders in order; the last one is repeated.
    responders: list[Responder] = field(default_factory=lambda: [status(204)])
    #: Set to release the requests in `hold`.
    released: threading.Event = field(default_factory=threading.Event)
    _server: _Server | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.released.set()
        self.stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._server = _Server(("127.0.0.1", self.port), Handler)
        self._server.receiver = self
        if self.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def respond_with(self, *responders: Responder) -> None:
        self.responders = list(responders)

    def record(self, received: ReceivedWebhook) -> Responder:
        self.received.append(received)
        return self.responders.pop(0) if len(self.responders) > 1 else self.responders[0]

    def list_received(self, job_id: str) -> list[ReceivedWebhook]:
        """Return the received webhooks of a job."""
        return [webhook for webhook in list(self.received) if job_id in webhook.id]

    def wait_for(self, job_id: str, times: int = 1) -> list[ReceivedWebhook]:
        """Return the received webhooks of a job, as soon as there are `times` of them."""
        wait_until(lambda: len(self.list_received(job_id)) >= times, within_s=60)
        return self.list_received(job_id)

    def hold(self, handler: Handler) -> None:
        """Respond when the test sets `released`."""
        self.released.wait(60)
        handler.reply(204)
