"""Reverse proxy on loopback that offers an API below a path, with the headers of a usual proxy."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Final, Self

import httpx

#: Headers that belong to one connection, or that the proxy replaces.
_DROPPED: Final = frozenset(
    {"connection", "transfer-encoding", "content-length", "content-encoding", "server", "date"}
)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "PrefixProxy"

    def do_GET(self) -> None:
        self._pass_on()

    def do_POST(self) -> None:
        self._pass_on()

    def _pass_on(self) -> None:
        proxy = self.server
        if not self.path.startswith(f"{proxy.prefix}/"):
            self._send(404, {}, b"")
            return
        path = self.path.removeprefix(proxy.prefix) if proxy.strips else self.path
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        # What the client says about itself goes on, as with proxies that are not configured.
        headers = {
            name: value for name, value in self.headers.items() if name.lower() not in _DROPPED
        }
        headers["X-Forwarded-For"] = self.client_address[0]
        answer = proxy.client.request(self.command, path, content=body, headers=headers)
        kept = {name: value for name, value in answer.headers.items() if name not in _DROPPED}
        self._send(answer.status_code, kept, answer.content)

    def _send(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Disable the log on stderr."""


class PrefixProxy(ThreadingHTTPServer):
    """Passes requests below `prefix` on to an API, in a `with` block."""

    daemon_threads = True

    def __init__(self, prefix: str, *, strips: bool) -> None:
        """Listen on a free port.

        Args:
            prefix: The path, such as `/garimpo`.
            strips: Whether it removes the path from requests.
        """
        super().__init__(("127.0.0.1", 0), _Handler)
        self.prefix = prefix
        self.strips = strips
        self.client = httpx.Client(trust_env=False, timeout=30)

    @property
    def url(self) -> str:
        """The address of the API as callers see it."""
        return f"http://127.0.0.1:{self.server_address[1]}{self.prefix}"

    def lead_to(self, url: str) -> None:
        """Set the address of the API."""
        self.client.base_url = httpx.URL(url)

    def handle_error(self, *_: object) -> None:
        """Ignore browsers that close a connection."""

    def __enter__(self) -> Self:
        """Start."""
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop."""
        self.shutdown()
        self.server_close()
        self.client.close()
