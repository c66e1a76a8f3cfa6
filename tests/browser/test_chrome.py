"""Browsers that start, do not start, crash, and go away again."""

import json
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from os import kill
from pathlib import Path

import pytest

from scraper.browser import chrome, chromedriver, grid
from scraper.browser.chrome import BrowserSettings, end_session, open_tab
from scraper.browser.page_snapshot import PageSnapshot, SnapshotQuery
from scraper.browser.tab import Tab
from scraper.errors import BrowserCrashed, BrowserUnavailable
from tests.browser.recording import run
from tests.support.browser_processes import browsers_of
from tests.support.demo_site import DemoSite

Serve = Callable[..., str]


@pytest.fixture
def scratch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Let browsers have their files, and so their mark, in a folder of the test's own."""
    with tempfile.TemporaryDirectory(prefix="g-") as folder:  # tmp_path's name is too long
        monkeypatch.setattr(tempfile, "tempdir", folder)
        monkeypatch.setenv("TMPDIR", folder)  # for a chromedriver without guard
        yield Path(folder)


@pytest.fixture
def remote_end(scratch: Path) -> Iterator[str]:
    """Run a chromedriver of the system's as the remote end."""
    output = scratch / "chromedriver.out"
    with (
        output.open("wb") as sink,
        subprocess.Popen(["chromedriver", "--port=0"], stdout=sink, stderr=sink) as process,
    ):
        tick = threading.Event()
        while not (found := re.search(rb"on port (\d+)\.", output.read_bytes())):
            assert process.poll() is None
            tick.wait(0.01)
        yield f"http://127.0.0.1:{found.group(1).decode()}"
        process.kill()


def load(tab: Tab, url: str) -> PageSnapshot:
    left = tab.open(url)
    look = tab.wait(
        SnapshotQuery(),
        time.monotonic() + 20,
        lambda look: look if look.time_origin != left and look.is_loaded else None,
    )
    assert look is not None
    return look


