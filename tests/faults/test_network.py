"""Workers disconnected from Redis: each job still has exactly one result."""

from collections import Counter

import pytest

from tests.faults.job_scenario import SubmittedJob
from tests.faults.proxy import Proxy
from tests.faults.scenario import LEASE_S, FaultScenario, wait_s
from tests.support.polling import wait_until


@pytest.fixture
def networks(scenario: FaultScenario) -> dict[str, Proxy]:
    """Run two workers, each connected to Redis through its own proxy."""
    networks = {name: scenario.start_proxy() for name in ("one", "two")}
    for name, proxy in networks.items():
        scenario.start_worker(name, {"REDIS_URL": proxy.redis_url})
    return networks


def start(scenario: FaultScenario) -> SubmittedJob:
    """Start a job; return when its second page is requested."""
    job = scenario.start(pages=6)
    scenario.wait_for_page(job, 2)
    return job


class TestNetwork:
    def test_may_be_reset_repeatedly(
        self, scenario: FaultScenario, networks: dict[str, Proxy]
    ) -> None:
        job = start(scenario)

        for page in (2, 3, 5):
            scenario.wait_for_page(job, page)
            for proxy in networks.values():
                proxy.cut()

        assert (scenario.wait_for_end(job)["status"], scenario.wait_for_end(job)["attempt"]) == (
            "completed",
            1,
        )
        assert scenario.requested_pages(job) == Counter(range(1, 7))

    def test_may_be_down_for_less_than_a_lease(
        self, scenario: FaultScenario, networks: dict[str, Proxy]
    ) -> None:
        job = start(scenario)
        proxy = networks[scenario.holder(job).name]

        proxy.refuse()
        wait_s(LEASE_S / 4)
        proxy.restore()

        assert (scenario.wait_for_end(job)["status"], scenario.wait_for_end(job)["attempt"]) == (
            "completed",
            1,
        )

    @pytest.mark.parametrize("how", ["swallowed", "refused", "frozen"])
    def test_costs_a_worker_its_job_if_it_is_down_for_longer(
        self, scenario: FaultScenario, networks: dict[str, Proxy], how: str
    ) -> None:
        with scenario.hold_page(3):
            job = scenario.start()
            scenario.wait_for_page(job, 3)
            old = scenario.holder(job)
            if how == "frozen":
                scenario.freeze(old)
            elif how == "swallowed":
                networks[old.name].blackhole()
            else:
                networks[old.name].refuse()
            scenario.wait_for_page(job, 3, times=2)
            taken_over = scenario.redis_content(job)
            scenario.thaw(old) if how == "frozen" else networks[old.name].restore()

            # While the new worker runs the job, the old one finds that its lease is lost, closes
            # its browser and writes nothing.
            wait_until(lambda: not scenario.browsers(old.name))
            assert scenario.redis_content(job) == taken_over
            assert scenario.record_field(job, "attempt") == "2"
        # The held request gets no response; the new worker repeats it.
        scenario.services.demo.give_up()

        assert (scenario.wait_for_end(job)["status"], scenario.wait_for_end(job)["attempt"]) == (
            "completed",
            2,
        )
        # The held page is requested once by the old worker and twice by the new one.
        assert scenario.requested_pages(job) == {1: 1, 2: 1, 3: 3, 4: 2}
        for worker in scenario.workers.values():
            if worker is not old:
                worker.stop()
        assert scenario.wait_for_end(scenario.start(pages=1))["status"] == "completed"
