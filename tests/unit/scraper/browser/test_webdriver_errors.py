"""Lost browsers are told by what chromedriver reports, and not by what a page writes."""

import pytest
from selenium.common.exceptions import (
    InvalidSessionIdException,
    JavascriptException,
    NoSuchWindowException,
    TimeoutException,
    UnexpectedAlertPresentException,
    WebDriverException,
)

from scraper.browser.webdriver_errors import is_context_lost, is_execution_ended, is_lost

LOST = [
    "tab crashed\n  (Session info: chrome=156.0)",
    "disconnected: not connected to DevTools",
    "chrome not reachable",
    "unknown error: session deleted because of page crash\nfrom tab crashed",
    "no such window: target window already closed\nfrom unknown error: web view not found",
]
WRITTEN_BY_PAGES = [JavascriptException, UnexpectedAlertPresentException]


class TestIsLost:
    @pytest.mark.parametrize("message", LOST)
    def test_reads_chromedrivers_messages(self, message: str) -> None:
        assert is_lost(WebDriverException(message))

    @pytest.mark.parametrize("kind", [InvalidSessionIdException, NoSuchWindowException])
    def test_knows_the_errors_of_a_browser_that_is_gone(
        self, kind: type[WebDriverException]
    ) -> None:
        assert is_lost(kind("x"))

    @pytest.mark.parametrize("kind", WRITTEN_BY_PAGES)
    @pytest.mark.parametrize("message", LOST)
    def test_does_not_read_what_a_page_has_written(
        self, kind: type[WebDriverException], message: str
    ) -> None:
        assert not is_lost(kind(message))

    @pytest.mark.parametrize("message", ["", "unknown error: the tab crashed, says a page"])
    def test_reads_the_beginning_of_each_cause(self, message: str) -> None:
        assert not is_lost(WebDriverException(message))


class TestContext:
    def test_is_lost_with_its_document(self) -> None:
        assert is_context_lost(TimeoutException("timeout\nfrom no such execution context"))
        assert is_context_lost(
            WebDriverException(
                'unknown error: unhandled inspector error: {"code":-32000,'
                '"message":"Cannot find context with specified id"}'
            )
        )

    @pytest.mark.parametrize("kind", WRITTEN_BY_PAGES)
    def test_is_not_lost_because_a_page_says_so(self, kind: type[WebDriverException]) -> None:
        assert not is_context_lost(kind("execution context"))
        assert not is_execution_ended(kind("execution was terminated"))

    def test_other_errors_are_neither(self) -> None:
        assert not is_context_lost(None)
        assert not is_context_lost(OSError("execution context"))
