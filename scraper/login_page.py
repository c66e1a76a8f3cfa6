"""Page object of a login form: open, fill, submit."""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from scraper.browser.page_snapshot import ElementState, PageSnapshot, SnapshotQuery
from scraper.browser.tab import Tab
from scraper.credentials import Credentials
from scraper.errors import PageChanged, PageTimeout
from scraper.recipes.models import Limits, Login
from scraper.site_urls import SiteUrls
from scraper.stability import StabilityTimer

#: Names of the form's parts, and of its error message, in a snapshot.
USERNAME, PASSWORD, SUBMIT, ERROR = "username", "password", "submit", "error"

# The pause before another attempt to click on a button that something covers.
_CLICK_RETRY_S = 0.05
# A field that shows another text after three attempts belongs to a page that formats its values.
_MAX_TYPING_ATTEMPTS = 3


class LoginPage:
    """A login form; everything that is done with it shares one deadline."""

    def __init__(self, tab: Tab, site: SiteUrls, login: Login, limits: Limits) -> None:
        self.tab = tab
        self.site = site
        self.login = login
        self.limits = limits
        self.deadline = time.monotonic() + limits.login_timeout_s
        self._selectors = {
            USERNAME: login.fill.username,
            PASSWORD: login.fill.password,
            SUBMIT: login.submit,
        }
        error = {} if login.error is None else {ERROR: login.error}
        self._query = SnapshotQuery(elements=self._selectors | error)
        self._lines_before: list[str] = []

    def open(self) -> PageSnapshot:
        """Open the form's page.

        Returns:
            A snapshot of the form; or of a failure; or of another page, to which the site has
            redirected because the session is still valid.

        Raises:
            PageTimeout: The site did not answer in time.
            PageChanged: A part of the form is missing.
            BrowserCrashed: The browser is lost.
            Stopped: The stop event was set.
        """
        previous_origin = self.tab.open(self.site.login_url)
        stability = StabilityTimer()

        def evaluate(snapshot: PageSnapshot) -> PageSnapshot | None:
            if snapshot.time_origin == previous_origin or not snapshot.is_parsed:
                return None
            missing = self.find_missing_parts(snapshot)
            stable_s = stability.measure(
                (snapshot.time_origin, snapshot.ready_state, tuple(missing))
            )
            if snapshot.failure or not missing:
                return snapshot
            is_final = not self.site.is_login_page(snapshot.url) or self.has_settled(stable_s)
            return snapshot if snapshot.is_loaded and is_final else None

        snapshot = self.wait(evaluate)
        missing = self.find_missing_parts(snapshot)
        if missing and not snapshot.failure and self.site.is_login_page(snapshot.url):
            raise self.missing_part_error(missing[0])
        return snapshot

    def submit(self, form: PageSnapshot, credentials: Credentials) -> None:
        """Fill the form, and click on its button as soon as that is possible.

        The form is sent at most once: a new document is taken as the response, whatever has
        caused it.

        Args:
            form: A snapshot of the form.
            credentials: The account.

        Raises:
            PageChanged: A field does not keep the text, or the button cannot be clicked in time.
            BrowserCrashed: The browser is lost.
            Stopped: The stop event was set.
        """
        texts = {USERNAME: credentials.username, PASSWORD: credentials.password}
        query = replace(self._query, expected_values=texts)
        self._lines_before = self.tab.visible_lines()
        self._type(form, texts)
        deadline = self._ready_deadline()
        attempts = 1
        lost_fields: list[str] = []
        while True:
            ready = self.tab.wait(query, deadline, partial(self._ready, form.time_origin))
            if ready is None:
                raise self.missing_part_error(lost_fields[0] if lost_fields else SUBMIT)
            if ready.time_origin != form.time_origin:
                return
            # A page that is still initializing may have changed its fields again.
            lost_fields = [name for name in texts if not _keeps_value(ready, name, attempts)]
            if lost_fields:
                self._type(ready, {name: texts[name] for name in lost_fields})
                attempts += 1
                if attempts <= _MAX_TYPING_ATTEMPTS:
                    # Typing is slow on a busy machine; the page gets its full time each time.
                    deadline = self._ready_deadline()
            elif (button := ready.elements[SUBMIT]) and self.tab.click(button):
                return
            self.tab.pause(_CLICK_RETRY_S)

    def _ready_deadline(self) -> float:
        return min(self.deadline, time.monotonic() + self.limits.empty_after_s)

    def validation_message(self, snapshot: PageSnapshot) -> str:
        """Return why a form that was submitted is still there.

        Args:
            snapshot: The form after the submit.

        Returns:
            The browser's validation message of a field, else the first text that has appeared
            since the submit, else an empty text.
        """
        fields = (snapshot.elements[USERNAME], snapshot.elements[PASSWORD])
        for field in fields:
            if field and field.validation_message:
                return field.validation_message
        new_lines = (line for line in self.tab.visible_lines() if line not in self._lines_before)
        return next(new_lines, "")

    def find_missing_parts(self, snapshot: PageSnapshot) -> list[str]:
        """Return the names of the form's parts that are not visible."""
        return [name for name in self._selectors if snapshot.elements[name] is None]

    def missing_part_error(self, part: str) -> PageChanged:
        """Return the failure for a missing part of the form."""
        return PageChanged(
            self.site.login_url, self._selectors[part], PageChanged.Reason.LOGIN_FORM
        )

    def has_settled(self, stable_s: float) -> bool:
        """Return whether a page will not change any more.

        Args:
            stable_s: How long it has not changed, in seconds.
        """
        return stable_s >= self.limits.empty_after_s

    def wait(self, evaluate: Callable[[PageSnapshot], PageSnapshot | None]) -> PageSnapshot:
        """Poll the form until `evaluate` returns a snapshot.

        Args:
            evaluate: Receives each snapshot; returns None to continue.

        Raises:
            PageTimeout: The deadline has passed.
            BrowserCrashed: The browser is lost.
            Stopped: The stop event was set.
        """
        snapshot = self.tab.wait(self._query, self.deadline, evaluate)
        if snapshot is None:
            raise PageTimeout(self.site.login_url, self.limits.login_timeout_s)
        return snapshot

    def _type(self, snapshot: PageSnapshot, texts: dict[str, str]) -> None:
        for name, text in texts.items():
            if field := snapshot.elements[name]:
                self.tab.type_into(field, text)

    def _ready(self, form_origin: float, snapshot: PageSnapshot) -> PageSnapshot | None:
        """Return the snapshot if the form can be submitted, or has been replaced."""
        if snapshot.time_origin != form_origin:
            return snapshot
        button = snapshot.elements[SUBMIT]
        is_enabled = button is not None and button.enabled
        return snapshot if is_enabled and not self.find_missing_parts(snapshot) else None


def _keeps_value(snapshot: PageSnapshot, name: str, attempts: int) -> bool:
    """Return whether a field shows the typed text, or the page's own form of it."""
    field: ElementState | None = snapshot.elements[name]
    if field is None:
        return False
    return field.has_expected_value or (field.has_value and attempts >= _MAX_TYPING_ATTEMPTS)
