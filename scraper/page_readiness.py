"""Readiness check of a list page: when is what it shows what it has to show?"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from scraper.browser.page_snapshot import ListState, PageSnapshot
from scraper.recipes.models import Limits
from scraper.scrape_warnings import UnsettledReason
from scraper.stability import StabilityTimer

# How long the items must be unchanged after a script has changed them: it may be one of several
# steps, between which the page waits for something else than a request.
DRAWN_SETTLE_S: Final = 1.0
# The same after there were more items: the page may be about to draw them again.
_SHRUNK_SETTLE_S: Final = 2.0
# Which part of a page's time limit its items may go on growing, and its document go on arriving.
_MAX_GROWTH: Final = 0.5
_MAX_ARRIVAL: Final = 0.8

#: Returns the scripts' requests that have not ended, for which a page has to wait.
FindPending = Callable[[], bool]


class PageState(Enum):
    """Final state of a page that has loaded."""

    #: All its items are there.
    READY = auto()
    #: It has no items.
    EMPTY = auto()
    #: It is an error page.
    FAILED = auto()


@dataclass(frozen=True)
class Readiness:
    """The final state of a page."""

    state: PageState
    #: The number of items that must be extracted at least.
    min_items: int = 0
    #: The digest that the items must have; None if they keep changing.
    digest: str | None = None
    #: Why the page was not still.
    unsettled: UnsettledReason | None = None


class PageReadiness:
    """Decides, snapshot by snapshot, when a page can be read."""

    def __init__(self, limits: Limits, page_size: int | None, find_pending: FindPending) -> None:
        """Start with a page that was just opened.

        Args:
            limits: The recipe's times.
            page_size: The number of items of a full page, if known.
            find_pending: Returns whether requests of the page's scripts have not ended.
        """
        self._limits = limits
        self._page_size = page_size
        self._find_pending = find_pending
        self._opened_at = time.monotonic()
        self._stability = StabilityTimer()
        self._rows = _RowHistory(0.0)
        self._was_busy = False
        self._quiet_since = self._opened_at
        #: How long, in seconds, the page in the latest snapshot has been without items.
        self.empty_s = 0.0

    def check(self, snapshot: PageSnapshot) -> Readiness | None:
        """Return the page's final state, or None while it may still change.

        A page is read when it has loaded, none of its scripts' requests is under way, and the
        values of its items have not changed for a while; a full page is read at once. A page that
        does not come to rest is read all the same, with the reason: when its items are unchanged
        for as long as an empty page is waited for, or only their values go on changing for as long,
        or they grow for half of the page's time.

        Rows count more than a status: some applications are served with 404.
        """
        if snapshot.error:
            return Readiness(PageState.FAILED)
        rows = snapshot.list
        if rows is None or rows.count == 0:
            return self._check_empty(snapshot)
        return self._check_rows(snapshot, rows)

    def _check_empty(self, snapshot: PageSnapshot) -> Readiness | None:
        self.empty_s = self._stability.measure((snapshot.time_origin, snapshot.ready_state))
        if snapshot.is_loaded:
            self._rows = _RowHistory(snapshot.time_origin, is_drawn_late=True)
        if snapshot.failure and snapshot.is_parsed:
            is_final = snapshot.is_static and snapshot.is_loaded
            if snapshot.is_retryable or is_final:
                return Readiness(PageState.FAILED)
        if not snapshot.is_loaded or self.empty_s < self._limits.settle_s:
            return None
        # The items may be what the page has requested, or requests next.
        is_quiet = self._is_quiet(time.monotonic())
        if self.empty_s < self._limits.empty_after_s or not (is_quiet or snapshot.failure):
            return None
        return Readiness(PageState.FAILED if snapshot.failure else PageState.EMPTY)

    def _check_rows(self, snapshot: PageSnapshot, rows: ListState) -> Readiness | None:
        if self._rows.time_origin != snapshot.time_origin:
            self._rows = _RowHistory(snapshot.time_origin)
        history = self._rows
        history.add(rows, is_loaded=snapshot.is_loaded)
        now = time.monotonic()
        state = (snapshot.time_origin, snapshot.ready_state, rows.digest, rows.count_changes)
        stable_s = self._stability.measure(state)
        if self._may_be_read(snapshot, rows, stable_s) and self._is_quiet(now):
            digest = None if self._is_full(rows) else rows.digest
            min_items = min(rows.count, self._page_size or rows.count)
            return Readiness(PageState.READY, min_items, digest)
        limits = self._limits
        patience_s = max(limits.empty_after_s, limits.short_page_settle_s, limits.settle_s)
        if stable_s >= patience_s:
            return Readiness(PageState.READY, rows.count, rows.digest, self._reason(snapshot))
        if now - history.first_seen < patience_s:
            return None
        # With fewer items than a moment ago, it is in the middle of drawing them again.
        is_partial = rows.count < history.recent_max_count
        may_be_read = not is_partial and self._has_stopped_growing(snapshot, now)
        if not may_be_read and not self._is_late(snapshot, now):
            return None
        return Readiness(PageState.READY, rows.count, None, UnsettledReason.CHANGING)

    def _is_quiet(self, now: float) -> bool:
        """Return whether the page has requested nothing for a moment.

        A script may draw what it has received a little later.
        """
        if self._find_pending():
            self._quiet_since = now
            self._was_busy = True
        wait_s = min(DRAWN_SETTLE_S, self._limits.short_page_settle_s) if self._was_busy else 0.0
        return now - self._quiet_since >= wait_s

    def _may_be_read(self, snapshot: PageSnapshot, rows: ListState, stable_s: float) -> bool:
        """Return whether nothing that a snapshot shows is under way."""
        is_full = self._is_full(rows)
        if not snapshot.is_loaded and not (is_full and snapshot.is_parsed):
            return False
        if snapshot.is_busy or rows.is_uniform or rows.incomplete or rows.blank == rows.count:
            return False
        if is_full and not rows.blank:
            return stable_s >= (0.0 if snapshot.is_loaded else self._limits.settle_s)
        required_s = self._limits.settle_s
        if self._page_size is not None or rows.blank:
            required_s = max(required_s, self._limits.short_page_settle_s)
        if rows.count < self._rows.max_count:
            required_s = max(required_s, _SHRUNK_SETTLE_S)
        if self._rows.is_drawn_late:
            required_s = max(required_s, min(DRAWN_SETTLE_S, self._limits.short_page_settle_s))
        return stable_s >= required_s

    def _is_full(self, rows: ListState) -> bool:
        return self._page_size is not None and rows.count >= self._page_size

    def _has_stopped_growing(self, snapshot: PageSnapshot, now: float) -> bool:
        return snapshot.is_loaded and now - self._rows.last_growth >= self._limits.empty_after_s

    def _is_late(self, snapshot: PageSnapshot, now: float) -> bool:
        """Return whether a page whose items go on changing is not waited for any longer."""
        share = _MAX_GROWTH if snapshot.is_loaded else _MAX_ARRIVAL
        return now - self._opened_at >= share * self._limits.page_timeout_s

    def _reason(self, snapshot: PageSnapshot) -> UnsettledReason | None:
        """Return why a page is not at rest although its items are; None if they lack values."""
        if not snapshot.is_loaded:
            return UnsettledReason.LOADING
        if self._find_pending():
            return UnsettledReason.REQUESTS
        return UnsettledReason.BUSY if snapshot.is_busy else None


class _RowHistory:
    """How the items of a document have changed."""

    def __init__(self, time_origin: float, *, is_drawn_late: bool = False) -> None:
        self.time_origin = time_origin
        #: Whether a script has drawn or changed the items after the document had loaded.
        self.is_drawn_late = is_drawn_late
        self.first_seen = self.last_growth = time.monotonic()
        self.max_count = 0
        #: The highest count of the last moments.
        self.recent_max_count = 0
        self._last_recent_max = 0.0
        self._loaded_digest: str | None = None

    def add(self, rows: ListState, *, is_loaded: bool) -> None:
        """Take the items' present state."""
        now = time.monotonic()
        if self.max_count == 0:
            self.first_seen = now
        count = max(rows.count, rows.max_count)
        if count > self.max_count:
            self.max_count = count
            self.last_growth = now
        if count >= self.recent_max_count or now - self._last_recent_max > _SHRUNK_SETTLE_S:
            self.recent_max_count = count
            self._last_recent_max = now
        if is_loaded:
            self.is_drawn_late |= self._loaded_digest not in {None, rows.digest}
            self._loaded_digest = rows.digest
