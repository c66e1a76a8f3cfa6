"""Read one page of a list, with retries."""

import json
import time
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from scraper.browser.page_snapshot import PageSnapshot, SnapshotQuery
from scraper.browser.tab import Tab
from scraper.errors import PageChanged
from scraper.page_readiness import ITEMS, PageReadiness, PageState
from scraper.recipes.models import JobDefinition, Limits
from scraper.retry import OnRetry, PageRetry, is_gone
from scraper.site_urls import SiteUrls

Item = dict[str, Any]

_MARKER = "marker"
_UNAUTHORIZED = 401


class NoItems(Enum):
    """Why a page has no items and yet is all right."""

    #: The list has ended before this page.
    END = auto()
    #: The site wants a login first.
    LOGGED_OUT = auto()


#: What a page gives; a look at one that failed.
ReadOutcome = list[Item] | NoItems | PageSnapshot


@dataclass(frozen=True)
class ListPage:
    """A page to read."""

    #: As it stands in the page's address.
    number: int
    #: Its place among the pages asked for, from 1. An empty first one means that something is
    #: wrong, an empty later one that the list ends.
    ordinal: int
    url: str
    #: How many items a full page has, if that is known.
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
        """Open a page and read its items, within the recipe's time for a page.

        Raises:
            SiteUnavailable: it failed, as often as it was tried.
            PageTimeout: it was not there in time.
            PageChanged: there is no item where there must be one.
            BrowserCrashed, Stopped: as the tab's methods.
        """
        deadline = time.monotonic() + self._limits.page_timeout_s
        tries = PageRetry(self._tab, page.url, self._limits, deadline)
        while True:
            seen = self._load(page, deadline)
            if seen is None:
                raise tries.timeout_error(self._limits.page_timeout_s)
            if not isinstance(seen, PageSnapshot):
                return seen
            if is_gone(seen):
                raise self._page_changed(page, self._job.marker or self._job.items, "not_the_list")
            tries.record_failure(seen, on_retry)

    def _load(self, page: ListPage, deadline: float) -> ReadOutcome | None:
        """Try once; a failure is returned as it was seen, and None at the deadline."""
        left = self._tab.open(page.url)
        arrival = PageReadiness(self._limits, page.size)

        def verdict(look: PageSnapshot) -> ReadOutcome | None:
            return None if look.time_origin == left else self._evaluate(look, page, arrival)

        watch = SnapshotQuery(counts={ITEMS: self._job.items})
        return self._tab.wait(watch, deadline, verdict)

    def _evaluate(
        self, look: PageSnapshot, page: ListPage, arrival: PageReadiness
    ) -> ReadOutcome | None:
        """Return what the page has to give; None while it is still coming."""
        if self._is_logged_out(look):
            return NoItems.LOGGED_OUT
        match arrival.check(look):
            case PageState.READY:
                return self._extract(look, arrival)
            case PageState.EMPTY:
                return self._check_end_of_list(page)
            case PageState.FAILED:
                return look
            case None:
                return None

    def _is_logged_out(self, look: PageSnapshot) -> bool:
        if look.status == _UNAUTHORIZED and self._site.login_url:
            return True
        return not look.failure and self._site.is_login_page(look.url)

    def _extract(self, look: PageSnapshot, arrival: PageReadiness) -> list[Item] | None:
        """Return the items of the page that was looked at; None if they are not, or no more, there.

        An item may come before what is in it: as long as one lacks a required field there is some
        more time for it.
        """
        text = self._tab.extract(self._job.items, self._fields)
        if text is None:
            return None
        read = json.loads(text)
        items: list[Item] = read["items"]
        if read["origin"] != look.time_origin or len(items) < look.counts[ITEMS]:
            return None
        lacks = any(item[name] in (None, []) for item in items for name in self._job.require)
        return None if lacks and arrival.may_still_fill(look) else items

    def _check_end_of_list(self, page: ListPage) -> NoItems | None:
        """Say that the list ends here, if this is a page of it.

        Raises:
            PageChanged: there must be an item, or this is not the list's page.
        """
        marker = self._job.marker
        if page.ordinal == 1 or marker is None:
            raise self._page_changed(page, self._job.items, "no_item")
        fields = {f"field {name}": css for name, css in self._identifying_fields().items()}
        look = self._tab.snapshot(SnapshotQuery(counts={_MARKER: marker, **fields}))
        if look is None:
            return None
        if look.counts[_MARKER] == 0:
            raise self._page_changed(page, marker, "not_the_list")
        if any(look.counts[name] for name in fields):
            raise self._page_changed(page, self._job.items, "no_item")
        return NoItems.END

    def _identifying_fields(self) -> dict[str, str]:
        """Return the selectors that tell of items although none was found.

        No item is without its required fields, and other fields' selectors may well match
        something beside the items.
        """
        names = {*self._job.require, *filter(None, [self._job.unique_by])} or self._job.fields
        fields = {name: self._job.fields[name].css for name in names}
        return {name: css for name, css in fields.items() if css is not None}

    def _page_changed(self, page: ListPage, selector: str, reason: str) -> PageChanged:
        return PageChanged(page.url, selector, reason)
