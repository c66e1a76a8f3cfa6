import pytest

from scraper.browser.page_snapshot import PageSnapshot


class TestFailure:
    @pytest.mark.parametrize(
        ("status", "error", "failure", "is_retryable"),
        [
            (200, "", "", False),
            (0, "ERR_CONNECTION_RESET", "ERR_CONNECTION_RESET", True),
            (0, "ERR_NAME_NOT_RESOLVED", "ERR_NAME_NOT_RESOLVED", True),
            (0, "ERR_CERT_DATE_INVALID", "ERR_CERT_DATE_INVALID", False),
            (0, "ERR_TOO_MANY_REDIRECTS", "ERR_TOO_MANY_REDIRECTS", False),
            (200, "HTTP 500 /api", "HTTP 500 /api", True),
            (403, "", "HTTP 403", False),
            (429, "", "HTTP 429", True),
            (503, "", "HTTP 503", True),
        ],
    )
    def test_is_named_and_retried_if_it_may_pass(
        self, status: int, error: str, failure: str, *, is_retryable: bool
    ) -> None:
        snapshot = PageSnapshot(1, "complete", "http://x/", status=status, error=error)

        assert (snapshot.failure, snapshot.is_retryable) == (failure, is_retryable)
