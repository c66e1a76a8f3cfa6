"""Stopped workers release their job to another worker, which does not count as a crash."""

import signal

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
        assert scenario.requested_pages(job) == [1, 2, 3, 3, 4]

    def test_of_one_worker_after_another_loses_no_job(self, scenario: FaultScenario) -> None:
        workers = [scenario.start_worker("one"), scenario.start_worker("two")]
        jobs = [scenario.start(pages=2) for _ in range(6)]
        scenario.wait_for_page(jobs[1], 1)

        for worker in workers:
            worker.signal(signal.SIGTERM)
            wait_until(lambda: not worker.is_alive)  # noqa: B023 - called at once
            worker.start()
            worker.wait_ready()

        assert [scenario.wait_for_end(job)["status"] for job in jobs] == ["completed"] * 6
        assert {scenario.record_field(job, "crashes") for job in jobs} == {"0"}
        # Finished pages are not read again.
        assert all(scenario.requested_pages(job).count(1) <= 2 for job in jobs)
