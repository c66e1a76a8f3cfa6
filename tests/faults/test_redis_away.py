"""Outages of Redis: clients get 503 meanwhile, and no job is lost or run twice."""

import os
import signal
from collections import Counter
from typing import Literal
from uuid import uuid4

import httpx
import pytest

from tests.faults.poll_recorder import JOB_PATH
from tests.faults.scenario import LEASE_S, FaultScenario, find_child, wait_s

_PATH = JOB_PATH.format(site="tubehunt")


def check_unavailable(response: httpx.Response) -> None:
    """Fail unless the response is 503 with `Retry-After`."""
    assert response.status_code == 503
    assert response.json()["error_code"] == "redis_unavailable"
    assert int(response.headers["Retry-After"]) > 0


class TestRedisAway:
    @pytest.mark.parametrize(
        ("how", "leases"),
        [("stopped", 0.6), ("killed", 1.5), ("hung", 1.5)],
        ids=lambda value: value,
    )
    def test_only_delays_the_running_job(
        self, scenario: FaultScenario, how: Literal["stopped", "killed", "hung"], leases: float
    ) -> None:
        scenario.start_worker("one")
        job = scenario.start(pages=6)
        pending = scenario.start(pages=1)
        scenario.wait_for_page(job, 2)

        with scenario.redis_outage(how), scenario.services.client() as api:
            check_unavailable(api.post(f"{_PATH}/start"))
            check_unavailable(api.post(f"{_PATH}/cancel/{job.id}"))
            check_unavailable(api.get(f"{_PATH}/result/{uuid4()}"))
            wait_s(leases * LEASE_S)

        assert (scenario.wait_for_end(job)["status"], scenario.wait_for_end(job)["attempt"]) == (
            "completed",
            1,
        )
        assert scenario.requested_pages(job) == Counter(range(1, 7))
        assert (
            scenario.wait_for_end(pending)["status"],
            scenario.wait_for_end(pending)["attempt"],
        ) == ("completed", 1)
        assert any(poll.status == 503 for poll in scenario.recorder.polls[job.id])

    def test_gives_workers_time_to_renew_their_leases(self, scenario: FaultScenario) -> None:
        scenario.start_worker("one")
        scenario.start_worker("two")
        job = scenario.start(pages=6)
        scenario.wait_for_page(job, 2)
        child = find_child(scenario.holder(job))

        with scenario.redis_outage("hung"):
            os.kill(child, signal.SIGSTOP)
            wait_s(2 * LEASE_S)
        # Its lease has expired, and other workers reconcile expired leases.
        wait_s(LEASE_S / 4)
        os.kill(child, signal.SIGCONT)

        assert (scenario.wait_for_end(job)["status"], scenario.wait_for_end(job)["attempt"]) == (
            "completed",
            1,
        )

    def test_keeps_jobs_that_were_just_accepted(self, scenario: FaultScenario) -> None:
        scenario.start_worker("one")
        jobs = [scenario.start(pages=1) for _ in range(3)]

        with scenario.redis_outage("killed"):
            pass

        assert [scenario.wait_for_end(job)["status"] for job in jobs] == ["completed"] * 3
