"""An authenticated session at a site; logs in again once if it expires."""

from dataclasses import dataclass
from functools import partial

from scraper.browser.tab import Tab
from scraper.credentials import Credentials
from scraper.errors import LoginFailed
from scraper.login import log_in
from scraper.login_page import LoginPage
from scraper.page_reader import Item, ListPage, NoItems, PageReader
from scraper.progress import ProgressReporter
from scraper.recipes.models import Recipe
from scraper.retry import OnRetry
from scraper.site_urls import SiteUrls


@dataclass(frozen=True)
class SiteSession:
    """Who is at which site, in which tab."""

    tab: Tab
    site: SiteUrls
    recipe: Recipe
    #: Needed if the recipe has a login.
    credentials: Credentials | None
    progress: ProgressReporter

    def log_in(self) -> None:
        """Log in, if the site needs it.

        Raises:
            ScrapeError, Stopped: as the login does.
        """
        if self.recipe.login is None or self.credentials is None:
            return
        form = LoginPage(self.tab, self.site, self.recipe.login, self.recipe.limits)
        log_in(form, self.credentials, self.progress.retrying_login)

    def read(self, reader: PageReader, page: ListPage) -> list[Item] | None:
        """Read a page, after a new login if the site wants one; None if the list has ended.

        Raises:
            LoginFailed: the site wants a login again right after one.
            ScrapeError, Stopped: as reader and login do.
        """
        self.progress.opening_page(page.ordinal)
        found = reader.read(page, self._on_retry(page))
        if found is NoItems.LOGGED_OUT:
            self.progress.logging_in_again(page.ordinal)
            self.log_in()
            found = reader.read(page, self._on_retry(page))
        if found is NoItems.LOGGED_OUT:
            reason = "session_lost"
            raise LoginFailed(reason)
        return None if found is NoItems.END else found

    def _on_retry(self, page: ListPage) -> OnRetry:
        return partial(self.progress.retrying, page.ordinal)
