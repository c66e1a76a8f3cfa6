"""A remote WebDriver end, such as a Selenium Grid."""

import contextlib
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote, urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from scraper.errors import BrowserUnavailable

_END_TIMEOUT_S: Final = 10


@dataclass(frozen=True)
class RemoteEnd:
    """A Selenium Grid, or a chromedriver that somebody else runs."""

    #: Without the account.
    address: str
    #: Host and port, to be shown.
    host: str
    username: str | None = field(repr=False)
    password: str | None = field(repr=False)

    def end_session(self, session: str) -> None:
        """End a session, if it is still there; once, and not for long."""
        url = f"{self.address}/session/{session}"
        account = f"{self.username}:{self.password}" if self.username else None
        headers = urllib3.make_headers(basic_auth=account)
        with contextlib.suppress(HTTPError):
            urllib3.request("DELETE", url, headers=headers, timeout=_END_TIMEOUT_S, retries=False)


def parse_remote_end(url: str) -> RemoteEnd:
    """Take the account out of an address such as `http://user:password@grid:4444`.

    Raises:
        BrowserUnavailable: it is no such address.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        reason = "no_remote_address"
        raise BrowserUnavailable(reason)
    host = parts.netloc.rpartition("@")[2]
    return RemoteEnd(
        address=parts._replace(netloc=host).geturl().rstrip("/"),
        host=host,
        username=None if parts.username is None else unquote(parts.username),
        password=None if parts.username is None else unquote(parts.password or ""),
    )
