"""Decide when a list page is ready to be read."""

from enum import Enum, auto

from scraper.browser.page_snapshot import PageSnapshot
from scraper.recipes.models import Limits
from scraper.stability import StabilityTimer

#: The name of the items' count in a look.
ITEMS = "items"


class PageState(Enum):
    """What has become of a page."""

    #: All its items are there.
    READY = auto()
    #: It has come, without an item.
    EMPTY = auto()
    #: It is no page but a failure.
    FAILED = auto()


class PageReadiness:
    """Watches a page come."""

    def __init__(self, limits: Limits, page_size: int | None) -> None:
        self._limits = limits
        self._page_size = page_size
        self._still = StabilityTimer()
        self._ready = StabilityTimer()

    def check(self, look: PageSnapshot) -> PageState | None:
        """Return what has become of the page, or None while it is still coming.

        A full page is ready at once. Another one is when it has loaded and the number of its
        items has stood still for a moment: a script may draw more, and where a full page has more
        it has longer. What a page refers to may hang; it is waited for as long as for the first
        item of a page that has none.
        """
        if not look.is_parsed:
            return None
        if look.failure:
            return PageState.FAILED
        count = look.counts[ITEMS]
        still = self._still.measure((look.time_origin, look.ready_state, count))
        if self._page_size is not None and count >= self._page_size:
            return PageState.READY
        if still < self._required_stable_s(look):
            return None
        return PageState.READY if count else PageState.EMPTY

    def may_still_fill(self, look: PageSnapshot) -> bool:
        """Whether a page that is ready has time for what its items still lack."""
        return self._ready.measure(look.time_origin) < self._limits.empty_after_s

    def _required_stable_s(self, look: PageSnapshot) -> float:
        """Return how long a page that may not be whole has to stand still."""
        if not look.is_loaded or not look.counts[ITEMS]:
            return self._limits.empty_after_s
        if self._page_size is None:
            return self._limits.settle_s
        return max(self._limits.settle_s, self._limits.short_page_settle_s)
