"""Hint that no worker is running."""

from typing import Any

import pytest

from garimpo.cli.follow_job import NoWorkerHint


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
