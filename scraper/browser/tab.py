"""The only tab of a browser: open a page, wait, type, click, extract."""

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
#: The script that extracts all items of a page.
EXTRACT: Final = (_SCRIPTS / "extract.js").read_text(encoding="utf-8")

#: The time limit of a script. Chrome delays scripts while it waits for a response, so this also
#: limits how late a stop or a deadline is noticed.
SCRIPT_TIMEOUT_S: Final = 0.5
# The limit of an extraction doubles, up to this, each time it was too short.
_MAX_SCRIPT_TIMEOUT_S: Final = 32.0
# The interval between two snapshots, which take 3 ms each, grows with the time waited.
_MIN_INTERVAL_S: Final = 0.005
_MAX_INTERVAL_S: Final = 0.1
_INTERVAL_PER_SECOND: Final = 0.01
# Errors that mean that a click did not happen.
_NOT_CLICKED: Final = (
    ElementClickInterceptedException,
    ElementNotInteractableException,
    StaleElementReferenceException,
)
# Neither a page that waits for a response nor a browser that hangs returns snapshots. After this
# long without one the browser itself is pinged, which only the latter does not answer.
_PING_AFTER_S: Final = 10.0
# How often the log is checked for a cut connection while a document is loading.
_LOG_INTERVAL_S: Final = 1.0
_EXECUTE_CDP: Final = "executeCdpCommand"
# The log grows with each request of a page, and is otherwise only read when a page fails.
_PAGES_PER_LOG: Final = 10


class _TransientError(Exception):
    """The page changed during the command, or is too busy to answer."""


