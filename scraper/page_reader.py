"""Reader of list pages: opens a page, waits for it, extracts its items, retries."""

import json
import time
from dataclasses import dataclass
from enum import Enum, auto

from scraper.browser.page_snapshot import PageSnapshot, SnapshotQuery
from scraper.browser.tab import Tab
from scraper.errors import PageChanged
from scraper.page_readiness import ITEMS, PageReadiness, PageState
from scraper.recipes.models import Item, JobDefinition, Limits
from scraper.retry import OnRetry, PageRetry, is_gone
from scraper.site_urls import SiteUrls

_MARKER = "marker"
_UNAUTHORIZED = 401


class NoItems(Enum):
    """Outcome of a page without items that is not a failure."""

    #: The list has ended before this page.
    END = auto()
    #: The site asks for a login.
    LOGGED_OUT = auto()


#: The outcome of one attempt; a snapshot is that of a failure.
ReadOutcome = list[Item] | NoItems | PageSnapshot


@dataclass(frozen=True)
class ListPage:
    """A page to read."""

    #: The page's number in its URL.
    number: int
    #: Its position among the pages requested, from 1. A first page without items has changed; a
    #: later one is the end of the list.
    ordinal: int
    url: str
    #: The number of items of a full page, if known.
    size: int | None


class PageReader:
    """Reads the pages of a job in a tab."""

    def __init__(self, tab: Tab, site: SiteUrls, job: JobDefinition, limits: Limits) -> None:
        self._tab = tab
        self._site = site
        self._job = job
        self._limits = limits
        self._fields = {
            name: field.model_dump(mode="json", exclude_none=True)
            for name, field in job.fields.items()
        }

    def read(self, page: ListPage, on_retry: OnRetry) -> list[Item] | NoItems:
        """Open a page and read its items, within the recipe's time limit for a page.

        Args:
            page: The page to read.
            on_retry: Called before the pause of each retry.

        Raises:
            SiteUnavailable: The page failed in every attempt.
            PageTimeout: It was not readable in time.
            PageChanged: It has no item although there must be one.
            BrowserCrashed: The browser is lost.
            Stopped: The stop event was set.
            RecipeMalformed: The browser rejects a selector or a regular expression.
        """
        deadline = time.monotonic() + self._limits.page_timeout_s
        retry = PageRetry(self._tab, page.url, self._limits, deadline)
        while True:
            outcome = self._load(page, deadline)
            if outcome is None:
                raise retry.timeout_error(self._limits.page_timeout_s)
            if not isinstance(outcome, PageSnapshot):
                return outcome
            if is_gone(outcome):
                raise PageChanged(
                    page.url,
                    self._job.marker or self._job.items,
                    PageChanged.Reason.NOT_THE_LIST,
                )
            retry.record_failure(outcome, on_retry)

    def _load(self, page: ListPage, deadline: float) -> ReadOutcome | None:
        """Make one attempt; return None at the deadline."""
        previous_origin = self._tab.open(page.url)
        readiness = PageReadiness(self._limits, page.size)

        def evaluate(snapshot: PageSnapshot) -> ReadOutcome | None:
            if snapshot.time_origin == previous_origin:
                return None
            return self._evaluate(snapshot, page, readiness)

        query = SnapshotQuery(counts={ITEMS: self._job.items})
        return self._tab.wait(query, deadline, evaluate)

    def _evaluate(
        self, snapshot: PageSnapshot, page: ListPage, readiness: PageReadiness
    ) -> ReadOutcome | None:
        """Return the outcome of an attempt; None while the page is still loading."""
        if self._is_logged_out(snapshot):
            return NoItems.LOGGED_OUT
        match readiness.check(snapshot):
            case PageState.READY:
                return self._extract(snapshot, readiness)
            case PageState.EMPTY:
                return self._check_end_of_list(page)
            case PageState.FAILED:
                return snapshot
            case None:
                return None

    def _is_logged_out(self, snapshot: PageSnapshot) -> bool:
        if snapshot.status == _UNAUTHORIZED and self._site.login_url:
            return True
        return not snapshot.failure and self._site.is_login_page(snapshot.url)

    def _extract(self, snapshot: PageSnapshot, readiness: PageReadiness) -> list[Item] | None:
        """Return the items of the page in the snapshot; None if it has changed since.

        A page may insert an item before the item's content: while one lacks a required field, the
        page has some more time.
        """
        text = self._tab.extract(self._job.items, self._fields)
        if text is None:
            return None
        extracted = json.loads(text)
        items: list[Item] = extracted["items"]
        if extracted["origin"] != snapshot.time_origin or len(items) < snapshot.counts[ITEMS]:
            return None
        is_incomplete = any(
            item[name] in (None, []) for item in items for name in self._job.require
        )
        return None if is_incomplete and readiness.may_still_fill(snapshot) else items

    def _check_end_of_list(self, page: ListPage) -> NoItems | None:
        """Return END if the page belongs to the list; None if it could not be checked just now.

        Raises:
            PageChanged: There must be an item, or the page does not belong to the list.
        """
        marker = self._job.marker
        if page.ordinal == 1 or marker is None:
            raise PageChanged(page.url, self._job.items, PageChanged.Reason.NO_ITEM)
        fields = {f"field {name}": css for name, css in self._identifying_fields().items()}
        snapshot = self._tab.snapshot(SnapshotQuery(counts={_MARKER: marker, **fields}))
        if snapshot is None:
            return None
        if snapshot.counts[_MARKER] == 0:
            raise PageChanged(page.url, marker, PageChanged.Reason.NOT_THE_LIST)
        if any(snapshot.counts[name] for name in fields):
            raise PageChanged(page.url, self._job.items, PageChanged.Reason.NO_ITEM)
        return NoItems.END

    def _identifying_fields(self) -> dict[str, str]:
        """Return selectors whose matches prove that the page has items.

        Every item has its required fields; selectors of other fields may match elements outside
        the items.
        """
        names = {*self._job.require, *filter(None, [self._job.unique_by])} or self._job.fields
        fields = {name: self._job.fields[name].css for name in names}
        return {name: css for name, css in fields.items() if css is not None}
