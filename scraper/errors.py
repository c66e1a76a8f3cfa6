"""Failures of a scrape: one class for each stable code.

The sentences for people are in the message catalogue of the `jobs` package, by code and reason.
"""

from collections.abc import Callable
from enum import StrEnum
from math import floor
from typing import ClassVar, Final

Detail = str | int | float | list[str]

#: How much of a site's own words is ever quoted, in characters.
MAX_QUOTE: Final = 500
_HIDDEN: Final = "***"


class ScrapeError(Exception):
    """A failure with a stable code; `str()` is one line for logs.

    Attributes:
        details: The values in the failure's sentence: plain JSON, without secrets.
    """

    #: The stable name of this failure for clients; never renamed.
    code: ClassVar[str]
    #: The names of the details that are the site's own words, or contain some.
    quotes: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, *args: Detail, **details: Detail) -> None:
        # Exception's own args rebuild the error when it crosses a process border.
        super().__init__(*args)
        self.details = details

    def redact(self, redact: Callable[[str], str]) -> None:
        """Remove secrets from the site's own words.

        Args:
            redact: Returns the words without secrets; empty if they cannot be quoted.
        """
        for name in self.quotes & self.details.keys():
            words = str(self.details[name])
            self.details[name] = redact(words) or _HIDDEN
            self.args = tuple(
                self.details[name] if argument == words else argument for argument in self.args
            )

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
        #: The same, and the page after the login shows words that may say why.
        NOT_LOGGED_IN = "not_logged_in"
        #: The login has led to a host that is neither the recipe's nor named in it.
        LEFT_SITE = "left_site"
        #: The site asks for what only a person can do, such as a captcha.
        NEEDS_PERSON = "needs_person"
        #: The same, and nobody has imported a session in time.
        NO_PERSON = "no_person"
        #: The site gave a reason that contains the password, or a part of it.
        NOT_QUOTED = "not_quoted"

    def __init__(self, reason: Reason | str, words: str = "", origin: str = "") -> None:
        """Describe the failure.

        Args:
            reason: A known reason, the site's own message, or a status such as `HTTP 403`.
            words: What the site has shown (only with NOT_LOGGED_IN).
            origin: Where the login has led to (only with LEFT_SITE).
        """
        reason, words = str(reason)[:MAX_QUOTE], words[:MAX_QUOTE]
        details = {"reason": reason}
        if words:
            details["words"] = words
        if origin:
            details["origin"] = origin
        super().__init__(reason, words, origin, **details)


class PersonNeeded(LoginFailed):
    """The login needs a person, who can import a session."""

    def __init__(self) -> None:
        super().__init__(LoginFailed.Reason.NEEDS_PERSON)

    def __reduce__(self) -> tuple[type, tuple[()]]:
        """Return how to rebuild the error in another process."""
        return type(self), ()


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
    quotes = frozenset({"reason"})

    def __init__(self, page: str, reason: str, tries: int) -> None:
        """Describe the failure.

        Args:
            page: The page's URL.
            reason: The result of the last attempt, such as `HTTP 503` or `ERR_CONNECTION_RESET`.
            tries: The number of attempts.
        """
        reason = reason[:MAX_QUOTE]
        #: Whether the site answered, and refused the page.
        self.is_refusal = reason.startswith("HTTP 4")
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


class LoginTimeout(PageTimeout):
    """The site did not answer a login form in time; another attempt would send it again."""


