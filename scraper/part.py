"""Reading of some pages of a job whose other pages other workers read."""

import threading
from collections.abc import Mapping
from typing import Any, Final

from scraper.browser.browser_settings import BrowserSettings
from scraper.browser.page_snapshot import DEFAULT_SIZES, SizeLimits
from scraper.browser.tab import SelectorError
from scraper.browser.warm_browsers import BrowserSource, NewBrowsers
from scraper.errors import CredentialsMissing, LoginFailed, PersonNeeded, ScrapeError, Stopped
from scraper.kept_session import KeepNothing, SessionKeeper
from scraper.page_items import ListEnd, ListPage, NewItems, PageFailure
from scraper.page_reader import PageReader
from scraper.page_sharing import PartSource, is_independent
from scraper.progress import ProgressArgs, ProgressReporter, ProgressStep
from scraper.scrape import Target, check_credentials, list_pages, open_session, redact_warnings
from scraper.session import SiteSession
from scraper.site_urls import SiteUrls

#: A helper whose pages mostly have to be read by the job's own worker only costs the site requests.
_MAX_PASSED_ON: Final = 3

#: Failures that are not a page's: another page would have the same.
_NOT_OF_A_PAGE = (LoginFailed, CredentialsMissing, PersonNeeded)


class _NoObserver:
    """Receives the steps of a part, which are nobody's progress."""

    def progress(self, percent: int, step: ProgressStep, args: ProgressArgs) -> None:
        """Do nothing."""

    def browser_opened(self, session: str) -> None:
        """Do nothing."""

    def page_read(self, number: int, new: NewItems) -> None:
        """Do nothing."""

    def page_failed(self, number: int, failure: PageFailure) -> None:
        """Do nothing."""


def read_part(  # noqa: PLR0913 - the job, and what its pages are read with
    target: Target,
    params: Mapping[str, Any],
    browser: BrowserSettings,
    source: PartSource,
    *,
    stop: threading.Event,
    sizes: SizeLimits = DEFAULT_SIZES,
    keeper: SessionKeeper = KeepNothing(),  # noqa: B008 - it has no state
    browsers: BrowserSource = NewBrowsers(),  # noqa: B008 - it has no state
) -> None:
    """Read pages of a job, one after another, as long as the source has any.

    What only the job's own worker can judge is passed on to it: the end of the list, a page that
    fails, one that is not like those before it, or has a warning that a job has once.

    Args:
        target: The job definition, the site's URL and the account.
        params: All parameters of the job.
        browser: The options of the browser.
        source: Says which pages, and gets them.
        stop: Ends the part with Stopped once it is set.
        sizes: How much a page may return.
        keeper: Keeps the account's session.
        browsers: Where the browser comes from.

    Raises:
        ScrapeError: No further page can be read here. A page that has failed was passed on.
        SelectorError: The browser rejects a selector or a regular expression of the recipe.
        Stopped: `stop` was set, or the pages are others' by now.
    """
    pages = {
        page.number: page
        for page in list_pages(SiteUrls(target.recipe, target.base_url), target.job, params)
    }
    # Pages are claimed once they can be loaded: until then others read them.
    if not source.has_pages():
        return
    credentials = check_credentials(target, keeper)
    progress = ProgressReporter(_NoObserver(), target.job.label, pages=len(pages), items=0)
    with open_session(
        target,
        browser,
        progress,
        credentials,
        stop=stop,
        sizes=sizes,
        keeper=keeper,
        browsers=browsers,
    ) as (session, reader):
        session.enter(reader)
        passed_on = read = 0
        while passed_on - read < _MAX_PASSED_ON and (numbers := source.claim(target.parallel)):
            for number in numbers if len(numbers) > 1 else ():
                session.tab.open_ahead(pages[number].url)
            try:
                is_read = _read_page(session, reader, pages[numbers[0]], source)
            except PersonNeeded:
                # The session has ended. The job's own worker logs in, perhaps at one of these.
                source.give_back(numbers)
                session.await_session(reader)
            else:
                read += is_read
                passed_on += not is_read
        session.refresh(reader)


def _read_page(
    session: SiteSession, reader: PageReader, page: ListPage, source: PartSource
) -> bool:
    """Read a page; return whether it was, or had to be passed on."""
    try:
        read = session.read(reader, page)
    except (*_NOT_OF_A_PAGE, Stopped):
        raise
    except (ScrapeError, SelectorError):
        source.pass_on(page.number)
        raise
    if isinstance(read, ListEnd) or not is_independent(read):
        source.pass_on(page.number, is_end=isinstance(read, ListEnd))
        return False
    source.put(page.number, redact_warnings(read, session.credentials))
    return True
