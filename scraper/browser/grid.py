"""Remote WebDriver end, such as a Selenium Grid."""

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final
from urllib.parse import unquote, urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from scraper.errors import BrowserUnavailable

_END_TIMEOUT_S: Final = 10


@dataclass(frozen=True)
class RemoteEnd:
    """A Selenium Grid, or a chromedriver that another program runs."""

    #: The URL without the account.
    url: str
    username: str | None = field(repr=False)
    password: str | None = field(repr=False)

    def end_session(self, session: str) -> bool:
        """End a session, with a single request of at most 10 s.

        Args:
            session: The session's id.

        Returns:
            Whether the session is gone: it was ended, or did not exist.
        """
        account = f"{self.username}:{self.password}" if self.username else None
        try:
            response = urllib3.request(
                "DELETE",
                f"{self.url}/session/{session}",
                headers=urllib3.make_headers(basic_auth=account),
                timeout=_END_TIMEOUT_S,
                retries=False,
            )
        except HTTPError:
            return False
        return response.status in {HTTPStatus.OK, HTTPStatus.NOT_FOUND}


def parse_remote_end(url: str) -> RemoteEnd:
    """Split a URL such as `http://user:password@grid:4444` into the URL proper and the account.

    Raises:
        BrowserUnavailable: It is not an HTTP URL.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise BrowserUnavailable(BrowserUnavailable.Reason.NO_REMOTE_ADDRESS)
    return RemoteEnd(
        url=parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl().rstrip("/"),
        username=None if parts.username is None else unquote(parts.username),
        password=None if parts.username is None else unquote(parts.password or ""),
    )
