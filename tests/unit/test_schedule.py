"""When a call back is tried again, without any clock."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from jobs.delivery import Delivery, Fate, Slot
from worker.schedule import Answer, Schedule, Step

DAY = timedelta(days=1)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def delivery(number: int = 0, absences: int = 0) -> Delivery:
    return Delivery("job", Slot.END, Fate.SENDING, 1, NOW, NOW, number, absences, None)


def play(answer: Answer, schedule: Schedule | None = None) -> tuple[list[float], Fate]:
    """Let each try end so; return the pauses in seconds, and the end."""
    schedule = schedule or Schedule(timedelta(seconds=1), DAY)
    age, pauses = timedelta(0), list[float]()
    while True:
        number = len(pauses)
        step = schedule.next(answer, delivery(number, number * answer.is_absent), age)
        if step.fate is not Fate.WAITING:
            return pauses, step.fate
        age += step.pause
        pauses.append(step.pause.total_seconds())


class TestScheduleNext:
    @pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
    def test_is_at_its_end_with_2xx(self, status: int) -> None:
        assert play(Answer(status)) == ([], Fate.DELIVERED)

    @pytest.mark.parametrize("answer", [Answer(410), Answer(error="address")])
    def test_gives_up_at_once(self, answer: Answer) -> None:
        assert play(answer) == ([], Fate.GIVEN_UP)

    @pytest.mark.parametrize(
        "answer", [Answer(500), Answer(302), Answer(401), Answer(error="connection")]
    )
    def test_tries_for_a_day_with_growing_pauses(self, answer: Answer) -> None:
        pauses, fate = play(answer)

        assert fate is Fate.GIVEN_UP
        assert sum(pauses[:4]) < 20, "short ones first"
        assert all(later > earlier for earlier, later in pairwise(pauses[:11]))
        assert 18 * 3600 < sum(pauses) <= 24 * 3600
        assert 12 < len(pauses) < 25

    @pytest.mark.parametrize("status", [404, 409])
    def test_gives_up_within_minutes_if_nobody_is_there(self, status: int) -> None:
        pauses, fate = play(Answer(status))

        assert (fate, len(pauses)) == (Fate.GIVEN_UP, 6)
        assert 40 < sum(pauses) < 80

    def test_counts_absences_apart_from_an_outage(self) -> None:
        schedule = Schedule(timedelta(seconds=1), DAY)

        step = schedule.next(Answer(404), delivery(number=9, absences=0), timedelta(hours=1))

        assert step.fate is Fate.WAITING
        assert step.pause < timedelta(seconds=2)

    @pytest.mark.parametrize("status", [429, 502, 504])
    def test_slows_down_if_asked_to(self, status: int) -> None:
        pauses, _ = play(Answer(status))

        assert min(pauses) >= 0.8 * 60

    def test_waits_as_long_as_it_is_told_within_bounds(self) -> None:
        assert min(play(Answer(503, retry_after_s=100))[0]) >= 100
        pauses, _ = play(Answer(503, retry_after_s=1e9))
        assert set(pauses[:2]) == {14_400}

    def test_keeps_no_two_receivers_in_step(self) -> None:
        assert play(Answer(500))[0] != play(Answer(500))[0]

    def test_is_as_long_and_as_patient_as_ops_want(self) -> None:
        pauses, fate = play(Answer(500), Schedule(timedelta(seconds=0.01), timedelta(seconds=0.2)))

        assert fate is Fate.GIVEN_UP
        assert sum(pauses) <= 0.2
        assert Schedule(timedelta(1), timedelta(0)).next(
            Answer(500), delivery(), timedelta(0)
        ) == Step(Fate.GIVEN_UP)
