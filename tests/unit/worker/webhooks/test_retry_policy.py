"""Retries of webhooks, without a clock."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from jobs.model.delivery import Delivery, DeliveryEvent, DeliveryState
from worker.webhooks.retry_policy import DeliveryResponse, RetryDecision, RetryPolicy

DAY = timedelta(days=1)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def make_delivery(attempt_count: int = 0, not_found_count: int = 0) -> Delivery:
    return Delivery(
        "job",
        DeliveryEvent.END,
        DeliveryState.SENDING,
        1,
        NOW,
        NOW,
        attempt_count,
        not_found_count,
        None,
    )


def simulate(
    response: DeliveryResponse, policy: RetryPolicy | None = None
) -> tuple[list[float], DeliveryState]:
    """Repeat attempts with the same response; return the delays in seconds and the final state."""
    policy = policy or RetryPolicy(timedelta(seconds=1), DAY)
    age = timedelta(0)
    delays_s: list[float] = []
    while True:
        count = len(delays_s)
        delivery = make_delivery(count, count * response.is_not_found)
        decision = policy.decide(response, delivery, age)
        if decision.state is not DeliveryState.WAITING:
            return delays_s, decision.state
        age += decision.delay
        delays_s.append(decision.delay.total_seconds())


class TestDecide:
    @pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
    def test_ends_after_2xx(self, status: int) -> None:
        assert simulate(DeliveryResponse(status)) == ([], DeliveryState.DELIVERED)

    @pytest.mark.parametrize("response", [DeliveryResponse(410), DeliveryResponse(error="address")])
    def test_gives_up_at_once(self, response: DeliveryResponse) -> None:
        assert simulate(response) == ([], DeliveryState.GIVEN_UP)

    @pytest.mark.parametrize(
        "response",
        [
            DeliveryResponse(500),
            DeliveryResponse(302),
            DeliveryResponse(401),
            DeliveryResponse(error="connection"),
        ],
    )
    def test_retries_for_a_day_with_growing_delays(self, response: DeliveryResponse) -> None:
        delays_s, state = simulate(response)

        assert state is DeliveryState.GIVEN_UP
        assert sum(delays_s[:4]) < 20, "short delays first"
        assert all(later > earlier for earlier, later in pairwise(delays_s[:11]))
        assert 18 * 3600 < sum(delays_s) <= 24 * 3600
        assert 12 < len(delays_s) < 25

    @pytest.mark.parametrize("status", [404, 409])
    def test_gives_up_within_minutes_after_404_and_409(self, status: int) -> None:
        delays_s, state = simulate(DeliveryResponse(status))

        assert (state, len(delays_s)) == (DeliveryState.GIVEN_UP, 6)
        assert 40 < sum(delays_s) < 80

    def test_counts_404_separately_from_an_outage(self) -> None:
        policy = RetryPolicy(timedelta(seconds=1), DAY)

        decision = policy.decide(
            DeliveryResponse(404),
            make_delivery(attempt_count=9, not_found_count=0),
            timedelta(hours=1),
        )

        assert decision.state is DeliveryState.WAITING
        assert decision.delay < timedelta(seconds=2)

    @pytest.mark.parametrize("status", [429, 502, 504])
    def test_slows_down_if_the_receiver_is_overloaded(self, status: int) -> None:
        delays_s, _ = simulate(DeliveryResponse(status))

        assert min(delays_s) >= 0.8 * 60

    def test_respects_retry_after_up_to_a_maximum(self) -> None:
        assert min(simulate(DeliveryResponse(503, retry_after_s=100))[0]) >= 100
        delays_s, _ = simulate(DeliveryResponse(503, retry_after_s=1e9))
        assert set(delays_s[:2]) == {14_400}

    def test_adds_jitter(self) -> None:
        assert simulate(DeliveryResponse(500))[0] != simulate(DeliveryResponse(500))[0]

    def test_respects_the_configured_delay_and_age(self) -> None:
        delays_s, state = simulate(
            DeliveryResponse(500), RetryPolicy(timedelta(seconds=0.01), timedelta(seconds=0.2))
        )

        assert state is DeliveryState.GIVEN_UP
        assert sum(delays_s) <= 0.2
        assert RetryPolicy(timedelta(1), timedelta(0)).decide(
            DeliveryResponse(500), make_delivery(), timedelta(0)
        ) == RetryDecision(DeliveryState.GIVEN_UP)
