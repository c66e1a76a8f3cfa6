"""Browsers for one use: a local one that never outlives its owner, or one at a remote end."""

import contextlib
import threading
from collections.abc import Iterator
from functools import partial

from selenium.webdriver.remote.client_config import ClientConfig
from selenium.webdriver.remote.webdriver import WebDriver

from scraper.browser.browser_settings import BrowserSettings
from scraper.browser.chrome_session import end_if_hanging, make_options, start_session
from scraper.browser.grid import parse_remote_end
from scraper.browser.local_browser import open_browser
from scraper.browser.network_access import NetworkAccess
from scraper.browser.tab import Tab


@contextlib.contextmanager
def open_tab(
    settings: BrowserSettings,
    stop: threading.Event | None = None,
    access: NetworkAccess | None = None,
) -> Iterator[Tab]:
    """Start a browser with an empty profile, yield its tab, and end the browser.

    Args:
        settings: The browser's options.
        stop: Ends the tab's waits with Stopped once it is set.
        access: What a local browser may connect to; by default what the settings allow.

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
            with end_if_hanging(stop, partial(end_session, settings, session)):
                tab = Tab(driver, stop, session=session)
                tab.prepare(settings)
                yield tab
        return
    access = access or NetworkAccess(allowed=settings.allowed_addresses)
    with open_browser(settings, stop) as browser, browser.use(settings, stop, access) as tab:
        yield tab


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
def _open_remote(settings: BrowserSettings, url: str) -> Iterator[WebDriver]:
    remote_end = parse_remote_end(url)
    config = ClientConfig(
        remote_end.url, username=remote_end.username, password=remote_end.password
    )
    options = make_options(settings, binary=None)
    driver = start_session(config, options, settings.command_timeout_s)
    session = driver.session_id
    try:
        yield driver
    finally:
        # The driver's own quit would send four requests to a remote end that hangs.
        remote_end.end_session(str(session))
