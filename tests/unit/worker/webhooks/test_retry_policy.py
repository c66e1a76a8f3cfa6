"""When a call back is tried again, without any clock."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from jobs.model.delivery import Delivery, DeliveryEvent, DeliveryState
from worker.webhooks.retry_policy import DeliveryResponse, RetryDecision, RetryPolicy

DAY = timedelta(days=1)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def delivery(number: int = 0, absences: int = 0) -> Delivery:
    return Delivery(
        "job", DeliveryEvent.END, DeliveryState.SENDING, 1, NOW, NOW, number, absences, None
    )


def play(
    answer: DeliveryResponse, schedule: RetryPolicy | None = None
) -> tuple[list[float], DeliveryState]:
    """Let each try end so; return the pauses in seconds, and the end."""
    schedule = schedule or RetryPolicy(timedelta(seconds=1), DAY)
    age, pauses = timedelta(0), list[float]()
    while True:
        number = len(pauses)
        step = schedule.decide(answer, delivery(number, number * answer.is_not_found), age)
        if step.state is not DeliveryState.WAITING:
            return pauses, step.state
        age += step.delay
        pauses.append(step.delay.total_seconds())


class TestScheduleNext:
    @pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
    def test_is_at_its_end_with_2xx(self, status: int) -> None:
        assert play(DeliveryResponse(status)) == ([], DeliveryState.DELIVERED)

    @pytest.mark.parametrize("answer", [DeliveryResponse(410), DeliveryResponse(error="address")])
    def test_gives_up_at_once(self, answer: DeliveryResponse) -> None:
        assert play(answer) == ([], DeliveryState.GIVEN_UP)

    @pytest.mark.parametrize(
        "answer",
        [
            DeliveryResponse(500),
            DeliveryResponse(302),
            DeliveryResponse(401),
            DeliveryResponse(error="connection"),
        ],
    )
    def test_tries_for_a_day_with_growing_pauses(self, answer: DeliveryResponse) -> None:
        pauses, fate = play(answer)

        assert fate is DeliveryState.GIVEN_UP
        assert sum(pauses[:4]) < 20, "short ones first"
        assert all(later > earlier for earlier, later in pairwise(pauses[:11]))
        assert 18 * 3600 < sum(pauses) <= 24 * 3600
        assert 12 < len(pauses) < 25

    @pytest.mark.parametrize("status", [404, 409])
    def test_gives_up_within_minutes_if_nobody_is_there(self, status: int) -> None:
        pauses, fate = play(DeliveryResponse(status))

        assert (fate, len(pauses)) == (DeliveryState.GIVEN_UP, 6)
        assert 40 < sum(pauses) < 80

    def test_counts_absences_apart_from_an_outage(self) -> None:
        schedule = RetryPolicy(timedelta(seconds=1), DAY)

        step = schedule.decide(
            DeliveryResponse(404), delivery(number=9, absences=0), timedelta(hours=1)
        )

        assert step.state is DeliveryState.WAITING
        assert step.delay < timedelta(seconds=2)

    @pytest.mark.parametrize("status", [429, 502, 504])
    def test_slows_down_if_asked_to(self, status: int) -> None:
        pauses, _ = play(DeliveryResponse(status))

        assert min(pauses) >= 0.8 * 60

    def test_waits_as_long_as_it_is_told_within_bounds(self) -> None:
        assert min(play(DeliveryResponse(503, retry_after_s=100))[0]) >= 100
        pauses, _ = play(DeliveryResponse(503, retry_after_s=1e9))
        assert set(pauses[:2]) == {14_400}

    def test_keeps_no_two_receivers_in_step(self) -> None:
        assert play(DeliveryResponse(500))[0] != play(DeliveryResponse(500))[0]

    def test_is_as_long_and_as_patient_as_ops_want(self) -> None:
        pauses, fate = play(
            DeliveryResponse(500), RetryPolicy(timedelta(seconds=0.01), timedelta(seconds=0.2))
        )

        assert fate is DeliveryState.GIVEN_UP
        assert sum(pauses) <= 0.2
        assert RetryPolicy(timedelta(1), timedelta(0)).decide(
            DeliveryResponse(500), delivery(), timedelta(0)
        ) == RetryDecision(DeliveryState.GIVEN_UP)
