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
    (LoginFailed("Senha incorreta"), "login_failed", False, ["Senha incorreta"]),
    (CredentialsMissing(["A_B", "C_D"]), "credentials_missing", False, ["A_B, C_D"]),
    (SiteUnavailable("http://x/{a}", "HTTP 503", 5), "site_unavailable", True, ["x/{a}", "503"]),
    (PageTimeout("http://x/", 180.0), "page_timeout", True, ["http://x/", "180 s"]),
    (PageChanged("http://x/", ".a{b}", "no_item"), "page_changed", False, ["http://x/", ".a{b}"]),
    (PageChanged("http://x/", ".a", "field_empty"), "page_changed", False, [".a"]),
    (PageChanged("http://x/", ".a", "not_the_list"), "page_changed", False, [".a"]),
    (PageChanged("http://x/", ".a", "login_form"), "page_changed", False, [".a", "login form"]),
    (BrowserUnavailable("gone"), "browser_unavailable", False, ["gone", "apt-get install"]),
    (BrowserCrashed("http://x/"), "browser_crashed", True, ["http://x/"]),
]


class TestScrapeError:
    @pytest.mark.parametrize(("error", "code", "retryable", "words"), FAILURES)
    def test_has_a_code_and_a_sentence(
        self, error: ScrapeError, code: str, *, retryable: bool, words: list[str]
    ) -> None:
        assert (error.code, error.retryable) == (code, retryable)
        assert all(word in str(error) for word in words)

    @pytest.mark.parametrize("error", [failure[0] for failure in FAILURES])
    def test_survives_a_process_border(self, error: ScrapeError) -> None:
        copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes

        assert (type(copy), copy.details, str(copy)) == (type(error), error.details, str(error))
