import json
import pickle
from enum import StrEnum

import pytest

from jobs.failure import FailureCode
from jobs.model.i18n import Language, catalogue, render
from scraper.errors import (
    BrowserCrashed,
    BrowserNotStarted,
    BrowserUnavailable,
    CredentialsMissing,
    LoginFailed,
    LoginTimeout,
    PageChanged,
    PageMemoryExceeded,
    PageTimeout,
    PageTooLarge,
    RecipeMalformed,
    ResultTooLarge,
    ScrapeError,
    SiteUnavailable,
)
from scraper.scrape_warnings import EndReason, UnsettledReason

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
    (
        PageChanged(URL, "#go", PageChanged.Reason.COVERED, "div#ad"),
        f'{{"page": "{URL}", "selector": "#go", "reason": "covered", "cause": "div#ad"}}',
    ),
    (
        PageTooLarge(URL, PageTooLarge.Reason.ITEMS, 20_000),
        f'{{"page": "{URL}", "reason": "too_many_items", "limit": 20000}}',
    ),
    (
        PageMemoryExceeded(URL, 1500),
        f'{{"page": "{URL}", "reason": "page_memory", "limit": 1500}}',
    ),
    (
        ResultTooLarge(3, ResultTooLarge.Reason.BYTES, 64),
        '{"page": 3, "reason": "result_bytes", "limit": 64}',
    ),
    (LoginTimeout(URL, 60.0), f'{{"page": "{URL}", "seconds": 60.0}}'),
    (
        RecipeMalformed("shop.yaml:14", "jobs.list.items", "'a[' is not valid"),
        '{"location": "shop.yaml:14", "key": "jobs.list.items", "reason": "\'a[\' is not valid"}',
    ),
    (BrowserUnavailable(BrowserUnavailable.Reason.NO_CHROME), '{"reason": "no_chrome"}'),
    (BrowserNotStarted("disk full"), '{"reason": "disk full"}'),
    (BrowserCrashed(""), '{"page": ""}'),
]
ERRORS = [error for error, _ in FAILURES]
REASON_ENUMS: list[type[StrEnum]] = [
    LoginFailed.Reason,
    PageChanged.Reason,
    PageTooLarge.Reason,
    ResultTooLarge.Reason,
    BrowserUnavailable.Reason,
    EndReason,
    UnsettledReason,
]
REASONS = [reason for reasons in REASON_ENUMS for reason in reasons]


class TestScrapeError:
    @pytest.mark.parametrize(("error", "details"), FAILURES)
    def test_has_plain_json_details(self, error: ScrapeError, details: str) -> None:
        assert json.dumps(error.details) == details

    @pytest.mark.parametrize("error", ERRORS)
    def test_survives_a_process_border(self, error: ScrapeError) -> None:
        copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - from this test

        assert (type(copy), copy.details, str(copy)) == (type(error), error.details, str(error))

    @pytest.mark.parametrize(
        ("error", "name"),
        [
            (SiteUnavailable(URL, "HTTP 500 /pw", 1), "reason"),
            (PageChanged(URL, "#go", PageChanged.Reason.COVERED, "div#pw"), "cause"),
        ],
    )
    def test_hides_secrets_in_the_sites_own_words(self, error: ScrapeError, name: str) -> None:
        before = dict(error.details)

        error.redact(lambda words: "" if "pw" in words else words)

        assert error.details == before | {name: "***"}
        assert "pw" not in str(error) + repr(error)

    def test_quotes_five_hundred_characters_of_a_site(self) -> None:
        long = "x" * 10_000
        errors: list[ScrapeError] = [
            LoginFailed(long, long),
            SiteUnavailable(URL, long, 1),
            PageChanged(URL, "#go", PageChanged.Reason.COVERED, long),
        ]

        assert all(len(str(error)) < 1200 for error in errors)

    def test_is_one_compact_line_in_a_log(self) -> None:
        changed = PageChanged("http://x/", ".a", PageChanged.Reason.NO_ITEM)

        assert str(changed) == "page_changed: page=http://x/, selector=.a, reason=no_item"
        assert str(CredentialsMissing(["A", "B"])) == "credentials_missing: variables=A B"


@pytest.mark.parametrize("language", Language)
class TestCatalogue:
    @pytest.mark.parametrize("error", ERRORS)
    def test_has_a_sentence_for_each_failure(self, language: Language, error: ScrapeError) -> None:
        assert render(language, f"failure.{FailureCode(error.code)}", error.details)

    def test_has_a_sentence_for_each_kind_of_failure(self, language: Language) -> None:
        codes = {kind.code for kind in ScrapeError.__subclasses__()}

        assert codes == {error.code for error in ERRORS}
        assert catalogue(language).keys() >= {f"failure.{code}" for code in codes}

    @pytest.mark.parametrize("reason", REASONS)
    def test_has_a_text_for_each_reason(self, language: Language, reason: str) -> None:
        assert catalogue(language)[f"reason.{reason}"]