class PageChanged(ScrapeError):
    """A page no longer matches its recipe."""

    code = "page_changed"
    quotes = frozenset({"cause"})

    class Reason(StrEnum):
        """The part that does not match."""

        #: The page has no item.
        NO_ITEM = "no_item"
        #: A required field is empty in every item.
        FIELD_EMPTY = "field_empty"
        #: A field is empty in more items of the job than the recipe allows.
        FILL_RATE = "fill_rate"
        #: No item has any value.
        ITEMS_EMPTY = "items_empty"
        #: It is not a page of the list.
        NOT_THE_LIST = "not_the_list"
        #: A part of the login form is missing.
        LOGIN_FORM = "login_form"
        #: Something covers a part of the login form, or the control of the next page.
        COVERED = "covered"
        #: The control of the next page cannot be clicked.
        NOT_CLICKABLE = "not_clickable"
        #: Nothing can scroll the list on, although it is longer than what is visible.
        NOT_SCROLLABLE = "not_scrollable"
        #: Items of the list go away, or change, when it is scrolled, and nothing identifies them.
        ITEMS_GONE = "items_gone"
        #: The button of the login form stays disabled.
        BUTTON_DISABLED = "button_disabled"
        #: The page is a file to download.
        DOWNLOAD = "download"
        #: It is at a host that is neither the recipe's nor named in it.
        LEFT_SITE = "page_left_site"
        #: What was read of it is not what the recipe describes.
        UNREADABLE = "unreadable"

    def __init__(self, page: str, selector: str, reason: Reason, cause: str = "") -> None:
        """Describe the failure.

        Args:
            page: The page's URL.
            selector: The selector that does not match.
            reason: What does not match.
            cause: What covers the part, such as `div#cookies.banner`; the file's name; the other
                host's origin; what could not be read.
        """
        cause = cause[:MAX_QUOTE]
        args = {"page": page, "selector": selector, "reason": str(reason)}
        super().__init__(
            page, selector, reason, cause, **args, **({"cause": cause} if cause else {})
        )


class FillRateTooLow(PageChanged):
    """Too few items of all pages have a field that the recipe requires."""

    def __init__(  # noqa: PLR0913, PLR0917 - the values in its sentence
        self, page: str, selector: str, field: str, filled: int, items: int, required: float
    ) -> None:
        """Describe the failure.

        Args:
            page: The URL of the first page.
            selector: The field's selector.
            field: The field's name.
            filled: How many items have it.
            items: The number of all items, at least one.
            required: The share of the items that must have it.
        """
        super().__init__(page, selector, PageChanged.Reason.FILL_RATE)
        self.args = (page, selector, field, filled, items, required)
        # Rounded down: a rate that is too low is never shown as the required one.
        rate = floor(1000 * filled / items) / 1000
        self.details |= {
            "field": field,
            "filled": filled,
            "items": items,
            "rate": rate,
            "required": required,
        }


class PageTooLarge(ScrapeError):
    """A page has more content than a worker reads."""

    code = "page_too_large"

    class Reason(StrEnum):
        """The bound that the page exceeds; its number is the detail `limit`."""

        #: The number of items.
        ITEMS = "too_many_items"
        #: The items together, as JSON, in MiB.
        BYTES = "page_bytes"
        #: One item, in MiB.
        ITEM = "item_bytes"
        #: One text, in MiB.
        TEXT = "text_bytes"
        #: The browser's memory, in MiB.
        MEMORY = "page_memory"

    def __init__(self, page: str, reason: Reason, limit: int) -> None:
        """Describe the failure.

        Args:
            page: The page's URL.
            reason: The bound.
            limit: Its number.
        """
        super().__init__(page, reason, limit, page=page, reason=str(reason), limit=limit)


class PageMemoryExceeded(PageTooLarge):
    """The browser needed too much memory in the middle of a page; a new one may need less."""

    def __init__(self, page: str, limit: int) -> None:
        """Describe the failure.

        Args:
            page: The page's URL.
            limit: The browser's memory limit, in MiB.
        """
        super().__init__(page, PageTooLarge.Reason.MEMORY, limit)
        self.args = (page, limit)


class ResultTooLarge(ScrapeError):
    """The items of a job exceed what is stored for one; those read before stay readable."""

    code = "result_too_large"

    class Reason(StrEnum):
        """The bound that the items exceed; its number is the detail `limit`."""

        #: Their number.
        ITEMS = "result_items"
        #: All of them, as JSON, in MiB.
        BYTES = "result_bytes"

    def __init__(self, page: int, reason: Reason, limit: int) -> None:
        """Describe the failure.

        Args:
            page: The number of the first page that was not stored.
            reason: The bound.
            limit: Its number.
        """
        super().__init__(page, reason, limit, page=page, reason=str(reason), limit=limit)


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


class RecipeMalformed(ScrapeError):
    """The browser rejects a selector or a regular expression of the recipe."""

    code = "recipe_malformed"

    def __init__(self, location: str, key: str, reason: str) -> None:
        """Describe the fault.

        Args:
            location: The recipe's file and line, such as `shop.yaml:14`; else its site.
            key: The path of the key at fault, such as `jobs.orders.fields.title.css`.
            reason: The browser's own words.
        """
        super().__init__(location, key, reason, location=location, key=key, reason=reason)