class TestOpenTab:
    def test_leaves_no_process_and_no_file(self, scratch: Path, serve: Serve) -> None:
        with open_tab(BrowserSettings()) as tab:
            load(tab, serve(index="hello"))
            assert browsers_of(scratch) != []

        assert browsers_of(scratch) == []
        assert list(scratch.iterdir()) == []

    def test_leaves_nothing_after_an_error(self, scratch: Path) -> None:
        with pytest.raises(ZeroDivisionError), open_tab(BrowserSettings()):
            assert 1 / 0

        assert browsers_of(scratch) == []
        assert list(scratch.iterdir()) == []

    def test_takes_another_port_if_somebody_was_quicker(
        self, scratch: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as somebody:
            ports = [somebody.getsockname()[1], chromedriver._find_port()]
            monkeypatch.setattr(chromedriver, "_find_port", lambda: ports.pop(0))

            with open_tab(BrowserSettings()):
                assert browsers_of(scratch)

        assert ports == []
        assert browsers_of(scratch) == []

    def test_gives_up_if_somebody_is_always_quicker(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with socket.create_server(("127.0.0.1", 0)) as somebody:
            monkeypatch.setattr(chromedriver, "_find_port", lambda: somebody.getsockname()[1])

            with pytest.raises(BrowserUnavailable), open_tab(BrowserSettings()):
                pass

    def test_does_not_load_images(self, serve: Serve) -> None:
        base = serve(index="<img src=/img onerror='document.title=1' onload='document.title=1'>")

        with open_tab(BrowserSettings()) as tab:
            load(tab, base)
            look = tab.snapshot(SnapshotQuery(counts={"tried": "title"}))

        assert look is not None
        assert look.counts == {"tried": 0}

    def test_hands_on_more_arguments(self, serve: Serve) -> None:
        page = "<script>document.body.append(document.createElement(navigator.userAgent))</script>"

        with open_tab(BrowserSettings(extra_arguments=("--user-agent=xyz",))) as tab:
            load(tab, serve(index=f"<body>{page}"))
            look = tab.snapshot(SnapshotQuery(counts={"xyz": "xyz"}))

        assert look is not None
        assert look.counts == {"xyz": 1}


class TestUnavailable:
    @pytest.mark.parametrize(
        ("settings", "words"),
        [
            (BrowserSettings(chrome_binary="/nowhere/chrome"), "CHROME_BINARY=/nowhere/chrome"),
            (BrowserSettings(chromedriver="/nowhere/driver"), "CHROMEDRIVER=/nowhere/driver"),
            (BrowserSettings(chrome_binary="/bin/false"), "Chrome"),
            (BrowserSettings(chromedriver="/bin/false"), "no_start"),
            (BrowserSettings(remote_url="http://127.0.0.1:2"), "127.0.0.1:2: MaxRetryError"),
            (BrowserSettings(remote_url="grid:4444"), "no_remote_address"),
        ],
    )
    def test_says_why_and_how_to_install(
        self,
        scratch: Path,
        settings: BrowserSettings,
        words: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(chrome, "_START_TIMEOUT_S", 2)  # of a Chrome that is gone at once

        with pytest.raises(BrowserUnavailable) as failure, open_tab(settings):
            pass

        assert words in str(failure.value.details["reason"])
        assert "\n" not in str(failure.value)
        assert "apt-get install chromium chromium-driver" in str(failure.value)
        assert list(scratch.iterdir()) == []

    def test_is_what_a_machine_without_chrome_says(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", "/nowhere")

        with (
            pytest.raises(BrowserUnavailable, match="no Chrome or Chromium on PATH"),
            open_tab(BrowserSettings()),
        ):
            pass

    def test_is_what_a_machine_without_free_processes_says(
        self, scratch: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "executable", "/nowhere/python")

        with pytest.raises(BrowserUnavailable), open_tab(BrowserSettings()):
            pass

        assert list(scratch.iterdir()) == []


class TestCrash:
    def test_of_the_page_is_known(self, serve: Serve) -> None:
        with open_tab(BrowserSettings()) as tab:
            load(tab, serve(index="hello"))

            with pytest.raises(BrowserCrashed) as failure:
                load(tab, "chrome://crash")

        assert failure.value.details["page"] == "chrome://crash"

    @pytest.mark.parametrize("name", ["chromium", "chromedriver"])
    def test_of_a_process_is_known_and_leaves_nothing(
        self, scratch: Path, serve: Serve, name: str
    ) -> None:
        base = serve(index="hello")
        with open_tab(BrowserSettings()) as tab:
            load(tab, base)
            for pid in browsers_of(scratch):
                if Path(f"/proc/{pid}/comm").read_text().strip() == name:
                    kill(pid, signal.SIGKILL)

            with pytest.raises(BrowserCrashed):
                load(tab, base)

        assert browsers_of(scratch) == []
        assert list(scratch.iterdir()) == []

    def test_leaves_nothing_even_if_all_of_it_hangs(self, scratch: Path) -> None:
        with open_tab(BrowserSettings()):
            for pid in browsers_of(scratch):
                kill(pid, signal.SIGSTOP)

        assert browsers_of(scratch) == []


class TestRemoteEnd:
    def test_does_the_same_job(self, remote_end: str, demo: DemoSite, scratch: Path) -> None:
        demo.have(status_503=1, retry_after=1)
        browser = BrowserSettings(
            chrome_binary="/nowhere",  # not asked
            remote_url=remote_end,
            extra_arguments=("--no-sandbox",),
        )

        done = run(demo.url, browser=browser, pages=2)

        assert len(done.items) == 20
        assert done.told_of("retrying")[0]["seconds"] == 1  # Retry-After came through
        tick = threading.Event()
        while len(browsers_of(scratch)) > 1:  # the remote end itself stays
            tick.wait(0.05)

    def test_is_asked_with_the_account_of_its_address_that_is_never_shown(
        self, serve: Serve
    ) -> None:
        asked: list[tuple[str, str | None]] = []

        def refuse(request: BaseHTTPRequestHandler) -> tuple[int, dict[str, str], str]:
            asked.append((request.command, request.headers["Authorization"]))
            return 401, {}, "no"

        address = serve(**{"session": refuse, "session/x": refuse})
        browser = BrowserSettings(remote_url=address.replace("//", "//us:s%403cret@"))

        with pytest.raises(BrowserUnavailable) as failure, open_tab(browser):
            pass
        end_session(browser, "x")

        assert asked == [("POST", "Basic dXM6c0AzY3JldA=="), ("DELETE", "Basic dXM6c0AzY3JldA==")]
        cause = failure.value.__cause__
        assert "3cret" not in f"{browser!r} {failure.value!r} {failure.value} {cause!r} {cause}"

    def test_that_does_not_answer_is_left_after_one_farewell(
        self, serve: Serve, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(grid, "_END_TIMEOUT_S", 0.3)
        session = {"value": {"sessionId": "x", "capabilities": {"browserName": "chrome"}}}
        farewells: list[str] = []
        end = threading.Event()

        def hang(request: BaseHTTPRequestHandler) -> str:
            farewells.append(request.command)
            end.wait(20)
            return ""

        address = serve(**{"session": lambda _: json.dumps(session), "session/x": hang})
        with open_tab(BrowserSettings(remote_url=address)):
            pass
        end.set()

        assert farewells == ["DELETE"]
