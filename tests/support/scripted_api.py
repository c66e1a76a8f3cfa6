"""An HTTP server on loopback that answers what a test has written down, request by request."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Answer:
    """One answer; `cut` closes the connection without a word instead."""

    body: Any = field(default_factory=dict)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False


@dataclass
class ScriptedApi:
    """What it will answer, the last again and again, and what it was asked."""

    answers: list[Answer] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    languages: list[str | None] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    url: str = ""

    def next_answer(self) -> Answer:
        """Return the next answer."""
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextmanager
def run_scripted_api(*answers: Answer) -> Iterator[ScriptedApi]:
    """Serve until the block ends."""
    script = ScriptedApi(list(answers))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            script.bodies.append(json.loads(self.rfile.read(length)))
            script.keys.append(self.headers.get("Idempotency-Key"))
            self._answer()

        def _answer(self) -> None:
            script.requests.append((self.command, self.path))
            script.languages.append(self.headers.get("Accept-Language"))
            answer = script.next_answer()
            if answer.cut:
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            is_text = isinstance(answer.body, str)
            text = answer.body if is_text else json.dumps(answer.body)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        script.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield script
        finally:
            server.shutdown()
            thread.join()
