"""Why a scrape failed: one class for each code, which owns its sentence."""

from typing import ClassVar

Detail = str | int | float | list[str]


class ScrapeError(Exception):
    """A failure with a stable code.

    `str()` is one English sentence. `details` are the values in it, for other languages and for
    machines; they hold no password.
    """

    #: The stable name of this failure for clients; never renamed.
    code: ClassVar[str]
    #: The sentence, with the names of the details in braces.
    sentence: ClassVar[str]
    #: What a `reason` that is a code says in the sentence; any other reason speaks for itself.
    sights: ClassVar[dict[str, str]] = {}

    def __init__(self, *args: Detail, **details: Detail) -> None:
        # Exception's own args rebuild the error when it crosses a process border.
        super().__init__(*args)
        self.details = details

    def __str__(self) -> str:
        """Fill the class's sentence with the details."""
        texts = {
            name: ", ".join(value) if isinstance(value, list) else value
            for name, value in self.details.items()
        }
        if (reason := texts.get("reason")) in self.sights:
            texts["reason"] = self.sights[str(reason)].format(**texts)
        return self.sentence.format(**texts)


class LoginFailed(ScrapeError):
    """The site refused the login.

    Args:
        reason: the site's own words, `HTTP 403`, or `without_a_word`, `not_sent`, `not_typeable`,
            `session_lost`.
    """

    code = "login_failed"
    sentence = "The site refused the login: {reason}"
    sights: ClassVar[dict[str, str]] = {
        "without_a_word": "it showed the form or an error again, without a word",
        "not_sent": "the form was filled and clicked, and nothing happened",
        "not_typeable": "user name or password hold a character that cannot be typed",
        "session_lost": "the session does not hold",
    }

    def __init__(self, reason: str) -> None:
        super().__init__(reason, reason=reason)


class CredentialsMissing(ScrapeError):
    """The recipe logs in and has nothing to log in with.

    Args:
        variables: the environment variables that are not set.
    """

    code = "credentials_missing"
    sentence = "The site needs a login. Set these environment variables: {variables}"

    def __init__(self, variables: list[str]) -> None:
        super().__init__(variables, variables=variables)


class SiteUnavailable(ScrapeError):
    """The site did not give the page, after all tries that were due.

    Args:
        page: the page's address.
        reason: what the last try met, such as `HTTP 503` or `ERR_CONNECTION_RESET`.
        tries: how many tries were made.
    """

    code = "site_unavailable"
    sentence = "The site did not give {page}: {reason} (tries: {tries})"

    def __init__(self, page: str, reason: str, tries: int) -> None:
        super().__init__(page, reason, tries, page=page, reason=reason, tries=tries)


class PageTimeout(ScrapeError):
    """A page did not become readable in time.

    Args:
        page: the page's address.
        seconds: how long was waited.
    """

    code = "page_timeout"
    sentence = "{page} was not there after {seconds:g} s"

    def __init__(self, page: str, seconds: float) -> None:
        super().__init__(page, seconds, page=page, seconds=seconds)


class PageChanged(ScrapeError):
    """A page no longer fits its recipe.

    Args:
        page: the page's address.
        selector: the selector that does not fit.
        reason: `no_item`, `field_empty`, `not_the_list` or `login_form`.
    """

    code = "page_changed"
    sentence = "{page} no longer fits its recipe: {reason}"
    sights: ClassVar[dict[str, str]] = {
        "no_item": "nothing on it matches {selector}",
        "field_empty": "{selector} gives nothing in any of its items",
        "not_the_list": "it is not the list page, {selector} does not fit it",
        "login_form": "{selector} is missing from the login form",
    }

    def __init__(self, page: str, selector: str, reason: str) -> None:
        super().__init__(page, selector, reason, page=page, selector=selector, reason=reason)


class BrowserUnavailable(ScrapeError):
    """There is no browser to scrape with.

    Args:
        reason: `no_chrome`, `no_chromedriver`, `no_start`, `no_remote_address`, the variable with
            a path where there is none, or the browser's own first words.
    """

    code = "browser_unavailable"
    sentence = (
        "No browser: {reason}. Install one (Debian: apt-get install chromium chromium-driver), "
        "or set CHROME_BINARY and CHROMEDRIVER, or SELENIUM_REMOTE_URL"
    )
    sights: ClassVar[dict[str, str]] = {
        "no_chrome": "there is no Chrome or Chromium on PATH",
        "no_chromedriver": "there is no chromedriver on PATH",
        "no_start": "it does not start",
        "no_remote_address": "SELENIUM_REMOTE_URL is no address such as http://grid:4444",
    }

    def __init__(self, reason: str) -> None:
        super().__init__(reason, reason=reason)


class BrowserNotStarted(BrowserUnavailable):
    """A browser is there, and it has not come up: the next one may."""


class BrowserCrashed(ScrapeError):
    """The browser died or stopped answering in the middle of the work.

    Args:
        page: the page it was at, or an empty text before the first one.
    """

    code = "browser_crashed"
    sentence = "The browser died or stopped answering at {page}"

    def __init__(self, page: str) -> None:
        super().__init__(page, page=page)


class Stopped(Exception):
    """The caller set the stop event. No failure of the scrape, so it stands outside its tree."""


class SettingMalformed(ValueError):
    """An environment variable holds what it cannot hold.

    Args:
        variable: its name. What it holds is not told, it may be a secret.
        reason: what it must hold, such as `must be an address`.
    """

    def __init__(self, variable: str, reason: str) -> None:
        super().__init__(variable, reason)

    def __str__(self) -> str:
        """Name the variable and say what is wrong."""
        return f"{self.args[0]} {self.args[1]}"


class RecipeMalformed(ValueError):
    """The browser does not take a selector or a regex of the recipe.

    No failure of a scrape either: the recipe's author has to know, and no client can do anything.

    Args:
        reason: the browser's own words.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)

    def __str__(self) -> str:
        """Say so, with the browser's words."""
        return f"The recipe has a selector or a regex that the browser refuses: {self.args[0]}"
