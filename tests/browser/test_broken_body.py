"""Connections that are cut in the middle of a page, which Chrome then shows as still loading."""

import http.server
import threading
import time
from collections.abc import Iterator

import pytest

from scraper.browser.chrome import open_tab
from scraper.browser.page_snapshot import PageSnapshot, SnapshotQuery
from scraper.browser.tab import Tab
from tests.support.loopback import BROWSER

PAGE = b"<!doctype html><title>List</title>" + b"<p class=card>card</p>" * 2000
TIMEOUT_S = 30


class HalfPages(http.server.BaseHTTPRequestHandler):
    """Sends half of /half, and every other page completely."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE[: len(PAGE) // 2] if self.path == "/half" else PAGE)

    def log_message(self, *_: object) -> None:
        """Do nothing."""


@pytest.fixture
def site() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), HalfPages) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class TestWait:
    def test_reports_a_page_whose_connection_was_cut(self, site: str) -> None:
        with open_tab(BROWSER) as tab:
            half = load(tab, f"{site}/half")
            complete = load(tab, f"{site}/complete")

        assert (half.failure, half.is_retryable) == ("ERR_CONTENT_LENGTH_MISMATCH", True)
        assert (complete.failure, complete.counts) == ("", {"cards": 2000})


def load(tab: Tab, url: str) -> PageSnapshot:
    previous_origin = tab.open(url)

    def evaluate(snapshot: PageSnapshot) -> PageSnapshot | None:
        is_new = snapshot.time_origin != previous_origin
        return snapshot if is_new and snapshot.is_parsed else None

    query = SnapshotQuery(counts={"cards": ".card"})
    snapshot = tab.wait(query, time.monotonic() + TIMEOUT_S, evaluate)
    assert snapshot is not None
    return snapshot
