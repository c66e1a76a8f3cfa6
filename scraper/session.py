"""Session at a site, with a new login when the site asks for one."""

from dataclasses import dataclass
from functools import partial

from scraper.browser.tab import Tab
from scraper.credentials import Credentials
from scraper.errors import LoginFailed
from scraper.login import log_in
from scraper.login_page import LoginPage
from scraper.page_reader import ListPage, NoItems, PageReader
from scraper.progress import ProgressReporter
from scraper.recipes.models import Item, Recipe
from scraper.retry import OnRetry
from scraper.site_urls import SiteUrls


@dataclass(frozen=True)
class SiteSession:
    """A tab at a site, with the account to log in."""

    tab: Tab
    site: SiteUrls
    recipe: Recipe
    #: Required if the recipe has a login.
    credentials: Credentials | None
    progress: ProgressReporter

    def log_in(self) -> None:
        """Log in, if the recipe has a login.

        Raises:
            LoginFailed: The site rejected the login.
            SiteUnavailable: The login page failed in every attempt.
            PageTimeout: The site did not answer in time.
            PageChanged: The login form does not match the recipe.
            BrowserCrashed: The browser is lost.
            Stopped: The stop event was set.
        """
        if self.recipe.login is None or self.credentials is None:
            return
        login_page = LoginPage(self.tab, self.site, self.recipe.login, self.recipe.limits)
        log_in(login_page, self.credentials, self.progress.retrying_login)

    def read(self, reader: PageReader, page: ListPage) -> list[Item] | None:
        """Read a page, after a new login if the site asks for one.

        Returns:
            The page's items; None if the list has ended before this page.

        Raises:
            LoginFailed: The site rejected the login, or asks for another one right after it.
            SiteUnavailable: The page, or the login page, failed in every attempt.
            PageTimeout: One of them was not readable in time.
            PageChanged: One of them does not match the recipe.
            BrowserCrashed: The browser is lost.
            Stopped: The stop event was set.
            RecipeMalformed: The browser rejects a selector or a regular expression.
        """
        self.progress.opening_page(page.ordinal)
        outcome = reader.read(page, self._on_retry(page))
        if outcome is NoItems.LOGGED_OUT:
            self.progress.logging_in_again(page.ordinal)
            self.log_in()
            outcome = reader.read(page, self._on_retry(page))
        if outcome is NoItems.LOGGED_OUT:
            raise LoginFailed(LoginFailed.Reason.SESSION_LOST)
        return None if outcome is NoItems.END else outcome

    def _on_retry(self, page: ListPage) -> OnRetry:
        return partial(self.progress.retrying, page.ordinal)
