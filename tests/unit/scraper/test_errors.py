import pickle

import pytest

from scraper.errors import (
    BrowserCrashed,
    BrowserUnavailable,
    CredentialsMissing,
    LoginFailed,
    PageChanged,
    PageTimeout,
    ScrapeError,
    SiteUnavailable,
)

FAILURES = [
    (LoginFailed("{a} {reason}"), "login_failed", ["{a} {reason}"]),
    (LoginFailed("session_lost"), "login_failed", ["does not hold"]),
    (BrowserUnavailable("no_chrome"), "browser_unavailable", ["no Chrome or Chromium on PATH"]),
    (LoginFailed("Senha incorreta"), "login_failed", ["Senha incorreta"]),
    (CredentialsMissing(["A_B", "C_D"]), "credentials_missing", ["A_B, C_D"]),
    (SiteUnavailable("http://x/{a}", "HTTP 503", 5), "site_unavailable", ["x/{a}", "503"]),
    (PageTimeout("http://x/", 180.0), "page_timeout", ["http://x/", "180 s"]),
    (PageChanged("http://x/", ".a{b}", "no_item"), "page_changed", ["http://x/", ".a{b}"]),
    (PageChanged("http://x/", ".a", "field_empty"), "page_changed", [".a"]),
    (PageChanged("http://x/", ".a", "not_the_list"), "page_changed", [".a"]),
    (PageChanged("http://x/", ".a", "login_form"), "page_changed", [".a", "login form"]),
    (BrowserUnavailable("gone"), "browser_unavailable", ["gone", "apt-get install"]),
    (BrowserCrashed("http://x/"), "browser_crashed", ["http://x/"]),
]


class TestScrapeError:
    @pytest.mark.parametrize(("error", "code", "words"), FAILURES)
    def test_has_a_code_and_a_sentence(
        self, error: ScrapeError, code: str, words: list[str]
    ) -> None:
        assert error.code == code
        assert all(word in str(error) for word in words)

    @pytest.mark.parametrize("error", [failure[0] for failure in FAILURES])
    def test_survives_a_process_border(self, error: ScrapeError) -> None:
        copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes

        assert (type(copy), copy.details, str(copy)) == (type(error), error.details, str(error))
