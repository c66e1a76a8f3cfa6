"""Page object of a login: open, fill and submit its forms, and recognize the outcome."""

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Final

from scraper.browser.page_snapshot import ElementState, PageSnapshot, SnapshotQuery
from scraper.browser.tab import Tab
from scraper.credentials import Credentials
from scraper.errors import LoginFailed, LoginTimeout, PageChanged, PageTimeout, PersonNeeded
from scraper.recipes.models import Limits, Login, LoginForm
from scraper.recipes.origin import describe_origin
from scraper.site_urls import SiteUrls
from scraper.stability import StabilityTimer

#: Names of signs of the outcome in a snapshot: their keys in the recipe, as those of form parts.
ERROR: Final = "login.error"
SIGNED_IN: Final = "login.done_when.exists"
PERSON: Final = "login.needs_person"

# The pause before another attempt to click on a button that something covers.
_CLICK_RETRY_S = 0.05
# A field that shows another text after three attempts belongs to a page that formats its values.
_MAX_TYPING_ATTEMPTS = 3


class SecondFactorMissingError(Exception):
    """A form asks for the code of a second factor, and its secret is not known."""


class LoginPage:
    """A login with its forms; everything that is done with it shares one deadline.

    Attributes:
        form: The form that is shown, or was submitted last.
        has_followed: Whether the login goes on in another window.
    """

    def __init__(self, tab: Tab, site: SiteUrls, login: Login, limits: Limits) -> None:
        self.tab = tab
        self.site = site
        self.login = login
        self.limits = limits
        self.deadline = time.monotonic() + limits.login_timeout_s
        self.form = login.forms[0]
        self.has_followed = False
        done_when = login.done_when
        signs = {
            ERROR: login.error,
            SIGNED_IN: done_when.exists if done_when else None,
            PERSON: login.needs_person,
        }
        watched = {name: css for name, css in signs.items() if css is not None}
        for form in login.forms:
            watched |= form.parts
        self._query = SnapshotQuery(elements=watched)
        self._lines_before: list[str] = []
        self._pending_before: set[str] = set()
        self._documents_before = 0
        self._is_submitted = False

    def open(self) -> PageSnapshot:
        """Open the first form's page.

        Returns:
            A snapshot of the form, or of a later one that is shown in its place; or of a failure;
            or of another page, to which the site has redirected because the session is still valid.

        Raises:
            LoginFailed: It is at a host that the recipe does not name.
            PersonNeeded: The login needs a person.
            PageTimeout: The site did not answer in time.
            PageChanged: A part of the form is missing.
            BrowserCrashed: The browser is lost.
            Stopped: The stop event was set.
        """
        self._is_submitted = self.has_followed = False
        previous_origin = self.tab.open(self.site.login_url)
        stability = StabilityTimer()

        def evaluate(snapshot: PageSnapshot) -> PageSnapshot | None:
            if snapshot.time_origin == previous_origin or not snapshot.is_parsed:
                return None
            self.form = self._find_form(snapshot, self.login.forms) or self.login.forms[0]
            missing = self.find_missing_parts(snapshot)
            stable_s = stability.measure(
                (snapshot.time_origin, snapshot.ready_state, tuple(missing))
            )
            if not missing:
                self.check_url(snapshot.target_url)
                return snapshot  # whatever its status
            if snapshot.failure:
                self.check_url(snapshot.target_url)
                return snapshot if self.is_final_failure(snapshot, stable_s) else None
            is_final = self.has_settled(stable_s) or self._is_signed_in(snapshot)
            return snapshot if snapshot.is_loaded and is_final else None

        snapshot = self.wait(evaluate)
        if not snapshot.is_blank:
            self.check_url(snapshot.target_url)
        missing = self.find_missing_parts(snapshot)
        if missing and not snapshot.failure and not self._has_left(snapshot):
            raise self.missing_part_error(missing[0])
        return snapshot

    def submit(self, form: PageSnapshot, credentials: Credentials) -> None:
        """Fill the present form, and send it as soon as that is possible.

        The form is sent at most once: a new document is taken as the response, whatever has
        caused it.

        Args:
            form: A snapshot of the form.
            credentials: The account.

        Raises:
            LoginFailed: The form is at a host that the recipe does not name, or sent to one.
            SecondFactorMissingError: It asks for a code, and there is no secret to make one.
            PageChanged: A field does not keep the text, or the button cannot be clicked in time.
            BrowserCrashed: The browser is lost.
            Stopped: The stop event was set.
        """
        texts = {key: self._find_text(key, credentials) for key in self.form.fields}
        query = replace(self._query, expected_values=texts)
        self._lines_before = self.tab.shown_lines()
        network = self.tab.read_network()
        network.dialogs.clear()
        network.failures.clear()  # only what comes after the submit is a response to it
        self._pending_before = set(network.pending)
        self._documents_before = network.documents
        self._is_submitted = True
        self._type(texts)
        deadline = self._ready_deadline()
        attempts = 1
        lost_fields: list[str] = []
        cover: str | None = None
        while True:
            ready = self.tab.wait(query, deadline, partial(self._ready, form.time_origin))
            if ready is None or time.monotonic() >= deadline:
                raise self._not_sent_error(lost_fields, cover)
            if ready.time_origin != form.time_origin:
                return
            # A page that is still initializing may have changed its fields again.
            lost_fields = [name for name in texts if not _keeps_value(ready, name, attempts)]
            if lost_fields:
                self._type({name: texts[name] for name in lost_fields})
                attempts += 1
                if attempts <= _MAX_TYPING_ATTEMPTS:
                    # Typing is slow on a busy machine; the page gets its full time each time.
                    deadline = self._ready_deadline()
            elif (cover := self._send()) == "":
                return
            self.tab.pause(_CLICK_RETRY_S)

    def _send(self) -> str | None:
        """Click on the button, or press Enter; return what `Tab.click` returns."""
        if self.form.button is None:
            *_, last_field = self.form.fields.values()
            return "" if self.tab.press_enter(last_field, self.check_url) else None
        return self.tab.click(self.form.button[1], self.check_url)

    def _find_text(self, key: str, credentials: Credentials) -> str:
        """Return what belongs into a field."""
        match key.rpartition(".")[2]:
            case "username":
                return credentials.username
            case "password":
                return credentials.password
        if credentials.totp is None:
            raise SecondFactorMissingError
        if wait_s := credentials.totp.seconds_to_wait(time.time()):
            self.tab.pause(wait_s)
        return credentials.totp.take_code(time.time())

    def _not_sent_error(self, lost_fields: list[str], cover: str | None) -> PageChanged:
        """Return why the form could not be sent."""
        button = self.form.button and self.form.button[0]
        part = button or self.form.main_part
        if lost_fields:
            part = lost_fields[0]
            cover = self.tab.find_cover(self.form.parts[part])
        url, selector = self.site.login_url, self.form.parts[part]
        if cover:
            return PageChanged(url, selector, PageChanged.Reason.COVERED, cover)
        snapshot = self.tab.snapshot(self._query)
        state = snapshot.elements[part] if snapshot else None
        if part == button and state is not None and not state.enabled:
            return PageChanged(url, selector, PageChanged.Reason.BUTTON_DISABLED)
        return self.missing_part_error(part)

    def _ready_deadline(self) -> float:
        return min(self.deadline, time.monotonic() + self.limits.empty_after_s)

    def find_message(self, snapshot: PageSnapshot, *, is_same_form: bool) -> str:
        """Return what the site says about a form that was submitted.

        Args:
            snapshot: The page after the submit.
            is_same_form: Whether its document is still that of the form.

        Returns:
            The text of a dialog, else the browser's validation message of a field, else the first
            text that has appeared since the submit, else an empty text.
        """
        if dialogs := self.tab.read_network().dialogs:
            return dialogs[0]
        for name in self.form.fields if is_same_form else ():
            field = snapshot.elements.get(name)
            if field and field.validation_message:
                return field.validation_message
        return self.find_new_line()

    def find_new_line(self) -> str:
        """Return the first text that has appeared since the submit; empty without one."""
        new_lines = (line for line in self.tab.shown_lines() if line not in self._lines_before)
        return next(new_lines, "")

    def awaits_answer(self) -> bool:
        """Return whether a request since the submit has not ended: a script's, or for a document.

        The form's page is shown until the next document begins to arrive.
        """
        network = self.tab.read_network()
        if network.documents > self._documents_before and not network.load_error:
            return True
        return not self._pending_before >= network.pending.keys()

    def find_refusal(self) -> str:
        """Return the status with which a script's request since the submit was refused, if any."""
        failures = self.tab.read_network().failures
        return failures[-1].reason if failures else ""

    def check_url(self, url: str) -> None:
        """Return if a URL is one of the site's.

        Raises:
            LoginFailed: It is at a host that the recipe does not name.
        """
        if not self.site.is_own(url):
            raise LoginFailed(LoginFailed.Reason.LEFT_SITE, origin=describe_origin(url))

    def find_missing_parts(self, snapshot: PageSnapshot) -> list[str]:
        """Return the names of the form's parts that are not visible."""
        return [name for name in self.form.parts if snapshot.elements[name] is None]

    def find_next_form(self, snapshot: PageSnapshot) -> LoginForm | None:
        """Return the first of the later forms whose parts are all visible; None without one."""
        return self._find_form(snapshot, self._later_forms)

    @property
    def _later_forms(self) -> tuple[LoginForm, ...]:
        return self.login.forms[self.login.forms.index(self.form) + 1 :]

    def _find_form(self, snapshot: PageSnapshot, forms: Iterable[LoginForm]) -> LoginForm | None:
        return next((form for form in forms if _shows(snapshot, form.parts)), None)

    def shows_form(self, snapshot: PageSnapshot) -> bool:
        """Return whether a page still shows the present form, or asks for the password again."""
        forms = [form for form in self.login.forms if form not in self._later_forms]
        passwords = [form.password for form in forms if form.password]
        return any(snapshot.elements[key] for key in (self.form.main_part, *passwords))

    def missing_part_error(self, part: str) -> PageChanged:
        """Return the failure for a missing part of the form."""
        return PageChanged(
            self.site.login_url, self.form.parts[part], PageChanged.Reason.LOGIN_FORM
        )

    def has_settled(self, stable_s: float) -> bool:
        """Return whether a page will not change any more.

        Args:
            stable_s: How long it has not changed, in seconds.
        """
        return stable_s >= self.limits.empty_after_s

    def is_final_failure(self, snapshot: PageSnapshot, stable_s: float) -> bool:
        """Return whether an error page will not become another page by itself.

        Args:
            snapshot: The error page.
            stable_s: How long it has not changed, in seconds.
        """
        is_static = snapshot.is_static and snapshot.is_loaded
        return snapshot.is_retryable or is_static or self.has_settled(stable_s)

    def shows_signs(self, snapshot: PageSnapshot) -> bool | None:
        """Return whether the recipe's signs of a login are there; None if it names none.

        Having left a path is no sign of its own: the form may be shown again at another one.
        """
        done_when = self.login.done_when
        if done_when is None or not done_when.model_fields_set - {"path_is_not"}:
            return None
        if done_when.exists and not snapshot.elements[SIGNED_IN]:
            return False
        if done_when.path_is and not self.site.is_at(snapshot.url, done_when.path_is):
            return False
        return not done_when.cookie or self.tab.has_cookie(done_when.cookie)

    def _is_signed_in(self, snapshot: PageSnapshot) -> bool:
        """Return whether a page without the form shows at once that the session is still valid.

        A page that shows little may lead on to the form, as may one at another host.
        """
        signs = self.shows_signs(snapshot)
        if signs is not None:
            return signs and self._has_left(snapshot)
        is_stop = (
            snapshot.is_sparse or snapshot.has_refresh or not self.site.is_same_site(snapshot.url)
        )
        return self._has_left(snapshot) and not is_stop

    def _has_left(self, snapshot: PageSnapshot) -> bool:
        """Return whether the site has led on to a page that is not that of the form."""
        if self.shows_signs(snapshot) is False or self.site.is_login_page(snapshot.url):
            return False
        return not self.site.is_at(snapshot.url, self.login.open)

    def wait(self, evaluate: Callable[[PageSnapshot], PageSnapshot | None]) -> PageSnapshot:
        """Poll the page until `evaluate` returns a snapshot.

        Args:
            evaluate: Receives each snapshot; returns None to continue.

        Raises:
            PageTimeout: The deadline has passed; LoginTimeout if the form may have been sent.
            BrowserCrashed: The browser is lost.
            Stopped: The stop event was set.
        """

        def evaluate_unless_stuck(snapshot: PageSnapshot) -> PageSnapshot | None:
            self._check_person(snapshot)
            return evaluate(snapshot)

        snapshot = self.tab.wait(self._query, self.deadline, evaluate_unless_stuck)
        if snapshot is None:
            error = LoginTimeout if self._is_submitted else PageTimeout
            raise error(self.site.login_url, self.limits.login_timeout_s)
        return snapshot

    def _check_person(self, snapshot: PageSnapshot) -> None:
        """Return unless a page shows what only a person can do.

        Raises:
            PersonNeeded: It does.
        """
        if snapshot.elements.get(PERSON):
            raise PersonNeeded

    def _type(self, texts: dict[str, str]) -> None:
        for name, text in texts.items():
            self.tab.type_into(self.form.fields[name], text, self.check_url)
        self.tab.leave_field()

    def _ready(self, form_origin: float, snapshot: PageSnapshot) -> PageSnapshot | None:
        """Return the snapshot if the form can be submitted, or has been replaced."""
        self._check_person(snapshot)
        if snapshot.time_origin != form_origin:
            return snapshot
        button = snapshot.elements[self.form.button[0]] if self.form.button else None
        is_enabled = self.form.button is None or (button is not None and button.enabled)
        return snapshot if is_enabled and not self.find_missing_parts(snapshot) else None


def _shows(snapshot: PageSnapshot, names: Iterable[str]) -> bool:
    """Return whether elements are all visible."""
    return all(snapshot.elements[name] for name in names)


def _keeps_value(snapshot: PageSnapshot, name: str, attempts: int) -> bool:
    """Return whether a field shows the typed text, or the page's own form of it."""
    field: ElementState | None = snapshot.elements[name]
    if field is None:
        return False
    return field.has_expected_value or (field.has_value and attempts >= _MAX_TYPING_ATTEMPTS)
