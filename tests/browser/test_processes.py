"""Memory of local browsers, and the removal of orphans."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from scraper.browser import chromedriver
from scraper.browser.browser_settings import BrowserSettings
from scraper.browser.chrome import open_tab
from scraper.browser.processes import browsers_below, find_orphans, memory_mb
from tests.support.browser_processes import browsers_of, wait_for_no_browser
from tests.support.loopback import BROWSER
from tests.support.paths import ROOT
from tests.support.polling import wait_until
from worker.bootsteps.browser_cleanup import OrphanReaper

OWNER = """
import sys
from scraper.browser.browser_settings import BrowserSettings
from scraper.browser.chrome import open_tab
with open_tab(BrowserSettings()):
    print("open", flush=True)
    sys.stdin.read()
"""


@contextmanager
def _owner(**environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process with one browser until its stdin is closed."""
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
    """Leave a Chrome that was hanging when its guard was killed; return its process id."""
    with _owner(TMPDIR=str(scratch)) as owner:
        guard = psutil.Process(owner.pid).children()[0]
        (chrome,) = filter(_is_browser, guard.children(recursive=True))
        assert chrome not in find_orphans(), "it still has its guard"
        os.kill(chrome.pid, signal.SIGSTOP)
        guard.kill()
        owner.kill()
    try:
        wait_until(lambda: chrome in find_orphans())
        yield chrome.pid
    finally:
        for pid in browsers_of(scratch):
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(pid, signal.SIGKILL)
        wait_for_no_browser(scratch)  # it may write files until then


def orphans_of(scratch: Path) -> set[int]:
    """Return the orphans of a test: others may leave some at the same time."""
    return {process.pid for process in find_orphans()} & set(browsers_of(scratch))


def _is_browser(process: psutil.Process) -> bool:
    """Return whether a process is Chrome itself, and none of its parts."""
    try:
        arguments = process.cmdline()
    except psutil.NoSuchProcess:  # it has just ended
        return False
    is_part = any("--type=" in argument or "crashpad" in argument for argument in arguments)
    return not is_part and any("--user-data-dir=" in argument for argument in arguments)


class TestMemory:
    def test_sums_up_the_browsers_of_a_process(self) -> None:
        with _owner() as owner:
            browsers = browsers_below(owner.pid)
            assert memory_mb(browsers) > 20
        assert memory_mb(browsers) == 0, "they have ended with the process"

    @pytest.mark.parametrize(("limit", "exceeded"), [(0, False), (1, True), (100_000, False)])
    def test_is_compared_with_the_limit(self, limit: int, *, exceeded: bool) -> None:
        with open_tab(replace(BROWSER, memory_limit_mb=limit)) as tab:
            assert tab.exceeds_memory_limit() is exceeded


class TestSweep:
    def test_ends_an_orphan_at_its_second_sweep(self, scratch: Path, orphan: int) -> None:
        reaper = OrphanReaper()

        reaper.sweep()
        assert orphan in [process.pid for process in find_orphans()]
        reaper.sweep()

        # Chrome's own children end with it, or are ended in the same way.
        assert reaper.orphans >= 1
        wait_for_no_browser(scratch)

    def test_finds_an_orphan_if_other_users_processes_are_hidden(
        self, orphan: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        cmdline = psutil.Process.cmdline

        def hide_first_process(process: psutil.Process) -> list[str]:
            if process.pid == 1:
                raise psutil.AccessDenied(process.pid)  # as on macOS
            return cmdline(process)

        monkeypatch.setattr(psutil.Process, "cmdline", hide_first_process)

        assert orphan in [process.pid for process in find_orphans()]

    def test_ignores_a_browser_with_its_guard(self, scratch: Path) -> None:
        reaper = OrphanReaper()
        with open_tab(BrowserSettings()):
            kept = browsers_of(scratch)
            reaper.sweep()
            reaper.sweep()
            assert set(kept) & set(browsers_of(scratch))
            assert not orphans_of(scratch)

    def test_ignores_a_browser_with_the_guard_of_another_installation(
        self, scratch: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        other_guard = tmp_path / "scraper" / "browser" / "process_guard.py"
        other_guard.parent.mkdir(parents=True)
        shutil.copy(chromedriver.PROCESS_GUARD, other_guard)
        monkeypatch.setattr(chromedriver, "PROCESS_GUARD", other_guard)

        with open_tab(BrowserSettings()):
            assert browsers_of(scratch)
            assert not orphans_of(scratch)
