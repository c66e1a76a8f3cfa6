"""Assertions of `garimpo check`."""

from typing import Any

import pytest

from garimpo.acceptance.assertions import (
    CheckFailedError,
    check_health,
    check_progress,
    check_result,
    check_start,
)

_ID = "550e8400-e29b-41d4-a716-446655440000"
_NOW = "2026-01-01T22:00:00.000000+00:00"
START = {"job_id": _ID, "status": "pending", "message": "Job queued", "created_at": _NOW}
RESULT: dict[str, Any] = {"success": True, "error": None, "channels": [{}, {}], "total_channels": 2}
END: dict[str, Any] = {
    "status": "completed",
    "progress": 100,
    "result": RESULT,
    "execution_time_seconds": 2.5,
    "completed_at": _NOW,
}


def _at(status: str, progress: int, **more: object) -> dict[str, Any]:
    return {"status": status, "progress": progress, "message": "on it", **more}


class TestHealth:
    def test_accepts_a_valid_body(self) -> None:
        check_health({"status": "ok", "services": {"redis": "ok", "workers": "ok"}})

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"status": "error", "services": {"redis": "unavailable", "workers": "unknown"}},
            {"status": "degraded", "services": {"redis": "ok", "workers": "none"}},
            {"status": "degraded", "services": {"redis": "ok", "workers": "ok"}},
        ],
    )
    def test_rejects_an_invalid_body(self, body: dict[str, Any]) -> None:
        with pytest.raises(CheckFailedError):
            check_health(body)


class TestStart:
    def test_accepts_a_valid_body(self) -> None:
        check_start(START)

    @pytest.mark.parametrize(
        "fault",
        [
            {"job_id": "7"},
            {"job_id": None},
            {"job_id": _ID.upper()},
            {"status": "processing"},
            {"message": ""},
            {"created_at": "2026-01-01T22:00:00"},
            {"created_at": None},
        ],
    )
    def test_rejects_an_invalid_body(self, fault: dict[str, Any]) -> None:
        with pytest.raises(CheckFailedError, match=next(iter(fault))):
            check_start(START | fault)


class TestProgress:
    def test_accepts_a_valid_body(self) -> None:
        summary = check_progress(
            [_at("pending", 0), _at("processing", 5), _at("processing", 5), END]
        )
        assert summary == "pending, processing, completed; 4 responses"

    @pytest.mark.parametrize(
        ("bodies", "fault"),
        [
            ([_at("processing", 5), _at("pending", 5), END], "backwards"),
            ([_at("processing", 50), _at("processing", 49), END], "decreased"),
            ([_at("running", 1), END], "unknown states"),
            ([_at("processing", 101), END], "integer"),
            ([_at("processing", 5, message=""), END], "no message"),
            ([_at("processing", 5, error=None), END], "`error`"),
        ],
    )
    def test_rejects_an_invalid_body(self, bodies: list[dict[str, Any]], fault: str) -> None:
        with pytest.raises(CheckFailedError, match=fault):
            check_progress(bodies)


class TestResult:
    def test_accepts_a_valid_body(self) -> None:
        assert check_result(END) == 2

    @pytest.mark.parametrize(
        ("fault", "message"),
        [
            ({"status": "failed", "error": "No", "error_code": "x"}, r"failed: No \[x\]"),
            ({"result": None}, "success"),
            ({"result": RESULT | {"success": False}}, "success"),
            ({"result": RESULT | {"error": "no"}}, "error"),
            ({"result": RESULT | {"total_channels": 3}}, "total_channels is 3"),
            ({"result": RESULT | {"channels": [], "total_channels": 0}}, "no rows"),
            ({"result": {"success": True, "error": None}}, "total_"),
            ({"execution_time_seconds": None}, "execution_time_seconds"),
            ({"completed_at": "today"}, "completed_at"),
        ],
    )
    def test_rejects_an_invalid_body(self, fault: dict[str, Any], message: str) -> None:
        with pytest.raises(CheckFailedError, match=message):
            check_result(END | fault)
