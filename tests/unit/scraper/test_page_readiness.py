import pytest

from scraper import stability
from scraper.browser.page_snapshot import PageSnapshot
from scraper.page_readiness import PageReadiness, PageState
from scraper.recipes.models import Limits

LIMITS = Limits(empty_after_s=10, settle_s=1, short_page_settle_s=3)


class Clock:
    """A monotonic clock that goes when it is told."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(stability, "time", clock)
    return clock


def look(
    state: str, count: int, *, status: int = 200, error: str = "", origin: int = 1
) -> PageSnapshot:
    return PageSnapshot(origin, state, "http://x/", status, error, {"items": count}, {})


class TestJudge:
    def test_takes_a_full_page_before_it_has_loaded(self) -> None:
        assert PageReadiness(LIMITS, 50).check(look("interactive", 50)) is PageState.READY

    def test_waits_while_the_document_comes(self) -> None:
        arrival = PageReadiness(LIMITS, 50)

        assert arrival.check(look("loading", 50)) is None
        assert arrival.check(look("loading", 0, status=503)) is None

    def test_takes_a_short_page_once_its_number_stands_still(self, clock: Clock) -> None:
        arrival = PageReadiness(LIMITS, 50)
        steps = [(0.0, 3), (2.9, 3), (3.0, 4), (5.9, 4)]
        for clock.now, count in steps:
            assert arrival.check(look("complete", count)) is None

        clock.now = 6.0
        assert arrival.check(look("complete", 4)) is PageState.READY

    def test_waits_less_if_it_knows_no_full_number(self, clock: Clock) -> None:
        arrival = PageReadiness(LIMITS, None)
        for clock.now in (0.0, 0.9):
            assert arrival.check(look("complete", 4)) is None

        clock.now = 1.0
        assert arrival.check(look("complete", 4)) is PageState.READY

    def test_gives_a_short_page_that_does_not_load_as_long_as_an_empty_one(
        self, clock: Clock
    ) -> None:
        arrival = PageReadiness(LIMITS, None)
        for clock.now in (0.0, 9.9):
            assert arrival.check(look("interactive", 3)) is None

        clock.now = 10.0
        assert arrival.check(look("interactive", 3)) is PageState.READY

    def test_counts_an_empty_pages_wait_from_its_load(self, clock: Clock) -> None:
        arrival = PageReadiness(LIMITS, 50)
        assert arrival.check(look("interactive", 0)) is None
        for clock.now in (100.0, 109.9):
            assert arrival.check(look("complete", 0)) is None

        clock.now = 110.0
        assert arrival.check(look("complete", 0)) is PageState.EMPTY

    def test_knows_an_empty_page_that_does_not_load(self, clock: Clock) -> None:
        arrival = PageReadiness(LIMITS, 50)
        for clock.now in (0.0, 9.9):
            assert arrival.check(look("interactive", 0)) is None

        clock.now = 10.0
        assert arrival.check(look("interactive", 0)) is PageState.EMPTY

    def test_begins_anew_with_another_document(self, clock: Clock) -> None:
        arrival = PageReadiness(LIMITS, 50)
        assert arrival.check(look("complete", 0)) is None

        clock.now = 10.0
        assert arrival.check(look("complete", 0, origin=2)) is None

    @pytest.mark.parametrize("failed", [{"status": 503}, {"status": 404}, {"error": "ERR_X"}])
    def test_knows_a_failure(self, failed: dict[str, int | str]) -> None:
        seen = PageSnapshot(1, "complete", "http://x/", 0, "", {"items": 0}, {})
        seen = PageSnapshot(**{**vars(seen), **failed})

        assert PageReadiness(LIMITS, 50).check(seen) is PageState.FAILED


class TestMayFill:
    def test_is_true_for_as_long_as_an_empty_page_is_waited_for(self, clock: Clock) -> None:
        arrival = PageReadiness(LIMITS, 50)
        clock.now = 100.0
        assert arrival.may_still_fill(look("complete", 50))
        clock.now = 109.9
        assert arrival.may_still_fill(look("complete", 50))

        clock.now = 110.0
        assert not arrival.may_still_fill(look("complete", 50))
