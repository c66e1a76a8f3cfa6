"""Run of one job, from the start of the browser to the last page."""

import contextlib
import json
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from scraper.browser.browser_settings import BrowserSettings
from scraper.browser.network_access import NetworkAccess
from scraper.browser.page_snapshot import DEFAULT_SIZES, MB, SizeLimits
from scraper.browser.tab import SelectorError
from scraper.browser.warm_browsers import BrowserSource, NewBrowsers
from scraper.credentials import DEFAULT_ACCOUNT, Credentials, missing_variables
from scraper.date_text import DateReader
from scraper.errors import (
    CredentialsMissing,
    LoginFailed,
    PageChanged,
    PageMemoryExceeded,
    PageTooLarge,
    RecipeMalformed,
    ResultTooLarge,
    ScrapeError,
    SiteUnavailable,
    Stopped,
)
from scraper.field_values import FieldValues
from scraper.item_filter import ItemFilter
from scraper.kept_session import KeepNothing, SessionKeeper
from scraper.page_items import (
    ListEnd,
    ListPage,
    NewItems,
    PageItems,
    PagePlace,
    SeenPages,
)
from scraper.page_reader import PageReader
from scraper.page_sharing import PageShare, ReadAlone
from scraper.progress import ProgressReporter, ScrapeObserver
from scraper.recipes.models import JobDefinition, Recipe
from scraper.scrape_failures import BrowserFailures, PageFailures
from scraper.scrape_warnings import EndReason, ScrapeWarning
from scraper.session import SiteSession
from scraper.site_urls import SiteUrls

# The package's interface: what a caller of `scrape` needs.
__all__ = [
    "BrowserSettings",
    "Credentials",
    "ScrapeObserver",
    "ScrapeSummary",
    "SeenPages",
    "SizeLimits",
    "Target",
    "check_credentials",
    "list_pages",
    "open_session",
    "redact_warnings",
    "scrape",
]

# Failures of a page for which another browser would do no better.
_PAGE_IS_THE_CAUSE: Final = (SiteUnavailable, PageChanged, PageTooLarge)

#: How often a page that another worker reads is looked for.
_SHARE_POLL_S: Final = 0.05


@dataclass(frozen=True)
class Target:
    """A job definition with the site's URL and the account to use."""

    recipe: Recipe
    job: JobDefinition
    base_url: str
    credentials: Credentials | None
    #: The account's name, as in the variables of its credentials.
    account: str = DEFAULT_ACCOUNT
    #: The most pages that may be loaded at the same time; None: as many as the job definition says.
    max_parallel: int | None = None

    @property
    def parallel(self) -> int:
        """How many pages are loaded at the same time."""
        return min(self.job.parallel, self.max_parallel or self.job.parallel)

    @property
    def owner(self) -> str:
        """Whose pages a browser shows that has run such a job."""
        username = self.credentials.username if self.credentials else ""
        return json.dumps([self.recipe.site, self.base_url, self.account, username])

    def limit_s(self, params: Mapping[str, Any]) -> float:
        """Return the job's time limit, in seconds, for these parameters."""
        return self.recipe.limits.job_s(self.job.count_pages(params))


@dataclass(frozen=True)
class ScrapeSummary:
    """Summary of a run; the observer has received the items."""

    pages_requested: int
    #: The number of pages with new items, including those of earlier attempts.
    pages_read: int
    warnings: list[ScrapeWarning] = field(default_factory=list)


