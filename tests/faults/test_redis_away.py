"""Redis may restart, crash or hang: callers get 503 meanwhile, and no job is lost or run twice."""

import os
import signal
from uuid import uuid4

import httpx
import pytest

from tests.faults.poll_recorder import ADDRESS
from tests.faults.scenario import LEASE_S, Scene, child_of, let_pass

_PATH = ADDRESS.format(site="tubehunt")


def check_refused(answer: httpx.Response) -> None:
    """Fail unless it says that nothing can be said just now, and when to ask again."""
    assert answer.status_code == 503
    assert answer.json()["error_code"] == "redis_unavailable"
    assert int(answer.headers["Retry-After"]) > 0


class TestRedisAway:
    @pytest.mark.parametrize(
        ("how", "leases"),
        [("stopped", 0.6), ("killed", 1.5), ("hung", 1.5)],
        ids=lambda value: value,
    )
    def test_costs_the_running_job_time_and_nothing_else(
        self, scene: Scene, how: str, leases: float
    ) -> None:
        scene.worker("one")
        job, waiting = scene.start(pages=6), scene.start(pages=1)
        scene.wait_for_page(job, 2)

        with scene.redis_away(how), scene.services.client() as api:
            check_refused(api.post(f"{_PATH}/start"))
            check_refused(api.post(f"{_PATH}/cancel/{job.id}"))
            check_refused(api.get(f"{_PATH}/result/{uuid4()}"))
            let_pass(leases * LEASE_S)

        assert (scene.end(job)["status"], scene.end(job)["attempt"]) == ("completed", 1)
        assert scene.pages(job) == [1, 2, 3, 4, 5, 6]
        assert (scene.end(waiting)["status"], scene.end(waiting)["attempt"]) == ("completed", 1)
        assert any(poll.status == 503 for poll in scene.watch.polls[job.id])

    def test_leaves_a_worker_time_to_say_that_it_lives(self, scene: Scene) -> None:
        scene.worker("one")
        scene.worker("two")
        job = scene.start(pages=6)
        scene.wait_for_page(job, 2)
        child = child_of(scene.holder(job))

        with scene.redis_away("hung"):
            os.kill(child, signal.SIGSTOP)
            let_pass(2 * LEASE_S)
        # Its lease has run out long ago, and others look for such jobs.
        let_pass(LEASE_S / 4)
        os.kill(child, signal.SIGCONT)

        assert (scene.end(job)["status"], scene.end(job)["attempt"]) == ("completed", 1)

    def test_forgets_no_job_that_was_accepted_a_moment_before(self, scene: Scene) -> None:
        scene.worker("one")
        jobs = [scene.start(pages=1) for _ in range(3)]

        with scene.redis_away("killed"):
            pass

        assert [scene.end(job)["status"] for job in jobs] == ["completed"] * 3
