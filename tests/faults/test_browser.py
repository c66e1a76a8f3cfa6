"""Crashes of a browser: the worker replaces it and keeps the job."""

import signal

import pytest

from tests.faults.browsers import Part, signal_browser
from tests.faults.scenario import FaultScenario


class TestCrash:
    @pytest.mark.parametrize("part", ["browser", "driver", "page"])
    def test_is_followed_by_a_new_browser(self, scenario: FaultScenario, part: Part) -> None:
        worker = scenario.start_worker("one")
        with scenario.hold_page(3):
            job = scenario.start()
            scenario.wait_for_page(job, 3)
        signal_browser(scenario, "one", part, signal.SIGKILL)

        assert (scenario.wait_for_end(job)["status"], scenario.wait_for_end(job)["attempt"]) == (
            "completed",
            1,
        )
        assert scenario.requested_pages(job) == {1: 1, 2: 1, 3: 2, 4: 2}
        worker.check()

    def test_of_the_network_service_is_noticed_long_before_the_deadline(
        self, scenario: FaultScenario
    ) -> None:
        scenario.start_worker("one")
        with scenario.hold_page(3):
            job = scenario.start()
            scenario.wait_for_page(job, 3)
        signal_browser(scenario, "one", "network", signal.SIGKILL)

        # The recipe's deadline for a page is 180 s.
        end = scenario.wait_for_end(job, within_s=90)
        assert (end["status"], end["attempt"]) == ("completed", 1)
        requested = scenario.requested_pages(job)
        # Chrome may ask for the page once more itself before it is replaced.
        assert requested == {1: 1, 2: 1, 3: requested[3], 4: requested[4]}
        assert requested[3] > 1

    def test_of_every_browser_fails_the_job(self, scenario: FaultScenario) -> None:
        worker = scenario.start_worker("one")
        with scenario.hold_page(3):
            job = scenario.start()
            for browser in (1, 2, 3):
                scenario.wait_for_page(job, 3, times=browser)
                signal_browser(scenario, "one", "browser", signal.SIGKILL)
            end = scenario.wait_for_end(job)

        assert (end["status"], end["error_code"], end["attempt"]) == (
            "failed",
            "browser_crashed",
            1,
        )
        assert scenario.wait_for_end(scenario.start(pages=1))["status"] == "completed"
        worker.check()
