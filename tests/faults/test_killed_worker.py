"""A worker that dies in the middle of a job costs seconds: another goes on from the last page.

And a job that kills its workers again and again costs three of them, not the service.
"""

import os
import signal

import pytest

from jobs.redis import keys
from tests.faults.scenario import LEASE_S, Scene, child_of, let_pass
from tests.support.polling import wait_until


class TestKilledWorker:
    @pytest.mark.parametrize("who", ["child", "worker"])
    def test_loses_no_more_than_the_page_it_was_at(self, scene: Scene, who: str) -> None:
        scene.worker("one")
        scene.worker("two")
        crashes, takeovers = scene.count("crashes"), scene.count("takeovers")
        with scene.held_at(3):
            struck, other = scene.start(), scene.start(pages=2)
            scene.wait_for_page(struck, 3)
            victim = scene.holder(struck)
            os.kill(child_of(victim) if who == "child" else victim.pid, signal.SIGKILL)

        end = scene.end(struck)
        assert (end["status"], end["attempt"]) == ("completed", 2)
        assert scene.pages(struck) == [1, 2, 3, 3, 4]
        assert scene.field(struck, "crashes") == "1"
        assert scene.count("crashes") - crashes == 1
        assert scene.count("takeovers") - takeovers == 1
        assert scene.end(other)["attempt"] == 1

    def test_leaves_its_job_waiting_for_the_next_worker_if_there_is_none(
        self, scene: Scene
    ) -> None:
        worker = scene.worker("one")
        with scene.held_at(3):
            job = scene.start()
            scene.wait_for_page(job, 3)
            worker.kill()
        let_pass(1.5 * LEASE_S)
        assert scene.watch.ask(job.id).body["status"] == "processing"
        worker.start()

        assert (scene.end(job)["status"], scene.end(job)["attempt"]) == ("completed", 2)
        assert scene.pages(job) == [1, 2, 3, 3, 4]

    def test_may_be_given_no_time_to_stop(self, scene: Scene) -> None:
        scene.worker("one")
        scene.worker("two")
        with scene.held_at(3):
            job = scene.start()
            scene.wait_for_page(job, 3)
            victim = scene.holder(job)
            victim.signal(signal.SIGTERM)
            victim.kill()

        assert scene.end(job)["status"] == "completed"
        assert scene.pages(job) == [1, 2, 3, 3, 4]

    def test_loses_no_message_that_was_on_its_way_to_it(self, scene: Scene) -> None:
        worker = scene.worker("one")
        worker.wait_ready()
        with scene.services.connect() as redis:

            def lose_message() -> bool:
                """Let Redis hand the message to a worker that will never read it."""
                worker.signal(signal.SIGSTOP)
                job = scene.start(pages=1)
                if redis.llen(keys.JOB_QUEUE) == 0 and scene.field(job, "state") == "pending":
                    return True
                # Its question had just run out: the next one will do.
                worker.signal(signal.SIGCONT)
                scene.end(job)
                return False

            wait_until(lose_message)
            worker.kill()
        scene.worker("two")

        assert scene.end(scene.asked[-1])["attempt"] == 1


class TestPoison:
    def test_ends_after_three_crashes_while_other_jobs_go_on(self, scene: Scene) -> None:
        scene.worker("one")
        scene.worker("two")
        with scene.held_at(3):
            poison = scene.start()
            others = [scene.start(pages=2) for _ in range(3)]
            for attempt in (1, 2, 3):
                scene.wait_for_page(poison, 3, times=attempt)
                os.kill(child_of(scene.holder(poison)), signal.SIGKILL)
            end = scene.end(poison)

        assert (end["status"], end["error_code"], end["attempt"]) == ("failed", "worker_lost", 3)
        assert scene.pages(poison) == [1, 2, 3, 3, 3]
        assert [scene.end(job)["status"] for job in others] == ["completed"] * 3
        with scene.services.connect() as redis:
            assert redis.zrange(keys.WORKER_LOST, 0, -1) == [poison.id]
