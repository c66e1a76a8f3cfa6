"""A job that takes longer than its recipe allows ends as `time_limit`, and is not run again.

Should the worker's process be unable to see the limit, Celery's own ends the job just so. And a
browser that hangs costs a new browser, as one does that crashes.
"""

import os
import signal

import pytest

from jobs.redis import keys
from tests.faults.browsers import strike
from tests.faults.scenario import Asked, Scene, child_of
from tests.support.browser_processes import wait_for_no_browser


def check_says_what_was_read(scene: Scene, job: Asked) -> None:
    """Fail unless the job is over its limit, tells how many items it has read, and keeps them."""
    end = scene.end(job)
    assert (end["status"], end["error_code"], end["attempt"]) == ("failed", "time_limit", 1)
    with scene.services.connect() as redis:
        kept = redis.llen(keys.items(job.id))
    assert end["error"].endswith(f" {kept}")
    assert scene.pages(job) == list(range(1, len(scene.pages(job)) + 1))


def start(scene: Scene, worker: str) -> Asked:
    """Give a new worker a job, and return when that has come to its third page."""
    scene.worker(worker)
    job = scene.start()
    scene.wait_for_page(job, 3)
    return job


class TestJobLimit:
    def test_ends_the_job_and_keeps_what_was_read(self, scene: Scene) -> None:
        worker = scene.worker("one")
        scene.services.demo.have(slow_ms=1500)
        job = scene.start(pages=13, site="hurried")

        check_says_what_was_read(scene, job)

        scene.services.demo.have()
        assert scene.end(scene.start(pages=1))["status"] == "completed"
        worker.check()

    def test_holds_for_a_site_that_never_answers(self, scene: Scene) -> None:
        scene.worker("one")
        with scene.held_at(2):
            job = scene.start(pages=13, site="hurried")

            check_says_what_was_read(scene, job)

    def test_holds_for_a_browser_that_hangs(self, scene: Scene) -> None:
        # For longer than a lease: it must not be taken for a dead worker's.
        scene.worker("one", {"BROWSER_TIMEOUT_S": "120"})
        with scene.held_at(3):
            job = scene.start(pages=13, site="hurried")
            scene.wait_for_page(job, 3)
            scene.worker("two").wait_ready()
            strike(scene, "one", "driver", signal.SIGSTOP)

            check_says_what_was_read(scene, job)

        assert scene.field(job, "crashes") == "0"
        wait_for_no_browser(scene.browsers_folder("one"))


class TestHang:
    @pytest.mark.timeout(400)
    def test_of_any_process_costs_no_worker(self, scene: Scene) -> None:
        # All at once, one worker each: each is waited for.
        with scene.held_at(3):
            hung_driver = start(scene, "driver")
            hung_browser = start(scene, "browser")
            # Its lease outlasts the limit: else the job would be taken over, as from the dead.
            worker = scene.worker("child", {"LEASE_S": "600"})
            hung_child = scene.start(site="brief")
            scene.wait_for_page(hung_child, 3)
            # Nobody shall have noticed, and asked for the page again, while that is still held.
            os.kill(child_of(worker), signal.SIGSTOP)
            strike(scene, "driver", "driver", signal.SIGSTOP)
            strike(scene, "browser", "browser", signal.SIGSTOP)

        check_says_what_was_read(scene, hung_child)
        for job in (hung_driver, hung_browser):
            end = scene.end(job, within_s=150)
            assert (end["status"], end["attempt"]) == ("completed", 1)
            assert scene.pages(job) == [1, 2, 3, 3, 4]
        later = [scene.start(pages=1) for _ in range(3)]
        assert [scene.end(job)["status"] for job in later] == ["completed"] * 3
        for worker in scene.workers.values():
            worker.check()
