from datetime import UTC, datetime, timedelta, timezone

import pytest

from jobs.model.result import ResultHead


class TestResultHead:
    @pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=-3))])
    def test_builds_a_result_with_its_keys_in_order(self, zone: timezone) -> None:
        head = ResultHead(
            collection="offers",
            total=1,
            timestamp=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).astimezone(zone),
            pages_requested=3,
            pages_read=2,
            warnings=[{"code": "page_repeats", "page": 3}],
        )

        assert list(head.as_dict([{"title": "Hat"}]).items()) == [
            ("success", True),
            ("offers", [{"title": "Hat"}]),
            ("total_offers", 1),
            ("timestamp", "2026-01-02T03:04:05.000000+00:00"),
            ("error", None),
            ("pages_requested", 3),
            ("pages_read", 2),
            ("warnings", [{"code": "page_repeats", "page": 3}]),
        ]
