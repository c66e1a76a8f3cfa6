from typing import Any

import pytest

from scraper import page_readiness, stability
from scraper.browser.page_snapshot import ListState, PageSnapshot
from scraper.page_readiness import PageReadiness, PageState, Readiness
from scraper.recipes.models import Limits
from scraper.scrape_warnings import UnsettledReason

LIMITS = Limits(empty_after_s=10, settle_s=0.5, short_page_settle_s=3, page_timeout_s=100)


class Clock:
    """A monotonic clock that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(stability, "time", clock)
    monkeypatch.setattr(page_readiness, "time", clock)
    return clock


def snapshot(  # noqa: PLR0913 - whatever a test wants to change
    state: str,
    count: int,
    digest: str = "",
    *,
    status: int = 200,
    error: str = "",
    origin: int = 1,
    is_busy: bool = False,
    is_static: bool = False,
    **rows: Any,
) -> PageSnapshot:
    return PageSnapshot(
        origin,
        state,
        "http://x/",
        status=status,
        error=error,
        is_busy=is_busy,
        is_static=is_static,
        list=ListState(count, digest or str(count), **rows),
    )


class Page:
    """A page that a test describes moment by moment."""

    def __init__(self, clock: Clock, page_size: int | None = None) -> None:
        self.has_pending_requests = False
        self._clock = clock
        self._readiness = PageReadiness(LIMITS, page_size, lambda: self.has_pending_requests)

    def at(self, seconds: float, page: PageSnapshot) -> Readiness | None:
        self._clock.now = seconds
        return self._readiness.check(page)


def state(readiness: Readiness | None) -> PageState | None:
    return None if readiness is None else readiness.state


class TestFullPage:
    def test_is_read_at_once(self, clock: Clock) -> None:
        assert Page(clock, 50).at(0, snapshot("complete", 50)) == Readiness(PageState.READY, 50)

    def test_is_read_after_a_moment_if_it_goes_on_loading(self, clock: Clock) -> None:
        page = Page(clock, 50)

        assert page.at(0, snapshot("loading", 50)) is None
        assert page.at(1, snapshot("interactive", 50)) is None
        assert state(page.at(1.5, snapshot("interactive", 50))) is PageState.READY

    def test_waits_for_values_of_required_fields(self, clock: Clock) -> None:
        page = Page(clock, 50)

        assert page.at(0, snapshot("complete", 50, incomplete=1)) is None
        assert state(page.at(1, snapshot("complete", 50, "full"))) is PageState.READY

    def test_waits_for_placeholders_to_be_replaced(self, clock: Clock) -> None:
        page = Page(clock, 50)

        assert page.at(0, snapshot("complete", 50, is_uniform=True)) is None
        assert page.at(1, snapshot("complete", 50, "blank", blank=50)) is None
        assert state(page.at(2, snapshot("complete", 50, "full"))) is PageState.READY


class TestRows:
    def test_are_read_once_their_values_are_still(self, clock: Clock) -> None:
        page = Page(clock)

        assert page.at(0, snapshot("complete", 4, "a")) is None
        assert page.at(0.4, snapshot("complete", 4, "a")) is None
        assert page.at(0.5, snapshot("complete", 4, "a")) == Readiness(PageState.READY, 4, "a")

    def test_are_waited_for_longer_if_a_script_draws_them(self, clock: Clock) -> None:
        for first in (snapshot("complete", 0), snapshot("complete", 3)):
            page = Page(clock)
            page.at(0, first)
            assert page.at(1, snapshot("complete", 4)) is None
            assert page.at(1.9, snapshot("complete", 4)) is None
            assert state(page.at(2, snapshot("complete", 4))) is PageState.READY

    def test_are_waited_for_longer_if_a_full_page_has_more(self, clock: Clock) -> None:
        page = Page(clock, 50)
        for seconds, count in [(0.0, 3), (2.9, 3), (3.0, 4), (5.9, 4)]:
            assert page.at(seconds, snapshot("complete", count)) is None

        assert state(page.at(6, snapshot("complete", 4))) is PageState.READY

    def test_wait_for_the_pages_own_requests(self, clock: Clock) -> None:
        page = Page(clock)
        page.has_pending_requests = True
        for seconds in (0, 1, 9.9):
            assert page.at(seconds, snapshot("complete", 4)) is None

        unsettled = Readiness(PageState.READY, 4, "4", UnsettledReason.REQUESTS)
        assert page.at(10, snapshot("complete", 4)) == unsettled

    @pytest.mark.parametrize(
        ("page_state", "reason"),
        [
            ("loading", UnsettledReason.LOADING),
            ("interactive", UnsettledReason.LOADING),
            ("complete", UnsettledReason.BUSY),
        ],
    )
    def test_are_read_after_all_if_the_page_never_comes_to_rest(
        self, clock: Clock, page_state: str, reason: UnsettledReason
    ) -> None:
        page = Page(clock)
        is_busy = page_state == "complete"
        for seconds in (0, 9.9):
            assert page.at(seconds, snapshot(page_state, 4, is_busy=is_busy)) is None

        unsettled = Readiness(PageState.READY, 4, "4", reason)
        assert page.at(10, snapshot(page_state, 4, is_busy=is_busy)) == unsettled

    def test_are_read_after_all_if_values_keep_changing(self, clock: Clock) -> None:
        page = Page(clock)
        for seconds in range(10):
            assert page.at(seconds, snapshot("complete", 4, f"clock {seconds}")) is None

        changing = Readiness(PageState.READY, 4, None, UnsettledReason.CHANGING)
        assert page.at(10, snapshot("complete", 4, "clock 10")) == changing

    @pytest.mark.parametrize(("page_state", "end"), [("complete", 50), ("loading", 80)])
    def test_are_waited_for_as_long_as_they_grow(
        self, clock: Clock, page_state: str, end: int
    ) -> None:
        page = Page(clock)
        for seconds in range(end):
            assert page.at(seconds, snapshot(page_state, seconds + 1)) is None

        growing = page.at(end, snapshot(page_state, end + 1))
        assert growing == Readiness(PageState.READY, end + 1, None, UnsettledReason.CHANGING)

    def test_without_required_values_are_read_after_all(self, clock: Clock) -> None:
        page = Page(clock)
        assert page.at(0, snapshot("complete", 4, incomplete=1)) is None

        assert page.at(10, snapshot("complete", 4, incomplete=1)) == Readiness(
            PageState.READY, 4, "4"
        )

    def test_count_more_than_the_status(self, clock: Clock) -> None:
        page = Page(clock, 50)

        assert state(page.at(0, snapshot("complete", 50, status=404))) is PageState.READY


class TestNoRows:
    def test_is_empty_some_time_after_it_has_loaded(self, clock: Clock) -> None:
        page = Page(clock)
        assert page.at(0, snapshot("interactive", 0)) is None
        for seconds in (100.0, 109.9):
            assert page.at(seconds, snapshot("complete", 0)) is None

        assert state(page.at(110, snapshot("complete", 0))) is PageState.EMPTY

    def test_is_not_empty_before_it_has_loaded(self, clock: Clock) -> None:
        page = Page(clock)

        assert page.at(0, snapshot("interactive", 0)) is None
        assert page.at(90, snapshot("interactive", 0)) is None

    def test_starts_again_in_another_document(self, clock: Clock) -> None:
        page = Page(clock)
        assert page.at(0, snapshot("complete", 0)) is None

        assert page.at(10, snapshot("complete", 0, origin=2)) is None

    @pytest.mark.parametrize(
        "failure", [{"status": 503}, {"status": 404, "is_static": True}, {"error": "ERR_X"}]
    )
    def test_is_a_failure_at_once_if_nothing_can_change_it(
        self, clock: Clock, failure: dict[str, Any]
    ) -> None:
        assert state(Page(clock).at(0, snapshot("complete", 0, **failure))) is PageState.FAILED

    def test_has_time_to_change_if_its_script_may_do_so(self, clock: Clock) -> None:
        page = Page(clock)

        assert page.at(0, snapshot("complete", 0, status=403)) is None
        assert page.at(9.9, snapshot("complete", 0, status=403)) is None
        assert state(page.at(10, snapshot("complete", 0, status=403))) is PageState.FAILED
