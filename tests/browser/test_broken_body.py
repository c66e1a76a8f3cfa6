"""A connection that is cut in the middle of a page: Chrome leaves such a page loading for ever."""

import http.server
import threading
import time
from collections.abc import Iterator

import pytest

from scraper.browser.chrome import BrowserSettings, open_tab
from scraper.browser.page_snapshot import PageSnapshot, SnapshotQuery

PAGE = b"<!doctype html><title>List</title>" + b"<p class=card>card</p>" * 2000
PATIENCE_S = 30


class HalfPages(http.server.BaseHTTPRequestHandler):
    """Gives a half of /half, and all of every other page."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE[: len(PAGE) // 2] if self.path == "/half" else PAGE)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def site() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), HalfPages) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class TestWait:
    def test_tells_a_page_that_was_cut_from_one_that_is_slow(self, site: str) -> None:
        seen = {}
        with open_tab(BrowserSettings()) as tab:
            for path in ("half", "whole"):
                left = tab.open(f"{site}/{path}")

                def come(look: PageSnapshot, left: float = left) -> PageSnapshot | None:
                    return look if look.is_parsed and look.time_origin != left else None

                seen[path] = tab.wait(
                    SnapshotQuery(counts={"cards": ".card"}), time.monotonic() + PATIENCE_S, come
                )

        half, whole = seen["half"], seen["whole"]
        assert half is not None
        assert (half.failure, half.is_retryable) == ("ERR_CONTENT_LENGTH_MISMATCH", True)
        assert whole is not None
        assert (whole.failure, whole.counts) == ("", {"cards": 2000})
