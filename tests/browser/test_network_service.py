"""Chrome's network service is killed while a page loads: the page is read again at once."""

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psutil
import pytest

from scraper.browser.processes import browsers_below
from tests.browser.small_sites import DOCUMENT, make_recipe, rows, run_small, titles
from tests.support.loopback import BROWSER
from tests.support.polling import wait_until

#: Longer than any test may take, in seconds.
DEADLINE_S = 900.0
SCRIPT = """<div id=list></div><script>
fetch("/data").then((answer) => answer.text()).then((html) => {
  document.getElementById("list").innerHTML = html;
});
</script>"""


class Site(ThreadingHTTPServer):
    """Sends only the beginning of its first answer for one path."""

    daemon_threads = True

    def __init__(self, held_path: str, pages: dict[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.held_path = held_path
        self.pages = pages
        #: Set once the first answer has begun; and when it may end.
        self.is_held = threading.Event()
        self.may_end = threading.Event()


class Handler(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        content = self.server.pages.get(path, "").encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if path == self.server.held_path and not self.server.is_held.is_set():
            self.wfile.write(content[: len(content) // 2])
            self.server.is_held.set()
            self.server.may_end.wait()
            return
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Do nothing."""


def serve(held_path: str, pages: dict[str, str]) -> Iterator[Site]:
    with Site(held_path, pages) as site:
        threading.Thread(target=site.serve_forever, args=(0.02,), daemon=True).start()
        yield site
        site.shutdown()


@pytest.fixture(params=["document", "data"])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """Hold the document itself, or what its script draws the items from."""
    if request.param == "document":
        yield from serve("/list", {"/list": DOCUMENT + rows(1, 3000)})
    else:
        yield from serve("/data", {"/list": DOCUMENT + SCRIPT, "/data": rows(1, 3000)})


def find_network_services() -> set[psutil.Process]:
    argument = "--utility-sub-type=network.mojom.NetworkService"
    services = set()
    for process in browsers_below(os.getpid()):
        with suppress(psutil.NoSuchProcess):  # it has exited meanwhile
            if argument in process.cmdline():
                services.add(process)
    return services


class TestKilledNetworkService:
    def test_does_not_let_the_job_wait_for_the_deadline(self, site: Site) -> None:
        # Those of browsers that other tests keep open.
        others = find_network_services()
        recipe = make_recipe({"page_timeout_s": DEADLINE_S, "empty_after_s": 25.0})
        with ThreadPoolExecutor(1) as pool:
            url = f"http://127.0.0.1:{site.server_address[1]}"
            job = pool.submit(run_small, url, recipe, browser=BROWSER, pages=1)
            try:
                wait_until(site.is_held.is_set)
                [service] = find_network_services() - others
                service.send_signal(signal.SIGKILL)
                wait_until(job.done, within_s=120)
            finally:
                site.may_end.set()  # or a job that waits for the answer would never end

        assert [item["title"] for item in job.result().items] == [
            title["title"] for title in titles(1, 3000)
        ]
