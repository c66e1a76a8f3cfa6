"""The stand-in site, small sites of a test's own, and a browser that tests share."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from scraper.browser.chrome import BrowserSettings, open_tab
from scraper.browser.tab import Tab
from tests.support.demo_site import DemoSite, run_demo_site

Page = str | tuple[int, dict[str, str], str]


@pytest.fixture(scope="session")
def demo_process() -> Iterator[DemoSite]:
    """Run the stand-in site."""
    with run_demo_site() as site:
        yield site


@pytest.fixture
def demo(demo_process: DemoSite) -> DemoSite:
    """Give the stand-in site a good day."""
    demo_process.have()
    demo_process.forget_requests()
    return demo_process


@pytest.fixture(scope="session")
def tab() -> Iterator[Tab]:
    """Open one browser for all tests that leave it usable."""
    with open_tab(BrowserSettings()) as tab:
        yield tab


class QuietServer(ThreadingHTTPServer):
    """A server whose clients may go before they have their answer."""

    def handle_error(self, *_args: object) -> None:
        """Say nothing."""


def answer(
    page: Page | Callable[[BaseHTTPRequestHandler], Page], request: BaseHTTPRequestHandler
) -> tuple[int, dict[str, str], str]:
    """Return status, headers and HTML."""
    if not isinstance(page, str | tuple):
        page = page(request)
    return (200, {}, page) if isinstance(page, str) else page


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """Serve pages by path; give the address.

    A page is an HTML text, or (status, headers, HTML), or a function that is given the request and
    returns one of these.
    """
    servers: list[QuietServer] = []

    def start(**pages: Page | Callable[[BaseHTTPRequestHandler], Page]) -> str:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                page = pages.get(self.path.partition("?")[0].strip("/") or "index", (404, {}, ""))
                status, headers, html = answer(page, self)
                body = html.encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.do_GET()

            def do_DELETE(self) -> None:
                self.do_GET()

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        server = QuietServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
