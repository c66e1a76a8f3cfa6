import json
import pickle

import pytest

from jobs.failure import FailureCode
from jobs.model.i18n import Language, catalogue
from scraper.errors import (
    BrowserCrashed,
    BrowserNotStarted,
    BrowserUnavailable,
    CredentialsMissing,
    LoginFailed,
    PageChanged,
    PageTimeout,
    ScrapeError,
    SiteUnavailable,
)

URL = "http://x/{a}"
FAILURES: list[tuple[ScrapeError, str]] = [
    (LoginFailed("{a} {reason}"), '{"reason": "{a} {reason}"}'),
    (LoginFailed(LoginFailed.Reason.SESSION_LOST), '{"reason": "session_lost"}'),
    (CredentialsMissing(["A_B", "C_D"]), '{"variables": ["A_B", "C_D"]}'),
    (SiteUnavailable(URL, "HTTP 503", 5), f'{{"page": "{URL}", "reason": "HTTP 503", "tries": 5}}'),
    (PageTimeout(URL, 180.0), f'{{"page": "{URL}", "seconds": 180.0}}'),
    (
        PageChanged(URL, ".a{b}", PageChanged.Reason.NO_ITEM),
        f'{{"page": "{URL}", "selector": ".a{{b}}", "reason": "no_item"}}',
    ),
    (BrowserUnavailable(BrowserUnavailable.Reason.NO_CHROME), '{"reason": "no_chrome"}'),
    (BrowserNotStarted("disk full"), '{"reason": "disk full"}'),
    (BrowserCrashed(""), '{"page": ""}'),
]
ERRORS = [error for error, _ in FAILURES]
REASONS = [
    reason
    for reasons in (LoginFailed.Reason, PageChanged.Reason, BrowserUnavailable.Reason)
    for reason in reasons
]


class TestScrapeError:
    @pytest.mark.parametrize(("error", "details"), FAILURES)
    def test_has_plain_json_details(self, error: ScrapeError, details: str) -> None:
        assert json.dumps(error.details) == details

    @pytest.mark.parametrize("error", ERRORS)
    def test_survives_a_process_border(self, error: ScrapeError) -> None:
        copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - from this test

        assert (type(copy), copy.details, str(copy)) == (type(error), error.details, str(error))

    def test_is_one_compact_line_in_a_log(self) -> None:
        changed = PageChanged("http://x/", ".a", PageChanged.Reason.NO_ITEM)

        assert str(changed) == "page_changed: page=http://x/, selector=.a, reason=no_item"
        assert str(CredentialsMissing(["A", "B"])) == "credentials_missing: variables=A B"


@pytest.mark.parametrize("language", Language)
class TestCatalogue:
    @pytest.mark.parametrize("error", ERRORS)
    def test_has_a_sentence_for_each_failure(self, language: Language, error: ScrapeError) -> None:
        sentence = catalogue(language)[f"failure.{FailureCode(error.code)}"]

        assert sentence.format_map(error.details)

    def test_has_a_sentence_for_each_kind_of_failure(self, language: Language) -> None:
        codes = {kind.code for kind in ScrapeError.__subclasses__()}

        assert codes == {error.code for error in ERRORS}
        assert catalogue(language).keys() >= {f"failure.{code}" for code in codes}

    @pytest.mark.parametrize("reason", REASONS)
    def test_has_a_text_for_each_reason(self, language: Language, reason: str) -> None:
        assert catalogue(language)[f"reason.{reason}"]
