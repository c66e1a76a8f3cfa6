"""Login flow: fill each form, wait for the site's response, retry what may pass."""

import time
from dataclasses import dataclass
from typing import Final

from scraper.browser.page_snapshot import PageSnapshot
from scraper.credentials import Credentials
from scraper.errors import BrowserCrashed, LoginFailed
from scraper.login_page import ERROR, LoginPage
from scraper.recipes.models import LoginForm
from scraper.retry import OnRetry, PageRetry, is_gone
from scraper.stability import StabilityTimer

# How long a form that was sent shows no change before other windows are looked for.
_NEW_WINDOW_AFTER_S: Final = 0.3
# How often a form that was sent is searched for new texts.
_READ_LINES_EVERY_S: Final = 0.3


@dataclass(frozen=True)
class LoginEvidence:
    """What is known of a login, in case that the session does not hold."""

    #: Whether the recipe's signs have shown that it succeeded, or the session was still valid.
    #: Otherwise another login could send a password that was refused.
    is_certain: bool
    #: What a dialog has said meanwhile.
    dialog: str = ""
    #: The first new text on the page after the login.
    words: str = ""


def log_in(login_page: LoginPage, credentials: Credentials, on_retry: OnRetry) -> LoginEvidence:
    """Log in; return once the site shows that the login has succeeded.

    A failure that may pass (5xx, 429, a reset connection) is retried. A rejection never is: more
    attempts may lock the account.

    Args:
        login_page: The site's login.
        credentials: The account.
        on_retry: Called before the pause of each retry.

    Returns:
        What is known of the login.

    Raises:
        LoginFailed: The site rejected the login.
        SecondFactorMissingError: It asks for a code, and there is no secret to make one.
        SiteUnavailable: The login page failed in every attempt.
        PageTimeout: The site did not answer in time.
        PageChanged: A form does not match the recipe.
        BrowserCrashed: The browser is lost.
        Stopped: The stop event was set.
        SelectorError: The browser rejects a selector.
    """
    retry = PageRetry(
        login_page.tab, login_page.site.login_url, login_page.limits, login_page.deadline
    )
    while True:
        snapshot = login_page.open()
        missing = login_page.find_missing_parts(snapshot)
        if missing and is_gone(snapshot):
            raise login_page.missing_part_error(missing[0])
        if missing and not snapshot.failure:
            return LoginEvidence(is_certain=True)  # the session is still valid
        if not missing:
            outcome = _send_forms(login_page, snapshot, credentials)
            if isinstance(outcome, LoginEvidence):
                return outcome
            snapshot = outcome
        login_page.tab.pause(retry.record_failure(snapshot, on_retry))


def _send_forms(
    login_page: LoginPage, snapshot: PageSnapshot, credentials: Credentials
) -> LoginEvidence | PageSnapshot:
    """Send the form that is shown, and those that the site shows after it.

    Returns:
        What is known of the login; or a snapshot of a failure that may pass.
    """
    while True:
        login_page.submit(snapshot, credentials)
        response = _LoginResponse(login_page, snapshot, credentials)
        snapshot = response.wait()
        if snapshot.failure:
            return snapshot
        if response.next_form is None:
            return response.make_evidence(snapshot)
        login_page.form = response.next_form


