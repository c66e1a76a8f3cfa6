import json
from datetime import UTC, datetime
from typing import Any

import pytest

from scraper.browser.performance_log import parse_retry_after, retry_after

PAGE = "http://x/?page=1"
NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


def entry(
    headers: dict[str, str],
    status: int = 503,
    kind: str = "Document",
    method: str = "response",
    url: str = PAGE,
) -> dict[str, Any]:
    event = {
        "method": f"Network.{method}Received",
        "params": {"type": kind, "response": {"url": url, "status": status, "headers": headers}},
    }
    return {"level": "INFO", "message": json.dumps({"webview": "x", "message": event})}


class TestRetryAfter:
    @pytest.mark.parametrize("name", ["Retry-After", "retry-after", "RETRY-AFTER"])
    def test_ignores_the_case_of_the_header(self, name: str) -> None:
        assert retry_after([entry({name: "7"})], PAGE + "#top", 503, NOW) == 7

    def test_reads_the_last_document_with_the_status(self) -> None:
        entries = [
            entry({"Retry-After": "1"}),
            entry({"Retry-After": "2"}),
            entry({"Retry-After": "3"}, status=429),
            entry({"Retry-After": "4"}, kind="Image"),
            entry({"Retry-After": "5"}, method="dataSomething"),
            entry({"Retry-After": "6"}, url="http://x/frame"),
        ]

        assert retry_after(entries, PAGE + "#top", 503, NOW) == 2

    @pytest.mark.parametrize("entries", [[], [entry({})], [entry({"Retry-After": "1"}, 200)]])
    def test_is_none_without_the_header(self, entries: list[dict[str, Any]]) -> None:
        assert retry_after(entries, PAGE + "#top", 503, NOW) is None


class TestParseRetryAfter:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ("0", 0),
            (" 120 ", 120),
            ("Thu, 01 Jan 2026 12:00:30 GMT", 30),
            ("Thu, 01 Jan 2026 11:00:00 GMT", 0),
            ("-5", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
            ("²", None),
            ("Thu, 01 Jan 99999999999999999999 00:00:00 GMT", None),
            ("Thu, 01 Jan 2026 12:00:30 +99999999999", None),
        ],
    )
    def test_returns_seconds_or_none(self, value: str, expected: float | None) -> None:
        assert parse_retry_after(value, NOW) == expected
