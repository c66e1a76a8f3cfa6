"""What local browsers take, and how one is found that nobody looks after."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from scraper.browser import chromedriver
from scraper.browser.chrome import BrowserSettings, open_tab
from scraper.browser.processes import browsers_below, find_orphans, memory_mb
from tests.support.browser_processes import browsers_of, wait_for_no_browser
from tests.support.paths import ROOT
from tests.support.polling import wait_until
from worker.bootsteps.browser_cleanup import OrphanReaper

OWNER = """
import sys
from scraper.browser.chrome import BrowserSettings, open_tab
with open_tab(BrowserSettings()):
    print("open", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def scratch(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """Give browsers, and whoever looks for them, a folder of the test's own."""
    tmp_path_factory.getbasetemp()  # else the one of all tests could come to be in this folder
    with tempfile.TemporaryDirectory(prefix="g-") as folder:  # tmp_path's name is too long
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


@contextmanager
def _owner(**environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process that has a browser, and no other one, until its stdin is closed."""
    with subprocess.Popen(
        [sys.executable, "-c", OWNER],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"open\n"
        yield owner


@pytest.fixture
def orphan(scratch: Path) -> Iterator[int]:
    """Leave a Chrome behind that hung while its guard was killed; return its process."""
    with _owner(TMPDIR=str(scratch)) as owner:
        guard = psutil.Process(owner.pid).children()[0]
        (chrome,) = (
            process
            for process in guard.children(recursive=True)
            if any("--user-data-dir=" in word for word in process.cmdline())
            and not any("--type=" in word or "crashpad" in word for word in process.cmdline())
        )
        assert find_orphans() == [], "its guard looks after it"
        os.kill(chrome.pid, signal.SIGSTOP)
        guard.kill()
        owner.kill()
    try:
        wait_until(lambda: chrome in find_orphans())
        yield chrome.pid
    finally:
        for left in browsers_of(scratch):
            os.kill(left, signal.SIGKILL)


class TestMemory:
    def test_is_that_of_the_browsers_below_a_process(self) -> None:
        with _owner() as owner:
            browsers = browsers_below(owner.pid)
            assert memory_mb(browsers) > 20
        assert memory_mb(browsers) == 0, "they have ended with it"

    @pytest.mark.parametrize(("limit", "outgrown"), [(0, False), (1, True), (100_000, False)])
    def test_has_a_bound(self, limit: int, *, outgrown: bool) -> None:
        with open_tab(BrowserSettings(memory_limit_mb=limit)) as tab:
            assert tab.exceeds_memory_limit() is outgrown


class TestSweep:
    def test_ends_a_browser_that_it_meets_twice(self, scratch: Path, orphan: int) -> None:
        browsers = OrphanReaper()

        browsers.sweep()
        assert orphan in [process.pid for process in find_orphans()]
        assert browsers.orphans == 0
        browsers.sweep()

        # Chrome's own children end with it, or are ended just so.
        assert (ended := browsers.orphans) >= 1
        wait_for_no_browser(scratch)
        browsers.sweep()
        assert browsers.orphans == ended

    def test_lets_a_browser_be_that_has_its_guard(self, scratch: Path) -> None:
        browsers = OrphanReaper()
        with open_tab(BrowserSettings()):
            browsers.sweep()
            browsers.sweep()
            assert browsers_of(scratch)

        assert browsers.orphans == 0

    def test_lets_a_browser_be_whose_guard_is_that_of_another_installation(
        self, scratch: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        other = tmp_path / "scraper" / "browser" / "process_guard.py"
        other.parent.mkdir(parents=True)
        shutil.copy(chromedriver.PROCESS_GUARD, other)
        monkeypatch.setattr(chromedriver, "PROCESS_GUARD", other)

        with open_tab(BrowserSettings()):
            assert browsers_of(scratch)
            assert find_orphans() == []
