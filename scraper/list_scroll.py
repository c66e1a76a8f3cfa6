"""Scrolling through a list that shows, or loads, only a part of its items at a time."""

import time

from scraper.browser.tab import Tab
from scraper.errors import PageChanged
from scraper.recipes.models import JobDefinition, Limits
from scraper.stability import StabilityTimer


class ListScroll:
    """Scrolls the list in a tab, step by step, and notices its end."""

    def __init__(self, tab: Tab, job: JobDefinition, limits: Limits) -> None:
        self._tab = tab
        # What a page has received is shown somewhere on it.
        self._items = job.items if isinstance(job.items, str) else "body"
        self._limits = limits
        self._rest = StabilityTimer()
        # How long the wheel has been turned without effect, and since its last turn.
        self._turning = StabilityTimer()
        self._turned_at = 0.0

    def go_on(self, ordinal: int, *, is_pending: bool) -> bool:
        """Scroll on by a step if the list is at rest; return whether it is at its end.

        Args:
            ordinal: Which page of the list is awaited: it has new items, so the list has not
                ended before.
            is_pending: Whether requests of the page have not ended.

        Raises:
            PageChanged: Something covers the list, or keeps it from being scrolled.
            BrowserCrashed: The browser is lost.
        """
        point = self._tab.find_scroll_point(self._items)
        if point is None or is_pending:
            return False
        state = (ordinal, point.position, point.extent)
        now = time.monotonic()
        if self._rest.measure(state) < self._limits.settle_s:
            return False
        vain_s = self._turning.measure(state)
        # Where nothing is left to scroll, a turn of the wheel may still load more.
        if now - self._turned_at >= self._limits.settle_s:
            self._tab.scroll(point)
            self._turned_at = now
        if vain_s < self._limits.empty_after_s:
            return False
        if point.cover:
            raise PageChanged(self._tab.page, self._items, PageChanged.Reason.COVERED, point.cover)
        if point.rest > 1:
            raise PageChanged(self._tab.page, self._items, PageChanged.Reason.NOT_SCROLLABLE)
        return True
