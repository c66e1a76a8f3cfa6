"""Session at a site, with a new login when the site asks for one."""

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from scraper.browser.page_snapshot import PageSnapshot, SnapshotQuery
from scraper.browser.tab import Tab
from scraper.browser_state import BrowserState
from scraper.credentials import (
    DEFAULT_ACCOUNT,
    Credentials,
    missing_variables,
    variable_prefix,
)
from scraper.errors import (
    CredentialsMissing,
    LoginFailed,
    PageChanged,
    PageTimeout,
    PersonNeeded,
    ScrapeError,
    SiteUnavailable,
    Stopped,
)
from scraper.kept_session import LoginTurn, SessionKeeper
from scraper.login import LoginEvidence, log_in
from scraper.login_page import LoginPage, SecondFactorMissingError
from scraper.page_items import ListEnd, ListPage, PageItems
from scraper.page_reader import LoggedOut, PageReader
from scraper.progress import ProgressReporter
from scraper.recipes.models import Recipe
from scraper.recipes.origin import describe_origin
from scraper.retry import OnRetry
from scraper.site_urls import SiteUrls
from scraper.stability import StabilityTimer

#: How many newer sessions of other jobs are tried for one page.
_MAX_RENEWALS: Final = 3
#: How often another job's login is looked at, in seconds.
_LOGIN_POLL_S: Final = 0.25


