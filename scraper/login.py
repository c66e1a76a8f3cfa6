"""Login flow: fill the form, wait for the site's response, retry what may pass."""

from scraper.browser.page_snapshot import PageSnapshot
from scraper.credentials import Credentials
from scraper.errors import LoginFailed
from scraper.login_page import ERROR, USERNAME, LoginPage
from scraper.retry import OnRetry, PageRetry, is_gone
from scraper.stability import StabilityTimer


def log_in(login_page: LoginPage, credentials: Credentials, on_retry: OnRetry) -> None:
    """Log in; return as soon as the browser has left the login page.

    A failure that may pass (5xx, 429, a reset connection) is retried. A rejection never is: more
    attempts may lock the account.

    Args:
        login_page: The site's login form.
        credentials: The account.
        on_retry: Called before the pause of each retry.

    Raises:
        LoginFailed: The site rejected the login.
        SiteUnavailable: The login page failed in every attempt.
        PageTimeout: The site did not answer in time.
        PageChanged: The form does not match the recipe.
        BrowserCrashed: The browser is lost.
        Stopped: The stop event was set.
    """
    retry = PageRetry(
        login_page.tab, login_page.site.login_url, login_page.limits, login_page.deadline
    )
    while True:
        snapshot = login_page.open()
        if is_gone(snapshot):
            raise login_page.missing_part_error(USERNAME)
        if not snapshot.failure:
            if login_page.find_missing_parts(snapshot):
                return  # the session is still valid, and the site has redirected
            login_page.submit(snapshot, credentials)
            snapshot = _LoginResponse(login_page, snapshot, credentials).wait()
            if not snapshot.failure:
                return
        retry.record_failure(snapshot, on_retry)


class _LoginResponse:
    """The site's response to a submitted form."""

    def __init__(
        self, login_page: LoginPage, submitted: PageSnapshot, credentials: Credentials
    ) -> None:
        self._login_page = login_page
        self._submitted = submitted
        self._credentials = credentials
        self._stability = StabilityTimer()

    def wait(self) -> PageSnapshot:
        """Return a snapshot of the page behind the login, or of a failure that may pass.

        Raises:
            LoginFailed: The site rejected the login.
            PageTimeout: It did not answer in time.
        """
        snapshot = self._login_page.wait(self._evaluate)
        if snapshot.is_retryable or not self._is_rejected(snapshot):
            return snapshot
        raise LoginFailed(self._find_reason(snapshot))

    def _find_reason(self, snapshot: PageSnapshot) -> LoginFailed.Reason | str:
        """Return the site's own message without the credentials, or a status, or a reason."""
        message = _error_text(snapshot)
        reason = LoginFailed.Reason.NO_MESSAGE
        if snapshot.time_origin == self._submitted.time_origin:
            reason = LoginFailed.Reason.NOT_SENT
            if message == _error_text(self._submitted):
                message = self._login_page.validation_message(snapshot)
        return self._credentials.redact(message) or snapshot.failure or reason

    def _evaluate(self, snapshot: PageSnapshot) -> PageSnapshot | None:
        """Return the snapshot if it shows the outcome; None while it is still open."""
        stable_s = self._stability.measure(
            (snapshot.time_origin, snapshot.ready_state, snapshot.url)
        )
        if snapshot.failure or self._has_error_url(snapshot):
            return snapshot if snapshot.is_parsed else None
        if not self._login_page.site.is_login_page(snapshot.url):
            return snapshot
        has_settled = self._login_page.has_settled(stable_s)
        if snapshot.time_origin == self._submitted.time_origin:
            # A message from before the submit is not the response. While the browser waits for
            # one it returns no snapshots, so a stable form has not been sent.
            has_error = _error_text(snapshot) not in {"", _error_text(self._submitted)}
            return snapshot if has_error or has_settled else None
        is_complete = snapshot.is_parsed and bool(_error_text(snapshot) or has_settled)
        return snapshot if is_complete else None

    def _is_rejected(self, snapshot: PageSnapshot) -> bool:
        is_login_page = self._login_page.site.is_login_page(snapshot.url)
        return is_login_page or bool(snapshot.failure) or self._has_error_url(snapshot)

    def _has_error_url(self, snapshot: PageSnapshot) -> bool:
        failed_when = self._login_page.login.failed_when
        if failed_when is None or snapshot.url == self._submitted.url:
            return False
        return failed_when.url_has in self._login_page.site.relative_path(snapshot.url)


def _error_text(snapshot: PageSnapshot) -> str:
    """Return the site's error message; empty if it shows none."""
    element = snapshot.elements.get(ERROR)
    return element.text if element else ""
