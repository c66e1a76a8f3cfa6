"""Log in to a site, as its recipe says."""

from scraper.browser.look import Look
from scraper.credentials import Credentials
from scraper.errors import LoginFailed
from scraper.login_form import ERROR, USERNAME, LoginForm
from scraper.stillness import Stillness
from scraper.tries import OnRetry, Tries, is_gone


def log_in(form: LoginForm, credentials: Credentials, on_retry: OnRetry) -> None:
    """Log in; return as soon as the browser has left the login page.

    What may pass (5xx, 429, a reset connection) is tried again, a refusal never: it may lock the
    account.

    Raises:
        LoginFailed: the site refused.
        SiteUnavailable, PageTimeout: the site did not answer.
        PageChanged: the form is not what the recipe says.
        BrowserCrashed, Stopped: as the tab's methods.
    """
    tries = Tries(form.tab, form.site.login_url, form.limits, form.deadline)
    while True:
        seen = form.open()
        if is_gone(seen):
            raise form.lacks(USERNAME)
        if not seen.failure:
            if form.missing(seen):
                return  # the site still knows us and led us on
            form.send(seen, credentials)
            seen = _Answer(form, seen, credentials).wait()
            if not seen.failure:
                return
        tries.take_failure(seen, on_retry)


class _Answer:
    """What the site makes of a form that was sent."""

    def __init__(self, form: LoginForm, sent: Look, credentials: Credentials) -> None:
        self._form = form
        self._sent = sent
        self._credentials = credentials
        self._still = Stillness()

    def wait(self) -> Look:
        """Return the page behind the login, or a failure that may pass.

        Raises:
            LoginFailed: the site refused.
            PageTimeout: it did not answer in time.
        """
        look = self._form.wait(self._verdict)
        if look.may_pass or not self._is_refused(look):
            return look
        raise LoginFailed(self._reason(look))

    def _reason(self, look: Look) -> str:
        """Return why the site refused: its own words, less what it was sent, or a code."""
        words, code = _words(look), "without_a_word"
        if look.origin == self._sent.origin:
            code = "not_sent"
            if words == _words(self._sent):
                words = self._form.objection(look)
        return self._credentials.hide(words) or look.failure or code

    def _verdict(self, look: Look) -> Look | None:
        """Return the first look that tells how it has ended."""
        waited = self._still.seconds((look.origin, look.state, look.url))
        if look.failure or self._has_error_url(look):
            return look if look.is_parsed else None
        if not self._form.site.is_login_page(look.url):
            return look
        if look.origin == self._sent.origin:
            # What stood there before it was sent is no answer. While the browser waits for one it
            # gives no look: it is sending nothing.
            told = _words(look) not in {"", _words(self._sent)}
            return look if told or self._form.is_long(waited) else None
        told = bool(_words(look)) or self._form.is_long(waited)
        return look if look.is_parsed and told else None

    def _is_refused(self, look: Look) -> bool:
        stays = self._form.site.is_login_page(look.url)
        return stays or bool(look.failure) or self._has_error_url(look)

    def _has_error_url(self, look: Look) -> bool:
        failed = self._form.login.failed_when
        if failed is None or look.url == self._sent.url:
            return False
        return failed.url_has in self._form.site.below(look.url)


def _words(look: Look) -> str:
    """Return the site's own words about an error, if it shows any."""
    shown = look.firsts.get(ERROR)
    return shown.text if shown else ""
