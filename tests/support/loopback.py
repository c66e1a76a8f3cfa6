"""Settings of browsers that open pages of this machine."""

from typing import Final

from network.address_policy import AddressPolicy
from scraper.browser.browser_settings import BrowserSettings

LOOPBACK: Final = AddressPolicy.parse("127.0.0.0/8, ::1/128", "BROWSER_ALLOW")
BROWSER: Final = BrowserSettings(allowed_addresses=LOOPBACK)
