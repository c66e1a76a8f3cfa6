"""Limits of reads, which are counted in the process."""

import time

import pytest

from api.access.caller import Caller
from api.access.rate_limits import RateLimits, parse_limit
from api.errors import RateLimitedError


class Clock:
    """A monotonic clock that a test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def limits() -> RateLimits:
    return RateLimits(starts=parse_limit("1/minute"), reads=parse_limit("2/minute"))


def read(limits: RateLimits, name: str = "alice") -> int | None:
    """Count a read; return the seconds of Retry-After if it is refused."""
    try:
        limits.count_read(Caller(name, frozenset()))
    except RateLimitedError as error:
        return error.retry_after_s
    return None


class TestReads:
    def test_are_limited_until_the_window_ends(self, clock: Clock, limits: RateLimits) -> None:
        read(limits)
        clock.now += 20.5

        assert [read(limits), read(limits)] == [None, 40]
        clock.now += 39.4
        assert read(limits) == 1
        clock.now += 0.1
        assert [read(limits), read(limits), read(limits)] == [None, None, 60]

    def test_are_counted_for_each_key(self, clock: Clock, limits: RateLimits) -> None:  # noqa: ARG002
        assert [read(limits, name) for name in "aaabb"] == [None, None, 60, None, None]

    def test_without_a_key_have_no_limit(self, limits: RateLimits) -> None:
        assert {read(limits, "") for _ in range(9)} == {None}

    def test_do_not_follow_the_time_of_the_machine(
        self, clock: Clock, limits: RateLimits, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        read(limits)
        monkeypatch.setattr(time, "time", lambda: 0.0)
        clock.now += 60

        assert [read(limits), read(limits), read(limits)] == [None, None, 60]