class Tab:
    """The tab of a browser.

    Every method raises BrowserCrashed once the browser is lost. Every wait raises Stopped once the
    caller's stop event is set.
    """

    def __init__(
        self,
        driver: WebDriver,
        stop: threading.Event,
        session: str | None = None,
        exceeds_memory_limit: Callable[[], bool] = lambda: False,
    ) -> None:
        """Wrap the tab that a new browser has.

        Args:
            driver: The browser.
            stop: Ends waits once it is set.
            session: The browser's session id at a remote end; None for a local one.
            exceeds_memory_limit: Returns whether the browser uses more memory than allowed.
        """
        self.session = session
        self.exceeds_memory_limit = exceeds_memory_limit
        self._driver = driver
        # Selenium defines this command for its local Chrome class only.
        executor = cast("RemoteConnection", driver.command_executor)
        executor.add_command(_EXECUTE_CDP, "POST", "/session/$sessionId/goog/cdp/execute")  # type: ignore[no-untyped-call] # untyped in Selenium
        self._stop = stop
        self._opened_pages = 0
        # The document of the last snapshot.
        self._time_origin = 0.0
        self._extract_timeout_s = SCRIPT_TIMEOUT_S
        #: The URL that was opened last.
        self.page = ""

    def open(self, url: str) -> float:
        """Start to load a page, without waiting for it.

        Args:
            url: The page's URL.

        Returns:
            The time origin of the previous document, which snapshots show until the first bytes
            of the new one arrive.

        Raises:
            BrowserCrashed: The browser is lost.
            Stopped: The stop event is set.
        """
        self.pause(0)
        self.page = url
        self._extract_timeout_s = SCRIPT_TIMEOUT_S
        if self._opened_pages % _PAGES_PER_LOG == _PAGES_PER_LOG - 1:
            self._read_log()
        self._opened_pages += 1
        self.snapshot(SnapshotQuery())  # the document may have changed since the last snapshot
        with self._translate_errors(), contextlib.suppress(_TransientError):
            self._driver.get(url)
        return self._time_origin

    def snapshot(self, query: SnapshotQuery) -> PageSnapshot | None:
        """Return a snapshot of the page; None if it could not answer just now.

        Raises:
            BrowserCrashed: The browser is lost.
            RecipeMalformed: The browser rejects a selector.
        """
        try:
            snapshot = PageSnapshot.decode(self._run(_SNAPSHOT, query.script_argument))
        except _TransientError:
            return None
        self._time_origin = snapshot.time_origin
        return snapshot

    def wait(
        self, query: SnapshotQuery, deadline: float, evaluate: Callable[[PageSnapshot], T]
    ) -> T | None:
        """Poll the page until `evaluate` returns a value.

        Args:
            query: The selectors that the snapshots cover.
            deadline: On the monotonic clock.
            evaluate: Receives each snapshot; returns None to continue.

        Returns:
            The value, or None at the deadline.

        Raises:
            BrowserCrashed: The browser is lost, or has not answered a ping.
            Stopped: The stop event was set.
            RecipeMalformed: The browser rejects a selector.
        """
        started = time.monotonic()
        last_answer = started
        last_log = started
        log: list[dict[str, Any]] = []
        while (now := time.monotonic()) < deadline:
            snapshot = self.snapshot(query)
            if snapshot is not None and not snapshot.is_parsed and now - last_log > _LOG_INTERVAL_S:
                last_log = now
                log += self._read_log()
                snapshot = snapshot.with_load_error(performance_log.load_error(log, snapshot.url))
            if snapshot is not None:
                last_answer = now
            elif now - last_answer > _PING_AFTER_S:
                self._ping_browser()
                last_answer = now
            value = None if snapshot is None else evaluate(snapshot)
            if value is not None:
                return value
            interval = max(_MIN_INTERVAL_S, (now - started) * _INTERVAL_PER_SECOND)
            self.pause(min(interval, _MAX_INTERVAL_S, max(0.0, deadline - now)))
        return None

    def pause(self, seconds: float) -> None:
        """Wait for some seconds.

        Raises:
            Stopped: The stop event is set.
        """
        if self._stop.wait(seconds):
            raise Stopped

    def type_into(self, field: ElementState, text: str) -> bool:
        """Replace the value of a form field by typing.

        Args:
            field: The form field.
            text: The new value.

        Returns:
            False if the field could not be typed into just now.

        Raises:
            BrowserCrashed: The browser is lost.
        """
        try:
            with self._translate_errors():
                if field.has_value:
                    field.element.clear()
                field.element.send_keys(text)
        except _TransientError:
            return False
        return True

    def click(self, target: ElementState) -> bool:
        """Click on an element.

        Args:
            target: The element.

        Returns:
            False if it could not be clicked just now: it moves, or something covers it. True if
            it was clicked, or may have been: the click itself may replace the page.

        Raises:
            BrowserCrashed: The browser is lost.
        """
        try:
            with self._translate_errors():
                target.element.click()
        except _TransientError as error:
            return not isinstance(error.__cause__, _NOT_CLICKED)
        return True

    def visible_lines(self) -> list[str]:
        """Return the lines of text that the page shows; none if it could not answer just now.

        Raises:
            BrowserCrashed: The browser is lost.
        """
        try:
            return list(self._run(_VISIBLE_TEXT))
        except _TransientError:
            return []

    def extract(self, items: str, fields: dict[str, Any]) -> str | None:
        """Extract all items of the page with `js/extract.js`.

        An extraction that exceeds its time limit has twice as long in the next call, until one
        succeeds or another page is opened.

        Args:
            items: The selector of an item.
            fields: The recipe's fields by name, as plain data.

        Returns:
            JSON as `js/extract.js` documents it; None if the page could not answer just now.

        Raises:
            BrowserCrashed: The browser is lost.
            RecipeMalformed: The browser rejects a selector or a regular expression.
        """
        timeout_s = self._extract_timeout_s
        try:
            with self._script_timeout(timeout_s):
                extracted = str(self._run(EXTRACT, items, json.dumps(fields)))
        except _TransientError as error:
            if webdriver_errors.is_script_timeout(error.__cause__):
                self._extract_timeout_s = min(2 * timeout_s, _MAX_SCRIPT_TIMEOUT_S)
            return None
        self._extract_timeout_s = SCRIPT_TIMEOUT_S
        return extracted

    def retry_after(self, failure: PageSnapshot) -> float | None:
        """Return the seconds of a failed page's Retry-After; None without such a header.

        Args:
            failure: A snapshot of the page.

        Raises:
            BrowserCrashed: The browser is lost.
        """
        entries = self._read_log()
        return performance_log.retry_after(entries, failure.url, failure.status, datetime.now(UTC))

    @contextlib.contextmanager
    def _script_timeout(self, seconds: float) -> Iterator[None]:
        """Change the script timeout within the block; most blocks have the default."""
        if seconds == SCRIPT_TIMEOUT_S:
            yield
            return
        with self._translate_errors():
            self._driver.set_script_timeout(seconds)
        try:
            yield
        finally:
            with self._translate_errors():
                self._driver.set_script_timeout(SCRIPT_TIMEOUT_S)

    def _ping_browser(self) -> None:
        """Return if the browser answers, whatever state its page is in."""
        with self._translate_errors(), contextlib.suppress(_TransientError):
            self._driver.execute(_EXECUTE_CDP, {"cmd": "Browser.getVersion", "params": {}})

    def _run(self, script: str, *arguments: Any) -> Any:
        with self._translate_errors():
            result = self._driver.execute_script(script, *arguments)
        if result is None:  # none of the scripts returns null: a dialog has interrupted it
            raise _TransientError
        return result

    def _read_log(self) -> list[dict[str, Any]]:
        """Return the log's new entries; none if the remote end keeps no log."""
        try:
            with self._translate_errors():
                response = self._driver.execute(Command.GET_LOG, {"type": "performance"})
        except (_TransientError, WebDriverException):
            return []
        return list(response["value"])

    @contextlib.contextmanager
    def _translate_errors(self) -> Iterator[None]:
        """Translate WebDriver's errors into BrowserCrashed, RecipeMalformed and _TransientError."""
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
