"""Faults of containers: killed and stopped containers, a full Redis, a worker out of memory."""

from pathlib import Path
from typing import Literal

import pytest

from tests.e2e.compose import run
from tests.e2e.deployment import Deployment
from tests.faults.job_scenario import SubmittedJob
from tests.faults.scenario import wait_s
from tests.support.polling import wait_until

pytestmark = pytest.mark.timeout(900)

#: The default lease, plus the interval of reconciliation.
_LEASE_S = 17
#: Exit code of a container that was killed by SIGKILL.
_KILLED = 137
_CONSUME_MEMORY = Path(__file__).with_name("consume_memory.py").read_text(encoding="utf-8")


def exhaust_memory(container: str, victim: Literal["worker", "child"]) -> None:
    """Use up a container's memory, so that the kernel kills the victim in it."""
    # The script itself is killed too, after the victim.
    with pytest.raises(AssertionError) as killed:
        run(
            "docker",
            "exec",
            "--interactive",
            # The worker's files in /proc are root's, since it keeps its memory from its browser.
            "--user",
            "root",
            container,
            "python",
            "-",
            victim,
            stdin=_CONSUME_MEMORY,
        )
    assert "Traceback" not in str(killed.value)


def start(deployment: Deployment) -> SubmittedJob:
    """Start a job; return when its third page is requested."""
    job = deployment.start()
    deployment.wait_for_page(job, 3)
    return job


class TestKill:
    def test_leaves_the_job_for_the_next_worker_to_start(self, deployment: Deployment) -> None:
        with deployment.hold_page(3):
            job = start(deployment)
            run("docker", "kill", deployment.holder(job))
        wait_s(1.5 * _LEASE_S)
        assert deployment.recorder.poll(job.id).body["status"] == "processing"
        deployment.compose.scale(1)

        end = deployment.wait_for_end(job)
        assert (end["status"], end["attempt"]) == ("completed", 2)
        assert deployment.requested_pages(job) == {1: 1, 2: 1, 3: 2, 4: 2}
        assert deployment.record_field(job, "crashes") == "1"


class TestStop:
    def test_releases_the_job(self, deployment: Deployment) -> None:
        deployment.compose.scale(2)
        with deployment.hold_page(3):
            job = start(deployment)
            holder = deployment.holder(job)
        run("docker", "stop", holder)

        # It exited within its grace period, and another worker claimed the job before the lease
        # expired.
        assert deployment.compose.inspect(holder)["State"]["ExitCode"] != _KILLED
        wait_until(lambda: deployment.record_field(job, "attempt") == "2", within_s=_LEASE_S / 2)
        assert deployment.wait_for_end(job)["status"] == "completed"
        assert deployment.record_field(job, "crashes") == "0"
        assert deployment.requested_pages(job) == {1: 1, 2: 1, 3: 2, 4: 2}

    def test_may_have_no_grace_period(self, deployment: Deployment) -> None:
        deployment.compose.scale(2)
        with deployment.hold_page(3):
            job = start(deployment)
            holder = deployment.holder(job)
        run("docker", "stop", "--time", "0", holder)

        assert deployment.compose.inspect(holder)["State"]["ExitCode"] == _KILLED
        end = deployment.wait_for_end(job)
        assert (end["status"], end["attempt"]) == ("completed", 2)
        assert deployment.requested_pages(job) == {1: 1, 2: 1, 3: 2, 4: 2}


class TestFullRedis:
    def test_rejects_new_jobs_and_loses_none(self, deployment: Deployment) -> None:
        accepted = [start(deployment), deployment.start(pages=2)]
        limit = deployment.compose.redis("config", "get", "maxmemory").split()[-1]

        deployment.compose.redis("config", "set", "maxmemory", "1")
        try:
            response = deployment.post_start(1, "DateDESC")
            wait_s(5)
        finally:
            deployment.compose.redis("config", "set", "maxmemory", limit)

        assert (response.status_code, response.json()["error_code"]) == (503, "queue_full")
        assert int(response.headers["Retry-After"]) > 0
        assert [deployment.wait_for_end(job)["status"] for job in accepted] == ["completed"] * 2
        assert deployment.wait_for_end(deployment.start(pages=1))["status"] == "completed"


class TestOutOfMemory:
    def test_of_a_worker_restarts_it(self, deployment: Deployment) -> None:
        with deployment.hold_page(3):
            job = start(deployment)
            container = deployment.holder(job)
            exhaust_memory(container, "worker")

        end = deployment.wait_for_end(job)
        assert (end["status"], end["attempt"]) == ("completed", 2)
        assert deployment.requested_pages(job) == {1: 1, 2: 1, 3: 2, 4: 2}
        assert deployment.compose.inspect(container)["RestartCount"] == 1

    def test_repeatedly_fails_only_the_job_that_causes_it(self, deployment: Deployment) -> None:
        with deployment.hold_page(3):
            poison = deployment.start()
            for attempt in (1, 2, 3):
                deployment.wait_for_page(poison, 3, times=attempt)
                exhaust_memory(deployment.holder(poison), "child")
            end = deployment.wait_for_end(poison)
            assert (end["status"], end["error_code"]) == ("failed", "worker_lost")
            other = deployment.start(pages=2)
            assert deployment.wait_for_end(other)["status"] == "completed"

        assert wait_until(lambda: deployment.record_field(poison, "crashes")) == "3"
