"""A browser that crashes or hangs costs its job a new browser, not the worker its job."""

import signal

import pytest

from tests.faults.browsers import Part, strike
from tests.faults.scenario import Scene


class TestCrash:
    @pytest.mark.parametrize("part", ["browser", "driver", "page"])
    def test_costs_a_new_browser(self, scene: Scene, part: Part) -> None:
        worker = scene.worker("one")
        with scene.held_at(3):
            job = scene.start()
            scene.wait_for_page(job, 3)
        strike(scene, "one", part, signal.SIGKILL)

        assert (scene.end(job)["status"], scene.end(job)["attempt"]) == ("completed", 1)
        assert scene.pages(job) == [1, 2, 3, 3, 4]
        worker.check()

    def test_ends_the_job_if_it_comes_with_every_browser(self, scene: Scene) -> None:
        worker = scene.worker("one")
        with scene.held_at(3):
            job = scene.start()
            for browser in (1, 2, 3):
                scene.wait_for_page(job, 3, times=browser)
                strike(scene, "one", "browser", signal.SIGKILL)
            end = scene.end(job)

        assert (end["status"], end["error_code"], end["attempt"]) == (
            "failed",
            "browser_crashed",
            1,
        )
        assert scene.end(scene.start(pages=1))["status"] == "completed"
        worker.check()
