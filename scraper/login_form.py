"""A site's login form: open it, fill it, send it."""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from scraper.browser.look import Look, Watch
from scraper.browser.tab import Tab
from scraper.credentials import Credentials
from scraper.errors import PageChanged, PageTimeout
from scraper.recipes.models import Limits, Login
from scraper.site import Site
from scraper.stillness import Stillness

#: What a look at the form names its parts, and the place where the site's words about it stand.
USERNAME, PASSWORD, SUBMIT, ERROR = "username", "password", "submit", "error"

# Before a button is looked at again that something covered.
_CLICK_AGAIN_S = 0.05
# A field that shows another text after so many typings: its page writes it in its own way.
_TYPINGS = 3


class LoginForm:
    """The form; all that is done with it has one deadline."""

    def __init__(self, tab: Tab, site: Site, login: Login, limits: Limits) -> None:
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
        self._watch = Watch(firsts=self._selectors | error)
        self._words: list[str] = []

    def open(self) -> Look:
        """Open the form's page; return the look that tells what it is.

        Returns:
            The form; or a failure; or a page that is no login page, if the site still knows us.

        Raises:
            PageTimeout: the site did not answer in time.
            PageChanged: the page lacks one of the form's parts.
        """
        left = self.tab.open(self.site.login_url)
        still = Stillness()

        def verdict(look: Look) -> Look | None:
            if look.origin == left or not look.is_parsed:
                return None
            missing = self.missing(look)
            waited = still.seconds((look.origin, look.state, tuple(missing)))
            if look.failure or not missing:
                return look
            may_go = not self.site.is_login_page(look.url) or self.is_long(waited)
            return look if look.is_loaded and may_go else None

        look = self.wait(verdict)
        if not look.failure and self.site.is_login_page(look.url) and self.missing(look):
            raise self.lacks(self.missing(look)[0])
        return look

    def send(self, form: Look, credentials: Credentials) -> None:
        """Fill the form, and click once the button can be clicked.

        It is sent at most once: another document than the form's is the answer to it, whatever
        has sent it.

        Raises:
            PageChanged: a field does not keep what is typed, or the button is never clickable.
        """
        texts = {USERNAME: credentials.username, PASSWORD: credentials.password}
        watch = replace(self._watch, texts=texts)
        self._words = self.tab.words()
        self._type(form, texts)
        deadline = min(self.deadline, time.monotonic() + self.limits.empty_after_s)
        typings = 1
        lost: list[str] = []
        while True:
            ready = self.tab.wait(watch, deadline, partial(self._ready, form.origin))
            if ready is None:
                raise self.lacks(lost[0] if lost else SUBMIT)
            if ready.origin != form.origin:
                return
            # A page that is still being set up may have changed its fields again.
            lost = [name for name in texts if not self._keeps(ready, name, typings)]
            if lost:
                self._type(ready, {name: texts[name] for name in lost})
                typings += 1
            elif (button := ready.firsts[SUBMIT]) and self.tab.click(button):
                return
            self.tab.pause(_CLICK_AGAIN_S)

    def objection(self, look: Look) -> str:
        """Return why a form that was sent is still there: in the browser's words or the page's.

        Returns:
            What the browser objects to in a field, else the text that has appeared since; empty
            if there is neither.
        """
        fields = (look.firsts[USERNAME], look.firsts[PASSWORD])
        objections = [shown.objection for shown in fields if shown and shown.objection]
        return next(iter(objections + [w for w in self.tab.words() if w not in self._words]), "")

    def missing(self, look: Look) -> list[str]:
        """Return which parts of the form cannot be seen."""
        return [name for name in self._selectors if look.firsts[name] is None]

    def lacks(self, part: str) -> PageChanged:
        """Return the failure that names a part of the form."""
        return PageChanged(self.site.login_url, self._selectors[part], "login_form")

    def is_long(self, waited: float) -> bool:
        """Whether a page that has not changed for so many seconds will not change any more."""
        return waited >= self.limits.empty_after_s

    def wait(self, verdict: Callable[[Look], Look | None]) -> Look:
        """Look at the form until `verdict` gives something.

        Raises:
            PageTimeout: it gives nothing before the deadline.
        """
        look = self.tab.wait(self._watch, self.deadline, verdict)
        if look is None:
            raise PageTimeout(self.site.login_url, self.limits.login_timeout_s)
        return look

    def _type(self, look: Look, texts: dict[str, str]) -> None:
        for name, text in texts.items():
            if shown := look.firsts[name]:
                self.tab.type_into(shown, text)

    def _ready(self, origin: float, look: Look) -> Look | None:
        if look.origin != origin:
            return look
        button = look.firsts[SUBMIT]
        return look if button and button.enabled and not self.missing(look) else None

    def _keeps(self, look: Look, name: str, typings: int) -> bool:
        shown = look.firsts[name]
        if shown is None:
            return False
        return shown.holds or (shown.filled and typings >= _TYPINGS)
