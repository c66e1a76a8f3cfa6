"""Redis without writes that it had acknowledged, or as a replica: no result lacks a row."""

from collections import Counter
from typing import Any
from uuid import uuid4

from tests.faults.job_scenario import PAGE_MS
from tests.faults.poll_recorder import JOB_PATH
from tests.faults.scenario import FaultScenario
from tests.faults.test_redis_away import check_unavailable
from tests.support.polling import wait_until

_PATH = JOB_PATH.format(site="tubehunt")


def _count_rejections(scenario: FaultScenario) -> int:
    """Return the number of writes that Redis rejected as a replica."""
    with scenario.services.connect() as redis:
        stats: dict[str, Any] = redis.info("errorstats")
    return int(stats.get("errorstat_READONLY", {}).get("count", 0))


class TestLostWrites:
    def test_of_pages_are_made_again(self, scenario: FaultScenario) -> None:
        scenario.start_worker("one")
        job = scenario.start(pages=7, site="single")
        scenario.wait_for_page(job, 3)
        copy = scenario.copy_redis()
        # Pages 3 and 4 are stored now, with the same lease.
        scenario.wait_for_page(job, 5)

        scenario.restore_redis(copy)

        end = scenario.wait_for_end(job)
        assert (end["status"], end["attempt"]) == ("completed", 2)
        assert scenario.requested_pages(job) == {1: 1, 2: 1, 3: 2, 4: 2, 5: 2, 6: 1, 7: 1}

    def test_of_the_last_page_are_made_again(self, scenario: FaultScenario) -> None:
        scenario.start_worker("one")
        # The copy is complete before the second page is.
        scenario.demo.have(slow_ms=3000)
        job = scenario.start(pages=3, site="single")
        scenario.wait_for_page(job, 2)
        copy = scenario.copy_redis()
        scenario.demo.have(slow_ms=PAGE_MS)
        scenario.wait_for_page(job, 3)

        scenario.restore_redis(copy)

        end = scenario.wait_for_end(job)
        assert (end["status"], end["attempt"]) == ("completed", 2)

    def test_of_the_claim_let_the_job_run_from_its_start(self, scenario: FaultScenario) -> None:
        job = scenario.start(pages=4, site="single")
        copy = scenario.copy_redis()
        scenario.start_worker("one")
        scenario.wait_for_page(job, 3)

        scenario.restore_redis(copy)

        end = scenario.wait_for_end(job)
        assert (end["status"], end["attempt"]) == ("completed", 1)
        requested = scenario.requested_pages(job)
        assert (requested[1], requested[2], requested[4]) == (2, 2, 1)


class TestDemotedRedis:
    def test_only_delays_the_running_job(self, scenario: FaultScenario) -> None:
        worker = scenario.start_worker("one")
        job = scenario.start(pages=6)
        waiting = scenario.start(pages=1)
        scenario.wait_for_page(job, 2)
        rejections = _count_rejections(scenario)

        with scenario.redis_demoted(), scenario.services.client() as api:
            check_unavailable(api.post(f"{_PATH}/start"))
            check_unavailable(api.post(f"{_PATH}/cancel/{job.id}"))
            # Reads go on.
            assert api.get(f"{_PATH}/result/{job.id}").status_code == 200
            assert api.get(f"{_PATH}/result/{uuid4()}").status_code == 404
            assert api.get("/api/v1/jobs").status_code == 200
            wait_until(lambda: api.get("/api/health").status_code == 503)
            # The worker's writes of its page are among them.
            wait_until(lambda: _count_rejections(scenario) >= rejections + 20)

        for ended in (scenario.wait_for_end(job), scenario.wait_for_end(waiting)):
            assert (ended["status"], ended["attempt"]) == ("completed", 1)
        assert scenario.requested_pages(job) == Counter(range(1, 7))
        assert worker.is_alive
