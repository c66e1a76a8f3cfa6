"""A worker that runs as root says so."""

import os

import pytest
from celery import signals

from worker import root_check


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="Windows has no root")
@pytest.mark.parametrize(("user", "warnings"), [(0, 1), (10001, 0)])
def test_warns_once_if_the_user_is_root(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, user: int, warnings: int
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)

    signals.celeryd_after_setup.send(sender="worker", instance=None, conf=None)

    lines = [record for record in caplog.records if record.name == root_check.__name__]
    assert [line.levelname for line in lines] == ["WARNING"] * warnings
    assert all("root" in line.message for line in lines)
