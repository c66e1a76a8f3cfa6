"""Tab of a browser: open pages, take snapshots, type, click, extract items."""

import contextlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final, TypeVar, cast
from urllib.parse import urlsplit

from selenium.common.exceptions import (
    TimeoutException,
    UnexpectedAlertPresentException,
    WebDriverException,
)
from selenium.webdriver.remote.command import Command
from selenium.webdriver.remote.remote_connection import RemoteConnection
from selenium.webdriver.remote.webdriver import WebDriver
from urllib3.exceptions import HTTPError, ReadTimeoutError

from scraper.browser import webdriver_errors
from scraper.browser.browser_settings import BrowserSettings
from scraper.browser.isolated_world import (
    IsolatedWorld,
    NoContextError,
    ScriptError,
    ScriptTimeoutError,
    SelectorError,
    SizeError,
    load_function,
)
from scraper.browser.network_log import PROXY_ERROR, NetworkLog
from scraper.browser.page_json import AnswerBodies, UnreadableBodyError, read_variable
from scraper.browser.page_snapshot import (
    JsonQuery,
    ListQuery,
    PageJson,
    PageSnapshot,
    SizeLimits,
    SnapshotQuery,
)
from scraper.browser_state import BrowserState, Cookie, OriginStorage
from scraper.errors import BrowserCrashed, PageChanged, PageMemoryExceeded, Stopped

__all__ = ["ScrollPoint", "SelectorError", "Tab"]

T = TypeVar("T")

_SNAPSHOT: Final = load_function("dom", "items", "snapshot")
_EXTRACT: Final = load_function("dom", "items", "extract")
_SHOWN_LINES: Final = load_function("dom", "shown_lines")
_FOCUSED_URL: Final = load_function("dom", "focused_url")
_FOCUS: Final = load_function("dom", "focus")
_BLUR: Final = load_function("dom", "blur")
_CLICK_POINT: Final = load_function("dom", "click_point")
_SCROLL_POINT: Final = load_function("dom", "scroll_point")
_SEARCH: Final = load_function("dom", "search")
_READ_STORAGE: Final = load_function("dom", "read_storage")
_WRITE_STORAGE: Final = load_function("dom", "write_storage")
#: The world that writes the storage of a kept session: not that of the other scripts, since it is
#: there before them.
_STORAGE_WORLD: Final = "garimpo-storage"

#: The time limit of a script. Chrome delays scripts while it waits for a response, so this also
#: limits how late a stop or a deadline is noticed.
SCRIPT_TIMEOUT_S: Final = 0.5
# The limit of a script that reads a page's items doubles, up to this, each time it was too short.
_MAX_SCRIPT_TIMEOUT_S: Final = 32.0
# The interval between two snapshots grows with the time waited, and with the time that they take.
_MIN_INTERVAL_S: Final = 0.005
_MAX_INTERVAL_S: Final = 0.1
_INTERVAL_PER_SECOND: Final = 0.01
# Neither a page that waits for a response nor a browser that hangs returns snapshots. After this
# long without one the browser itself is pinged, which only the latter does not answer.
_PING_AFTER_S: Final = 10.0
# How often the log is checked for a page that does not arrive, or was cut off. What chromedriver
# logs stays in its memory until then.
_LOG_INTERVAL_S: Final = 1.0
# How often the processes of the browser, and their memory, are checked while a page is awaited.
_CHECK_INTERVAL_S: Final = 1.0
# A page that replaces itself more often leads round in a circle.
_MAX_DOCUMENTS: Final = 30
_BLANK: Final = "about:blank"
# A banner that does not go away by clicks on its button is left alone, in the same document.
_MAX_DISMISSALS: Final = 3
_DISMISS: Final = "dismiss"
# How long it may take to go away, step by step.
_AFTER_DISMISSAL_S: Final = 0.2
# The URLs of audio and video, as patterns of Network.setBlockedURLs.
_MEDIA: Final = tuple(
    f"*.{suffix}{query}"
    for suffix in ("mp4", "m4v", "webm", "mov", "ogv", "mp3", "m4a", "ogg", "wav", "flac", "m3u8")
    for query in ("", "?*")
)
_EXECUTE_CDP: Final = "executeCdpCommand"


#: Raises an error if nothing may be typed at a page with this URL, or sent to it.
CheckUrl = Callable[[str], None]


@dataclass(frozen=True)
class ScrollPoint:
    """How far a list can be scrolled on, and where; in CSS pixels."""

    #: A point of the list in the viewport.
    x: float
    y: float
    #: A bit less than the visible part of the list.
    step: float
    #: Where the list, and all that it is in, is scrolled to; and how long that is.
    position: float
    extent: float
    #: How much of the list is below its visible part.
    rest: float
    #: What covers the list, such as `div#cookies.banner`; empty if nothing does.
    cover: str


