"""A distant Redis and a long queue: a dead worker's job is taken over all the same."""

from jobs.redis import keys
from tests.faults.scenario import FaultScenario
from tests.integration.jobs_in_redis import Jobs
from tests.support.polling import wait_until

_ROUND_TRIP_S = 0.2
#: A look at each of them would take minutes.
_BACKLOG = 1500


def fill_queue(scenario: FaultScenario) -> None:
    """Let jobs wait whose checks are overdue; no worker has their recipe."""
    with Jobs(scenario.services.redis.url) as jobs:
        for _ in range(_BACKLOG):
            jobs.make_due(jobs.submit())


class TestSlowRedis:
    def test_delays_no_takeover(self, scenario: FaultScenario) -> None:
        proxy = scenario.start_proxy(round_trip_s=_ROUND_TRIP_S)
        for name in ("one", "two"):
            scenario.start_worker(name, {"REDIS_URL": proxy.redis_url})
        health: set[str] = set()
        with scenario.services.client() as api, scenario.hold_page(3):

            def is_recovered() -> bool:
                health.add(api.get("/api/health").json()["status"])
                return scenario.record_field(job, "crashes") == "1"

            job = scenario.start()
            scenario.wait_for_page(job, 3)
            fill_queue(scenario)
            scenario.holder(job).kill()
            wait_until(is_recovered)
            with scenario.services.connect() as redis:
                assert redis.llen(keys.JOB_QUEUE) > _BACKLOG / 2

        assert scenario.wait_for_end(job)["status"] == "completed"
        assert scenario.requested_pages(job) == {1: 1, 2: 1, 3: 2, 4: 2}
        assert health == {"ok"}
