"""Run of one job, from the start of the browser to the last page."""

import threading
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
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
from scraper.scrape_warnings import ScrapeWarning
from scraper.session import SiteSession
from scraper.site_urls import SiteUrls

# The package's interface: what a caller of `scrape` needs.
__all__ = ["BrowserSettings", "Credentials", "ScrapeObserver", "ScrapeSummary", "Target", "scrape"]

# How many failures of a kind in a row end a run. A page that crashes three browsers is the cause
# itself; a browser that does not start needs half a minute to report it.
_MAX_BROWSER_FAILURES = {BrowserCrashed: 3, BrowserNotStarted: 2}


@dataclass(frozen=True)
class Target:
    """A job definition with the site's URL and the account to use."""

    recipe: Recipe
    job: JobDefinition
    base_url: str
    credentials: Credentials | None

    def limit_s(self, params: Mapping[str, Any]) -> float:
        """Return the job's time limit, in seconds, for these parameters."""
        return self.recipe.limits.job_s(self.job.count_pages(params))


@dataclass(frozen=True)
class ScrapeSummary:
    """Summary of a run; the observer has received the items."""

    pages_requested: int
    #: The number of pages with new items, including those of `done_pages`.
    pages_read: int
    warnings: list[ScrapeWarning] = field(default_factory=list)


def scrape(  # noqa: PLR0913 - the job, its browser, and the progress of earlier attempts
    target: Target,
    params: Mapping[str, Any],
    browser: BrowserSettings,
    observer: ScrapeObserver,
    *,
    stop: threading.Event,
    done_pages: frozenset[int] = frozenset(),
    seen_keys: frozenset[str] = frozenset(),
) -> ScrapeSummary:
    """Run a job; the observer receives its items page by page.

    Args:
        target: The job definition, the site's URL and the account.
        params: All parameters of the job, with the defaults filled in.
        browser: The browser to start.
        observer: Receives progress and items.
        stop: Ends the run with Stopped once it is set.
        done_pages: The numbers of pages that earlier attempts have read.
        seen_keys: The `unique_by` values of items that earlier attempts have read.

    Raises:
        CredentialsMissing: The site needs a login, and the credentials are not set.
        LoginFailed: The site rejected the login.
        SiteUnavailable: A page failed in every attempt.
        PageTimeout: A page was not readable in time.
        PageChanged: A page does not match the recipe.
        BrowserUnavailable: There is no browser, or it did not start twice in a row.
        BrowserCrashed: Three browsers in a row crashed at the same page.
        Stopped: `stop` was set.
        RecipeMalformed: The browser rejects a selector or a regular expression of the recipe.
    """
    credentials = _check_credentials(target)
    if stop.is_set():
        raise Stopped
    site = SiteUrls(target.recipe, target.base_url)
    pages = _list_pages(site, target.job, params)
    item_filter = ItemFilter(target.job, seen_keys, pages)
    remaining = deque(page for page in pages if page.number not in done_pages)
    failures = _BrowserFailures()
    progress = ProgressReporter(observer, target.job.label, pages=len(pages), items=len(seen_keys))
    has_ended = False
    while remaining and not has_ended:
        progress.starting_browser()
        try:
            with open_tab(browser, stop) as tab:
                if tab.session:
                    observer.browser_opened(tab.session)
                session = SiteSession(tab, site, target.recipe, credentials, progress)
                if target.recipe.login:
                    progress.logging_in()
                    session.log_in()
                has_ended = _read_pages(session, target.job, remaining, item_filter, observer)
        except ScrapeError as error:
            if stop.is_set():
                raise Stopped from error  # a stop may end the browser during a command
            failures.record(error, len(remaining))
    return ScrapeSummary(len(pages), len(pages) - len(remaining), item_filter.warnings)


class _BrowserFailures:
    """Failures of browsers since the last page that was read."""

    def __init__(self) -> None:
        self._counts = Counter[type[ScrapeError]]()
        self._remaining_pages = 0

    def record(self, error: ScrapeError, remaining_pages: int) -> None:
        """Count a failure; return if another browser should be tried.

        Args:
            error: What has ended the use of a browser.
            remaining_pages: How many pages were not read yet.

        Raises:
            ScrapeError: `error` itself: not a browser's failure, or one too many in a row.
        """
        if remaining_pages != self._remaining_pages:
            self._remaining_pages = remaining_pages
            self._counts.clear()
        self._counts[type(error)] += 1
        if self._counts[type(error)] >= _MAX_BROWSER_FAILURES.get(type(error), 1):
            raise error


def _read_pages(
    session: SiteSession,
    job: JobDefinition,
    remaining: deque[ListPage],
    item_filter: ItemFilter,
    observer: ScrapeObserver,
) -> bool:
    """Read pages, at least one, until the browser has to be replaced.

    Returns:
        Whether the list has ended.
    """
    reader = PageReader(session.tab, session.site, job, session.recipe.limits)
    while True:
        page = remaining[0]
        items = session.read(reader, page)
        if items is None:
            item_filter.end_list(page)
            return True
        earlier_warnings = len(item_filter.warnings)
        new_items = item_filter.filter_page(page, items)
        if not new_items:
            return True  # a site may serve its last page for every later number
        observer.page_read(page.number, new_items, item_filter.warnings[earlier_warnings:])
        remaining.popleft()
        session.progress.extracting(page.ordinal, len(new_items), page.size)
        if not remaining or session.tab.exceeds_memory_limit():
            return False


def _list_pages(site: SiteUrls, job: JobDefinition, params: Mapping[str, Any]) -> list[ListPage]:
    """Return the pages that the parameters request."""
    first = params[job.next.first] if job.next else 1
    count = job.count_pages(params)
    size = params[job.page_size] if job.page_size else None
    return [
        ListPage(number, number - first + 1, site.page_url(job, params, number), size)
        for number in range(first, first + count)
    ]


def _check_credentials(target: Target) -> Credentials | None:
    """Return the credentials for the login; None if the site needs no login.

    Raises:
        CredentialsMissing: The user name or the password is not set.
        LoginFailed: One of them cannot be typed.
    """
    if target.recipe.login is None:
        return None
    credentials = target.credentials or Credentials("", "")
    missing = missing_variables(target.recipe.site, credentials)
    if missing:
        raise CredentialsMissing(missing)
    if not credentials.can_be_typed:
        raise LoginFailed(LoginFailed.Reason.NOT_TYPEABLE)
    return credentials
