"""Failures of a run: which of them end it."""

from collections import Counter, deque
from typing import Final

from scraper.credentials import Credentials
from scraper.errors import (
    BrowserCrashed,
    BrowserNotStarted,
    PageChanged,
    PageMemoryExceeded,
    PageTimeout,
    PageTooLarge,
    ScrapeError,
    SiteUnavailable,
)
from scraper.page_items import ListPage, PageFailure, SeenPages
from scraper.progress import ProgressReporter, ScrapeObserver

# How many failures of a kind in a row end a run. A page that crashes three browsers is the cause
# itself; a browser that does not start needs half a minute to report it; a page that was not
# readable in time may have been lost on the way, or its browser may be the cause; and the memory of
# a browser may be that of the pages before.
_MAX_BROWSER_FAILURES = {
    BrowserCrashed: 3,
    BrowserNotStarted: 2,
    PageTimeout: 2,
    PageMemoryExceeded: 2,
}

# Failures that another page need not have.
_FAILURES_OF_A_PAGE: Final = (SiteUnavailable, PageTimeout, PageChanged, PageTooLarge)
# How many pages may fail before the first one is read: then the site is the cause, or the recipe.
_MAX_FAILED: Final = 10


class PageFailures:
    """Failures of pages that others do not depend on (`next.each`).

    Attributes:
        count: How many there were, in all attempts.
        has_read: Whether any page was read.
    """

    def __init__(
        self,
        credentials: Credentials | None,
        observer: ScrapeObserver,
        progress: ProgressReporter,
        seen: SeenPages,
    ) -> None:
        self.count = len(seen.failed)
        self.has_read = bool(seen.numbers - seen.failed)
        self._credentials = credentials
        self._observer = observer
        self._progress = progress

    def skip(self, remaining: deque[ListPage], error: ScrapeError) -> None:
        """Report that the first of the remaining pages has failed, and leave it out.

        Raises:
            ScrapeError: `error` itself: the page is one of a list; or all pages so far have failed,
                and none is left, or they are many.
        """
        page = remaining[0]
        is_last = len(remaining) == 1
        self.count += 1
        if page.value is None or (not self.has_read and (is_last or self.count >= _MAX_FAILED)):
            raise error
        if self._credentials:
            error.redact(self._credentials.redact)
        self._observer.page_failed(
            page.number, PageFailure(page.value, error.code, dict(error.details))
        )
        remaining.popleft()
        self._progress.extracting(page.ordinal, 0, None)


class BrowserFailures:
    """Failures of browsers since the last page that was read."""

    def __init__(self, credentials: Credentials | None, pages: PageFailures) -> None:
        self._credentials = credentials
        self._pages = pages
        self._counts = Counter[type[ScrapeError]]()
        self._remaining_pages = 0

    @property
    def has_any(self) -> bool:
        """Whether there was one, for which a page that was loaded ahead may be the cause."""
        return bool(self._counts)

    def record(self, error: ScrapeError, remaining: deque[ListPage]) -> None:
        """Count a failure; return if another browser should be tried.

        Args:
            error: What has ended the use of a browser.
            remaining: The pages that were not read yet; one that is the cause itself may be
                removed.

        Raises:
            ScrapeError: `error` itself, without secrets: not a browser's failure, or one too many
                in a row.
        """
        if self._credentials:
            error.redact(self._credentials.redact)
        if len(remaining) != self._remaining_pages:
            self._remaining_pages = len(remaining)
            self._counts.clear()
        self._counts[type(error)] += 1
        if self._counts[type(error)] < _MAX_BROWSER_FAILURES.get(type(error), 1):
            return
        if not isinstance(error, _FAILURES_OF_A_PAGE) or not remaining:
            raise error
        self._pages.skip(remaining, error)