class _LoginResponse:
    """The site's response to a submitted form.

    Attributes:
        next_form: The form that the site has responded with.
    """

    def __init__(
        self, login_page: LoginPage, submitted: PageSnapshot, credentials: Credentials
    ) -> None:
        self._login_page = login_page
        self._tab = login_page.tab
        self._submitted = submitted
        self._credentials = credentials
        self.next_form: LoginForm | None = None
        self._stability = StabilityTimer()
        # Signs that were there before the form was sent say nothing.
        self._are_signs_new = not login_page.shows_signs(submitted)
        self._is_certain = False
        self._fleeting_words = ""
        self._lines_read_at = time.monotonic()
        self._is_rejected = False

    def wait(self) -> PageSnapshot:
        """Return a snapshot of the page behind the form, or of a failure that may pass.

        Raises:
            LoginFailed: The site rejected the login.
            PageTimeout: It did not answer in time.
        """
        try:
            snapshot = self._login_page.wait(self._evaluate)
        except BrowserCrashed:
            # A window for the login closes itself afterwards.
            if not self._login_page.has_followed or self._tab.is_open():
                raise
            self._tab.leave_new_window()
            snapshot = self._login_page.wait(self._evaluate)
        reason = self._find_reason(snapshot) if self._is_rejected else None
        if self._login_page.has_followed and self.next_form is None:
            self._tab.leave_new_window()
        if reason is not None:
            raise LoginFailed(reason)
        return snapshot

    def make_evidence(self, snapshot: PageSnapshot) -> LoginEvidence:
        """Return what is known of a login that seems to have succeeded."""
        dialogs = self._tab.network.dialogs
        words = "" if self._is_certain else self._login_page.find_new_line()
        return LoginEvidence(
            self._is_certain,
            self._redact(dialogs[0]) if dialogs else "",
            self._redact(_error_text(snapshot) or words),
        )

    def _redact(self, message: str) -> str:
        """Return the site's own words for a failure; empty if they may not be quoted."""
        return self._credentials.redact(message)

    def _find_reason(self, snapshot: PageSnapshot) -> LoginFailed.Reason | str:
        """Return the site's own message without the credentials, or a status, or a reason."""
        is_same_form = self._is_same_document(snapshot)
        message = _error_text(snapshot)
        if not message or (is_same_form and message == _error_text(self._submitted)):
            message = self._login_page.find_message(snapshot, is_same_form=is_same_form)
        if message := message or self._fleeting_words:
            return self._redact(message) or LoginFailed.Reason.NOT_QUOTED
        if is_same_form:
            return self._login_page.find_refusal() or LoginFailed.Reason.NOT_SENT
        return snapshot.failure or LoginFailed.Reason.NO_MESSAGE

    def _evaluate(self, snapshot: PageSnapshot) -> PageSnapshot | None:
        """Return the snapshot if it shows the next form, or the outcome; None while it is open."""
        self.next_form = self._find_next_form(snapshot)
        return snapshot if self.next_form else self._evaluate_outcome(snapshot)

    def _find_next_form(self, snapshot: PageSnapshot) -> LoginForm | None:
        """Return the form that the site has responded with; None without one, or at the end."""
        if self._is_error_page(snapshot) or self._has_error_url(snapshot):
            return None
        next_form = self._login_page.find_next_form(snapshot)
        is_done = next_form and self._are_signs_new and self._login_page.shows_signs(snapshot)
        return None if is_done else next_form

    def _evaluate_outcome(self, snapshot: PageSnapshot) -> PageSnapshot | None:
        is_form_shown = self._login_page.shows_form(snapshot)
        stable_s = self._stability.measure(
            (snapshot.time_origin, snapshot.ready_state, snapshot.url, is_form_shown)
        )
        if self._is_error_page(snapshot):
            return self._evaluate_failure(snapshot, stable_s)
        if self._has_error_url(snapshot):
            return self._reject(snapshot) if snapshot.is_parsed else None
        signs = self._login_page.shows_signs(snapshot) if self._are_signs_new else None
        has_left = not self._login_page.site.is_login_page(snapshot.url)
        is_shown_again = is_form_shown and (
            bool(_error_text(snapshot)) or not self._has_lasting_sign
        )
        if signs and has_left and not is_shown_again:
            self._is_certain = self._has_arrived(snapshot, stable_s)
            return snapshot if self._is_certain else None
        if is_form_shown:
            return self._evaluate_form(snapshot, stable_s)
        if signs is None and has_left:
            return snapshot if self._has_arrived(snapshot, stable_s) else None
        return self._reject(snapshot) if self._is_final(snapshot, stable_s) else None

    @property
    def _has_lasting_sign(self) -> bool:
        """Whether a sign of the recipe counts more than a form: an account has forms of its own."""
        done_when = self._login_page.login.done_when
        return done_when is not None and bool(done_when.exists or done_when.cookie)

    def _evaluate_failure(self, snapshot: PageSnapshot, stable_s: float) -> PageSnapshot | None:
        if not snapshot.is_parsed:
            return None
        if snapshot.is_retryable:
            return snapshot
        is_final = self._login_page.is_final_failure(snapshot, stable_s)
        return self._reject(snapshot) if _error_text(snapshot) or is_final else None

    def _evaluate_form(self, snapshot: PageSnapshot, stable_s: float) -> PageSnapshot | None:
        """Reject a form that is shown again, once its page has had the time to say why."""
        message = _error_text(snapshot)
        if self._is_same_document(snapshot):
            # A message from before the submit is not the response. While the browser waits for
            # one it returns no snapshots.
            is_response = message not in {"", _error_text(self._submitted)}
            self._keep_fleeting_words()
            if not is_response and stable_s >= _NEW_WINDOW_AFTER_S:
                self._follow_new_window()
        else:
            is_response = snapshot.is_parsed and bool(message)
        is_final = is_response or self._is_final(snapshot, stable_s)
        return self._reject(snapshot) if is_final else None

    def _follow_new_window(self) -> None:
        """Enter a window that the form has opened, once."""
        if not self._login_page.has_followed:
            self._login_page.has_followed = self._tab.follow_new_window()

    def _keep_fleeting_words(self) -> None:
        """Keep the first new text of the form's page: some messages disappear after a moment."""
        if self._fleeting_words or time.monotonic() - self._lines_read_at < _READ_LINES_EVERY_S:
            return
        self._lines_read_at = time.monotonic()
        self._fleeting_words = self._login_page.find_new_line()

    def _has_arrived(self, snapshot: PageSnapshot, stable_s: float) -> bool:
        """Return whether a page without the form is the one behind the login.

        A page that shows little may lead on to another one, which sets the session; a view that a
        script draws may be one that waits for the response.
        """
        limits = self._login_page.limits
        is_stop = snapshot.is_sparse or self._is_same_document(snapshot)
        required_s = limits.short_page_settle_s if is_stop or not snapshot.is_loaded else 0.0
        if snapshot.has_refresh or self._tab.read_network().has_refresh:
            required_s = limits.empty_after_s
        if not snapshot.is_parsed or stable_s < required_s:
            return False
        if self._is_same_document(snapshot):
            return not self._login_page.awaits_answer()
        return self._login_page.has_settled(stable_s) or not self._tab.read_network().pending

    def _is_final(self, snapshot: PageSnapshot, stable_s: float) -> bool:
        """Return whether nothing more comes: no document, no answer to a script's request."""
        if not snapshot.is_parsed or not self._login_page.has_settled(stable_s):
            return False
        return not (self._is_same_document(snapshot) and self._login_page.awaits_answer())

    def _is_same_document(self, snapshot: PageSnapshot) -> bool:
        return snapshot.time_origin == self._submitted.time_origin

    def _is_error_page(self, snapshot: PageSnapshot) -> bool:
        """Return whether the response is an error; the page with the form may have been one too."""
        return bool(snapshot.failure) and not self._is_same_document(snapshot)

    def _reject(self, snapshot: PageSnapshot) -> PageSnapshot:
        self._is_rejected = True
        return snapshot

    def _has_error_url(self, snapshot: PageSnapshot) -> bool:
        failed_when = self._login_page.login.failed_when
        if failed_when is None or snapshot.url == self._submitted.url:
            return False
        return failed_when.url_has in self._login_page.site.relative_path(snapshot.url)


def _error_text(snapshot: PageSnapshot) -> str:
    """Return the site's error message; empty if it shows none."""
    element = snapshot.elements.get(ERROR)
    return element.text if element else ""
