"""A server that gets call backs, on loopback: it keeps them, and answers as it is told."""

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

#: Writes an answer, or none.
Behaviour = Callable[["Handler"], None]


@dataclass(frozen=True)
class Received:
    """A request."""

    path: str
    #: By names in lower case.
    headers: Mapping[str, str]
    body: str

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def event(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(self.body)
        return read


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    protocol_version = "HTTP/1.1"
    server: "_Server"

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length", 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(length).decode()
        self.close_connection = True
        self.server.receiver.take(Received(self.path, headers, body))(self)

    def reply(self, status: int, text: str = "", headers: Mapping[str, str] | None = None) -> None:
        content = text.encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    receiver: "Receiver"

    def handle_error(self, *_: object) -> None:
        """Whoever asks hangs up in the middle: that is what some tests are about."""


def status(number: int, text: str = "", headers: Mapping[str, str] | None = None) -> Behaviour:
    """Answer with a status."""
    return lambda handler: handler.reply(number, text, headers)


def cut(handler: Handler) -> None:
    """Close the connection without an answer."""
    handler.connection.close()


@dataclass
class Receiver:
    """As `with Receiver() as receiver`; `stop` and `start` take it away for a while."""

    port: int = field(default_factory=find_free_port)
    #: Speaks TLS with this certificate, if there is one.
    certificate: Path | None = None
    received: list[Received] = field(default_factory=list)
    #: What it does next, in order; the last one again and again.
    behaviours: list[Behaviour] = field(default_factory=lambda: [status(204)])
    #: Lets go those who wait for it.
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

    def does(self, *behaviours: Behaviour) -> None:
        self.behaviours = list(behaviours)

    def take(self, received: Received) -> Behaviour:
        self.received.append(received)
        return self.behaviours.pop(0) if len(self.behaviours) > 1 else self.behaviours[0]

    def of(self, job_id: str) -> list[Received]:
        """Return what it got of a job."""
        return [one for one in list(self.received) if job_id in one.id]

    def wait_for(self, job_id: str, times: int = 1) -> list[Received]:
        """Return what it got of a job, once it was told so many times."""
        wait_until(lambda: len(self.of(job_id)) >= times, within_s=60)
        return self.of(job_id)

    def hold(self, handler: Handler) -> None:
        """Answer only when the test lets it go."""
        self.released.wait(60)
        handler.reply(204)
