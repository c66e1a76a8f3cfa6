"""Classify WebDriver errors: transient, browser lost, recipe malformed."""

from selenium.common.exceptions import (
    InvalidSessionIdException,
    JavascriptException,
    NoSuchWindowException,
    StaleElementReferenceException,
    TimeoutException,
    WebDriverException,
)

# What chromedriver says when the browser or its page process is gone.
_LOST = (
    "tab crashed",
    "disconnected",
    "not connected to devtools",
    "not reachable",
    "unable to receive message from renderer",
    "session deleted",
    "web view not found",
    "target window already closed",
)
# What it says when the document changed under a command.
_IN_FLIGHT = (
    "aborted by navigation",
    "execution context",
    "context with specified id",
    "uniquecontextid not found",
    "target navigated or closed",
    "node with given id",
    "no node with given id",
    "timed out receiving message from renderer",
)
# What the browser says about a selector or a regex that it does not take.
_MALFORMED = ("is not a valid selector", "invalid regular expression")


def is_lost(error: WebDriverException) -> bool:
    """Whether there is no browser any more that could answer."""
    if isinstance(error, InvalidSessionIdException | NoSuchWindowException):
        return True
    return _says(error, _LOST)


def is_malformed(error: WebDriverException) -> bool:
    """Whether the browser does not take a selector or a regex."""
    return _says(error, _MALFORMED)


def is_transient(error: WebDriverException) -> bool:
    """Whether the command only met a bad moment: a page that changes, or that is busy."""
    kinds = JavascriptException | StaleElementReferenceException | TimeoutException
    return isinstance(error, kinds) or _says(error, _IN_FLIGHT)


def first_line(error: WebDriverException) -> str:
    """Return what the driver says, less its stack."""
    return (error.msg or "").strip().partition("\n")[0]


def _says(error: WebDriverException, phrases: tuple[str, ...]) -> bool:
    words = (error.msg or "").lower()
    return any(phrase in words for phrase in phrases)
