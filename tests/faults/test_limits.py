"""Time limits of jobs, and hanging browsers.

A job that exceeds its recipe's limit fails with `time_limit` and is not retried; Celery's own limit
has the same effect if the worker's process hangs. A browser that hangs is replaced.
"""

import os
import signal
from collections import Counter

import pytest

from jobs.redis import keys
from tests.faults.browsers import signal_browser
from tests.faults.job_scenario import SubmittedJob
from tests.faults.scenario import FaultScenario, find_child
from tests.support.browser_processes import wait_for_no_browser


def check_time_limit(scenario: FaultScenario, job: SubmittedJob) -> None:
    """Fail unless the job exceeded its limit, and reports and keeps the items that it read."""
    end = scenario.wait_for_end(job)
    assert (end["status"], end["error_code"], end["attempt"]) == ("failed", "time_limit", 1)
    with scenario.services.connect() as redis:
        stored = redis.lindex(keys.item_totals(job.id), -1) or 0
    assert end["error"].endswith(f" {stored}")
    assert scenario.requested_pages(job) == Counter(
        range(1, len(scenario.requested_pages(job)) + 1)
    )


#: Longer than the limits: otherwise another worker would take over the job of a hung child. All
#: workers need the same lease.
LONG_LEASE = {"LEASE_S": "600"}


def start(scenario: FaultScenario, worker: str) -> SubmittedJob:
    """Start a worker and a job; return when its third page is requested."""
    scenario.start_worker(worker, LONG_LEASE)
    job = scenario.start()
    scenario.wait_for_page(job, 3)
    return job


class TestJobLimit:
    def test_fails_the_job_and_keeps_its_items(self, scenario: FaultScenario) -> None:
        worker = scenario.start_worker("one")
        scenario.services.demo.have(slow_ms=8000)
        job = scenario.start(pages=13, site="brief")

        check_time_limit(scenario, job)

        scenario.services.demo.have()
        assert scenario.wait_for_end(scenario.start(pages=1))["status"] == "completed"
        worker.check()

    def test_applies_if_the_site_does_not_respond(self, scenario: FaultScenario) -> None:
        scenario.start_worker("one")
        with scenario.hold_page(2):
            job = scenario.start(pages=13, site="hurried")

            check_time_limit(scenario, job)

    def test_applies_if_the_browser_hangs(self, scenario: FaultScenario) -> None:
        # Longer than a lease, which must not expire meanwhile: another worker would take the job.
        for name in ("one", "two"):
            scenario.start_worker(name, {"BROWSER_TIMEOUT_S": "120"})
        for worker in scenario.workers.values():
            worker.wait_ready()
        with scenario.hold_page(2):
            job = scenario.start(pages=13, site="brief")
            scenario.wait_for_page(job, 2)
            holder = scenario.holder_name(job)
            signal_browser(scenario, holder, "driver", signal.SIGSTOP)

            check_time_limit(scenario, job)

        assert scenario.record_field(job, "crashes") == "0"
        wait_for_no_browser(scenario.browsers_folder(holder))


class TestHang:
    @pytest.mark.timeout(400)
    def test_of_any_process_does_not_stop_the_worker(self, scenario: FaultScenario) -> None:
        # All three concurrently, with one worker each, since each takes long.
        with scenario.hold_page(3):
            hung_driver = start(scenario, "driver")
            hung_browser = start(scenario, "browser")
            worker = scenario.start_worker("child", LONG_LEASE)
            hung_child = scenario.start(site="brief")
            scenario.wait_for_page(hung_child, 3)
            # All hangs begin while the page is held, so that no request for it is repeated earlier.
            os.kill(find_child(worker), signal.SIGSTOP)
            signal_browser(scenario, "driver", "driver", signal.SIGSTOP)
            signal_browser(scenario, "browser", "browser", signal.SIGSTOP)

        check_time_limit(scenario, hung_child)
        for job in (hung_driver, hung_browser):
            end = scenario.wait_for_end(job, within_s=150)
            assert (end["status"], end["attempt"]) == ("completed", 1)
            assert scenario.requested_pages(job) == {1: 1, 2: 1, 3: 2, 4: 2}
        later = [scenario.start(pages=1) for _ in range(3)]
        assert [scenario.wait_for_end(job)["status"] for job in later] == ["completed"] * 3
        for worker in scenario.workers.values():
            worker.check()
