"""Pages of a job that several workers read together, and their form between these workers."""

import json
from collections.abc import Sequence
from itertools import islice
from typing import Final, Protocol

from scraper.extraction import encode_item
from scraper.page_items import ListPage, PageItems
from scraper.scrape_warnings import EndReason, ScrapeWarning, WarningCode

#: The warnings that depend on their page alone. Others depend on the pages before it too: they are
#: given once for a job.
_OWN_WARNINGS: Final = frozenset(
    {WarningCode.ITEMS_EQUAL, WarningCode.FALLBACK_TAKEN, WarningCode.VALUE_UNREAD}
)


class PageShare(Protocol):
    """The share that a job's own worker has in the reading of its pages."""

    def claim(self, remaining: Sequence[ListPage], limit: int) -> list[ListPage]:
        """Return the next pages to read here, the one that is read first in front.

        Without the first of `remaining`, another worker reads that.

        Args:
            remaining: The pages that are not stored yet, at least one.
            limit: How many pages are loaded here at the same time.
        """

    def take(self, page: ListPage) -> PageItems | None:
        """Return a page that another worker has read; None without one."""

    @property
    def can_offer(self) -> bool:
        """Whether others may be let help, and were not yet."""

    def offer(self, remaining: int) -> None:
        """Let others help.

        Args:
            remaining: How many pages are not stored yet.
        """


class ReadAlone:
    """The share of a worker that reads all pages."""

    def claim(self, remaining: Sequence[ListPage], limit: int) -> list[ListPage]:
        """Return the next pages."""
        return list(islice(remaining, limit))

    def take(self, page: ListPage) -> PageItems | None:
        """Return None."""

    @property
    def can_offer(self) -> bool:
        """Whether others may be let help: no."""
        return False

    def offer(self, remaining: int) -> None:
        """Do nothing."""


class PartSource(Protocol):
    """Where a helper gets its pages from, and leaves what it has read."""

    def has_pages(self) -> bool:
        """Return whether there is something to read.

        Raises:
            Stopped: The helper has to stop.
        """

    def claim(self, limit: int) -> Sequence[int]:
        """Return the numbers of the pages to read, in order; none once there is nothing to do.

        It waits while other workers have to go on first.

        Args:
            limit: How many pages are loaded at the same time.

        Raises:
            Stopped: The helper has to stop.
        """

    def put(self, number: int, page: PageItems) -> None:
        """Leave a page for the job's own worker.

        Raises:
            Stopped: The page is another worker's by now.
        """

    def give_back(self, numbers: Sequence[int]) -> None:
        """Let others read pages, which this helper cannot read just now."""

    def pass_on(self, number: int, *, is_end: bool = False) -> None:
        """Let the job's own worker read a page.

        Args:
            number: The page.
            is_end: Whether the list seems to end before it.

        Raises:
            Stopped: The page is another worker's by now.
        """


def is_independent(page: PageItems) -> bool:
    """Return whether a page is read the same without those before it."""
    return page.is_plain and all(warning.code in _OWN_WARNINGS for warning in page.warnings)


def encode_page(page: PageItems) -> str:
    """Return a page as JSON."""
    return json.dumps(
        {
            "items": page.items,
            "keys": page.keys,
            "base_url": page.base_url,
            "warnings": [
                [warning.code, warning.page, dict(warning.details)] for warning in page.warnings
            ],
            "end": page.end,
        },
        ensure_ascii=False,
    )


def decode_page(text: str) -> PageItems:
    """Return the page that `encode_page` was given.

    Raises:
        ValueError, TypeError, LookupError: The text is something else.
    """
    page = json.loads(text)
    return PageItems(
        page["items"],
        page["keys"],
        [encode_item(item) for item in page["items"]],
        page["base_url"],
        [ScrapeWarning(WarningCode(code), *rest) for code, *rest in page["warnings"]],
        None if page["end"] is None else EndReason(page["end"]),
    )
