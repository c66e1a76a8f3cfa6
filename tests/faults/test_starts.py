"""Each accepted start is one job that runs once; an id that is none is told from an outage."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

from jobs.redis import keys
from tests.faults.poll_recorder import ADDRESS
from tests.faults.scenario import Scene
from tests.support.polling import wait_until

_RESULT = ADDRESS.format(site="tubehunt") + "/result"


class TestParallelStarts:
    def test_are_jobs_that_run_once_each(self, scene: Scene) -> None:
        scene.worker("one")
        scene.worker("two")

        with ThreadPoolExecutor(10) as clients:
            jobs = list(clients.map(lambda _: scene.start(pages=1), range(10)))

        assert len({job.id for job in jobs}) == 10
        ends = [scene.end(job) for job in jobs]
        assert [(end["status"], end["attempt"]) for end in ends] == [("completed", 1)] * 10
        assert [scene.pages(job) for job in jobs] == [[1]] * 10


class TestUnknownJob:
    def test_is_told_from_an_expired_one_and_from_an_outage(self, scene: Scene) -> None:
        scene.worker("one")
        job = scene.start(pages=1)
        scene.end(job)
        with scene.services.client() as api:
            ids = [str(uuid4()), job.id.upper(), "none", "a%20b", "0" * 100]
            assert {api.get(f"{_RESULT}/{one}").status_code for one in ids} == {404}
            with scene.redis_away("killed"):
                asked = [api.get(f"{_RESULT}/{one}") for one in (ids[0], job.id)]
                assert [answer.status_code for answer in asked] == [503, 503]

            # Its day is over; nobody has waited for it here.
            gone = scene.start(pages=1)
            scene.end(gone)
            with scene.services.connect() as redis:
                redis.pexpire(keys.record(gone.id), 1)
            scene.asked.remove(gone)
            assert wait_until(lambda: api.get(f"{_RESULT}/{gone.id}").status_code == 410)
            assert api.get(f"{_RESULT}/{uuid4()}").status_code == 404
