"""Retries of a page, with backoff and Retry-After."""

import random
import time
from collections.abc import Callable

from scraper.browser.page_snapshot import PageSnapshot
from scraper.browser.tab import Tab
from scraper.errors import PageTimeout, ScrapeError, SiteUnavailable
from scraper.recipes.models import Limits

#: Hears of another try: which it is, how many there may be, and the pause before it in seconds.
OnRetry = Callable[[int, int, float], None]

# Answers that say: there is no such page.
_GONE = frozenset({404, 410})
# Workers that were turned away together come back one by one.
_JITTER = 0.1


class PageRetry:
    """Counts the tries of one page; all of them must fit before its deadline."""

    def __init__(self, tab: Tab, url: str, limits: Limits, deadline: float) -> None:
        self._tab = tab
        self._url = url
        self._limits = limits
        self._deadline = deadline
        self._attempts = 0
        self._failure: PageSnapshot | None = None

    def record_failure(self, look: PageSnapshot, on_retry: OnRetry) -> None:
        """Pause before the next try of a page that has failed.

        The pause doubles from try to try; it is no shorter than the site's Retry-After.

        Raises:
            SiteUnavailable: the failure will not pass, or no try is left, or no time for it.
            Stopped: the caller set the stop event during the pause.
        """
        self._attempts += 1
        self._failure = look
        if not look.is_retryable or self._attempts >= self._limits.tries:
            raise self._unavailable(look)
        pause = self._compute_delay(look)
        if time.monotonic() + pause >= self._deadline:
            raise self._unavailable(look)
        on_retry(self._attempts + 1, self._limits.tries, pause)
        self._tab.pause(pause)

    def _compute_delay(self, look: PageSnapshot) -> float:
        asked = self._tab.retry_after(look) if look.status else None
        jitter = 1 + random.uniform(0, _JITTER)  # noqa: S311 - no secret
        return max(asked or 0.0, self._limits.first_pause_s * 2.0 ** (self._attempts - 1) * jitter)

    def timeout_error(self, seconds: float) -> ScrapeError:
        """Return the failure of a page that was not there in time, this one try or all of them.

        Args:
            seconds: what the page had in all.
        """
        if self._failure is not None:
            return self._unavailable(self._failure)
        return PageTimeout(self._url, seconds)

    def _unavailable(self, look: PageSnapshot) -> SiteUnavailable:
        return SiteUnavailable(self._url, look.failure, self._attempts)


def is_gone(look: PageSnapshot) -> bool:
    """Whether the site says that it has no such page, so that the recipe's address is wrong."""
    return look.status in _GONE
