"""Browsers that are ready before the job comes."""

import contextlib
import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotDoneError
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from network.address_policy import PUBLIC_ONLY
from scraper.browser.browser_settings import BrowserSettings
from scraper.browser.chrome import open_tab
from scraper.browser.local_browser import LocalBrowser, open_browser
from scraper.browser.network_access import NetworkAccess
from scraper.browser.tab import Tab
from scraper.errors import ScrapeError, Stopped

logger = logging.getLogger(__name__)

_STOP_POLL_S: Final = 0.25
#: How long no job comes before a browser is started for a later one: a start takes what the
#: machine's processors have to give.
_IDLE_S: Final = 1.0


class BrowserSource(Protocol):
    """Where jobs get their browsers from."""

    def open_tab(
        self, settings: BrowserSettings, stop: threading.Event, access: NetworkAccess, owner: str
    ) -> AbstractContextManager[Tab]:
        """Yield the tab of a browser that has never been used by another owner.

        Args:
            settings: The browser's options.
            stop: Ends the tab's waits with Stopped once it is set.
            access: What it may connect to.
            owner: Whose pages it shows: the site and the account.

        Raises:
            BrowserUnavailable: There is no browser.
            BrowserNotStarted: It does not start.
            BrowserCrashed: It is lost while the tab is prepared.
            Stopped: `stop` is set.
        """


class NewBrowsers:
    """Starts a browser for each use."""

    def open_tab(
        self,
        settings: BrowserSettings,
        stop: threading.Event,
        access: NetworkAccess,
        owner: str,  # noqa: ARG002 - all are new
    ) -> AbstractContextManager[Tab]:
        """Start a browser, yield its tab, and end it."""
        return open_tab(settings, stop, access)


@dataclass(frozen=True)
class WarmLimits:
    """When a browser is replaced by a new one."""

    pages: int = 500
    age_s: float = 3600.0


@dataclass
class _Kept:
    """A browser that was started to be kept."""

    browser: LocalBrowser
    #: The options that it was started with.
    settings: BrowserSettings
    #: Ends it.
    exits: contextlib.ExitStack
    #: Whose pages it has shown; None: nobody's.
    owner: str | None = None
    started_at: float = field(default_factory=time.monotonic)

    def close(self) -> None:
        self.browser.kill()
        self.exits.close()


class WarmBrowsers:
    """Keeps the browser of the last owner, and one that has never been used.

    Both have their own profile. One job at a time takes a browser; what prepares the next one runs
    in threads, between jobs. They end with this process, however it ends.
    """

    def __init__(self, number: int, limits: WarmLimits = WarmLimits()) -> None:
        """Start nothing yet.

        Args:
            number: How many browsers are kept: 0; 1: that of the last owner; 2: one more.
            limits: When they are replaced.
        """
        self._number = number
        self._limits = limits
        self._stop = threading.Event()
        # Threads are started when they are needed: after a fork they would be gone.
        self._cleaning = ThreadPoolExecutor(1, "clean-browser")
        self._starting = ThreadPoolExecutor(1, "start-browser")
        self._warm: Future[_Kept | None] | None = None
        self._spare: Future[_Kept | None] | None = None
        self._idle_timer: threading.Timer | None = None

    @contextlib.contextmanager
    def open_tab(
        self, settings: BrowserSettings, stop: threading.Event, access: NetworkAccess, owner: str
    ) -> Iterator[Tab]:
        """Yield the tab of a browser; see `BrowserSource`.

        It is kept if the block ends without an error. A remote end's browsers are not kept: they
        would take the place of others'.
        """
        if settings.remote_url is not None or not self._number:
            with open_tab(settings, stop, access) as tab:
                yield tab
            return
        kept = self._take(settings, stop, owner)
        try:
            with kept.browser.use(settings, stop, access) as tab:
                yield tab
        except BaseException:
            kept.close()
            raise
        if stop.is_set():
            kept.close()
            return
        kept.owner = owner
        self._warm = self._cleaning.submit(self._clean, kept, settings.memory_limit_mb)
        if self._number > 1 and self._spare is None:
            unused = _usual_options(kept.settings)
            self._idle_timer = threading.Timer(_IDLE_S, self._start_spare, [unused])
            self._idle_timer.daemon = True
            self._idle_timer.start()

    def close(self) -> None:
        """End all browsers."""
        self._stop.set()
        if self._idle_timer:
            self._idle_timer.cancel()
            self._idle_timer.join()
        for future in (self._warm, self._spare):
            if future and (kept := future.result()):
                kept.close()
        self._warm = self._spare = None
        self._cleaning.shutdown()
        self._starting.shutdown()

    def _take(self, settings: BrowserSettings, stop: threading.Event, owner: str) -> _Kept:
        """Return the owner's browser, the unused one, or a new one."""
        if self._idle_timer:
            self._idle_timer.cancel()
        wanted = _start_options(settings)
        warm, self._warm = self._warm, None
        if warm and (kept := _wait(warm, stop)):
            if kept.owner == owner and kept.settings == wanted and kept.browser.answers():
                return kept
            self._cleaning.submit(kept.close)
        if self._spare and wanted == _usual_options(wanted):
            spare, self._spare = self._spare, None
            kept = _wait(spare, stop)
            if kept and kept.settings == wanted and kept.browser.answers():
                return kept
            if kept:
                self._cleaning.submit(kept.close)
        return _start(wanted, stop)

    def _clean(self, kept: _Kept, memory_limit_mb: int) -> _Kept | None:
        """Prepare a browser for its owner's next job; end it instead if it is due for renewal."""
        if (
            kept.browser.pages < self._limits.pages
            and time.monotonic() - kept.started_at < self._limits.age_s
            and not kept.browser.exceeds(memory_limit_mb)
            and kept.browser.leave_page()
        ):
            return kept
        kept.close()
        return None

    def _start_spare(self, settings: BrowserSettings) -> None:
        self._spare = self._starting.submit(self._start_unused, settings)

    def _start_unused(self, settings: BrowserSettings) -> _Kept | None:
        try:
            return _start(settings, self._stop)
        except ScrapeError as error:
            # The job that needs one finds the same, and fails with it.
            logger.info("no browser could be started for later jobs: %s", error)
            return None


def _start(settings: BrowserSettings, stop: threading.Event) -> _Kept:
    with contextlib.ExitStack() as stack:
        browser = stack.enter_context(open_browser(settings, stop))
        return _Kept(browser, settings, stack.pop_all())


def _start_options(settings: BrowserSettings) -> BrowserSettings:
    """Return the options without those that are a job's own, which change between jobs."""
    return replace(
        settings,
        locale=None,
        time_zone=None,
        memory_limit_mb=0,
        blocked_hosts=(),
        allowed_addresses=PUBLIC_ONLY,
    )


def _usual_options(settings: BrowserSettings) -> BrowserSettings:
    """Return the options of a browser that most recipes can use."""
    return replace(settings, images=False, user_agent=None, viewport=None)


def _wait(future: Future[_Kept | None], stop: threading.Event) -> _Kept | None:
    """Return what is being prepared.

    Raises:
        Stopped: `stop` is set; what is prepared is ended.
    """
    while True:
        try:
            return future.result(_STOP_POLL_S)
        except NotDoneError:
            if stop.is_set():
                future.add_done_callback(_close_result)
                raise Stopped from None


def _close_result(future: Future[_Kept | None]) -> None:
    if kept := future.result():
        kept.close()
