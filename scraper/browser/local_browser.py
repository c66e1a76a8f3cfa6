"""A browser of this machine, whose connections are checked, and which ends with its owner."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Final
from urllib.parse import urlsplit

from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.proxy import Proxy, ProxyType
from selenium.webdriver.remote.client_config import ClientConfig
from selenium.webdriver.remote.command import Command
from selenium.webdriver.remote.webdriver import WebDriver
from urllib3.exceptions import HTTPError

from scraper.browser.browser_settings import BrowserSettings
from scraper.browser.chrome_session import end_if_hanging, make_options, start_session
from scraper.browser.chromedriver import (
    Chromedriver,
    find_chrome,
    find_chromedriver,
    open_chromedriver,
)
from scraper.browser.network_access import NetworkAccess, split_host_rules
from scraper.browser.processes import NetworkService, browsers_below, memory_mb
from scraper.browser.socks_relay import SocksRelay, open_relay
from scraper.browser.tab import Tab

#: How long a browser that is not in use may take to answer, in seconds.
_PING_S: Final = 3.0


class LocalBrowser:
    """A running browser. It is used by one job at a time, and by those of one account only."""

    def __init__(
        self,
        settings: BrowserSettings,
        chromedriver: Chromedriver,
        driver: WebDriver,
        relay: SocksRelay | None,
        network_service: NetworkService,
    ) -> None:
        """Take over what `open_browser` has started."""
        #: The number of pages that were opened in it.
        self.pages = 0
        self._windows: list[str] = []
        self._settings = settings
        self._chromedriver = chromedriver
        self._driver = driver
        self._relay = relay
        self._network_service = network_service

    @contextlib.contextmanager
    def use(
        self, settings: BrowserSettings, stop: threading.Event, access: NetworkAccess
    ) -> Iterator[Tab]:
        """Yield the browser's tab to one job.

        Args:
            settings: The job's options: the language, the time zone and the memory limit count.
            stop: Ends the tab's waits with Stopped once it is set.
            access: What it may connect to meanwhile.

        Raises:
            BrowserCrashed: The browser is lost.
            SelectorError: The browser does not know the language or the time zone.
        """
        limit = settings.memory_limit_mb
        tab = Tab(
            self._driver,
            stop,
            is_cut_off=self._network_service.has_ended,
            exceeds_memory_limit=lambda: self.exceeds(limit),
            memory_limit_mb=limit,
            find_connect_error=self._relay.find_error if self._relay else lambda _: "",
        )
        if self._relay:
            self._relay.allow(access)
        try:
            with end_if_hanging(stop, self.kill):
                tab.prepare(settings)
                yield tab
        finally:
            self.pages += tab.opened_pages
            self._windows = tab.windows
            if self._relay:
                self._relay.allow(None)

    def exceeds(self, limit_mb: int) -> bool:
        """Return whether it uses more memory, in MiB; 0: no limit."""
        processes = browsers_below(self._chromedriver.guard_pid)
        return bool(limit_mb) and memory_mb(processes) > limit_mb

    def leave_page(self) -> bool:
        """Leave the page of a job that has ended; return whether the browser can be used again."""
        try:
            main, *others = self._windows
            for window in others:
                self._driver.switch_to.window(window)
                self._driver.close()
            if self._driver.window_handles != [main]:
                return False
            self._driver.switch_to.window(main)
            self._driver.get("about:blank")
            # What is logged until now is not about a later job's pages.
            self._driver.execute(Command.GET_LOG, {"type": "performance"})
        except (WebDriverException, HTTPError, OSError):
            return False
        return True

    def answers(self) -> bool:
        """Return whether it is alive and answers at once."""
        config = self._driver.command_executor.client_config  # type: ignore[union-attr] # no text
        timeout_s, config.timeout = config.timeout, _PING_S
        try:
            return bool(self._driver.window_handles) and not self._network_service.has_ended()
        except (WebDriverException, HTTPError, OSError):
            return False
        finally:
            config.timeout = timeout_s

    def kill(self) -> None:
        """End it at once."""
        with contextlib.suppress(ProcessLookupError):  # it has just ended
            os.kill(self._chromedriver.guard_pid, signal.SIGTERM)


@contextlib.contextmanager
def open_browser(settings: BrowserSettings, stop: threading.Event) -> Iterator[LocalBrowser]:
    """Start a browser with an empty profile, and end it.

    Args:
        settings: Its options.
        stop: Ends the start once it is set.

    Raises:
        BrowserUnavailable: There is no browser.
        BrowserNotStarted: It does not start.
    """
    chrome = find_chrome(settings.chrome_binary)
    with contextlib.ExitStack() as stack:
        path = find_chromedriver(settings.chromedriver)
        chromedriver = stack.enter_context(open_chromedriver(path))
        relay: SocksRelay | None = None
        options = settings
        if settings.egress_proxy is None:
            arguments, rules = split_host_rules(settings.extra_arguments)
            # chromedriver takes commands from pages of this machine, and runs programs for them.
            refused = [urlsplit(chromedriver.url).port or 0]
            relay = stack.enter_context(open_relay(rules, refused))
            proxy = f"socks5://127.0.0.1:{relay.port}"
            options = replace(settings, extra_arguments=tuple(arguments), egress_proxy=proxy)
        # Ending it kills the browser, which is faster than a quit command and ends a hanging one.
        direct = Proxy({"proxyType": ProxyType.DIRECT})
        config = ClientConfig(chromedriver.url, proxy=direct)
        kill = partial(os.kill, chromedriver.guard_pid, signal.SIGTERM)
        with end_if_hanging(stop, kill):
            driver = start_session(
                config, make_options(options, chrome), settings.command_timeout_s
            )
            network_service = NetworkService(chromedriver.guard_pid, stop)
        yield LocalBrowser(settings, chromedriver, driver, relay, network_service)
