"""Chrome: a local one that always goes away again, or one behind a remote end."""

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
#: How often a stop is looked for while a browser is open, and how long it may take.
_STOP_POLL_S: Final = 0.5
_STOP_GRACE_S: Final = 3.0

_ARGUMENTS: Final = (
    "--headless=new",
    "--remote-debugging-pipe",  # Chrome ends when chromedriver does
    "--blink-settings=imagesEnabled=false",  # addresses of images are read, images are not
    "--window-size=1440,900",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",  # Docker gives it 64 MiB only
    # Nothing but the site is asked for anything.
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass(frozen=True)
class BrowserSettings:
    """Which Chrome, as plain values; all None is the installed one."""

    chrome_binary: str | None = None
    chromedriver: str | None = None
    #: Address of a remote end (a Selenium Grid), perhaps with an account; then no local Chrome is
    #: used.
    remote_url: str | None = field(default=None, repr=False)
    extra_arguments: tuple[str, ...] = ()
    #: A browser that has not answered a command for so long, in seconds, hangs. Selenium's own
    #: default is 120.
    command_timeout_s: int = 60
    #: A local browser that takes more than so many MiB is replaced before the next page; 0 is none.
    memory_limit_mb: int = 0


@contextlib.contextmanager
def open_tab(settings: BrowserSettings, stop: threading.Event | None = None) -> Iterator[Tab]:
    """Start a browser with nothing in it; give its tab; end the browser.

    Args:
        settings: which browser.
        stop: once it is set, the tab's waits end with Stopped.

    Raises:
        BrowserUnavailable: there is none, or it does not start.
    """
    stop = stop or threading.Event()
    if settings.remote_url is not None:
        with _open_remote(settings, settings.remote_url) as driver:
            session = str(driver.session_id)
            with _end_if_hung(stop, partial(end_session, settings, session)):
                yield Tab(driver, stop, session=session)
        return
    with _open_local(settings, stop) as (driver, guard):

        def is_outgrown() -> bool:
            limit = settings.memory_limit_mb
            return bool(limit) and memory_mb(browsers_below(guard)) > limit

        yield Tab(driver, stop, exceeds_memory_limit=is_outgrown)


def end_session(settings: BrowserSettings, session: str) -> None:
    """End a session that somebody has left at the remote end, if it is still there.

    Args:
        settings: where the remote end is.
        session: its id there.
    """
    if settings.remote_url is not None:
        parse_remote_end(settings.remote_url).end_session(session)


@contextlib.contextmanager
def _open_local(
    settings: BrowserSettings, stop: threading.Event
) -> Iterator[tuple[WebDriver, int]]:
    """Give a driver, and the process below which its browser is."""
    options = make_options(settings, find_chrome(settings.chrome_binary))
    with open_chromedriver(find_chromedriver(settings.chromedriver)) as chromedriver:
        # Its end kills the browser: quicker than a farewell, and a hung one goes as well.
        direct = Proxy({"proxyType": ProxyType.DIRECT})
        config = ClientConfig(chromedriver.address, proxy=direct)
        with _end_if_hung(stop, partial(os.kill, chromedriver.guard_pid, signal.SIGTERM)):
            yield (
                _start_session(config, options, settings.command_timeout_s),
                chromedriver.guard_pid,
            )


@contextlib.contextmanager
def _end_if_hung(stop: threading.Event, end: Callable[[], None]) -> Iterator[None]:
    """End a browser that is still at a command a while after the stop: it may be for long."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_STOP_POLL_S):
            if stop.is_set() and not over.wait(_STOP_GRACE_S):
                with contextlib.suppress(ProcessLookupError):  # it has just ended
                    end()
                return

    threading.Thread(target=watch, name="stop", daemon=True).start()
    try:
        yield
    finally:
        over.set()


@contextlib.contextmanager
def _open_remote(settings: BrowserSettings, url: str) -> Iterator[WebDriver]:
    remote = parse_remote_end(url)
    config = ClientConfig(remote.address, username=remote.username, password=remote.password)
    options = make_options(settings, binary=None)
    driver = _start_session(config, options, settings.command_timeout_s)
    session = driver.session_id
    try:
        yield driver
    finally:
        # Not by the driver's own quit: it would ask a remote end that hangs four times.
        remote.end_session(str(session))


def make_options(settings: BrowserSettings, binary: str | None) -> Options:
    """Return the flags and capabilities that every browser of ours is started with.

    Args:
        settings: which browser.
        binary: the local Chrome; None for a remote end, which knows its own.
    """
    options = Options()
    for argument in (*_ARGUMENTS, *settings.extra_arguments):
        options.add_argument(argument)
    if binary is not None:
        options.binary_location = binary
        if os.geteuid() == 0:
            options.add_argument("--no-sandbox")  # root cannot have one
    options.page_load_strategy = "none"  # the tab waits by itself, on what it needs
    options.unhandled_prompt_behavior = "accept"
    options.timeouts = {"script": int(SCRIPT_TIMEOUT_S * 1000)}
    # By default chromedriver gives a Chrome that has ended at once a minute to come up.
    options.add_experimental_option("browserStartupTimeout", _START_TIMEOUT_S * 1000)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    options.add_experimental_option(
        "perfLoggingPrefs", {"enableNetwork": True, "enablePage": False}
    )
    return options


def _start_session(config: ClientConfig, options: Options, timeout_s: int) -> WebDriver:
    # Selenium logs each command with its arguments at this level, typed passwords too.
    logging.getLogger("selenium.webdriver.remote.remote_connection").setLevel(logging.INFO)
    config.timeout = timeout_s
    try:
        return WebDriver(
            config.remote_server_addr,
            options=options,
            # The default one uploads the file if a typed text happens to be a file's path.
            file_detector=UselessFileDetector(),
            client_config=config,
        )
    except WebDriverException as error:
        words = first_line(error).partition("; For documentation")[0]
        reason = words.removeprefix("session not created: ").rstrip(". ")
        raise BrowserNotStarted(reason or "no_start") from error
    except HTTPError as error:
        reason = f"{urlsplit(config.remote_server_addr).netloc}: {type(error).__name__}"
        raise BrowserNotStarted(reason) from error
