"""Classification of WebDriver errors: transient, browser lost, recipe malformed."""

from selenium.common.exceptions import (
    InvalidSessionIdException,
    JavascriptException,
    NoSuchWindowException,
    StaleElementReferenceException,
    TimeoutException,
    WebDriverException,
)

# chromedriver's messages when the browser or its renderer process is gone.
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
# Its messages when the document changed during a command.
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
# The browser's messages about an invalid selector or regular expression.
_MALFORMED = ("is not a valid selector", "invalid regular expression")


def is_lost(error: WebDriverException) -> bool:
    """Return whether the browser is gone."""
    if isinstance(error, InvalidSessionIdException | NoSuchWindowException):
        return True
    return _contains_any(error, _LOST)


def is_malformed(error: WebDriverException) -> bool:
    """Return whether the browser rejects a selector or a regular expression."""
    return _contains_any(error, _MALFORMED)


def is_transient(error: WebDriverException) -> bool:
    """Return whether the command may succeed later: the page was changing, or busy."""
    kinds = JavascriptException | StaleElementReferenceException | TimeoutException
    return isinstance(error, kinds) or _contains_any(error, _IN_FLIGHT)


def is_script_timeout(error: BaseException | None) -> bool:
    """Return whether a script did not end within the session's script timeout."""
    return isinstance(error, TimeoutException)


def first_line(error: WebDriverException) -> str:
    """Return the driver's message without its stack."""
    return (error.msg or "").strip().partition("\n")[0]


def _contains_any(error: WebDriverException, phrases: tuple[str, ...]) -> bool:
    message = (error.msg or "").lower()
    return any(phrase in message for phrase in phrases)
