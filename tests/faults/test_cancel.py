"""Cancellation of pending and running jobs; each job ends exactly once."""

import random
import signal

import pytest

from tests.faults.browsers import Part, signal_browser
from tests.faults.scenario import FaultScenario, wait_s
from tests.support.browser_processes import wait_for_no_browser


class TestCancel:
    def test_ends_a_pending_job_at_once(self, scenario: FaultScenario) -> None:
        job = scenario.start()

        response = scenario.cancel(job)

        assert (response.status_code, response.json()["error_code"]) == (202, "cancelled")
        scenario.start_worker("one")
        later = scenario.start(pages=1)
        assert scenario.wait_for_end(later)["status"] == "completed"
        assert scenario.wait_for_end(job)["attempt"] == 0
        assert scenario.requested_pages(job) == {}

    def test_ends_a_running_job_and_its_browser(self, scenario: FaultScenario) -> None:
        scenario.start_worker("one")
        scenario.demo.have(slow_ms=3000)
        job = scenario.start(pages=13)
        next_job = scenario.start(pages=1)
        scenario.wait_for_page(job, 3)

        response = scenario.cancel(job)

        assert (response.status_code, response.json()["status"]) == (202, "processing")
        end = scenario.wait_for_end(job, within_s=15)
        assert (end["status"], end["error_code"], end["attempt"]) == ("failed", "cancelled", 1)
        # The worker is available for the next job.
        assert scenario.wait_for_end(next_job)["status"] == "completed"
        assert 13 not in scenario.requested_pages(job)

    @pytest.mark.parametrize("part", ["driver", "browser"])
    def test_ends_a_job_whose_browser_hangs(self, scenario: FaultScenario, part: Part) -> None:
        # Without the cancellation, the hang would be detected only after two minutes.
        scenario.start_worker("one", {"BROWSER_TIMEOUT_S": "120"})
        with scenario.hold_page(3):
            job = scenario.start()
            scenario.wait_for_page(job, 3)
            scenario.start_worker("two").wait_ready()
            signal_browser(scenario, "one", part, signal.SIGSTOP)

            scenario.cancel(job)
            end = scenario.wait_for_end(job, within_s=30)

        assert (end["status"], end["error_code"], end["attempt"]) == ("failed", "cancelled", 1)
        assert scenario.record_field(job, "crashes") == "0"
        wait_for_no_browser(scenario.browsers_folder("one"))

    def test_ends_a_job_whose_worker_has_died(self, scenario: FaultScenario) -> None:
        worker = scenario.start_worker("one")
        with scenario.hold_page(2):
            job = scenario.start()
            scenario.wait_for_page(job, 2)
            worker.kill()

        assert scenario.cancel(job).status_code == 202
        scenario.start_worker("two")

        end = scenario.wait_for_end(job)
        assert (end["status"], end["error_code"], end["attempt"]) == ("failed", "cancelled", 1)

    def test_is_rejected_after_the_end(self, scenario: FaultScenario) -> None:
        scenario.start_worker("one")
        job = scenario.start(pages=1)
        assert scenario.wait_for_end(job)["status"] == "completed"

        response = scenario.cancel(job)

        assert (response.status_code, response.json()["error_code"]) == (409, "job_final")

    def test_at_the_end_leaves_one_outcome(self, scenario: FaultScenario) -> None:
        scenario.start_worker("one")
        scenario.start_worker("two")
        jobs = [scenario.start(pages=1) for _ in range(10)]
        rng = random.Random(3)  # noqa: S311 - no secret
        for job in jobs:
            scenario.wait_for_page(job, 1)
            # Between the response of the only page and shortly after the end.
            wait_s(rng.uniform(0.2, 1))

            status = scenario.cancel(job).status_code

            end = scenario.wait_for_end(job)
            if status == 409:
                assert end["status"] == "completed"
            else:
                assert status == 202
                assert end["status"] == "completed" or end["error_code"] == "cancelled"
