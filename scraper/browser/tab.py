"""The one tab of a browser: open, look, wait, type, click, run a script."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from selenium.common.exceptions import (
    ElementClickInterceptedException,
    ElementNotInteractableException,
    StaleElementReferenceException,
    WebDriverException,
)
from selenium.webdriver.remote.command import Command
from selenium.webdriver.remote.remote_connection import RemoteConnection
from selenium.webdriver.remote.webdriver import WebDriver
from urllib3.exceptions import HTTPError

from scraper.browser import performance_log, webdriver_errors
from scraper.browser.page_snapshot import ElementState, PageSnapshot, SnapshotQuery
from scraper.errors import BrowserCrashed, RecipeMalformed, Stopped

T = TypeVar("T")

_SCRIPTS: Final = Path(__file__).with_name("js")
_SNAPSHOT: Final = (_SCRIPTS / "snapshot.js").read_text(encoding="utf-8")
_VISIBLE_TEXT: Final = (_SCRIPTS / "visible_text.js").read_text(encoding="utf-8")
#: The script that reads all items of a page.
EXTRACT: Final = (_SCRIPTS / "extract.js").read_text(encoding="utf-8")

#: How long a script call may take at first. While an answer is awaited Chrome holds scripts back,
#: so this is how late a stop or a deadline may be seen.
SCRIPT_TIMEOUT_S: Final = 0.5
_MAX_SCRIPT_TIMEOUT_S: Final = 32.0
# Between two looks: a look costs 3 ms, and who waits for long loses nothing by looking less.
_MIN_INTERVAL_S: Final = 0.005
_MAX_INTERVAL_S: Final = 0.1
_INTERVAL_PER_SECOND: Final = 0.01
# Errors of a click that say that there was none.
_NOT_CLICKED: Final = (
    ElementClickInterceptedException,
    ElementNotInteractableException,
    StaleElementReferenceException,
)
# While an answer is awaited no look is answered, nor is one by a browser that hangs: after so much
# silence the browser itself is asked, which answers in any case but the second.
_PING_AFTER_S: Final = 10.0
# How often a document that is still coming is looked up in the log: its connection may be cut.
_LOG_INTERVAL_S: Final = 1.0
_EXECUTE_CDP: Final = "askBrowser"
# The log grows with each request of a page, and is only read where a page fails.
_PAGES_PER_LOG: Final = 10


class _TransientError(Exception):
    """The page changed under the command, or is too busy to answer."""


class Tab:
    """A browser's tab.

    Every method raises BrowserCrashed once the browser is lost. Every wait raises Stopped when
    the caller's stop event is set.
    """

    def __init__(
        self,
        driver: WebDriver,
        stop: threading.Event,
        session: str | None = None,
        exceeds_memory_limit: Callable[[], bool] = lambda: False,
    ) -> None:
        """Take the tab that is there.

        Args:
            driver: the browser.
            stop: once it is set, waits end.
            session: the browser's id at a remote end; None for a local one.
            exceeds_memory_limit: whether the browser takes more memory than it may.
        """
        self.session = session
        self.exceeds_memory_limit = exceeds_memory_limit
        self._driver = driver
        # A command that Selenium has for its own Chrome class alone.
        executor = cast("RemoteConnection", driver.command_executor)
        executor.add_command(_EXECUTE_CDP, "POST", "/session/$sessionId/goog/cdp/execute")  # type: ignore[no-untyped-call] # as Selenium has it
        self._stop = stop
        self._opened = 0
        # The document that was seen last.
        self._time_origin = 0.0
        self._script_timeout_s = SCRIPT_TIMEOUT_S
        #: The address that was opened last.
        self.page = ""

    def open(self, url: str) -> float:
        """Begin to load a page, without waiting for anything.

        Returns:
            The origin of the document that is left: looks show it until the page's first bytes
            are there.
        """
        self.pause(0)
        self.page = url
        if self._opened % _PAGES_PER_LOG == _PAGES_PER_LOG - 1:
            self._read_log()
        self._opened += 1
        self.snapshot(SnapshotQuery())  # another document may have come since the last look
        with self._translate_errors(), contextlib.suppress(_TransientError):
            self._driver.get(url)
        return self._time_origin

    def snapshot(self, query: SnapshotQuery) -> PageSnapshot | None:
        """Look once; None if the page could not answer just now."""
        try:
            snapshot = PageSnapshot.decode(self._run(_SNAPSHOT, query.script_argument))
        except _TransientError:
            return None
        self._time_origin = snapshot.time_origin
        return snapshot

    def wait(
        self, query: SnapshotQuery, deadline: float, evaluate: Callable[[PageSnapshot], T]
    ) -> T | None:
        """Look until `verdict` makes something of what it sees.

        Args:
            query: what to look for.
            deadline: on the monotonic clock.
            evaluate: gives None as long as the wait goes on.

        Returns:
            The verdict, or None at the deadline.
        """
        began = heard = read = time.monotonic()
        log: list[dict[str, Any]] = []
        while (now := time.monotonic()) < deadline:
            look = self.snapshot(query)
            if look is not None and not look.is_parsed and now - read > _LOG_INTERVAL_S:
                read = now
                log += self._read_log()
                look = look.with_load_error(performance_log.load_error(log, look.url))
            if look is not None:
                heard = now
            elif now - heard > _PING_AFTER_S:
                self._ping_browser()
                heard = now
            found = None if look is None else evaluate(look)
            if found is not None:
                return found
            interval = max(_MIN_INTERVAL_S, (now - began) * _INTERVAL_PER_SECOND)
            self.pause(min(interval, _MAX_INTERVAL_S, max(0.0, deadline - now)))
        return None

    def pause(self, seconds: float) -> None:
        """Wait for so long.

        Raises:
            Stopped: the caller set the stop event.
        """
        if self._stop.wait(seconds):
            raise Stopped

    def type_into(self, element: ElementState, text: str) -> bool:
        """Type a text into a form field, as a person does, in place of what it holds.

        Returns:
            False if the field could not take it just now.
        """
        try:
            with self._translate_errors():
                if element.has_value:
                    element.element.clear()
                element.element.send_keys(text)
        except _TransientError:
            return False
        return True

    def click(self, element: ElementState) -> bool:
        """Click on an element.

        Returns:
            False if it could not be clicked just now: it moves, or something covers it. True if
            it was clicked, or may have been: the click itself may take the page away.
        """
        try:
            with self._translate_errors():
                element.element.click()
        except _TransientError as moment:
            return not isinstance(moment.__cause__, _NOT_CLICKED)
        return True

    def visible_lines(self) -> list[str]:
        """Return the lines of text that the page shows; none if it could not answer just now."""
        try:
            return list(self._run(_VISIBLE_TEXT))
        except _TransientError:
            return []

    def extract(self, items: str, fields: dict[str, Any]) -> str | None:
        """Read all items of the page: `js/extract.js` says how.

        Returns:
            JSON; or None if the page could not answer just now.

        Raises:
            RecipeMalformed: the browser does not take a selector or a regex.
        """
        try:
            return str(self._run(EXTRACT, items, json.dumps(fields)))
        except _TransientError:
            # Perhaps the page only needs longer than a look may take.
            self._script_timeout_s = min(2 * self._script_timeout_s, _MAX_SCRIPT_TIMEOUT_S)
            with self._translate_errors(), contextlib.suppress(_TransientError):
                self._driver.set_script_timeout(self._script_timeout_s)
            return None

    def retry_after(self, failure: PageSnapshot) -> float | None:
        """Return the seconds that a page which has failed asks to wait, if it does."""
        entries = self._read_log()
        return performance_log.retry_after(entries, failure.url, failure.status, datetime.now(UTC))

    def _ping_browser(self) -> None:
        """Return if the browser answers, whatever its page does."""
        with self._translate_errors(), contextlib.suppress(_TransientError):
            self._driver.execute(_EXECUTE_CDP, {"cmd": "Browser.getVersion", "params": {}})

    def _run(self, script: str, *arguments: Any) -> Any:
        with self._translate_errors():
            result = self._driver.execute_script(script, *arguments)
        if result is None:  # no script of ours gives that: a dialog has cut it short
            raise _TransientError
        return result

    def _read_log(self) -> list[dict[str, Any]]:
        """Return the log's entries since the last time; none where the remote end keeps no log."""
        try:
            with self._translate_errors():
                answer = self._driver.execute(Command.GET_LOG, {"type": "performance"})
        except (_TransientError, WebDriverException):
            return []
        return list(answer["value"])

    @contextlib.contextmanager
    def _translate_errors(self) -> Iterator[None]:
        """Turn WebDriver's errors into what they mean."""
        try:
            yield
        except (HTTPError, OSError) as error:
            raise BrowserCrashed(self.page) from error
        except (ElementNotInteractableException, ElementClickInterceptedException) as error:
            raise _TransientError from error
        except WebDriverException as error:
            if webdriver_errors.is_lost(error):
                raise BrowserCrashed(self.page) from error
            if webdriver_errors.is_malformed(error):
                raise RecipeMalformed(webdriver_errors.first_line(error)) from error
            if webdriver_errors.is_transient(error):
                raise _TransientError from error
            raise
