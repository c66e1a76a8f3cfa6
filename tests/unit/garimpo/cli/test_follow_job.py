"""What is printed about a job that waits or has failed."""

from typing import Any

import pytest

from garimpo.cli.follow_job import NoWorkerHint, report_failure


def _make_body(
    status: str = "pending", elapsed_s: float = 10.0, workers: int | None = 0
) -> dict[str, Any]:
    return {"status": status, "elapsed_seconds": elapsed_s, "workers_alive": workers}


class TestNoWorkerHint:
    def test_is_shown_once(self) -> None:
        shown: list[str] = []
        hint = NoWorkerHint(shown.append)
        hint.check(_make_body(elapsed_s=9.9))
        assert shown == []
        hint.check(_make_body())
        hint.check(_make_body(elapsed_s=20.0))
        assert len(shown) == 1
        assert shown[0].startswith("No worker is running")

    @pytest.mark.parametrize(
        "body",
        [
            _make_body(workers=1),
            _make_body(workers=None),
            _make_body(status="processing"),
            {"status": "pending"},
            {"status": "completed"},
        ],
    )
    def test_is_not_shown(self, body: dict[str, Any]) -> None:
        shown: list[str] = []
        NoWorkerHint(shown.append).check(body)
        assert shown == []


class TestReportFailure:
    @pytest.mark.parametrize(
        ("counts", "lines"),
        [
            (
                {"items_read": 20, "pages_read": 2},
                ["Items read before the failure: 20 (pages: 2). GET …/items/one returns them."],
            ),
            ({"items_read": 0, "pages_read": 0}, []),
            ({"items_read": None, "pages_read": None}, []),
            ({}, []),
        ],
    )
    def test_says_how_much_the_job_has_read(
        self, capsys: pytest.CaptureFixture[str], counts: dict[str, int | None], lines: list[str]
    ) -> None:
        body = {"job_id": "one", "error": "Job cancelled", "error_code": "cancelled", **counts}

        assert report_failure(body) == 1
        assert capsys.readouterr().err.splitlines() == ["Job cancelled [cancelled]", *lines]
