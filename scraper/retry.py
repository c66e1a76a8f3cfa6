"""Retries of a page, with exponential backoff and Retry-After."""

import random
import time
from collections.abc import Callable

from scraper.browser.network_log import RequestFailure
from scraper.browser.page_snapshot import PageSnapshot
from scraper.browser.tab import Tab
from scraper.errors import PageTimeout, ScrapeError, SiteUnavailable
from scraper.recipes.models import Limits

#: Called before a retry with its attempt's number (from 2), the maximum number of attempts, and the
#: pause before it in seconds.
OnRetry = Callable[[int, int, float], None]

# Statuses of a page that does not exist.
_GONE = frozenset({404, 410})
# Spreads workers that failed at the same moment.
_JITTER = 0.1


class PageRetry:
    """Counts the attempts at one page, which share one deadline."""

    def __init__(self, tab: Tab, url: str, limits: Limits, deadline: float) -> None:
        """Start before the first attempt.

        Args:
            tab: The tab that opens the page.
            url: The page's URL.
            limits: The recipe's limits.
            deadline: The end of the last attempt, on the monotonic clock.
        """
        self._tab = tab
        self._url = url
        self._limits = limits
        self._deadline = deadline
        self._attempts = 0
        self._failure: PageSnapshot | None = None
        self._latest: PageSnapshot | None = None

    def extend(self, deadline: float) -> None:
        """Give the next attempts another deadline."""
        self._deadline = deadline

    def observe(self, snapshot: PageSnapshot) -> None:
        """Remember the latest snapshot, for the failure at the deadline."""
        self._latest = snapshot

    def record_failure(self, snapshot: PageSnapshot, on_retry: OnRetry) -> float:
        """Return the pause, in seconds, before the next attempt at a page that has failed.

        The pause doubles with each attempt; it is never shorter than the site's Retry-After.

        Args:
            snapshot: The failure.
            on_retry: Called before the return.

        Raises:
            SiteUnavailable: The failure is permanent, or there is no attempt or no time left.
            BrowserCrashed: The browser is lost.
        """
        self._attempts += 1
        self._failure = snapshot
        if not snapshot.is_retryable or self._attempts >= self._limits.tries:
            raise self._unavailable(snapshot)
        pause_s = self._compute_delay(snapshot)
        if time.monotonic() + pause_s >= self._deadline:
            raise self._unavailable(snapshot)
        on_retry(self._attempts + 1, self._limits.tries, pause_s)
        return pause_s

    def _compute_delay(self, snapshot: PageSnapshot) -> float:
        retry_after_s = self._tab.retry_after(snapshot) if snapshot.status else None
        jitter = 1 + random.uniform(0, _JITTER)  # noqa: S311 - not used for security
        backoff_s = self._limits.first_pause_s * 2.0 ** (self._attempts - 1) * jitter
        return max(retry_after_s or 0.0, backoff_s)

    def timeout_error(self, seconds: float) -> ScrapeError:
        """Return the failure of a page that was not readable at the deadline.

        Args:
            seconds: The time limit of all attempts.

        Returns:
            SiteUnavailable if this or an earlier attempt has failed, else PageTimeout.
        """
        if self._latest is not None and self._latest.failure:
            self._attempts += 1
            return self._unavailable(self._latest)
        if self._failure is not None:
            return self._unavailable(self._failure)
        return PageTimeout(self._url, seconds)

    def _unavailable(self, snapshot: PageSnapshot) -> SiteUnavailable:
        return SiteUnavailable(self._url, snapshot.failure, self._attempts)


def is_gone(answer: PageSnapshot | RequestFailure) -> bool:
    """Return whether a page, or what a script has requested, does not exist."""
    return answer.status in _GONE
