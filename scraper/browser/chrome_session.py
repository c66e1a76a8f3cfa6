"""WebDriver sessions of Chrome: its flags and capabilities, and the end of one that hangs."""

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import urlsplit

from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.remote.client_config import ClientConfig
from selenium.webdriver.remote.file_detector import UselessFileDetector
from selenium.webdriver.remote.webdriver import WebDriver
from urllib3.exceptions import HTTPError

from scraper.browser.browser_settings import BrowserSettings
from scraper.browser.tab import SCRIPT_TIMEOUT_S
from scraper.browser.webdriver_errors import first_line
from scraper.errors import BrowserNotStarted

_START_TIMEOUT_S: Final = 30
# How often the stop event is checked while a browser is open, and how long a command may go on
# once it is set.
_STOP_POLL_S: Final = 0.5
_STOP_GRACE_S: Final = 3.0

# DownloadRestrictions, a policy of Chrome: 3 blocks all downloads.
_NO_DOWNLOADS: Final = 3

_ARGUMENTS: Final = (
    "--headless=new",
    "--remote-debugging-pipe",  # Chrome ends when chromedriver does
    "--window-size=1440,900",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",  # Docker gives it 64 MiB only
    # No requests to any host but the site's.
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-notifications",
    "--no-pings",
    "--disable-remote-fonts",
    # What the flags above leave: the time of a server, the Google account, component updates.
    "--disable-features=NetworkTimeServiceQuerying,OptimizationHints",
    "--gaia-url=https://127.0.0.1:1",
    "--component-updater=url-source=https://127.0.0.1:1",
    # WebRTC would connect past the proxy.
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
)


# What a page may use: 2 blocks it without asking (ContentSetting in components/content_settings).
_BLOCK: Final = 2
_BLOCKED_FEATURES: Final = (
    "automatic_downloads",
    "bluetooth_guard",
    "bluetooth_scanning",
    "clipboard",
    "file_system_read_guard",
    "file_system_write_guard",
    "geolocation",
    "hid_guard",
    "idle_detection",
    "local_fonts",
    "media_stream_camera",
    "media_stream_mic",
    "midi",
    "midi_sysex",
    "notifications",
    "payment_handler",
    "sensors",
    "serial_guard",
    "usb_guard",
    "window_placement",
)
_PREFERENCES: Final = {
    "download_restrictions": _NO_DOWNLOADS,
    "profile.default_content_setting_values": dict.fromkeys(_BLOCKED_FEATURES, _BLOCK),
    # What is typed into a login form is not kept in the profile.
    "credentials_enable_service": False,
    "profile.password_manager_enabled": False,
    "profile.password_manager_leak_detection": False,
    "autofill.profile_enabled": False,
    "autofill.credit_card_enabled": False,
    # No name is resolved and no connection made before a page asks for it.
    "net.network_prediction_options": 2,
    "search.suggest_enabled": False,
    "alternate_error_pages.enabled": False,
    "signin.allowed": False,
    # WebRTC would connect past the proxy.
    "webrtc.ip_handling_policy": "disable_non_proxied_udp",
}


def make_options(settings: BrowserSettings, binary: str | None) -> Options:
    """Return the flags and capabilities of a new browser.

    Args:
        settings: The browser's options.
        binary: The path of the local Chrome; None for a remote end, which has its own.
    """
    options = Options()
    for argument in (*_ARGUMENTS, *settings.extra_arguments):
        options.add_argument(argument)
    if settings.egress_proxy is not None:
        options.add_argument(f"--proxy-server={settings.egress_proxy}")
        # By default Chrome connects to this machine without its proxy.
        options.add_argument("--proxy-bypass-list=<-loopback>")
    if not settings.images:
        options.add_argument("--blink-settings=imagesEnabled=false")
    if settings.user_agent is not None:
        # Not Emulation.setUserAgentOverride, which leaves out a page's workers.
        options.add_argument(f"--user-agent={settings.user_agent}")
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
    options.add_experimental_option("perfLoggingPrefs", {"enableNetwork": True, "enablePage": True})
    # chromedriver allows pop-ups, behind which a page is not drawn.
    options.add_experimental_option("excludeSwitches", ["disable-popup-blocking"])
    options.add_experimental_option("prefs", _PREFERENCES)
    return options


def start_session(config: ClientConfig, options: Options, timeout_s: int) -> WebDriver:
    """Start a browser.

    Args:
        config: The remote end, which is a chromedriver or a Selenium Grid.
        options: Flags and capabilities.
        timeout_s: How long a command may take.

    Raises:
        BrowserNotStarted: It does not start.
    """
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


@contextlib.contextmanager
def end_if_hanging(stop: threading.Event, end: Callable[[], object]) -> Iterator[None]:
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
