"""HTTP server on loopback that sends prepared responses, one for each request."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class CannedResponse:
    """One response; `cut` closes the connection without one."""

    body: Any = field(default_factory=dict)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False


@dataclass
class ScriptedApi:
    """The responses that are left, of which the last one is repeated, and the requests so far."""

    responses: list[CannedResponse] = field(default_factory=list)
    #: Method and path of each request.
    requests: list[tuple[str, str]] = field(default_factory=list)
    #: JSON body of each POST request.
    bodies: list[Any] = field(default_factory=list)
    #: `Accept-Language` of each request.
    languages: list[str | None] = field(default_factory=list)
    #: `Idempotency-Key` of each POST request.
    keys: list[str | None] = field(default_factory=list)
    url: str = ""

    def next_response(self) -> CannedResponse:
        """Return the next response."""
        return self.responses.pop(0) if len(self.responses) > 1 else self.responses[0]


@contextmanager
def run_scripted_api(*responses: CannedResponse) -> Iterator[ScriptedApi]:
    """Serve until the block ends."""
    script = ScriptedApi(list(responses))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._respond()

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            script.bodies.append(json.loads(self.rfile.read(length)))
            script.keys.append(self.headers.get("Idempotency-Key"))
            self._respond()

        def _respond(self) -> None:
            script.requests.append((self.command, self.path))
            script.languages.append(self.headers.get("Accept-Language"))
            response = script.next_response()
            if response.cut:
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            is_text = isinstance(response.body, str)
            text = response.body if is_text else json.dumps(response.body)
            self.send_response(response.status)
            for name, value in response.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """Disable the log on stderr."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        script.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield script
        finally:
            server.shutdown()
            thread.join()
