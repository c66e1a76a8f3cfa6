"""Failures of a scrape: one class for each stable code.

The sentences for people are in the message catalogue of the `jobs` package, by code and reason.
"""

from enum import StrEnum
from typing import ClassVar

Detail = str | int | float | list[str]


class ScrapeError(Exception):
    """A failure with a stable code; `str()` is one line for logs.

    Attributes:
        details: The values in the failure's sentence: plain JSON, without secrets.
    """

    #: The stable name of this failure for clients; never renamed.
    code: ClassVar[str]

    def __init__(self, *args: Detail, **details: Detail) -> None:
        # Exception's own args rebuild the error when it crosses a process border.
        super().__init__(*args)
        self.details = details

    def __str__(self) -> str:
        """Return the code and the details: `page_timeout: page=https://…, seconds=180.0`."""
        details = ", ".join(f"{name}={_format(value)}" for name, value in self.details.items())
        return f"{self.code}: {details}"


def _format(detail: Detail) -> str:
    return " ".join(detail) if isinstance(detail, list) else str(detail)


class LoginFailed(ScrapeError):
    """The site rejected the login."""

    code = "login_failed"

    class Reason(StrEnum):
        """A reason without a message of the site."""

        #: The form or an error page came back without a message.
        NO_MESSAGE = "without_a_word"
        #: The form was filled and clicked, and nothing happened.
        NOT_SENT = "not_sent"
        #: The user name or the password contains a character that cannot be typed.
        NOT_TYPEABLE = "not_typeable"
        #: The site asks for a login again right after one.
        SESSION_LOST = "session_lost"

    def __init__(self, reason: Reason | str) -> None:
        """Describe the failure.

        Args:
            reason: A known reason, the site's own message, or a status such as `HTTP 403`.
        """
        super().__init__(reason, reason=str(reason))


class CredentialsMissing(ScrapeError):
    """The recipe has a login, and the credentials are not set."""

    code = "credentials_missing"

    def __init__(self, variables: list[str]) -> None:
        """Describe the failure.

        Args:
            variables: The environment variables that are not set.
        """
        super().__init__(variables, variables=variables)


class SiteUnavailable(ScrapeError):
    """The site did not serve a page in any of the attempts."""

    code = "site_unavailable"

    def __init__(self, page: str, reason: str, tries: int) -> None:
        """Describe the failure.

        Args:
            page: The page's URL.
            reason: The result of the last attempt, such as `HTTP 503` or `ERR_CONNECTION_RESET`.
            tries: The number of attempts.
        """
        super().__init__(page, reason, tries, page=page, reason=reason, tries=tries)


class PageTimeout(ScrapeError):
    """A page did not become readable in time."""

    code = "page_timeout"

    def __init__(self, page: str, seconds: float) -> None:
        """Describe the failure.

        Args:
            page: The page's URL.
            seconds: The time limit.
        """
        super().__init__(page, seconds, page=page, seconds=seconds)


class PageChanged(ScrapeError):
    """A page no longer matches its recipe."""

    code = "page_changed"

    class Reason(StrEnum):
        """The part that does not match."""

        #: The page has no item.
        NO_ITEM = "no_item"
        #: A required field is empty in every item.
        FIELD_EMPTY = "field_empty"
        #: It is not a page of the list.
        NOT_THE_LIST = "not_the_list"
        #: A part of the login form is missing.
        LOGIN_FORM = "login_form"

    def __init__(self, page: str, selector: str, reason: Reason) -> None:
        """Describe the failure.

        Args:
            page: The page's URL.
            selector: The selector that does not match.
            reason: What does not match.
        """
        super().__init__(page, selector, reason, page=page, selector=selector, reason=str(reason))


class BrowserUnavailable(ScrapeError):
    """There is no browser to scrape with."""

    code = "browser_unavailable"

    class Reason(StrEnum):
        """A known reason."""

        #: Neither Chrome nor Chromium is on PATH.
        NO_CHROME = "no_chrome"
        #: chromedriver is not on PATH.
        NO_CHROMEDRIVER = "no_chromedriver"
        #: It does not start, and does not say why.
        NO_START = "no_start"
        #: SELENIUM_REMOTE_URL is not a URL.
        NO_REMOTE_ADDRESS = "no_remote_address"

    def __init__(self, reason: Reason | str) -> None:
        """Describe the failure.

        Args:
            reason: A known reason, the variable that holds a wrong path (`CHROMEDRIVER=/x`), or
                the first line of the browser's own message.
        """
        super().__init__(reason, reason=str(reason))


class BrowserNotStarted(BrowserUnavailable):
    """A browser is installed and did not start; another attempt may succeed."""


class BrowserCrashed(ScrapeError):
    """The browser ended or stopped answering while it was used."""

    code = "browser_crashed"

    def __init__(self, page: str) -> None:
        """Describe the failure.

        Args:
            page: The URL that was opened last; empty before the first one.
        """
        super().__init__(page, page=page)


class Stopped(Exception):
    """The caller set the stop event; not a failure of the scrape."""


class SettingMalformed(ValueError):
    """An environment variable has an invalid value."""

    def __init__(self, variable: str, reason: str) -> None:
        """Describe the fault.

        Args:
            variable: The variable's name. Its value is left out: it may be a secret.
            reason: What the value must be, such as `must be a URL such as https://example.com`.
        """
        super().__init__(variable, reason)

    def __str__(self) -> str:
        """Return the variable and the reason."""
        return f"{self.args[0]} {self.args[1]}"


class RecipeMalformed(ValueError):
    """The browser rejects a selector or a regular expression of the recipe.

    Not a ScrapeError: only the recipe's author can mend it.
    """

    #: The name of this fault on a command line.
    code: ClassVar[str] = "recipe_malformed"

    def __init__(self, reason: str) -> None:
        """Describe the fault.

        Args:
            reason: The browser's own message.
        """
        super().__init__(reason)

    def __str__(self) -> str:
        """Return a sentence with the browser's message."""
        message = "the browser rejects a selector or a regular expression of the recipe"
        return f"{message}: {self.args[0]}"
