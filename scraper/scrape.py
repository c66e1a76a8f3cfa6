"""Run one job, from the start of Chrome to the last page."""

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from scraper.browser.chrome import BrowserSettings, open_tab
from scraper.credentials import Credentials, missing_variables
from scraper.errors import (
    BrowserCrashed,
    BrowserNotStarted,
    CredentialsMissing,
    LoginFailed,
    ScrapeError,
    Stopped,
)
from scraper.item_filter import ItemFilter
from scraper.page_reader import ListPage, PageReader
from scraper.progress import ProgressReporter, ScrapeObserver
from scraper.recipes.models import JobDefinition, Recipe
from scraper.session import SiteSession
from scraper.site_urls import SiteUrls

# Whoever runs jobs finds here all that it takes.
__all__ = ["BrowserSettings", "Credentials", "ScrapeObserver", "ScrapeSummary", "Target", "scrape"]


# So many browsers may break under one attempt: a page that breaks each of them is to blame.
_MAX_CRASHES = 3


@dataclass(frozen=True)
class Target:
    """What to scrape, and as whom."""

    recipe: Recipe
    job: JobDefinition
    base_url: str
    credentials: Credentials | None

    def limit_s(self, params: Mapping[str, Any]) -> float:
        """Return the job's time limit, in seconds, for these parameters."""
        return self.recipe.limits.job_s(self.job.count_pages(params))


@dataclass(frozen=True)
class ScrapeSummary:
    """What a run says about itself; the items went to its watcher."""

    pages_requested: int
    #: Pages that held new items, those of `done_pages` included.
    pages_read: int
    #: What was odd and yet no failure, `{"code": …, "page": …, …}`: `required_field_empty` {field,
    #: count}, `field_empty_everywhere` {field, selector}, `page_short` {count, expected} (a page
    #: before the last), `page_repeats` {} (nothing new on it, so the run ended there), `list_ended`
    #: {requested} (no such page, although the one before was full). The page is its own number.
    warnings: list[dict[str, Any]] = field(default_factory=list)


def scrape(  # noqa: PLR0913 - the job, its browser, and how far an earlier attempt has got
    target: Target,
    params: Mapping[str, Any],
    browser: BrowserSettings,
    observer: ScrapeObserver,
    *,
    stop: threading.Event,
    done_pages: frozenset[int] = frozenset(),
    seen: frozenset[str] = frozenset(),
) -> ScrapeSummary:
    """Run a job; its items go to the watcher page by page.

    Args:
        target: what to scrape.
        params: all of the job's parameters, with the defaults filled in.
        browser: which Chrome.
        observer: takes progress and items.
        stop: once it is set, the run ends with Stopped.
        done_pages: numbers of pages that are not read again.
        seen: the `unique_by` values of items that are not taken again.

    Raises:
        ScrapeError: the job has failed; the class says how.
        Stopped: `stop` was set.
        RecipeMalformed: the browser refuses a selector or a regex of the recipe.
    """
    credentials = _check_credentials(target)
    if stop.is_set():
        raise Stopped
    site = SiteUrls(target.recipe, target.base_url)
    pages = _list_pages(site, target.job, params)
    sieve = ItemFilter(target.job, seen, pages)
    left = deque(page for page in pages if page.number not in done_pages)
    crashes = 0
    progress = ProgressReporter(observer, target.job.label, pages=len(pages), items=len(seen))
    has_ended = False
    while left and not has_ended:
        progress.starting_browser()
        try:
            with open_tab(browser, stop) as tab:
                if tab.session:
                    observer.browser_opened(tab.session)
                visit = SiteSession(tab, site, target.recipe, credentials, progress)
                if target.recipe.login:
                    progress.logging_in()
                    visit.log_in()
                has_ended = _read_pages(visit, target.job, left, sieve, observer)
        except ScrapeError as error:
            crashes += 1
            _handle_crash(error, crashes, stop)
    return ScrapeSummary(len(pages), len(pages) - len(left), sieve.warnings)


def _handle_crash(error: ScrapeError, crashes: int, stop: threading.Event) -> None:
    """Let a crash cost a browser, and not what was read with it; raise what is more than that."""
    if stop.is_set():
        raise Stopped from error  # its browser was taken away
    # One that does not come up takes half a minute to say so: it is tried twice.
    most = 2 if isinstance(error, BrowserNotStarted) else _MAX_CRASHES
    if not isinstance(error, BrowserCrashed | BrowserNotStarted) or crashes >= most:
        raise error


def _read_pages(
    visit: SiteSession,
    job: JobDefinition,
    left: deque[ListPage],
    sieve: ItemFilter,
    watcher: ScrapeObserver,
) -> bool:
    """Read pages, at least one, for as long as the browser may be used.

    Returns:
        Whether the list has ended.
    """
    reader = PageReader(visit.tab, visit.site, job, visit.recipe.limits)
    while True:
        page = left[0]
        items = visit.read(reader, page)
        if items is None:
            sieve.end_list(page)
            return True
        told = len(sieve.warnings)
        new = sieve.filter_page(page, items)
        if not new:
            return True  # a list that goes on showing its last page would do so for ever
        watcher.page_read(page.number, new, sieve.warnings[told:])
        left.popleft()
        visit.progress.extracting(page.ordinal, len(new), page.size)
        if not left or visit.tab.exceeds_memory_limit():
            return False


def _list_pages(site: SiteUrls, job: JobDefinition, params: Mapping[str, Any]) -> list[ListPage]:
    """Return the pages that the parameters ask for."""
    first = params[job.next.first] if job.next else 1
    count = job.count_pages(params)
    size = params[job.page_size] if job.page_size else None
    return [
        ListPage(number, number - first + 1, site.page_url(job, params, number), size)
        for number in range(first, first + count)
    ]


def _check_credentials(target: Target) -> Credentials | None:
    """Return with what to log in; None if the site needs no login."""
    if target.recipe.login is None:
        return None
    credentials = target.credentials or Credentials("", "")
    missing = missing_variables(target.recipe.site, credentials)
    if missing:
        raise CredentialsMissing(missing)
    if not credentials.can_be_typed:
        reason = "not_typeable"
        raise LoginFailed(reason)
    return credentials


def make_result(
    job: JobDefinition, items: list[dict[str, Any]], summary: ScrapeSummary, now: datetime
) -> dict[str, Any]:
    """Return the result of a job that has succeeded.

    Args:
        job: names the collection.
        items: all items of all pages, in page order.
        summary: what the run says about itself.
        now: the end of the run, with its time zone.
    """
    return {
        "success": True,
        job.collection: items,
        f"total_{job.collection}": len(items),
        "timestamp": now.astimezone(UTC).isoformat(timespec="microseconds"),
        "error": None,
        "pages_requested": summary.pages_requested,
        "pages_read": summary.pages_read,
        "warnings": summary.warnings,
    }
