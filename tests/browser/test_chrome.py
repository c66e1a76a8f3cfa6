"""Start, failure to start, crash and end of browsers."""

import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from os import kill
from pathlib import Path

import pytest

from scraper.browser import chrome_session, chromedriver, grid
from scraper.browser.browser_settings import BrowserSettings
from scraper.browser.chrome import end_session, open_tab
from scraper.browser.page_snapshot import PageSnapshot, SnapshotQuery
from scraper.browser.tab import Tab
from scraper.errors import BrowserCrashed, BrowserUnavailable
from scraper.progress import ProgressStep
from tests.browser.recording import run
from tests.support.browser_processes import browsers_of
from tests.support.demo_site import DemoSite
from tests.support.loopback import BROWSER, LOOPBACK

Serve = Callable[..., str]


@pytest.fixture
def remote_end(scratch: Path) -> Iterator[str]:
    """Run a chromedriver without a guard as the remote end."""
    output = scratch / "chromedriver.out"
    with (
        output.open("wb") as sink,
        subprocess.Popen(["chromedriver", "--port=0"], stdout=sink, stderr=sink) as process,
    ):
        tick = threading.Event()
        while not (match := re.search(rb"on port (\d+)\.", output.read_bytes())):
            assert process.poll() is None
            tick.wait(0.01)
        yield f"http://127.0.0.1:{match.group(1).decode()}"
        process.kill()


def load(tab: Tab, url: str) -> PageSnapshot:
    previous_origin = tab.open(url)

    def evaluate(snapshot: PageSnapshot) -> PageSnapshot | None:
        is_new = snapshot.time_origin != previous_origin
        return snapshot if is_new and snapshot.is_loaded else None

    snapshot = tab.wait(SnapshotQuery(), time.monotonic() + 20, evaluate)
    assert snapshot is not None
    return snapshot


