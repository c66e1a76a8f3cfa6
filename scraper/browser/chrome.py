"""Chrome sessions: a local browser that never outlives its owner, or one at a remote end."""

import contextlib
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Final
from urllib.parse import urlsplit

from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.common.proxy import Proxy, ProxyType
from selenium.webdriver.remote.client_config import ClientConfig
from selenium.webdriver.remote.file_detector import UselessFileDetector
from selenium.webdriver.remote.webdriver import WebDriver
from urllib3.exceptions import HTTPError

from scraper.browser.chromedriver import find_chrome, find_chromedriver, open_chromedriver
from scraper.browser.grid import parse_remote_end
from scraper.browser.processes import browsers_below, memory_mb
from scraper.browser.tab import SCRIPT_TIMEOUT_S, Tab
from scraper.browser.webdriver_errors import first_line
from scraper.errors import BrowserNotStarted

_START_TIMEOUT_S: Final = 30
# How often the stop event is checked while a browser is open, and how long a command may go on
# once it is set.
_STOP_POLL_S: Final = 0.5
_STOP_GRACE_S: Final = 3.0

_ARGUMENTS: Final = (
    "--headless=new",
    "--remote-debugging-pipe",  # Chrome ends when chromedriver does
    "--blink-settings=imagesEnabled=false",  # only the URLs of images are read
    "--window-size=1440,900",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",  # Docker gives it 64 MiB only
    # No requests to any host but the site's.
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass(frozen=True)
class BrowserSettings:
    """Options of a browser, as plain values; the defaults are the installed Chrome."""

    chrome_binary: str | None = None
    chromedriver: str | None = None
    #: URL of a remote end (a Selenium Grid), possibly with an account; replaces the local Chrome.
    remote_url: str | None = field(default=None, repr=False)
    extra_arguments: tuple[str, ...] = ()
    #: How long, in seconds, a command may take before the browser counts as hanging. Selenium's
    #: own default is 120.
    command_timeout_s: int = 60
    #: A local browser with more memory, in MiB, is replaced before the next page; 0: no limit.
    memory_limit_mb: int = 0


@contextlib.contextmanager
def open_tab(settings: BrowserSettings, stop: threading.Event | None = None) -> Iterator[Tab]:
    """Start a browser with an empty profile, yield its tab, and end the browser.

    Args:
        settings: The browser's options.
        stop: Ends the tab's waits with Stopped once it is set.

    Yields:
        The browser's only tab.

    Raises:
        BrowserUnavailable: There is no browser.
        BrowserNotStarted: It does not start.
    """
    stop = stop or threading.Event()
    if settings.remote_url is not None:
        with _open_remote(settings, settings.remote_url) as driver:
            session = str(driver.session_id)
            with _end_if_hanging(stop, partial(end_session, settings, session)):
                yield Tab(driver, stop, session=session)
        return
    with _open_local(settings, stop) as (driver, guard_pid):

        def exceeds_memory_limit() -> bool:
            limit = settings.memory_limit_mb
            return bool(limit) and memory_mb(browsers_below(guard_pid)) > limit

        yield Tab(driver, stop, exceeds_memory_limit=exceeds_memory_limit)


def end_session(settings: BrowserSettings, session: str) -> bool:
    """End a session that another process has left at the remote end.

    Args:
        settings: The options with the remote end's URL.
        session: The session's id.

    Returns:
        Whether the session is gone; False if the remote end did not answer. True without a remote
        end.

    Raises:
        BrowserUnavailable: The remote end's URL is invalid.
    """
    if settings.remote_url is None:
        return True
    return parse_remote_end(settings.remote_url).end_session(session)


@contextlib.contextmanager
def _open_local(
    settings: BrowserSettings, stop: threading.Event
) -> Iterator[tuple[WebDriver, int]]:
    """Yield a driver, and the id of the process whose descendants are its browser."""
    options = make_options(settings, find_chrome(settings.chrome_binary))
    with open_chromedriver(find_chromedriver(settings.chromedriver)) as chromedriver:
        # Ending it kills the browser, which is faster than a quit command and ends a hanging one.
        direct = Proxy({"proxyType": ProxyType.DIRECT})
        config = ClientConfig(chromedriver.url, proxy=direct)
        with _end_if_hanging(stop, partial(os.kill, chromedriver.guard_pid, signal.SIGTERM)):
            yield (
                _start_session(config, options, settings.command_timeout_s),
                chromedriver.guard_pid,
            )


@contextlib.contextmanager
def _end_if_hanging(stop: threading.Event, end: Callable[[], object]) -> Iterator[None]:
    """End the browser if the block has not ended 3 s after the stop: a command may be hanging."""
    block_ended = threading.Event()

    def watch() -> None:
        while not block_ended.wait(_STOP_POLL_S):
            if stop.is_set() and not block_ended.wait(_STOP_GRACE_S):
                with contextlib.suppress(ProcessLookupError):  # it has just ended
                    end()
                return

    threading.Thread(target=watch, name="stop", daemon=True).start()
    try:
        yield
    finally:
        block_ended.set()


@contextlib.contextmanager
def _open_remote(settings: BrowserSettings, url: str) -> Iterator[WebDriver]:
    remote_end = parse_remote_end(url)
    config = ClientConfig(
        remote_end.url, username=remote_end.username, password=remote_end.password
    )
    options = make_options(settings, binary=None)
    driver = _start_session(config, options, settings.command_timeout_s)
    session = driver.session_id
    try:
        yield driver
    finally:
        # The driver's own quit would send four requests to a remote end that hangs.
        remote_end.end_session(str(session))


def make_options(settings: BrowserSettings, binary: str | None) -> Options:
    """Return the flags and capabilities of a new browser.

    Args:
        settings: The browser's options.
        binary: The path of the local Chrome; None for a remote end, which has its own.
    """
    options = Options()
    for argument in (*_ARGUMENTS, *settings.extra_arguments):
        options.add_argument(argument)
    if binary is not None:
        options.binary_location = binary
        if os.geteuid() == 0:
            options.add_argument("--no-sandbox")  # the sandbox does not work as root
    options.page_load_strategy = "none"  # the tab has its own waits
    options.unhandled_prompt_behavior = "accept"
    options.timeouts = {"script": int(SCRIPT_TIMEOUT_S * 1000)}
    # By default chromedriver waits a minute for a Chrome that has ended at once.
    options.add_experimental_option("browserStartupTimeout", _START_TIMEOUT_S * 1000)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    options.add_experimental_option(
        "perfLoggingPrefs", {"enableNetwork": True, "enablePage": False}
    )
    return options


def _start_session(config: ClientConfig, options: Options, timeout_s: int) -> WebDriver:
    # At DEBUG Selenium logs each command with its arguments, including typed passwords.
    logging.getLogger("selenium.webdriver.remote.remote_connection").setLevel(logging.INFO)
    config.timeout = timeout_s
    try:
        return WebDriver(
            config.remote_server_addr,
            options=options,
            # The default one uploads a file whose path equals a typed text.
            file_detector=UselessFileDetector(),
            client_config=config,
        )
    except WebDriverException as error:
        message = first_line(error).partition("; For documentation")[0]
        reason = message.removeprefix("session not created: ").rstrip(". ")
        raise BrowserNotStarted(reason or BrowserNotStarted.Reason.NO_START) from error
    except HTTPError as error:
        reason = f"{urlsplit(config.remote_server_addr).netloc}: {type(error).__name__}"
        raise BrowserNotStarted(reason) from error