@dataclass
class SiteSession:
    """A tab at a site, with the account to log in, and the session that is kept of it."""

    tab: Tab
    site: SiteUrls
    recipe: Recipe
    #: Required if the recipe has a login.
    credentials: Credentials | None
    progress: ProgressReporter
    keeper: SessionKeeper
    #: The account's name.
    account: str = DEFAULT_ACCOUNT
    #: What is known of the login, until a page was read.
    _evidence: LoginEvidence | None = field(default=None, init=False)
    #: The session that the browser has got, until a page was read with it.
    _unproven: BrowserState | None = field(default=None, init=False)
    #: The last state that was kept.
    _kept: BrowserState | None = field(default=None, init=False)

    def enter(self, reader: PageReader) -> None:
        """Be logged in, if the recipe has a login: by the session that is kept, or by a login.

        Args:
            reader: Learns what the pages of that session show.

        Raises:
            LoginFailed: The site rejected the login; PersonNeeded if it needs a person.
            CredentialsMissing: The account's credentials are not set, or the secret of a second
                factor that the site asks for.
            SiteUnavailable: The login page failed in every attempt.
            PageTimeout: The site did not answer in time.
            PageChanged: The login form does not match the recipe.
            BrowserCrashed: The browser is lost.
            Stopped: The stop event was set.
        """
        if self.recipe.login is None:
            return
        state = self.keeper.load()
        if state is None:
            # An earlier job may have left its session in this browser, which is not to be used any
            # more: it was deleted, or was not valid.
            self.tab.clear_state(self.site.login_url)
        if state is None or not self._use(state, reader):
            self._renew(reader, self.progress.logging_in)

    def _use(self, state: BrowserState, reader: PageReader) -> bool:
        """Continue with a session that is kept; return whether the browser has taken it."""
        if not self.tab.write_state(state):
            return False
        self.tab.forget_ahead()
        reader.expect(state)
        self._evidence = None
        self._unproven = self._kept = state
        return True

    def await_session(self, reader: PageReader) -> None:
        """Go on with a newer session, once another worker has logged in.

        Args:
            reader: Learns what the pages of that session show.

        Raises:
            PersonNeeded: Nobody has logged in within the time that a login may take.
            BrowserCrashed: The browser is lost.
            Stopped: The stop event was set.
        """
        deadline = time.monotonic() + self.recipe.limits.login_timeout_s
        while time.monotonic() < deadline:
            newer = self.keeper.begin_login()
            if isinstance(newer, BrowserState) and self._use(newer, reader):
                return
            self.tab.pause(_LOGIN_POLL_S)
        raise PersonNeeded

    def _renew(self, reader: PageReader, report: Callable[[], None]) -> bool:
        """Take a newer session than the present one, or log in; return whether it was a login.

        Args:
            reader: Learns what the pages of that session show.
            report: Reports the login.
        """
        deadline = time.monotonic() + self.recipe.limits.login_timeout_s
        turn = self.keeper.begin_login()
        if turn is LoginTurn.OTHERS:
            self.progress.waiting_for_login()
        while turn is LoginTurn.OTHERS and time.monotonic() < deadline:
            self.tab.pause(_LOGIN_POLL_S)
            turn = self.keeper.begin_login()
        if isinstance(turn, BrowserState) and self._use(turn, reader):
            return False
        if turn is LoginTurn.PERSON:
            raise PersonNeeded
        report()
        self.tab.forget_ahead()
        reader.expect(None)
        self._unproven = None
        self.tab.forget_state()
        self._log_in()
        if self._evidence and self._evidence.is_certain:
            self._save(reader)
        return True

    def _log_in(self) -> None:
        if self.recipe.login is None or self.credentials is None:
            return
        has_username = self.recipe.login.has_username
        site = self.recipe.site
        if missing := missing_variables(
            site, self.credentials, self.account, has_username=has_username
        ):
            raise CredentialsMissing(missing)  # the session was imported, and is no longer valid
        login_page = LoginPage(self.tab, self.site, self.recipe.login, self.recipe.limits)
        try:
            self._evidence = log_in(login_page, self.credentials, self.progress.retrying_login)
        except SecondFactorMissingError as error:
            if self.recipe.login.needs_person:
                raise PersonNeeded from error
            prefix = variable_prefix(site, self.account)
            raise CredentialsMissing([f"{prefix}TOTP_SECRET"]) from error

    def read(self, reader: PageReader, page: ListPage) -> PageItems | ListEnd:
        """Read a page, after a new login if the site asks for one.

        Raises:
            LoginFailed: The site rejected the login, or asks for another one right after it.
            CredentialsMissing: The account's credentials are not set, or the secret of a second
                factor that the site asks for.
            SiteUnavailable: The page, or the login page, failed in every attempt.
            PageTimeout: One of them was not readable in time.
            PageChanged: One of them does not match the recipe.
            BrowserCrashed: The browser is lost.
            Stopped: The stop event was set.
            SelectorError: The browser rejects a selector or a regular expression.
        """
        self.progress.opening_page(page.ordinal)
        outcome = self._read(reader, page)
        has_logged_in = False
        for _ in range(_MAX_RENEWALS):
            if not isinstance(outcome, LoggedOut) or has_logged_in:
                break
            if self._evidence and not self._evidence.is_certain:
                break  # another login may be another refusal
            report = partial(self.progress.logging_in_again, page.ordinal)
            has_logged_in = self._renew(reader, report)
            outcome = self._read(reader, page)
        if isinstance(outcome, LoggedOut):
            raise self._make_error(self._evidence)
        self._prove(reader)
        return outcome

    def _read(self, reader: PageReader, page: ListPage) -> PageItems | ListEnd | LoggedOut:
        """Read a page; a failure that a session which is no longer valid may cause is LoggedOut."""
        try:
            return reader.read(page, self._on_retry(page))
        except PageTimeout:
            if self._unproven:
                self.keeper.reject()  # the next browser logs in
            raise
        except (PageChanged, SiteUnavailable) as error:
            is_refusal = not isinstance(error, SiteUnavailable) or error.is_refusal
            if self._unproven is None or not is_refusal:
                raise
            return LoggedOut.LOGGED_OUT

    def _prove(self, reader: PageReader) -> None:
        """Note that a page was read: the session is valid."""
        if self._evidence and not self._evidence.is_certain:
            self._save(reader)
        if self._unproven:
            self.tab.forget_state()
        self._evidence = self._unproven = None

    def log_out(self) -> None:
        """End the session at the site, if the recipe says how; it may fail quietly."""
        logout = self.recipe.login.logout if self.recipe.login else None
        if logout is None:
            return
        limits = self.recipe.limits
        stability = StabilityTimer()
        with contextlib.suppress(ScrapeError, Stopped):
            before = self.tab.snapshot(SnapshotQuery())
            if logout.click is not None:
                self.tab.click(logout.click, self._check_url)
            else:
                self.tab.open(self.site.make_url(logout.open or "/"))

            def evaluate(page: PageSnapshot) -> PageSnapshot | None:
                is_new = before is None or page.time_origin != before.time_origin
                stable_s = stability.measure((page.time_origin, page.ready_state, page.url))
                has_settled = stable_s >= limits.short_page_settle_s
                is_over = is_new or (has_settled and not self.tab.read_network().pending)
                return page if page.is_parsed and is_over else None

            self.tab.wait(SnapshotQuery(), time.monotonic() + limits.login_timeout_s, evaluate)

    def _check_url(self, url: str) -> None:
        """Return if a URL is one of the site's.

        Raises:
            LoginFailed: It is not: nothing is clicked.
        """
        if not self.site.is_own(url):
            raise LoginFailed(LoginFailed.Reason.LEFT_SITE, origin=describe_origin(url))

    def _save(self, reader: PageReader) -> None:
        """Keep the session of a login."""
        state = self._read_state(reader)
        if state is None:
            self.keeper.end_login()
            return
        self.keeper.save(state)
        self._kept = state

    def refresh(self, reader: PageReader) -> None:
        """Keep what the site has changed in the session while pages were read."""
        if self.recipe.login is None or self._unproven or self._evidence:
            return
        state = self._read_state(reader)
        if state is not None and state != self._kept:
            self.keeper.refresh(state)

    def _read_state(self, reader: PageReader) -> BrowserState | None:
        state = self.tab.read_state()
        return state and reader.describe(state).completed_by(self._kept)

    def _make_error(self, evidence: LoginEvidence | None) -> LoginFailed:
        """Return the failure of a session that does not hold."""
        if evidence and evidence.dialog:
            return LoginFailed(evidence.dialog)
        if evidence and evidence.words:
            return LoginFailed(LoginFailed.Reason.NOT_LOGGED_IN, evidence.words)
        return LoginFailed(LoginFailed.Reason.SESSION_LOST)

    def _on_retry(self, page: ListPage) -> OnRetry:
        return partial(self.progress.retrying, page.ordinal)