class TestOpenTab:
    def test_leaves_no_process_and_no_file(self, scratch: Path, serve: Serve) -> None:
        with open_tab(BROWSER) as tab:
            load(tab, serve(index="hello"))
            assert browsers_of(scratch) != []

        assert browsers_of(scratch) == []
        assert list(scratch.iterdir()) == []

    def test_leaves_no_process_and_no_file_after_an_error(self, scratch: Path) -> None:
        with pytest.raises(ZeroDivisionError), open_tab(BrowserSettings()):
            assert 1 / 0

        assert browsers_of(scratch) == []
        assert list(scratch.iterdir()) == []

    def test_uses_another_port_if_one_is_taken(
        self, scratch: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as other_program:
            ports = [other_program.getsockname()[1], chromedriver._find_port()]
            monkeypatch.setattr(chromedriver, "_find_port", lambda: ports.pop(0))

            with open_tab(BrowserSettings()):
                assert browsers_of(scratch)

        assert ports == []
        assert browsers_of(scratch) == []

    def test_gives_up_if_every_port_is_taken(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with socket.create_server(("127.0.0.1", 0)) as other_program:
            monkeypatch.setattr(chromedriver, "_find_port", lambda: other_program.getsockname()[1])

            with pytest.raises(BrowserUnavailable), open_tab(BrowserSettings()):
                pass

    def test_does_not_load_images(self, serve: Serve) -> None:
        base = serve(index="<img src=/img onerror='document.title=1' onload='document.title=1'>")

        with open_tab(BROWSER) as tab:
            load(tab, base)
            snapshot = tab.snapshot(SnapshotQuery(counts={"loaded": "title"}))

        assert snapshot is not None
        assert snapshot.counts == {"loaded": 0}

    def test_passes_extra_arguments_to_chrome(self, serve: Serve) -> None:
        page = "<script>document.body.append(document.createElement(navigator.userAgent))</script>"

        with open_tab(
            BrowserSettings(extra_arguments=("--user-agent=xyz",), allowed_addresses=LOOPBACK)
        ) as tab:
            load(tab, serve(index=f"<body>{page}"))
            snapshot = tab.snapshot(SnapshotQuery(counts={"xyz": "xyz"}))

        assert snapshot is not None
        assert snapshot.counts == {"xyz": 1}


class TestUnavailable:
    @pytest.mark.parametrize(
        ("settings", "reason"),
        [
            (BrowserSettings(chrome_binary="/nowhere/chrome"), "CHROME_BINARY=/nowhere/chrome"),
            (BrowserSettings(chromedriver="/nowhere/driver"), "CHROMEDRIVER=/nowhere/driver"),
            (BrowserSettings(chrome_binary="/bin/false"), "Chrome"),
            (BrowserSettings(chromedriver="/bin/false"), "no_start"),
            (BrowserSettings(remote_url="http://127.0.0.1:2"), "127.0.0.1:2: MaxRetryError"),
            (BrowserSettings(remote_url="grid:4444"), "no_remote_address"),
        ],
    )
    def test_reports_the_reason_in_one_line(
        self,
        scratch: Path,
        settings: BrowserSettings,
        reason: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(chrome_session, "_START_TIMEOUT_S", 2)  # for a Chrome that ends at once

        with pytest.raises(BrowserUnavailable) as failure, open_tab(settings):
            pass

        assert reason in str(failure.value.details["reason"])
        assert "\n" not in str(failure.value)
        assert list(scratch.iterdir()) == []

    def test_reports_that_chrome_is_not_installed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", "/nowhere")

        with (
            pytest.raises(BrowserUnavailable, match="no_chrome"),
            open_tab(BrowserSettings()),
        ):
            pass

    def test_reports_that_no_process_can_be_started(
        self, scratch: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "executable", "/nowhere/python")

        with pytest.raises(BrowserUnavailable), open_tab(BrowserSettings()):
            pass

        assert list(scratch.iterdir()) == []


class TestCrash:
    def test_is_reported_with_the_page(self, serve: Serve) -> None:
        with open_tab(BROWSER) as tab:
            load(tab, serve(index="hello"))

            with pytest.raises(BrowserCrashed) as failure:
                load(tab, "chrome://crash")

        assert failure.value.details["page"] == "chrome://crash"

    @pytest.mark.parametrize("name", ["chromium", "chromedriver"])
    def test_of_a_process_leaves_no_process_and_no_file(
        self, scratch: Path, serve: Serve, name: str
    ) -> None:
        base = serve(index="hello")
        with open_tab(BROWSER) as tab:
            load(tab, base)
            for pid in browsers_of(scratch):
                with suppress(OSError):  # it has just ended
                    if Path(f"/proc/{pid}/comm").read_text().strip() == name:
                        kill(pid, signal.SIGKILL)

            with pytest.raises(BrowserCrashed):
                load(tab, base)

        assert browsers_of(scratch) == []
        assert list(scratch.iterdir()) == []

    def test_leaves_no_process_if_all_of_them_hang(self, scratch: Path) -> None:
        with open_tab(BrowserSettings()):
            for pid in browsers_of(scratch):
                kill(pid, signal.SIGSTOP)

        assert browsers_of(scratch) == []


class TestRemoteEnd:
    def test_runs_a_job(self, remote_end: str, demo: DemoSite, scratch: Path) -> None:
        demo.have(status_503=1, retry_after=1)
        browser = BrowserSettings(
            chrome_binary="/nowhere",  # not used
            remote_url=remote_end,
            extra_arguments=("--no-sandbox",),
        )

        done = run(demo.url, browser=browser, pages=2)

        assert len(done.items) == 20
        assert done.steps(ProgressStep.RETRYING)[0]["seconds"] == 1  # Retry-After was read
        tick = threading.Event()
        while len(browsers_of(scratch)) > 1:  # the remote end itself remains
            tick.wait(0.05)

    def test_receives_the_account_of_its_url_which_is_never_shown(self, serve: Serve) -> None:
        requests: list[tuple[str, str | None]] = []

        def reject(request: BaseHTTPRequestHandler) -> tuple[int, dict[str, str], str]:
            requests.append((request.command, request.headers["Authorization"]))
            return 401, {}, "no"

        base_url = serve(**{"session": reject, "session/x": reject})
        browser = BrowserSettings(remote_url=base_url.replace("//", "//us:s%403cret@"))

        with pytest.raises(BrowserUnavailable) as failure, open_tab(browser):
            pass
        end_session(browser, "x")

        assert requests == [
            ("POST", "Basic dXM6c0AzY3JldA=="),
            ("DELETE", "Basic dXM6c0AzY3JldA=="),
        ]
        cause = failure.value.__cause__
        assert "3cret" not in f"{browser!r} {failure.value!r} {failure.value} {cause!r} {cause}"

    def test_receives_a_single_request_to_end_a_session(
        self, serve: Serve, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(grid, "_END_TIMEOUT_S", 0.3)
        session = {"value": {"sessionId": "x", "capabilities": {"browserName": "chrome"}}}
        requests: list[str] = []
        end = threading.Event()

        def hang(request: BaseHTTPRequestHandler) -> str:
            requests.append(request.command)
            end.wait(20)
            return ""

        base_url = serve(**{"session": lambda _: json.dumps(session), "session/x": hang})
        with open_tab(BrowserSettings(remote_url=base_url)):
            pass
        end.set()

        assert requests == ["DELETE"]

    @pytest.mark.parametrize(("status", "gone"), [(200, True), (404, True), (500, False)])
    def test_reports_whether_a_session_is_gone(
        self, serve: Serve, status: int, *, gone: bool
    ) -> None:
        base_url = serve(**{"session/x": (status, {}, "{}")})

        assert end_session(BrowserSettings(remote_url=base_url), "x") is gone

    def test_that_does_not_listen_may_still_have_the_session(self) -> None:
        assert not end_session(BrowserSettings(remote_url="http://127.0.0.1:2"), "x")
