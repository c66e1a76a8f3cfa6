"""Readiness check of a list page."""

from enum import Enum, auto

from scraper.browser.page_snapshot import PageSnapshot
from scraper.recipes.models import Limits
from scraper.stability import StabilityTimer

#: Name of the count of items in a snapshot.
ITEMS = "items"


class PageState(Enum):
    """Final state of a page that has loaded."""

    #: All its items are there.
    READY = auto()
    #: It has no items.
    EMPTY = auto()
    #: It is an error page.
    FAILED = auto()


class PageReadiness:
    """Decides, snapshot by snapshot, when a page can be read."""

    def __init__(self, limits: Limits, page_size: int | None) -> None:
        """Start with a page that was just opened.

        Args:
            limits: The recipe's times.
            page_size: The number of items of a full page, if known.
        """
        self._limits = limits
        self._page_size = page_size
        self._stability = StabilityTimer()
        self._filling = StabilityTimer()

    def check(self, snapshot: PageSnapshot) -> PageState | None:
        """Return the page's final state, or None while it is still loading.

        A full page is ready at once. Any other page is ready when it has loaded and the number of
        its items has been stable for a while, since a script may add more; the while is longer if
        a full page has more. Subresources may hang: a page that never finishes loading is treated
        like one without items.
        """
        if not snapshot.is_parsed:
            return None
        if snapshot.failure:
            return PageState.FAILED
        count = snapshot.counts[ITEMS]
        stable_s = self._stability.measure((snapshot.time_origin, snapshot.ready_state, count))
        if self._page_size is not None and count >= self._page_size:
            return PageState.READY
        if stable_s < self._required_stable_s(snapshot):
            return None
        return PageState.READY if count else PageState.EMPTY

    def may_still_fill(self, snapshot: PageSnapshot) -> bool:
        """Return whether a page that is ready has time left to fill its items' fields."""
        return self._filling.measure(snapshot.time_origin) < self._limits.empty_after_s

    def _required_stable_s(self, snapshot: PageSnapshot) -> float:
        """Return how long, in seconds, a page that is not full has to be stable."""
        if not snapshot.is_loaded or not snapshot.counts[ITEMS]:
            return self._limits.empty_after_s
        if self._page_size is None:
            return self._limits.settle_s
        return max(self._limits.settle_s, self._limits.short_page_settle_s)
