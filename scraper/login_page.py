"""Page object of a login form: open, fill, submit."""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from scraper.browser.page_snapshot import PageSnapshot, SnapshotQuery
from scraper.browser.tab import Tab
from scraper.credentials import Credentials
from scraper.errors import PageChanged, PageTimeout
from scraper.recipes.models import Limits, Login
from scraper.site_urls import SiteUrls
from scraper.stability import StabilityTimer

#: What a look at the form names its parts, and the place where the site's words about it stand.
USERNAME, PASSWORD, SUBMIT, ERROR = "username", "password", "submit", "error"

# Before a button is looked at again that something covered.
_CLICK_RETRY_S = 0.05
# A field that shows another text after so many typings: its page writes it in its own way.
_MAX_TYPING_ATTEMPTS = 3


class LoginPage:
    """The form; all that is done with it has one deadline."""

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
        """Open the form's page; return the look that tells what it is.

        Returns:
            The form; or a failure; or a page that is no login page, if the site still knows us.

        Raises:
            PageTimeout: the site did not answer in time.
            PageChanged: the page lacks one of the form's parts.
        """
        left = self.tab.open(self.site.login_url)
        still = StabilityTimer()

        def verdict(look: PageSnapshot) -> PageSnapshot | None:
            if look.time_origin == left or not look.is_parsed:
                return None
            missing = self.find_missing_parts(look)
            waited = still.measure((look.time_origin, look.ready_state, tuple(missing)))
            if look.failure or not missing:
                return look
            may_go = not self.site.is_login_page(look.url) or self.has_settled(waited)
            return look if look.is_loaded and may_go else None

        look = self.wait(verdict)
        if not look.failure and self.site.is_login_page(look.url) and self.find_missing_parts(look):
            raise self.missing_part_error(self.find_missing_parts(look)[0])
        return look

    def submit(self, snapshot: PageSnapshot, credentials: Credentials) -> None:
        """Fill the form, and click once the button can be clicked.

        It is sent at most once: another document than the form's is the answer to it, whatever
        has sent it.

        Raises:
            PageChanged: a field does not keep what is typed, or the button is never clickable.
        """
        texts = {USERNAME: credentials.username, PASSWORD: credentials.password}
        watch = replace(self._query, expected_values=texts)
        self._lines_before = self.tab.visible_lines()
        self._type(snapshot, texts)
        deadline = min(self.deadline, time.monotonic() + self.limits.empty_after_s)
        typings = 1
        lost: list[str] = []
        while True:
            ready = self.tab.wait(watch, deadline, partial(self._ready, snapshot.time_origin))
            if ready is None:
                raise self.missing_part_error(lost[0] if lost else SUBMIT)
            if ready.time_origin != snapshot.time_origin:
                return
            # A page that is still being set up may have changed its fields again.
            lost = [name for name in texts if not self._keeps_value(ready, name, typings)]
            if lost:
                self._type(ready, {name: texts[name] for name in lost})
                typings += 1
            elif (button := ready.elements[SUBMIT]) and self.tab.click(button):
                return
            self.tab.pause(_CLICK_RETRY_S)

    def validation_message(self, look: PageSnapshot) -> str:
        """Return why a form that was sent is still there: in the browser's words or the page's.

        Returns:
            What the browser objects to in a field, else the text that has appeared since; empty
            if there is neither.
        """
        fields = (look.elements[USERNAME], look.elements[PASSWORD])
        objections = [
            shown.validation_message for shown in fields if shown and shown.validation_message
        ]
        return next(
            iter(objections + [w for w in self.tab.visible_lines() if w not in self._lines_before]),
            "",
        )

    def find_missing_parts(self, look: PageSnapshot) -> list[str]:
        """Return which parts of the form cannot be seen."""
        return [name for name in self._selectors if look.elements[name] is None]

    def missing_part_error(self, part: str) -> PageChanged:
        """Return the failure that names a part of the form."""
        return PageChanged(self.site.login_url, self._selectors[part], "login_form")

    def has_settled(self, stable_s: float) -> bool:
        """Whether a page that has not changed for so many seconds will not change any more."""
        return stable_s >= self.limits.empty_after_s

    def wait(self, evaluate: Callable[[PageSnapshot], PageSnapshot | None]) -> PageSnapshot:
        """Look at the form until `verdict` gives something.

        Raises:
            PageTimeout: it gives nothing before the deadline.
        """
        look = self.tab.wait(self._query, self.deadline, evaluate)
        if look is None:
            raise PageTimeout(self.site.login_url, self.limits.login_timeout_s)
        return look

    def _type(self, look: PageSnapshot, texts: dict[str, str]) -> None:
        for name, text in texts.items():
            if shown := look.elements[name]:
                self.tab.type_into(shown, text)

    def _ready(self, origin: float, look: PageSnapshot) -> PageSnapshot | None:
        if look.time_origin != origin:
            return look
        button = look.elements[SUBMIT]
        return look if button and button.enabled and not self.find_missing_parts(look) else None

    def _keeps_value(self, look: PageSnapshot, name: str, typings: int) -> bool:
        shown = look.elements[name]
        if shown is None:
            return False
        return shown.has_expected_value or (shown.has_value and typings >= _MAX_TYPING_ATTEMPTS)
