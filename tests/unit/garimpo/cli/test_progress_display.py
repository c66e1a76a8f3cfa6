"""Estimate of the remaining time of a job."""

from typing import Any

import pytest

from garimpo.cli.progress_display import describe_remaining, estimate_remaining_s

_CREATED = "2026-01-01T22:00:00.000000+00:00"
_STARTED = "2026-01-01T22:00:10.000000+00:00"


def _running(progress: int, elapsed_s: float) -> dict[str, Any]:
    return {
        "status": "processing",
        "progress": progress,
        "created_at": _CREATED,
        "started_at": _STARTED,
        "elapsed_seconds": elapsed_s,
    }


class TestEstimate:
    def test_assumes_the_average_speed_without_the_wait(self) -> None:
        assert estimate_remaining_s(_running(25, 40)) == 90

    @pytest.mark.parametrize("body", [_running(10, 40), {"status": "pending"}])
    def test_is_none_if_unknown(self, body: dict[str, Any]) -> None:
        assert estimate_remaining_s(body) is None

    def test_is_that_of_the_api_while_pending(self) -> None:
        assert estimate_remaining_s({"status": "pending", "estimated_wait_seconds": 7}) == 7


class TestDescribe:
    @pytest.mark.parametrize(
        ("elapsed_s", "expected"),
        [
            (15, "about 15 s left"),
            (10.1, "about 1 s left"),
            (210, "about 10 min left"),
            (7210, "about 6.0 h left"),
        ],
    )
    def test_uses_suitable_units(self, elapsed_s: float, expected: str) -> None:
        assert describe_remaining(_running(25, elapsed_s)) == expected

    def test_counts_down_and_ends(self) -> None:
        assert describe_remaining(_running(25, 40), 60) == "about 30 s left"
        assert describe_remaining(_running(25, 40), 91) == ""

    def test_shows_the_position_in_the_queue(self) -> None:
        body: dict[str, Any] = {
            "status": "pending",
            "queue_position": 2,
            "estimated_wait_seconds": 7,
        }
        assert describe_remaining(body) == "number 2 in the queue, starts in about 7 s"
        assert describe_remaining(body, 60) == "", "the position may have changed"
        body["estimated_wait_seconds"] = None
        assert describe_remaining(body) == "number 2 in the queue"
