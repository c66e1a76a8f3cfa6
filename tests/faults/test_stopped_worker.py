"""Stopped workers release their job to another worker, which does not count as a crash."""

import signal

from jobs.redis import keys
from tests.faults.scenario import LEASE_S, FaultScenario
from tests.support.polling import wait_until


class TestStop:
    def test_releases_the_job_after_its_last_finished_page(self, scenario: FaultScenario) -> None:
        for worker in (scenario.start_worker("one"), scenario.start_worker("two")):
            worker.wait_ready()
        releases = scenario.counter("releases")
        takeovers = scenario.counter("takeovers")
        with scenario.hold_page(3):
            job = scenario.start()
            scenario.wait_for_page(job, 3)
            holder = scenario.holder(job)
        holder.signal(signal.SIGTERM)

        # Before its lease would have expired after a crash.
        wait_until(lambda: scenario.record_field(job, "attempt") == "2", within_s=LEASE_S)
        wait_until(lambda: not holder.is_alive)
        end = scenario.wait_for_end(job)
        assert (end["status"], end["attempt"]) == ("completed", 2)
        assert scenario.record_field(job, "crashes") == "0"
        assert scenario.counter("releases") - releases == 1
        assert scenario.counter("takeovers") - takeovers == 1
        assert scenario.requested_pages(job) == {1: 1, 2: 1, 3: 2, 4: 2}

    def test_of_one_worker_after_another_loses_no_job(self, scenario: FaultScenario) -> None:
        workers = [scenario.start_worker("one"), scenario.start_worker("two")]
        jobs = [scenario.start(pages=2) for _ in range(6)]
        scenario.wait_for_page(jobs[1], 1)

        for worker in workers:
            worker.signal(signal.SIGTERM)
            wait_until(lambda: not worker.is_alive)  # noqa: B023 - called at once
            worker.start()
            worker.wait_ready()

        ends = [scenario.wait_for_end(job) for job in jobs]
        assert [end["status"] for end in ends] == ["completed"] * 6
        assert {scenario.record_field(job, "crashes") for job in jobs} == {"0"}
        # Each attempt asks for a page once at most.
        requested = [scenario.requested_pages(job)[1] for job in jobs]
        assert all(count <= end["attempt"] for count, end in zip(requested, ends, strict=True))

    def test_leaves_the_job_in_the_queue_once(self, scenario: FaultScenario) -> None:
        worker = scenario.start_worker("one")
        with scenario.hold_page(2):
            job = scenario.start(pages=2)
            scenario.wait_for_page(job, 2)
            worker.signal(signal.SIGTERM)
            wait_until(lambda: not worker.is_alive)

        with scenario.services.client() as api, scenario.services.connect() as redis:
            queue = api.get("/api/health").json()["queue"]
            assert (queue["waiting"], queue["running"]) == (1, 0)
            assert scenario.gauge("queue_jobs") == 1
            # What KEDA scales by.
            assert redis.zcard(keys.ACTIVE) == 1
            assert redis.hlen("unacked") == 0

        scenario.start_worker("two")
        assert scenario.wait_for_end(job)["status"] == "completed"
        assert scenario.gauge("queue_jobs") == 0
