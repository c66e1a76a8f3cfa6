"""Log in to a site, as its recipe says."""

from scraper.browser.page_snapshot import PageSnapshot
from scraper.credentials import Credentials
from scraper.errors import LoginFailed
from scraper.login_page import ERROR, USERNAME, LoginPage
from scraper.retry import OnRetry, PageRetry, is_gone
from scraper.stability import StabilityTimer


def log_in(form: LoginPage, credentials: Credentials, on_retry: OnRetry) -> None:
    """Log in; return as soon as the browser has left the login page.

    What may pass (5xx, 429, a reset connection) is tried again, a refusal never: it may lock the
    account.

    Raises:
        LoginFailed: the site refused.
        SiteUnavailable, PageTimeout: the site did not answer.
        PageChanged: the form is not what the recipe says.
        BrowserCrashed, Stopped: as the tab's methods.
    """
    tries = PageRetry(form.tab, form.site.login_url, form.limits, form.deadline)
    while True:
        seen = form.open()
        if is_gone(seen):
            raise form.missing_part_error(USERNAME)
        if not seen.failure:
            if form.find_missing_parts(seen):
                return  # the site still knows us and led us on
            form.submit(seen, credentials)
            seen = _LoginResponse(form, seen, credentials).wait()
            if not seen.failure:
                return
        tries.record_failure(seen, on_retry)


class _LoginResponse:
    """What the site makes of a form that was sent."""

    def __init__(self, form: LoginPage, sent: PageSnapshot, credentials: Credentials) -> None:
        self._form = form
        self._submitted = sent
        self._credentials = credentials
        self._still = StabilityTimer()

    def wait(self) -> PageSnapshot:
        """Return the page behind the login, or a failure that may pass.

        Raises:
            LoginFailed: the site refused.
            PageTimeout: it did not answer in time.
        """
        look = self._form.wait(self._evaluate)
        if look.is_retryable or not self._is_refused(look):
            return look
        raise LoginFailed(self._reason(look))

    def _reason(self, look: PageSnapshot) -> str:
        """Return why the site refused: its own words, less what it was sent, or a code."""
        words, code = _error_text(look), "without_a_word"
        if look.time_origin == self._submitted.time_origin:
            code = "not_sent"
            if words == _error_text(self._submitted):
                words = self._form.validation_message(look)
        return self._credentials.hide(words) or look.failure or code

    def _evaluate(self, look: PageSnapshot) -> PageSnapshot | None:
        """Return the first look that tells how it has ended."""
        waited = self._still.measure((look.time_origin, look.ready_state, look.url))
        if look.failure or self._has_error_url(look):
            return look if look.is_parsed else None
        if not self._form.site.is_login_page(look.url):
            return look
        if look.time_origin == self._submitted.time_origin:
            # What stood there before it was sent is no answer. While the browser waits for one it
            # gives no look: it is sending nothing.
            told = _error_text(look) not in {"", _error_text(self._submitted)}
            return look if told or self._form.has_settled(waited) else None
        told = bool(_error_text(look)) or self._form.has_settled(waited)
        return look if look.is_parsed and told else None

    def _is_refused(self, look: PageSnapshot) -> bool:
        stays = self._form.site.is_login_page(look.url)
        return stays or bool(look.failure) or self._has_error_url(look)

    def _has_error_url(self, look: PageSnapshot) -> bool:
        failed = self._form.login.failed_when
        if failed is None or look.url == self._submitted.url:
            return False
        return failed.url_has in self._form.site.relative_path(look.url)


def _error_text(look: PageSnapshot) -> str:
    """Return the site's own words about an error, if it shows any."""
    shown = look.elements.get(ERROR)
    return shown.text if shown else ""