def scrape(  # noqa: PLR0913 - the job, its browser, and the progress of earlier attempts
    target: Target,
    params: Mapping[str, Any],
    browser: BrowserSettings,
    observer: ScrapeObserver,
    *,
    stop: threading.Event,
    seen: SeenPages = SeenPages(),  # noqa: B008 - immutable
    seen_items: int = 0,
    seen_bytes: int = 0,
    sizes: SizeLimits = DEFAULT_SIZES,
    keeper: SessionKeeper = KeepNothing(),  # noqa: B008 - it has no state
    browsers: BrowserSource = NewBrowsers(),  # noqa: B008 - it has no state
    share: PageShare = ReadAlone(),  # noqa: B008 - it has no state
) -> ScrapeSummary:
    """Run a job; the observer receives its items page by page.

    Args:
        target: The job definition, the site's URL and the account.
        params: All parameters of the job, with the defaults filled in.
        browser: The options of its browsers.
        observer: Receives progress and items.
        stop: Ends the run with Stopped once it is set.
        seen: The pages that earlier attempts have read.
        seen_items: The number of items on them.
        seen_bytes: The size of these items, as JSON.
        sizes: How much a page and the whole job may return.
        keeper: Keeps the account's session between runs.
        browsers: Where browsers come from.
        share: The pages that are read here, if other workers read some.

    Raises:
        CredentialsMissing: The site needs a login, and the credentials are not set, or the secret
            of a second factor that it asks for.
        LoginFailed: The site rejected the login.
        SiteUnavailable: A page failed in every attempt.
        PageTimeout: A page was not readable in time.
        PageChanged: A page does not match the recipe, or (FillRateTooLow) all of them together.
        PageTooLarge: A page exceeds a limit of `sizes`, or twice in a row the browser's memory.
        ResultTooLarge: The items of all pages exceed a limit; those read before were reported.
        BrowserUnavailable: There is no browser, or it did not start twice in a row.
        BrowserCrashed: Three browsers in a row crashed at the same page.
        Stopped: `stop` was set.
        RecipeMalformed: The browser rejects a selector or a regular expression of the recipe.
    """
    credentials = check_credentials(target, keeper)
    if stop.is_set():
        raise Stopped
    site = SiteUrls(target.recipe, target.base_url, target.job)
    pages = list_pages(site, target.job, params)
    item_filter = ItemFilter(target.job, seen, pages, seen_items=seen_items)
    remaining = _find_remaining(target.job, pages, seen)
    observer = _BoundedObserver(observer, sizes, seen_items, seen_bytes)
    is_open_ended = target.job.is_followed and len(pages) == target.job.max_pages
    known_pages = None if is_open_ended else len(pages)
    progress = ProgressReporter(observer, target.job.label, pages=known_pages, items=seen_items)
    page_failures = PageFailures(credentials, observer, progress, seen)
    failures = BrowserFailures(credentials, page_failures)
    # For all browsers of the job: they remember what kind of address the site has.
    access = NetworkAccess(site.named_hosts, browser.allowed_addresses)
    has_ended = False
    parallel = target.parallel
    while remaining and not has_ended:
        progress.starting_browser()
        try:
            with open_session(
                target,
                browser,
                progress,
                credentials,
                stop=stop,
                sizes=sizes,
                keeper=keeper,
                browsers=browsers,
                access=access,
            ) as (session, reader):
                if session.tab.session:
                    observer.browser_opened(session.tab.session)
                session.enter(reader)
                try:
                    has_ended = _read_pages(
                        session,
                        reader,
                        remaining,
                        item_filter,
                        observer,
                        job=target.job,
                        failures=page_failures,
                        parallel=parallel,
                        begins_alone=failures.has_any,
                        share=share,
                    )
                    session.refresh(reader)
                    parallel = max(1, parallel // 2)  # they needed too much memory
                finally:
                    session.log_out()
        except SelectorError as error:
            raise _make_recipe_error(target, error) from error
        except ScrapeError as error:
            if stop.is_set():
                raise Stopped from error  # a stop may end the browser during a command
            if isinstance(error, PageMemoryExceeded):
                parallel = max(1, parallel // 2)
            failures.record(error, remaining)
        finally:
            keeper.end_login()
    item_filter.check_fill_rates()
    pages_read = len(pages) - len(remaining) - page_failures.count
    return ScrapeSummary(len(pages), pages_read, item_filter.warnings)


def _find_remaining(
    job: JobDefinition, pages: Sequence[ListPage], seen: SeenPages
) -> deque[ListPage]:
    """Return the pages that no earlier attempt has read."""
    remaining = deque(page for page in pages if page.number not in seen.numbers)
    if remaining and seen.numbers and job.is_followed:
        if seen.next is None:
            remaining.clear()  # the last page that was read leads nowhere
        else:
            remaining[0] = replace(remaining[0], place=seen.next)
    return remaining


@contextlib.contextmanager
def open_session(  # noqa: PLR0913 - what a browser needs to read the pages of a job
    target: Target,
    browser: BrowserSettings,
    progress: ProgressReporter,
    credentials: Credentials | None,
    *,
    stop: threading.Event,
    sizes: SizeLimits,
    keeper: SessionKeeper,
    browsers: BrowserSource,
    access: NetworkAccess | None = None,
) -> Iterator[tuple[SiteSession, PageReader]]:
    """Open a browser for a job; yield a session that is not logged in yet, and its reader.

    Args:
        target: The job definition, the site's URL and the account.
        browser: The options of the browser, without the recipe's.
        progress: Receives the steps of logins and retries.
        credentials: The account's; required if the recipe has a login.
        stop: Ends every wait with Stopped once it is set.
        sizes: How much a page may return.
        keeper: Keeps the account's session between runs.
        browsers: Where the browser comes from.
        access: What it may connect to; by default what the recipe and its options say.

    Raises:
        BrowserUnavailable: There is no browser.
        BrowserNotStarted: It does not start.
        BrowserCrashed: It is lost while the tab is prepared.
        Stopped: `stop` is set.
    """
    recipe = target.recipe
    site = SiteUrls(recipe, target.base_url, target.job)
    browser = replace(
        browser,
        images=recipe.images,
        blocked_hosts=recipe.block,
        locale=recipe.locale,
        time_zone=recipe.time_zone,
        user_agent=recipe.user_agent,
        viewport=(recipe.viewport.width, recipe.viewport.height) if recipe.viewport else None,
    )
    access = access or NetworkAccess(site.named_hosts, browser.allowed_addresses)
    with browsers.open_tab(browser, stop, access, target.owner) as tab:
        tab.dismiss(recipe.dismiss, site.is_own)
        dates = DateReader(recipe.locale, recipe.time_zone, datetime.now(UTC))
        values = FieldValues(target.job.fields, recipe.locale, dates)
        reader = PageReader(
            tab, site, target.job, recipe.limits, recipe.login, values=values, sizes=sizes
        )
        session = SiteSession(tab, site, recipe, credentials, progress, keeper, target.account)
        yield session, reader


class _BoundedObserver:
    """Passes a run on to its observer, as long as its items are not too many for one result."""

    def __init__(self, observer: ScrapeObserver, sizes: SizeLimits, items: int, size: int) -> None:
        """Start with what earlier attempts have read.

        Args:
            observer: Receives progress and items.
            sizes: How much the result may hold.
            items: The number of items so far.
            size: Their size, in bytes.
        """
        self.progress = observer.progress
        self.browser_opened = observer.browser_opened
        self.page_failed = observer.page_failed
        self._observer = observer
        self._sizes = sizes
        self._items = items
        self._size = size

    def page_read(self, number: int, new: NewItems) -> None:
        """Pass on the items of a page.

        Raises:
            ResultTooLarge: With them, the result would be too large.
        """
        self._items += len(new.items)
        self._size += new.size
        if self._items > self._sizes.result_items:
            reason = ResultTooLarge.Reason.ITEMS
            raise ResultTooLarge(number, reason, self._sizes.result_items)
        if self._size > self._sizes.result_mb * MB:
            raise ResultTooLarge(number, ResultTooLarge.Reason.BYTES, self._sizes.result_mb)
        self._observer.page_read(number, new)


def _read_pages(  # noqa: PLR0913 - what reads them, and what is done with them
    session: SiteSession,
    reader: PageReader,
    remaining: deque[ListPage],
    item_filter: ItemFilter,
    observer: ScrapeObserver,
    *,
    job: JobDefinition,
    failures: PageFailures,
    parallel: int,
    begins_alone: bool,
    share: PageShare,
) -> bool:
    """Read pages, at least one, until the browser has to be replaced.

    They are read in their order; the next ones are loaded meanwhile.

    Args:
        session: The browser's session at the site.
        reader: Reads the pages.
        remaining: The pages; those that were read are removed.
        item_filter: Removes items that were read before.
        observer: Receives the items.
        job: The job definition.
        failures: Those of pages that others do not depend on.
        parallel: How many pages are loaded at the same time.
        begins_alone: Whether no other is loaded during the first one.
        share: Which pages other workers read.

    Returns:
        Whether the list has ended.
    """
    while True:
        page = remaining[0]
        limit = 1 if begins_alone else parallel
        begins_alone = False
        try:
            read, new, is_own = _read_new(session, reader, remaining, item_filter, share, limit)
        except _PAGE_IS_THE_CAUSE as error:
            failures.skip(remaining, error)
        else:
            if isinstance(read, ListEnd):
                _record_end(job, page, read.reason, item_filter)
                return True
            if new is None:
                return True  # a site may serve its last page for every later number
            observer.page_read(page.number, new)
            remaining.popleft()
            failures.has_read = True
            session.progress.extracting(page.ordinal, len(new.items), page.size)
            if _ends_list(job, page, read, remaining, item_filter):
                return True
            _offer(session, reader, remaining, share, is_own=is_own)
        if not remaining or session.tab.exceeds_memory_limit():
            return False


def _offer(
    session: SiteSession,
    reader: PageReader,
    remaining: deque[ListPage],
    share: PageShare,
    *,
    is_own: bool,
) -> None:
    """Let other workers help, once a page was read here."""
    if is_own and share.can_offer and remaining:
        # Helpers start with the session that this one has found valid.
        session.refresh(reader)
        share.offer(len(remaining))


def _read_new(  # noqa: PLR0913, PLR0917 - as above
    session: SiteSession,
    reader: PageReader,
    remaining: deque[ListPage],
    item_filter: ItemFilter,
    share: PageShare,
    limit: int,
) -> tuple[PageItems | ListEnd, NewItems | None, bool]:
    """Read the next page; return also what is new on it, and whether it was read here."""
    page = remaining[0]
    while True:
        read, is_own = _read_next(session, reader, remaining, limit, share)
        if isinstance(read, ListEnd):
            return read, None, is_own
        new = item_filter.filter_page(page, redact_warnings(read, session.credentials))
        # A step of scrolling may show only items that were read before.
        if not page.is_scrolled or new is None or new.items:
            return read, new, is_own


def _ends_list(
    job: JobDefinition,
    page: ListPage,
    read: PageItems,
    remaining: deque[ListPage],
    item_filter: ItemFilter,
) -> bool:
    """Return whether a page is the last of its list; else note where the list goes on."""
    if read.end is not None and remaining:
        _record_end(job, page, read.end, item_filter)
        return True
    if read.next is not None and remaining:
        remaining[0] = replace(remaining[0], place=read.next)
    elif read.next is not None and page.ordinal == job.max_pages:
        item_filter.cut_list(page)
    return False


def _record_end(
    job: JobDefinition, page: ListPage, reason: EndReason, item_filter: ItemFilter
) -> None:
    # That is how a list ends whose pages lead to each other; others have fewer pages than expected.
    if job.is_scrolled:
        is_usual = reason is (EndReason.SCROLLED if job.end is None else EndReason.END_SHOWN)
    else:
        is_usual = job.is_followed and reason is EndReason.NO_NEXT
    if not is_usual:
        item_filter.end_list(page, reason)


def _read_next(
    session: SiteSession,
    reader: PageReader,
    remaining: deque[ListPage],
    parallel: int,
    share: PageShare,
) -> tuple[PageItems | ListEnd, bool]:
    """Read the next page, here or by another worker; meanwhile load those that are read here.

    Returns:
        What was read, and whether it was here.
    """
    page = remaining[0]
    while True:
        if (shared := share.take(page)) is not None:
            return shared, False
        own = share.claim(remaining, parallel)
        for own_page in own if len(own) > 1 else ():
            session.tab.open_ahead(own_page.url)
        if page in own[:1]:
            return session.read(reader, page), True
        session.tab.pause(_SHARE_POLL_S)


def redact_warnings(read: PageItems, credentials: Credentials | None) -> PageItems:
    """Return the items with warnings whose URLs, which are the site's own words, have no secret."""
    if credentials is None:
        return read
    return replace(
        read, warnings=[warning.redacted(credentials.redact) for warning in read.warnings]
    )


def _make_recipe_error(target: Target, error: SelectorError) -> RecipeMalformed:
    """Return the failure for a selector or regular expression that the browser rejects."""
    parts = ".".join(error.keys).split(".")
    keys = tuple(int(part) if part.isdigit() else part for part in parts)
    if keys[0] not in {"login", "locale", "time_zone", "dismiss"}:
        jobs = target.recipe.jobs
        keys = ("jobs", next(name for name in jobs if jobs[name] is target.job), *keys)
    keys = target.recipe.spell(keys)
    location = target.recipe.locate(keys) or target.recipe.site
    return RecipeMalformed(location, ".".join(map(str, keys)), error.reason)


def list_pages(site: SiteUrls, job: JobDefinition, params: Mapping[str, Any]) -> list[ListPage]:
    """Return the pages that the parameters request."""
    if values := job.list_values(params):
        return [
            ListPage(
                number, number, PagePlace(site.value_url(job, params, value)), None, value=value
            )
            for number, value in enumerate(values, 1)
        ]
    first = job.first_page(params)
    count = job.count_pages(params)
    size = params[job.page_size] if job.page_size else None
    return [
        ListPage(
            number,
            number - first + 1,
            # Until the page before is read, only clicks are known to lead there.
            PagePlace(
                site.page_url(job, params, number),
                clicks=number - first if job.is_followed and not job.is_scrolled else 0,
            ),
            size,
            is_last=number == first + count - 1,
            is_scrolled=job.is_scrolled,
        )
        for number in range(first, first + count)
    ]


def check_credentials(target: Target, keeper: SessionKeeper) -> Credentials | None:
    """Return the credentials for the login; None if the site needs no login.

    Raises:
        CredentialsMissing: The user name or the password is not set, and no session is kept.
        LoginFailed: One of them cannot be typed.
    """
    if target.recipe.login is None:
        return None
    credentials = target.credentials or Credentials("", "")
    missing = missing_variables(
        target.recipe.site,
        credentials,
        target.account,
        has_username=target.recipe.login.has_username,
    )
    if missing and keeper.load() is None:
        raise CredentialsMissing(missing)
    if not credentials.can_be_typed:
        raise LoginFailed(LoginFailed.Reason.NOT_TYPEABLE)
    return credentials
