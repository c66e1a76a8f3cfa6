import pytest

from scraper import stability
from scraper.browser.page_snapshot import PageSnapshot
from scraper.page_readiness import PageReadiness, PageState
from scraper.recipes.models import Limits

LIMITS = Limits(empty_after_s=10, settle_s=1, short_page_settle_s=3)


class Clock:
    """A monotonic clock that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(stability, "time", clock)
    return clock


def snapshot(
    state: str, count: int, *, status: int = 200, error: str = "", origin: int = 1
) -> PageSnapshot:
    return PageSnapshot(origin, state, "http://x/", status, error, {"items": count}, {})


class TestCheck:
    def test_accepts_a_full_page_before_it_has_loaded(self) -> None:
        assert PageReadiness(LIMITS, 50).check(snapshot("interactive", 50)) is PageState.READY

    def test_waits_for_the_whole_document(self) -> None:
        readiness = PageReadiness(LIMITS, 50)

        assert readiness.check(snapshot("loading", 50)) is None
        assert readiness.check(snapshot("loading", 0, status=503)) is None

    def test_accepts_a_short_page_once_its_count_is_stable(self, clock: Clock) -> None:
        readiness = PageReadiness(LIMITS, 50)
        steps = [(0.0, 3), (2.9, 3), (3.0, 4), (5.9, 4)]
        for clock.now, count in steps:
            assert readiness.check(snapshot("complete", count)) is None

        clock.now = 6.0
        assert readiness.check(snapshot("complete", 4)) is PageState.READY

    def test_waits_less_if_the_page_size_is_unknown(self, clock: Clock) -> None:
        readiness = PageReadiness(LIMITS, None)
        for clock.now in (0.0, 0.9):
            assert readiness.check(snapshot("complete", 4)) is None

        clock.now = 1.0
        assert readiness.check(snapshot("complete", 4)) is PageState.READY

    def test_waits_for_a_short_page_that_does_not_load_as_for_an_empty_one(
        self, clock: Clock
    ) -> None:
        readiness = PageReadiness(LIMITS, None)
        for clock.now in (0.0, 9.9):
            assert readiness.check(snapshot("interactive", 3)) is None

        clock.now = 10.0
        assert readiness.check(snapshot("interactive", 3)) is PageState.READY

    def test_waits_for_an_empty_page_from_the_moment_it_has_loaded(self, clock: Clock) -> None:
        readiness = PageReadiness(LIMITS, 50)
        assert readiness.check(snapshot("interactive", 0)) is None
        for clock.now in (100.0, 109.9):
            assert readiness.check(snapshot("complete", 0)) is None

        clock.now = 110.0
        assert readiness.check(snapshot("complete", 0)) is PageState.EMPTY

    def test_detects_an_empty_page_that_does_not_load(self, clock: Clock) -> None:
        readiness = PageReadiness(LIMITS, 50)
        for clock.now in (0.0, 9.9):
            assert readiness.check(snapshot("interactive", 0)) is None

        clock.now = 10.0
        assert readiness.check(snapshot("interactive", 0)) is PageState.EMPTY

    def test_restarts_with_another_document(self, clock: Clock) -> None:
        readiness = PageReadiness(LIMITS, 50)
        assert readiness.check(snapshot("complete", 0)) is None

        clock.now = 10.0
        assert readiness.check(snapshot("complete", 0, origin=2)) is None

    @pytest.mark.parametrize("failure", [{"status": 503}, {"status": 404}, {"error": "ERR_X"}])
    def test_detects_a_failure(self, failure: dict[str, int | str]) -> None:
        page = PageSnapshot(1, "complete", "http://x/", 0, "", {"items": 0}, {})
        failed_page = PageSnapshot(**{**vars(page), **failure})

        assert PageReadiness(LIMITS, 50).check(failed_page) is PageState.FAILED


class TestMayStillFill:
    def test_is_true_as_long_as_the_wait_for_an_empty_page(self, clock: Clock) -> None:
        readiness = PageReadiness(LIMITS, 50)
        clock.now = 100.0
        assert readiness.may_still_fill(snapshot("complete", 50))
        clock.now = 109.9
        assert readiness.may_still_fill(snapshot("complete", 50))

        clock.now = 110.0
        assert not readiness.may_still_fill(snapshot("complete", 50))
