"""Workers come and go as ops please: a stop hands the job over and counts as no crash."""

import signal

from tests.faults.scenario import LEASE_S, Scene
from tests.support.polling import wait_until


class TestStop:
    def test_hands_the_job_over_at_its_last_page(self, scene: Scene) -> None:
        for worker in (scene.worker("one"), scene.worker("two")):
            worker.wait_ready()
        releases, takeovers = scene.count("releases"), scene.count("takeovers")
        with scene.held_at(3):
            job = scene.start()
            scene.wait_for_page(job, 3)
            holder = scene.holder(job)
        holder.signal(signal.SIGTERM)

        # Sooner than its lease would have run out, had it died.
        wait_until(lambda: scene.field(job, "attempt") == "2", within_s=LEASE_S)
        wait_until(lambda: not holder.is_alive)
        end = scene.end(job)
        assert (end["status"], end["attempt"]) == ("completed", 2)
        assert scene.field(job, "crashes") == "0"
        assert scene.count("releases") - releases == 1
        assert scene.count("takeovers") - takeovers == 1
        assert scene.pages(job) == [1, 2, 3, 3, 4]

    def test_of_one_worker_after_the_other_loses_none_of_a_queue_of_jobs(
        self, scene: Scene
    ) -> None:
        workers = [scene.worker("one"), scene.worker("two")]
        jobs = [scene.start(pages=2) for _ in range(6)]
        scene.wait_for_page(jobs[1], 1)

        for worker in workers:
            worker.signal(signal.SIGTERM)
            wait_until(lambda: not worker.is_alive)  # noqa: B023 - called at once
            worker.start()
            worker.wait_ready()

        assert [scene.end(job)["status"] for job in jobs] == ["completed"] * 6
        assert {scene.field(job, "crashes") for job in jobs} == {"0"}
        # Each page that was finished is not read again.
        assert all(scene.pages(job).count(1) <= 2 for job in jobs)
