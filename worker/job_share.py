"""The two sides of a job that several workers read: its own worker's, and a helper's."""

import logging
import threading
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from jobs.model.decoding import DECODE_ERRORS
from jobs.store.shared_pages import PageClaim, PageRange, SharedPageStore
from scraper.browser.page_snapshot import MB, SizeLimits
from scraper.errors import Stopped
from scraper.page_items import ListPage, PageItems
from scraper.page_sharing import decode_page, encode_page
from scraper.scrape import Target

logger = logging.getLogger(__name__)

#: How many workers' pages may be read before the first of them is stored: a site that repeats its
#: last page without end is asked for no more than these.
_WORKERS_AHEAD: Final = 16
#: How often a helper looks whether there are pages again.
_WAIT_S: Final = 0.2


def last_page(target: Target, params: Mapping[str, Any]) -> int:
    """Return the number of a job's last page."""
    return target.job.first_page(params) + target.job.count_pages(params) - 1


def _make_range(target: Target, sizes: SizeLimits, first: int, last: int, limit: int) -> PageRange:
    ahead = _WORKERS_AHEAD * target.parallel
    return PageRange(first, last, limit=limit, ahead=ahead, max_bytes=sizes.result_mb * MB)


class JobShare:
    """The share of a job's own worker; see `PageShare`."""

    def __init__(
        self, store: SharedPageStore, target: Target, sizes: SizeLimits, last: int
    ) -> None:
        """Start before the first page of an attempt.

        Args:
            store: The job's pages.
            target: The job.
            sizes: How much pages may return.
            last: The number of its last page.
        """
        self._store = store
        self._target = target
        self._sizes = sizes
        self._last = last
        self.can_offer = True

    def claim(self, remaining: Sequence[ListPage], limit: int) -> list[ListPage]:
        """Return the next pages to read here."""
        by_number = {page.number: page for page in remaining}
        pages = _make_range(self._target, self._sizes, remaining[0].number, self._last, limit)
        claim = self._store.claim(pages, "job")
        return [by_number[number] for number in claim.pages if number in by_number]

    def take(self, page: ListPage) -> PageItems | None:
        """Return a page that another worker has read; None without one."""
        try:
            text = self._store.get(page.number)
            return None if text is None else decode_page(text)
        except (*DECODE_ERRORS, zlib.error):
            logger.warning("a page that another worker has read is malformed: it is read again")
            self._store.reject(page.number)
            return None

    def offer(self, remaining: int) -> None:
        """Let idle workers help, as many as have something to do."""
        self.can_offer = False
        others = (remaining - 1) // self._target.parallel
        self._store.offer(min(others, _WORKERS_AHEAD - 1))


class JobPart:
    """The side of a worker that helps; see `PartSource`.

    Attributes:
        pages: How many pages were read.
        is_interrupted: Whether it ends because a job waits for its worker.
    """

    def __init__(
        self,
        store: SharedPageStore,
        target: Target,
        sizes: SizeLimits,
        params: Mapping[str, Any],
        stop: threading.Event,
    ) -> None:
        """Start without a lease.

        Args:
            store: The job's pages.
            target: The job.
            sizes: How much pages may return.
            params: The job's parameters.
            stop: Set once the helper has to stop.
        """
        self.pages = 0
        self.is_interrupted = False
        self._store = store
        self._stop = stop
        self._target = target
        self._sizes = sizes
        self._first = target.job.first_page(params)
        self._last = last_page(target, params)
        self._has_lease = False

    def has_pages(self) -> bool:
        """Return whether there is something to read."""
        return self._claim(0).status in {"read", "wait"}

    def claim(self, limit: int) -> Sequence[int]:
        """Return the numbers of the pages to read; none once there is nothing to do."""
        while (claim := self._claim(limit)).status == "wait":
            self._stop.wait(_WAIT_S)
        return claim.pages

    def _claim(self, limit: int) -> PageClaim:
        if self._stop.is_set():
            raise Stopped
        pages = _make_range(self._target, self._sizes, self._first, self._last, limit)
        claim = self._store.claim(pages, "part" if self._has_lease else "new")
        if claim.status == "over":
            raise Stopped
        self._has_lease = True
        self.is_interrupted = claim.status == "busy"
        return claim

    def give_back(self, numbers: Sequence[int]) -> None:
        """Let others read pages, which this helper cannot read just now."""
        self._store.give_back(numbers)

    def put(self, number: int, page: PageItems) -> None:
        """Leave a page for the job's own worker."""
        is_end = page.end is not None
        self._share(number, encode_page(page), is_end=is_end)
        self.pages += 1
        logger.info("page read", extra={"page": number, "items": len(page.items)})

    def pass_on(self, number: int, *, is_end: bool = False) -> None:
        """Let the job's own worker read a page."""
        self._share(number, "", is_end=is_end)
        logger.info("page left to the job's own worker", extra={"page": number})

    def _share(self, number: int, text: str, *, is_end: bool) -> None:
        max_bytes = self._sizes.result_mb * MB
        if not self._store.put(number, text, max_bytes=max_bytes, is_end=is_end):
            raise Stopped
