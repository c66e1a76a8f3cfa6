"""Classification of WebDriver errors: browser lost, document replaced, script ended.

A page can write into messages of two classes: of errors that scripts throw in its own world, and
of its dialogs. They are not read; the others are chromedriver's and Chrome's.
"""

from selenium.common.exceptions import (
    InvalidSessionIdException,
    JavascriptException,
    NoSuchWindowException,
    UnexpectedAlertPresentException,
    WebDriverException,
)

# chromedriver's errors when the browser or its renderer process is gone.
_LOST = (
    "tab crashed",
    "disconnected",
    "not connected to devtools",
    "chrome not reachable",
    "unable to receive message from renderer",
    "session deleted",
    "web view not found",
    "target window already closed",
)
# What its messages quote of Chrome when a script's document has been replaced.
_CONTEXT_LOST = (
    "execution context",
    "context with specified id",
    "uniquecontextid not found",
    "frame for given id not found",
    "no frame for given id",
)
_WRITTEN_BY_PAGES = (JavascriptException, UnexpectedAlertPresentException)
# In front of a cause, and of an error without a name.
_PREFIXES = ("from ", "unknown error: ")


def is_lost(error: WebDriverException) -> bool:
    """Return whether the browser is gone."""
    if isinstance(error, InvalidSessionIdException | NoSuchWindowException):
        return True
    return any(cause.startswith(_LOST) for cause in _causes(error))


def is_context_lost(error: BaseException | None) -> bool:
    """Return whether the document that a script was to run in has been replaced."""
    return any(phrase in cause for cause in _causes(error) for phrase in _CONTEXT_LOST)


def is_execution_ended(error: BaseException | None) -> bool:
    """Return whether a script was ended at its time limit (Runtime.evaluate, timeout)."""
    return any("execution was terminated" in cause for cause in _causes(error))


def first_line(error: WebDriverException) -> str:
    """Return the driver's message without its stack."""
    return (error.msg or "").strip().partition("\n")[0]


def _causes(error: BaseException | None) -> list[str]:
    """Return an error's message and those of its causes; none if a page may have written them."""
    if not isinstance(error, WebDriverException) or isinstance(error, _WRITTEN_BY_PAGES):
        return []
    return [_strip(line) for line in (error.msg or "").lower().splitlines()]


def _strip(line: str) -> str:
    line = line.strip()
    for prefix in _PREFIXES:
        line = line.removeprefix(prefix)
    return line