class _TransientError(Exception):
    """The page changed during the command, or is too busy to answer."""


@dataclass
class _Window:
    """A window in WebDriver's sense, which is a tab mostly, and what is known of its page."""

    handle: str
    world: IsolatedWorld
    network: NetworkLog
    answers: AnswerBodies
    #: The document of the last snapshot.
    time_origin: float = 0.0
    #: How often banners of that document were clicked away, by the name of their button.
    dismissals: Counter[str] = field(default_factory=Counter)


class Tab:
    """The tab of a browser.

    Pages may be opened ahead, in windows of their own; the tab then moves on to their windows.

    Every method raises BrowserCrashed once the browser is lost, and PageChanged if a page breaks
    the script that reads it. Every wait raises Stopped once the caller's stop event is set. Dialogs
    of the page are accepted, whenever they open.
    """

    def __init__(  # noqa: PLR0913 - what differs between browsers
        self,
        driver: WebDriver,
        stop: threading.Event,
        *,
        session: str | None = None,
        is_cut_off: Callable[[], bool] = lambda: False,
        exceeds_memory_limit: Callable[[], bool] = lambda: False,
        find_connect_error: Callable[[str], str] = lambda _: "",
        memory_limit_mb: int = 0,
    ) -> None:
        """Wrap the tab that a new browser has.

        Args:
            driver: The browser.
            stop: Ends waits once it is set.
            session: The browser's session id at a remote end; None for a local one.
            is_cut_off: Returns whether what the browser has requested will never arrive.
            exceeds_memory_limit: Returns whether the browser uses more memory than allowed.
            find_connect_error: Returns why its proxy could not connect to the host of a URL; empty
                if unknown.
            memory_limit_mb: How much that is, in MiB.
        """
        self._memory_limit_mb = memory_limit_mb
        self._checked_at = time.monotonic()
        self._is_cut_off = is_cut_off
        self.session = session
        self.exceeds_memory_limit = exceeds_memory_limit
        self._find_connect_error = find_connect_error
        self._driver = driver
        # Selenium defines this command for its local Chrome class only.
        self._executor = cast("RemoteConnection", driver.command_executor)
        self._executor.add_command(_EXECUTE_CDP, "POST", "/session/$sessionId/goog/cdp/execute")  # type: ignore[no-untyped-call] # untyped in Selenium
        self._command_timeout_s = self._executor.client_config.timeout
        self._stop = stop
        #: The time limit, in seconds, for reading the items of the present page.
        self.list_timeout_s = SCRIPT_TIMEOUT_S
        # Whether a command was left without an answer: chromedriver keeps all later ones waiting.
        self._is_blocked = False
        self._deadline = float("inf")
        #: The URL that was opened last, and the number of those that were opened.
        self.page = ""
        self.opened_pages = 0
        # The script that writes the storage of a kept session, until a page was read.
        self._storage_script = ""
        self._settings = BrowserSettings()
        self._keeps_answer: Callable[[str], bool] | None = None
        # Its handle is known once the first page is opened. It is not the present window while a
        # login goes on in a window that its page has opened.
        self._main = self._window = self._make_window("")
        # By URL: the windows of pages that were opened ahead, and the time origins of the documents
        # that they have shown before. Other windows are for pages that will be.
        self._ahead: dict[str, tuple[_Window, float]] = {}
        self._unused: list[_Window] = []
        # The buttons that close banners, by the name under which snapshots have them.
        self._banners: Mapping[str, str] = {}
        self._is_own: Callable[[str], bool] = lambda _: False

    def _make_window(self, handle: str) -> _Window:
        # A window's handle is the id of its target, and that is the id of its main frame.
        world = IsolatedWorld(self._send_to_world, handle)
        network = NetworkLog(handle, self._find_connect_error)
        network.keeps_answer = self._keeps_answer
        return _Window(handle, world, network, AnswerBodies(network, self._read_body))

    def _enter(self, window: _Window) -> None:
        """Make a window the present one; its commands go there."""
        with self._translate_errors():
            self._driver.switch_to.window(window.handle)
        self._window = window

    @property
    def network(self) -> NetworkLog:
        """The requests of the page, as far as `read_network` has read them."""
        return self._window.network

    @property
    def windows(self) -> list[str]:
        """The handles of the tab's windows, the main one first."""
        ahead = [window.handle for window, _ in self._ahead.values()]
        return [self._main.handle, *ahead, *(window.handle for window in self._unused)]

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
        self.list_timeout_s = SCRIPT_TIMEOUT_S
        if url in self._ahead:
            window, previous_origin = self._ahead.pop(url)
            self._unused.append(self._main)
            self._enter(window)
            self._main = window
            return previous_origin
        self._find_main_window()
        return self._load(url)

    def open_ahead(self, url: str) -> None:
        """Start to load a page in a window of its own, which a later `open` of its URL enters.

        It does nothing while documents get the storage of a kept session, which only the present
        window writes.

        Raises:
            BrowserCrashed: The browser is lost.
            Stopped: The stop event is set.
        """
        self.pause(0)
        if url in self._ahead or self._storage_script:
            return
        self._find_main_window()
        present = self._window
        window = self._unused.pop() if self._unused else self._open_window()
        try:
            self._enter(window)
            self._ahead[url] = window, self._load(url)
        finally:
            self._enter(present)

    def forget_ahead(self) -> None:
        """Forget the pages that were opened ahead: a later `open` loads them again."""
        self._unused += [window for window, _ in self._ahead.values()]
        self._ahead.clear()

    def _find_main_window(self) -> None:
        if not self._main.handle:
            with self._translate_errors():
                handle = self._driver.current_window_handle
            self._main = self._window = self._make_window(handle)

    def _open_window(self) -> _Window:
        # A tab: a window of the screen takes twice the processor's time, and more memory.
        with self._translate_errors():
            self._driver.switch_to.new_window("tab")
            window = self._make_window(self._driver.current_window_handle)
        self._window = window
        self.prepare(self._settings)
        return window

    def _load(self, url: str) -> float:
        self.opened_pages += 1
        self.snapshot(SnapshotQuery())  # the document may have changed since the last snapshot
        self.network.expect_document()
        with self._translate_errors(), contextlib.suppress(_TransientError):
            if "#" in url:
                # From a page with the same URL, except for the fragment, Chrome loads nothing.
                self._driver.get(_BLANK)
            self._driver.get(url)
        return self._window.time_origin

    def snapshot(self, query: SnapshotQuery) -> PageSnapshot | None:
        """Return a snapshot of the page; None if it could not answer just now.

        Reading the items of a large page takes time: after a snapshot that has exceeded its limit,
        the next one of the same page has twice as long.

        Raises:
            BrowserCrashed: The browser is lost.
            SelectorError: The browser rejects a selector or a regular expression.
            PageTooLarge: The page has more items, or longer ones, than are read.
        """
        reads_items = query.list or query.json
        limit_s = self.list_timeout_s if reads_items else SCRIPT_TIMEOUT_S
        with self._translate_faults(query.sizes):
            snapshot = self._run_limited(_SNAPSHOT, query.script_argument, limit_s)
            if snapshot is None:
                return None
            decoded = PageSnapshot.decode(snapshot)
            if query.json and decoded.json:
                found = self._complete_json(decoded.json, query.json, limit_s)
                if found is None:
                    return None
                decoded = replace(decoded, json=found)
        if decoded.target_url.startswith("chrome-error:"):
            decoded = replace(decoded, document_url=self.page)  # Chrome does not say
        if decoded.error == PROXY_ERROR:
            error = self._find_connect_error(decoded.document_url)
            decoded = replace(decoded, error=error or decoded.error)
        if self._window.time_origin != decoded.time_origin:
            self._window.time_origin = decoded.time_origin
            self._window.dismissals.clear()
        return decoded

    def watch_responses(self, keeps_answer: Callable[[str], bool] | None) -> None:
        """Keep what scripts of pages receive, from the next page that is opened on.

        Args:
            keeps_answer: Returns whether the answer to a request for a URL is kept; None: none is.
        """
        self._keeps_answer = keeps_answer
        ahead = [window for window, _ in self._ahead.values()]
        for window in (self._main, self._window, *ahead, *self._unused):
            window.network.keeps_answer = keeps_answer

    def _complete_json(self, found: PageJson, query: JsonQuery, limit_s: float) -> PageJson | None:
        """Return a page's JSON with that outside its elements; None if that fails just now."""
        if query.selector is not None:
            return found
        if query.variable is None:
            self.read_network()
            texts, fault = self._window.answers.read(query.max_length)
            return replace(found, texts=tuple(texts), fault=fault)
        try:
            with self._may_block():
                text = read_variable(self._send_to_world, query.variable, query.max_length, limit_s)
        except ScriptError as error:
            return replace(found, fault=str(error))
        except ScriptTimeoutError:
            self._extend_limit(limit_s)
            return None
        except (NoContextError, _TransientError):
            return None
        return replace(found, texts=() if text is None else (text,))

    def _read_body(self, request: str) -> dict[str, Any]:
        """Return the body of an answer.

        Raises:
            UnreadableBodyError: Chrome does not have it.
        """
        try:
            return self._send_cdp("Network.getResponseBody", {"requestId": request})
        except _TransientError as error:
            raise UnreadableBodyError from error

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
            BrowserCrashed: The browser is lost, cut off, or has not answered a ping.
            PageMemoryExceeded: The browser uses more memory than allowed.
            Stopped: The stop event was set.
            SelectorError: The browser rejects a selector.
        """
        started = time.monotonic()
        last_answer = started
        last_log = started
        self._deadline = deadline
        query = self._with_banners(query)
        try:
            while (now := time.monotonic()) < deadline:
                self._check_processes(now)
                snapshot = self.snapshot(query)
                if snapshot is not None and now - last_log > _LOG_INTERVAL_S:
                    last_log = now
                    snapshot = self._check_loading(snapshot)
                answered = time.monotonic()
                if snapshot is not None:
                    last_answer = answered
                elif answered - last_answer > _PING_AFTER_S:
                    self._ping_browser()
                    last_answer = time.monotonic()
                is_open = snapshot is not None and not self._dismiss(snapshot)
                value = evaluate(snapshot) if snapshot is not None and is_open else None
                if value is not None:
                    self._check_is_whole()  # a page without its end may look like a short one
                    return value
                interval = (now - started) * _INTERVAL_PER_SECOND
                interval = min(max(_MIN_INTERVAL_S, interval), _MAX_INTERVAL_S)
                took = answered - now if snapshot is not None else 0.0
                self.pause(min(max(interval, took), max(0.0, deadline - now)))
        finally:
            self._deadline = float("inf")
        return None

    def dismiss(self, selectors: Sequence[str], is_own: Callable[[str], bool]) -> None:
        """Click banners away from now on, whenever a page is waited for.

        Args:
            selectors: Those of the buttons that close them.
            is_own: Returns whether a URL is one of the site's: nothing is clicked at others.
        """
        self._banners = {f"{_DISMISS}.{index}": css for index, css in enumerate(selectors)}
        self._is_own = is_own

    def _with_banners(self, query: SnapshotQuery) -> SnapshotQuery:
        if not self._banners:
            return query
        return replace(query, elements={**query.elements, **self._banners})

    def _dismiss(self, snapshot: PageSnapshot) -> bool:
        """Click on what closes a banner; return whether that was done."""
        clicks = self._window.dismissals
        for name, selector in self._banners.items():
            button = snapshot.elements.get(name)
            if not button or not button.enabled or clicks[name] >= _MAX_DISMISSALS:
                continue
            clicks[name] += 1
            with contextlib.suppress(_TransientError):
                if self.click(selector, self._check_own) == "":
                    self.pause(_AFTER_DISMISSAL_S)
                    return True
        return False

    def _check_own(self, url: str) -> None:
        if not self._is_own(url):
            raise _TransientError

    def _check_processes(self, now: float) -> None:
        """Return if the browser is whole and has memory left; looks every second only."""
        if now - self._checked_at < _CHECK_INTERVAL_S:
            return
        self._checked_at = now
        self._check_is_whole()
        if self.exceeds_memory_limit():
            raise PageMemoryExceeded(self.page, self._memory_limit_mb)

    def _check_is_whole(self) -> None:
        if self._is_cut_off():
            raise BrowserCrashed(self.page)

    def _check_loading(self, snapshot: PageSnapshot) -> PageSnapshot:
        """Return a snapshot as that of a failure if its document will never be complete."""
        network = self.read_network()
        if network.documents > _MAX_DOCUMENTS:
            return snapshot.with_load_error("ERR_TOO_MANY_REDIRECTS")
        # A page may itself end its loading, as if it was aborted.
        if snapshot.is_parsed or network.load_error == "ERR_ABORTED":
            return snapshot
        return snapshot.with_load_error(network.load_error)

    def pause(self, seconds: float) -> None:
        """Wait for some seconds.

        Raises:
            Stopped: The stop event is set.
        """
        if self._stop.wait(seconds):
            raise Stopped

    def type_into(self, selector: str, text: str, check_url: CheckUrl) -> bool:
        """Replace the value of a form field by typing.

        Args:
            selector: The form field's; its first visible match is meant.
            text: The new value.
            check_url: Called with the URL of the page before each character, and at first also with
                that of the form's action.

        Returns:
            False if the field could not be typed into just now.

        Raises:
            BrowserCrashed: The browser is lost.
        """
        try:
            if not self._focus(selector, check_url):
                return False
            for character in text:
                # The page may have been replaced, or the focus moved, since the last one.
                url = self._run_unasked(_FOCUSED_URL, selector)
                if url is None:
                    return False
                check_url(url)
                self._type_character(character)
        except _TransientError:
            return False
        return True

    def leave_field(self) -> None:
        """Leave the form field that has the focus, as far as that is possible just now.

        Raises:
            BrowserCrashed: The browser is lost.
        """
        with contextlib.suppress(_TransientError):
            self._run(_BLUR, None, SCRIPT_TIMEOUT_S)

    def _focus(self, selector: str, check_url: CheckUrl) -> bool:
        """Put the cursor into a form field; return whether that was possible."""
        urls = self._run(_FOCUS, selector, SCRIPT_TIMEOUT_S)
        for url in urls or ():
            check_url(url)
        return bool(urls)

    def press_enter(self, selector: str, check_url: CheckUrl) -> bool:
        """Press Enter in a form field.

        Args:
            selector: The form field's; its first visible match is meant.
            check_url: Called before with the URLs of the page and of the form's action.

        Returns:
            False if that was not possible just now.

        Raises:
            BrowserCrashed: The browser is lost.
        """
        key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13}
        try:
            if not self._focus(selector, check_url):
                return False
            self._send_input("Input.dispatchKeyEvent", type="keyDown", text="\r", **key)
            self._send_input("Input.dispatchKeyEvent", type="keyUp", **key)
        except _TransientError:
            return False
        return True

    def find_cover(self, selector: str) -> str:
        """Return what covers an element, such as `div#cookies.banner`; empty if nothing does.

        Raises:
            BrowserCrashed: The browser is lost.
        """
        try:
            point = self._run(_CLICK_POINT, selector, SCRIPT_TIMEOUT_S)
        except _TransientError:
            return ""
        return str(point["cover"]) if point else ""

    def click(self, selector: str, check_url: CheckUrl) -> str | None:
        """Click on an element.

        Args:
            selector: The element's; its first visible match is meant.
            check_url: Called before with the URLs of the page and of the form's action.

        Returns:
            An empty text if the element was clicked. If something covers it, what that is, such as
            `div#cookies.banner`. None if it cannot be clicked for another reason just now.

        Raises:
            BrowserCrashed: The browser is lost.
        """
        try:
            point = self._run(_CLICK_POINT, selector, SCRIPT_TIMEOUT_S)
        except _TransientError:
            return None
        if point is None or point["cover"]:
            return point and str(point["cover"])
        for url in point["urls"]:
            check_url(url)
        position = {"x": point["x"], "y": point["y"]}
        # The click itself may replace the page, or open a dialog.
        with contextlib.suppress(_TransientError):
            self._send_input("Input.dispatchMouseEvent", type="mouseMoved", **position)
            button = {"button": "left", "clickCount": 1, **position}
            self._send_input("Input.dispatchMouseEvent", type="mousePressed", **button)
            self._send_input("Input.dispatchMouseEvent", type="mouseReleased", **button)
        return ""

    def find_scroll_point(self, selector: str) -> ScrollPoint | None:
        """Return how a list can be scrolled; None if the page has no such list just now.

        Args:
            selector: The selector of its items.

        Raises:
            BrowserCrashed: The browser is lost.
        """
        try:
            point = self._run(_SCROLL_POINT, selector, SCRIPT_TIMEOUT_S)
        except _TransientError:
            return None
        return point and ScrollPoint(**point)

    def scroll(self, point: ScrollPoint) -> None:
        """Turn the mouse wheel at a point, to scroll down by its step.

        Raises:
            BrowserCrashed: The browser is lost.
        """
        with contextlib.suppress(_TransientError):
            wheel = {"x": point.x, "y": point.y, "deltaX": 0, "deltaY": point.step}
            self._send_input("Input.dispatchMouseEvent", type="mouseWheel", **wheel)

    def follow_new_window(self) -> bool:
        """Enter a window that the page has opened; return whether there is one.

        Raises:
            BrowserCrashed: The browser is lost.
        """
        with contextlib.suppress(_TransientError), self._may_block():
            new = [window for window in self._list_windows() if window not in self.windows]
            if new and self._window is self._main:
                self._enter(self._make_window(new[0]))
                return True
        return False

    def leave_new_window(self) -> None:
        """Close all windows but the main one, and enter that.

        Raises:
            BrowserCrashed: The browser is lost.
        """
        with contextlib.suppress(_TransientError), self._may_block():
            self._main = self._make_window(self._main.handle)
            self._enter(self._main)
            self._ahead.clear()
            self._unused.clear()
            for window in self._list_windows():
                if window != self._main.handle:
                    self._send_cdp("Target.closeTarget", {"targetId": window})

    def is_open(self) -> bool:
        """Return whether the window that was entered still exists.

        Raises:
            BrowserCrashed: The browser is lost.
        """
        with contextlib.suppress(_TransientError), self._may_block():
            return self._window.handle in self._list_windows()
        return True

    def _list_windows(self) -> list[str]:
        # WebDriver's own command would wait for dialogs of other windows.
        targets = self._send_cdp("Target.getTargets", {})["targetInfos"]
        return [target["targetId"] for target in targets if target["type"] == "page"]

    def has_cookie(self, name: str) -> bool:
        """Return whether the page's site has set a cookie, also one that scripts cannot read.

        Raises:
            BrowserCrashed: The browser is lost.
        """
        try:
            cookies = self._send_cdp("Network.getCookies", {})["cookies"]
        except _TransientError:
            return False
        return any(cookie["name"] == name for cookie in cookies)

    def read_state(self) -> BrowserState | None:
        """Return all cookies, and the storage of the page's origin; None if that fails just now.

        Raises:
            BrowserCrashed: The browser is lost.
        """
        try:
            cookies = self._send_cdp("Storage.getCookies", {})["cookies"]
            stored = self._run(_READ_STORAGE, None, SCRIPT_TIMEOUT_S)
        except _TransientError:
            return None
        origins = {} if stored is None else {stored.pop("origin"): OriginStorage(**stored)}
        kept = filter(None, map(Cookie.parse, cookies))
        return BrowserState(cookies=tuple(kept), origins=origins)

    def clear_state(self, url: str) -> None:
        """Remove all cookies, and what the origin of a URL has stored.

        Raises:
            BrowserCrashed: The browser is lost.
        """
        parts = urlsplit(url)
        origin = {"origin": f"{parts.scheme}://{parts.netloc}", "storageTypes": "all"}
        with contextlib.suppress(_TransientError):
            self._send_cdp("Network.clearBrowserCookies", {})
            self._send_cdp("Storage.clearDataForOrigin", origin)

    def write_state(self, state: BrowserState) -> bool:
        """Replace all cookies; the next document of each origin also gets its storage.

        Args:
            state: What `read_state` has returned, possibly in another browser.

        Returns:
            False if that fails just now.

        Raises:
            BrowserCrashed: The browser is lost.
        """
        cookies = [cookie.as_parameter for cookie in state.cookies]
        try:
            self.forget_state()
            self._send_cdp("Network.clearBrowserCookies", {})
            self._set_cookies(cookies)
            if any(storage.local or storage.session for storage in state.origins.values()):
                # Parsed there: in JavaScript's own notation "__proto__" is no ordinary key.
                origins = json.dumps(json.dumps(state.model_dump()["origins"]))
                source = f"{{ {_WRITE_STORAGE}\nrun(JSON.parse({origins})); }}"
                added = self._send_cdp(
                    "Page.addScriptToEvaluateOnNewDocument",
                    {"source": source, "worldName": _STORAGE_WORLD},
                )
                self._storage_script = str(added["identifier"])
        except _TransientError:
            return False
        return True

    def _set_cookies(self, cookies: list[dict[str, Any]]) -> None:
        try:
            self._send_cdp("Network.setCookies", {"cookies": cookies})
        except _TransientError:
            # Chrome rejects all for one that is invalid.
            for cookie in cookies:
                with contextlib.suppress(_TransientError):
                    self._send_cdp("Network.setCookie", cookie)

    def forget_state(self) -> None:
        """Write no more storage into new documents: from now on the site changes it.

        Raises:
            BrowserCrashed: The browser is lost.
        """
        if self._storage_script:
            script = {"identifier": self._storage_script}
            with contextlib.suppress(_TransientError):
                self._send_cdp("Page.removeScriptToEvaluateOnNewDocument", script)
            self._storage_script = ""

    def shown_lines(self) -> list[str]:
        """Return the lines of text that the page shows; none if it could not answer just now.

        Raises:
            BrowserCrashed: The browser is lost.
        """
        try:
            return list(self._run(_SHOWN_LINES, None, SCRIPT_TIMEOUT_S))
        except _TransientError:
            return []

    def search(self, pairs: Sequence[tuple[str, str]]) -> list[str | None] | None:
        """Search texts for regexes: the browser ends those that take too long.

        Args:
            pairs: Each regex with a text.

        Returns:
            For each pair the first group, or all of the match if the regex has none; None without a
            match. None in place of all if the page could not answer just now, or not within the
            time limit, which is twice as long the next time.

        Raises:
            BrowserCrashed: The browser is lost.
        """
        found = self._run_limited(_SEARCH, [list(pair) for pair in pairs], self.list_timeout_s)
        return None if found is None else list(found)

    def extract(self, query: ListQuery) -> str | None:
        """Extract all items of the page with `js/extract.js`.

        Its time limit is that of `snapshot` with the same items.

        Args:
            query: The items and their fields.

        Returns:
            JSON as `js/extract.js` documents it; None if the page could not answer just now.

        Raises:
            BrowserCrashed: The browser is lost.
            SelectorError: The browser rejects a selector or a regular expression.
            PageTooLarge: The page has more items, or longer ones, than are read.
        """
        with self._translate_faults(query.sizes):
            text = self._run_limited(_EXTRACT, query.script_argument, self.list_timeout_s)
        return None if text is None else str(text)

    def read_network(self) -> NetworkLog:
        """Return the page's requests until now; without any if the remote end keeps no log.

        Raises:
            BrowserCrashed: The browser is lost.
        """
        with contextlib.suppress(_TransientError, WebDriverException):
            with self._may_block(), self._translate_errors():
                response = self._driver.execute(Command.GET_LOG, {"type": "performance"})
            self._feed(response["value"])
        return self.network

    def _feed(self, entries: list[dict[str, Any]]) -> None:
        """Give the log's new entries to the windows that they are about."""
        ahead = {window.handle: window for window, _ in self._ahead.values()}
        if not ahead:
            self.network.feed(entries)
            return
        for entry in entries:
            # The text ends with `"webview":"HANDLE"}`.
            handle = entry["message"][-200:].rpartition('"webview":"')[2].partition('"')[0]
            ahead.get(handle, self._window).network.feed([entry])

    def retry_after(self, failure: PageSnapshot) -> float | None:
        """Return the seconds of a failed page's Retry-After; None without such a header.

        Args:
            failure: A snapshot of the page.

        Raises:
            BrowserCrashed: The browser is lost.
        """
        network = self.read_network()
        return network.retry_after(failure.document_url, failure.status, datetime.now(UTC))

    def prepare(self, settings: BrowserSettings) -> None:
        """Apply the options of a job, which may differ from those of the browser's last one.

        Raises:
            BrowserCrashed: The browser is lost.
            SelectorError: The browser does not know the language or the time zone.
        """
        self._settings = settings
        patterns = [] if settings.images else list(_MEDIA)
        for host in settings.blocked_hosts:
            patterns += [f"*://{host}/*", f"*://{host}:*", f"*://*.{host}/*", f"*://*.{host}:*"]
        with contextlib.suppress(_TransientError):
            self._send_cdp("Network.setBlockedURLs", {"urls": patterns})
            # Its pages are drawn, and have the focus, also while another tab is in front.
            self._send_cdp("Emulation.setFocusEmulationEnabled", {"enabled": True})
            if settings.viewport is not None:
                width, height = settings.viewport
                metrics = {"width": width, "height": height, "deviceScaleFactor": 0}
                self._send_cdp("Emulation.setDeviceMetricsOverride", {**metrics, "mobile": False})
        self.override_locale(settings.locale, settings.time_zone)

    def override_locale(self, locale: str | None, time_zone: str | None) -> None:
        """Change the language and time zone that pages see.

        Args:
            locale: A BCP 47 tag such as `pt-BR`; None: the browser's own.
            time_zone: A name of the IANA database such as `America/Sao_Paulo`; None: the machine's.

        Raises:
            BrowserCrashed: The browser is lost.
            SelectorError: The browser does not know one of them.
        """
        if time_zone is not None:
            self._override("time_zone", "Timezone", {"timezoneId": time_zone})
        if locale is not None:
            agent = self._send_cdp("Browser.getVersion", {})["userAgent"]
            language = locale.partition("-")[0]
            accepted = locale if language == locale else f"{locale},{language}"
            self._override("locale", "Locale", {"locale": locale.replace("-", "_")})
            self._send_cdp(
                "Emulation.setUserAgentOverride", {"userAgent": agent, "acceptLanguage": accepted}
            )

    def _override(self, key: str, subject: str, parameters: dict[str, str]) -> None:
        try:
            self._send_cdp(f"Emulation.set{subject}Override", parameters)
        except _TransientError as error:
            raise SelectorError((key,), "the browser does not know it") from error

    def _type_character(self, character: str) -> None:
        if not character.isascii():
            self._send_input("Input.insertText", text=character)
            return
        # Letters and digits have the codes of their keys; scripts of forms look at them.
        code = ord(character.upper()) if character.isalnum() else 0
        key = {"key": character, "windowsVirtualKeyCode": code}
        self._send_input("Input.dispatchKeyEvent", type="keyDown", text=character, **key)
        self._send_input("Input.dispatchKeyEvent", type="keyUp", **key)

    def _send_input(self, command: str, **parameters: Any) -> None:
        self._send_cdp(command, parameters)

    def _send_cdp(self, command: str, parameters: dict[str, Any]) -> dict[str, Any]:
        with self._translate_errors():
            response = self._driver.execute(_EXECUTE_CDP, {"cmd": command, "params": parameters})
        if response["value"] is None:  # a dialog has interrupted the command
            raise _TransientError
        return dict(response["value"])

    def _ping_browser(self) -> None:
        """Return if the browser answers, whatever state its page is in."""
        with contextlib.suppress(_TransientError):
            self._send_cdp("Browser.getVersion", {})

    def _run_limited(self, function: str, argument: Any, limit_s: float) -> Any:
        """Return a script's value; None if the page could not answer, or not within the limit."""
        try:
            return self._run(function, argument, limit_s)
        except _TransientError as error:
            if isinstance(error.__cause__, ScriptTimeoutError):
                self._extend_limit(limit_s)
            return None

    def _extend_limit(self, limit_s: float) -> None:
        """Give the next script that reads items of this page twice the time."""
        self.list_timeout_s = min(2 * limit_s, _MAX_SCRIPT_TIMEOUT_S)

    def _run(self, function: str, argument: Any, limit_s: float) -> Any:
        """Run a script in the isolated world."""
        self._check_page_answers()
        return self._run_unasked(function, argument, limit_s)

    def _run_unasked(self, function: str, argument: Any, limit_s: float = SCRIPT_TIMEOUT_S) -> Any:
        """Run a script without asking before whether the page answers."""
        with self._may_block():
            try:
                return self._window.world.run(function, argument, limit_s)
            except (ScriptTimeoutError, NoContextError) as error:
                raise _TransientError from error
            except ScriptError as error:
                reason = PageChanged.Reason.UNREADABLE
                raise PageChanged(self.page, "", reason, str(error)) from error

    @contextlib.contextmanager
    def _translate_faults(self, sizes: SizeLimits) -> Iterator[None]:
        """Translate what is wrong with a page's items into failures of the page."""
        try:
            yield
        except SizeError as error:
            raise sizes.exceeded_by(self.page, error.reason) from error

    def _send_to_world(self, command: str, parameters: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._send_cdp(command, parameters)
        except _TransientError as error:
            if webdriver_errors.is_execution_ended(error.__cause__):
                raise ScriptTimeoutError from error
            if webdriver_errors.is_context_lost(error.__cause__):
                raise NoContextError from error
            raise

    def _check_page_answers(self) -> None:
        """Return if the page runs scripts just now.

        DevTools commands have no time limit, and one that waits keeps all others waiting. A script
        of WebDriver has one.
        """
        with self._translate_errors():
            try:
                self._driver.execute_script("return 1")
            except (TimeoutException, UnexpectedAlertPresentException) as error:
                raise _TransientError from error
            except WebDriverException:
                # This script runs in the page's own world, where it may fail for any reason, and as
                # whatever the page wants: also as if the browser was lost.
                self._ping_browser()

    @contextlib.contextmanager
    def _may_block(self) -> Iterator[None]:
        """Limit the time of a command that the page may keep waiting, to that of the wait.

        A page that begins to load another one in this very moment does so.
        """
        remaining_s = max(SCRIPT_TIMEOUT_S, self._deadline - time.monotonic())
        timeout_s = min(self._command_timeout_s or remaining_s, remaining_s)
        self._executor.client_config.timeout = timeout_s
        try:
            yield
        except BrowserCrashed as error:
            if not isinstance(error.__cause__, ReadTimeoutError):
                raise
            self._is_blocked = True
            raise _TransientError from error
        else:
            self._is_blocked = False
        finally:
            self._executor.client_config.timeout = self._command_timeout_s

    @contextlib.contextmanager
    def _translate_errors(self) -> Iterator[None]:
        """Translate WebDriver's errors into BrowserCrashed and _TransientError."""
        try:
            yield
        except (HTTPError, OSError) as error:
            if self._is_blocked and isinstance(error, ReadTimeoutError):
                raise _TransientError from error
            raise BrowserCrashed(self.page) from error
        except WebDriverException as error:
            # A dialog that has interrupted the command was accepted.
            if webdriver_errors.is_lost(error):
                raise BrowserCrashed(self.page) from error
            raise _TransientError from error
