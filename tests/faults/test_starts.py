"""Concurrent starts, and unknown ids: 404, 410 and 503."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

from jobs.redis import keys
from tests.faults.poll_recorder import JOB_PATH
from tests.faults.scenario import FaultScenario
from tests.support.polling import wait_until

_RESULT = JOB_PATH.format(site="tubehunt") + "/result"


class TestConcurrentStarts:
    def test_are_jobs_that_run_once_each(self, scenario: FaultScenario) -> None:
        scenario.start_worker("one")
        scenario.start_worker("two")

        with ThreadPoolExecutor(10) as clients:
            jobs = list(clients.map(lambda _: scenario.start(pages=1), range(10)))

        assert len({job.id for job in jobs}) == 10
        ends = [scenario.wait_for_end(job) for job in jobs]
        assert [(end["status"], end["attempt"]) for end in ends] == [("completed", 1)] * 10
        assert [scenario.requested_pages(job) for job in jobs] == [{1: 1}] * 10


class TestUnknownJob:
    def test_is_distinguished_from_an_expired_one_and_from_an_outage(
        self, scenario: FaultScenario
    ) -> None:
        scenario.start_worker("one")
        job = scenario.start(pages=1)
        scenario.wait_for_end(job)
        with scenario.services.client() as api:
            ids = [str(uuid4()), job.id.upper(), "none", "a%20b", "0" * 100]
            assert {api.get(f"{_RESULT}/{job_id}").status_code for job_id in ids} == {404}
            with scenario.redis_outage("killed"):
                responses = [api.get(f"{_RESULT}/{job_id}") for job_id in (ids[0], job.id)]
                assert [response.status_code for response in responses] == [503, 503]

            # Let it expire at once instead of after a day.
            expired = scenario.start(pages=1)
            scenario.wait_for_end(expired)
            with scenario.services.connect() as redis:
                redis.pexpire(keys.record(expired.id), 1)
            scenario.jobs.remove(expired)
            assert wait_until(lambda: api.get(f"{_RESULT}/{expired.id}").status_code == 410)
            assert api.get(f"{_RESULT}/{uuid4()}").status_code == 404
