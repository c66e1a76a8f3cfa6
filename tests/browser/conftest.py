"""Fixtures: the demo site, small sites that a test defines, a shared browser, temporary folders."""

import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from scraper.browser.chrome import open_tab
from scraper.browser.tab import Tab
from tests.support.demo_site import DemoSite, run_demo_site
from tests.support.loopback import BROWSER

Page = str | tuple[int, dict[str, str], str] | None


@pytest.fixture(scope="session")
def demo_process() -> Iterator[DemoSite]:
    """Run the demo site."""
    with run_demo_site() as site:
        yield site


@pytest.fixture
def demo(demo_process: DemoSite) -> DemoSite:
    """Return the demo site without faults and with an empty request log."""
    demo_process.have()
    demo_process.forget_requests()
    return demo_process


@pytest.fixture(scope="session")
def tab() -> Iterator[Tab]:
    """Open one browser for all tests that do not break it."""
    with open_tab(BROWSER) as tab:
        yield tab


@pytest.fixture
def scratch(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """Let this process and its children put temporary files, and so browsers, into a new folder."""
    tmp_path_factory.getbasetemp()  # created now, so that it is not created in this folder
    with tempfile.TemporaryDirectory(prefix="g-") as folder:  # tmp_path's name is too long
        monkeypatch.setattr(tempfile, "tempdir", folder)
        monkeypatch.setenv("TMPDIR", folder)
        yield Path(folder)


class QuietServer(ThreadingHTTPServer):
    """A server that does not report clients that disconnect early."""

    def handle_error(self, *_args: object) -> None:
        """Do nothing."""


def respond(
    page: Page | Callable[[BaseHTTPRequestHandler], Page], request: BaseHTTPRequestHandler
) -> tuple[int, dict[str, str], str] | None:
    """Return status, headers and HTML; None if the page itself has sent them."""
    if callable(page):
        page = page(request)
    return (200, {}, page) if isinstance(page, str) else page


class PageHandler(BaseHTTPRequestHandler):
    """Serves the pages of a small site by path."""

    protocol_version = "HTTP/1.1"
    pages: ClassVar[Mapping[str, Page | Callable[[BaseHTTPRequestHandler], Page]]] = {}

    def do_GET(self) -> None:
        path = self.path.partition("?")[0].strip("/")
        response = respond(self.pages.get(path or "index", (404, {}, "")), self)
        if response is None:
            return
        status, headers, html = response
        body = html.encode()
        self.send_response(status)
        content_type = {"Content-Type": "text/html; charset=utf-8"}
        for name, value in {**content_type, **headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def do_DELETE(self) -> None:
        self.do_GET()

    def log_message(self, *args: object) -> None:
        """Do nothing."""


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """Return a function that serves pages by path and returns the site's URL.

    A page is an HTML text, or (status, headers, HTML), or a function that receives the request and
    returns one of these, or None if it has sent everything itself.
    """
    servers: list[QuietServer] = []

    def start(**pages: Page | Callable[[BaseHTTPRequestHandler], Page]) -> str:
        handler = type("Handler", (PageHandler,), {"pages": pages})
        server = QuietServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
