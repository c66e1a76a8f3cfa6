"""What only containers can break: their ends, a Redis that is full, a worker without memory."""

from pathlib import Path
from typing import Literal

import pytest

from tests.e2e.compose import run
from tests.e2e.deployment import Scene
from tests.faults.scenario import Asked, let_pass
from tests.support.polling import wait_until

pytestmark = pytest.mark.timeout(900)

#: The default lease, and the time until somebody looks.
_LEASE_S = 17
#: The exit code of a container that was ended by SIGKILL.
_KILLED = 137
_EAT = Path(__file__).with_name("consume_memory.py").read_text(encoding="utf-8")


def let_run_out_of_memory(container: str, victim: Literal["worker", "child"]) -> None:
    """Use up a container's memory, so that the kernel ends the victim there."""
    # The one that eats is ended, too, as soon as the victim is gone.
    with pytest.raises(AssertionError):
        run("docker", "exec", "--interactive", container, "python", "-", victim, stdin=_EAT)


def start(scene: Scene) -> Asked:
    """Start a job that has come to its third page."""
    job = scene.start()
    scene.wait_for_page(job, 3)
    return job


class TestKill:
    def test_leaves_the_job_waiting_if_there_is_no_other_worker(self, scene: Scene) -> None:
        with scene.held_at(3):
            job = start(scene)
            run("docker", "kill", scene.holder(job))
        let_pass(1.5 * _LEASE_S)
        assert scene.watch.ask(job.id).body["status"] == "processing"
        scene.compose.scale(1)

        end = scene.end(job)
        assert (end["status"], end["attempt"]) == ("completed", 2)
        assert scene.pages(job) == [1, 2, 3, 3, 4]
        assert scene.field(job, "crashes") == "1"


class TestStop:
    def test_hands_the_job_over(self, scene: Scene) -> None:
        scene.compose.scale(2)
        with scene.held_at(3):
            job = start(scene)
            holder = scene.holder(job)
        run("docker", "stop", holder)

        # It had the time to end by itself, and another began before it could have been missed.
        assert scene.compose.inspect(holder)["State"]["ExitCode"] != _KILLED
        wait_until(lambda: scene.field(job, "attempt") == "2", within_s=_LEASE_S / 2)
        assert scene.end(job)["status"] == "completed"
        assert scene.field(job, "crashes") == "0"
        assert scene.pages(job) == [1, 2, 3, 3, 4]

    def test_may_give_no_time(self, scene: Scene) -> None:
        scene.compose.scale(2)
        with scene.held_at(3):
            job = start(scene)
            holder = scene.holder(job)
        run("docker", "stop", "--time", "0", holder)

        assert scene.compose.inspect(holder)["State"]["ExitCode"] == _KILLED
        end = scene.end(job)
        assert (end["status"], end["attempt"]) == ("completed", 2)
        assert scene.pages(job) == [1, 2, 3, 3, 4]


class TestFullRedis:
    def test_refuses_new_jobs_and_loses_none(self, scene: Scene) -> None:
        waiting = [start(scene), scene.start(pages=2)]
        usual = scene.compose.redis("config", "get", "maxmemory").split()[-1]

        scene.compose.redis("config", "set", "maxmemory", "1")
        try:
            answer = scene.post(1, "DateDESC")
            let_pass(5)
        finally:
            scene.compose.redis("config", "set", "maxmemory", usual)

        assert (answer.status_code, answer.json()["error_code"]) == (503, "redis_unavailable")
        assert int(answer.headers["Retry-After"]) > 0
        assert [scene.end(job)["status"] for job in waiting] == ["completed"] * 2
        assert scene.end(scene.start(pages=1))["status"] == "completed"


class TestOutOfMemory:
    def test_of_a_worker_costs_a_restart(self, scene: Scene) -> None:
        with scene.held_at(3):
            job = start(scene)
            container = scene.holder(job)
            let_run_out_of_memory(container, "worker")

        end = scene.end(job)
        assert (end["status"], end["attempt"]) == ("completed", 2)
        assert scene.pages(job) == [1, 2, 3, 3, 4]
        assert scene.compose.inspect(container)["RestartCount"] == 1

    def test_again_and_again_ends_the_job_and_no_other(self, scene: Scene) -> None:
        with scene.held_at(3):
            poison = scene.start()
            for attempt in (1, 2, 3):
                scene.wait_for_page(poison, 3, times=attempt)
                let_run_out_of_memory(scene.holder(poison), "child")
            end = scene.end(poison)
            assert (end["status"], end["error_code"]) == ("failed", "worker_lost")
            other = scene.start(pages=2)
            assert scene.end(other)["status"] == "completed"

        assert wait_until(lambda: scene.field(poison, "crashes")) == "3"
