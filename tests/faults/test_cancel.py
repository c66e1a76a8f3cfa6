"""A cancelled job ends at once if it waits, within seconds if it runs; and never both ways."""

import random
import signal

import pytest

from tests.faults.browsers import Part, strike
from tests.faults.scenario import Scene, let_pass
from tests.support.browser_processes import wait_for_no_browser


class TestCancel:
    def test_ends_a_waiting_job_at_once(self, scene: Scene) -> None:
        job = scene.start()

        answer = scene.cancel(job)

        assert (answer.status_code, answer.json()["error_code"]) == (202, "cancelled")
        scene.worker("one")
        later = scene.start(pages=1)
        assert scene.end(later)["status"] == "completed"
        assert scene.end(job)["attempt"] == 0
        assert scene.pages(job) == []

    def test_ends_a_running_job_and_its_browser(self, scene: Scene) -> None:
        scene.worker("one")
        job, next_one = scene.start(pages=13), scene.start(pages=1)
        scene.wait_for_page(job, 3)

        answer = scene.cancel(job)

        assert (answer.status_code, answer.json()["status"]) == (202, "processing")
        end = scene.end(job, within_s=15)
        assert (end["status"], end["error_code"], end["attempt"]) == ("failed", "cancelled", 1)
        # The worker is free for the next one.
        assert scene.end(next_one)["status"] == "completed"
        assert 13 not in scene.pages(job)

    @pytest.mark.parametrize("part", ["driver", "browser"])
    def test_ends_a_job_whose_browser_hangs(self, scene: Scene, part: Part) -> None:
        # Nobody would notice before the cancel's time is over, but for the cancel.
        scene.worker("one", {"BROWSER_TIMEOUT_S": "120"})
        with scene.held_at(3):
            job = scene.start()
            scene.wait_for_page(job, 3)
            scene.worker("two").wait_ready()
            strike(scene, "one", part, signal.SIGSTOP)

            scene.cancel(job)
            end = scene.end(job, within_s=30)

        assert (end["status"], end["error_code"], end["attempt"]) == ("failed", "cancelled", 1)
        assert scene.field(job, "crashes") == "0"
        wait_for_no_browser(scene.browsers_folder("one"))

    def test_ends_a_job_whose_worker_has_died(self, scene: Scene) -> None:
        worker = scene.worker("one")
        job = scene.start()
        scene.wait_for_page(job, 2)
        worker.kill()

        assert scene.cancel(job).status_code == 202
        scene.worker("two")

        end = scene.end(job)
        assert (end["status"], end["error_code"], end["attempt"]) == ("failed", "cancelled", 1)

    def test_comes_too_late_after_the_end(self, scene: Scene) -> None:
        scene.worker("one")
        job = scene.start(pages=1)
        assert scene.end(job)["status"] == "completed"

        answer = scene.cancel(job)

        assert (answer.status_code, answer.json()["error_code"]) == (409, "job_final")

    def test_and_the_end_have_one_winner(self, scene: Scene) -> None:
        scene.worker("one")
        scene.worker("two")
        jobs = [scene.start(pages=1) for _ in range(10)]
        chance = random.Random(3)  # noqa: S311 - the moments to strike at, no secret
        for job in jobs:
            scene.wait_for_page(job, 1)
            # From the answer of the only page to a moment after the end.
            let_pass(chance.uniform(0.2, 1))

            status = scene.cancel(job).status_code

            end = scene.end(job)
            if status == 409:
                assert end["status"] == "completed"
            else:
                assert status == 202
                assert end["status"] == "completed" or end["error_code"] == "cancelled"
