"""Jobs in Flower: names, states, and no secrets."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from demo.account import Account
from garimpo.local_stack.process import Process
from garimpo.local_stack.stack import Stack
from jobs.redis import keys
from tests.integration.services import Services, follow, run_job
from tests.support.polling import wait_until

JOB = "/api/v1/tubehunt/scrape-channels"


def wait_for(flower: httpx.Client, path: str, select: Callable[[Any], Any]) -> Any:
    """Poll Flower until `select` returns a true value of the response; return that value."""
    deadline = time.monotonic() + 30
    pause = threading.Event()
    while True:
        response = flower.get(path)
        selected = select(response.json()) if response.is_success else None
        if selected:
            return selected
        assert time.monotonic() < deadline, response.text
        pause.wait(0.1)


def wait_for_end(flower: httpx.Client, job_id: str) -> dict[str, Any]:
    """Return a task of Flower as soon as it has ended."""

    def select_ended(tasks: dict[str, Any]) -> dict[str, Any] | None:
        task: dict[str, Any] = tasks.get(job_id, {})
        return task if task.get("state") in {"SUCCESS", "FAILURE"} else None

    task: dict[str, Any] = wait_for(flower, "/api/tasks", select_ended)
    return task


def test_does_not_start_with_the_password_of_the_example() -> None:
    with Stack() as stack:
        stack.redis()
        flower = stack.flower({"FLOWER_BASIC_AUTH": "ops:CHANGE-ME"}, wait=False)
        wait_until(lambda: not flower.is_alive)

        assert "FLOWER_BASIC_AUTH has the password of the example" in flower.read_log()


@pytest.fixture(scope="module")
def flower_process(services: Services) -> Process:
    """Run Flower and a worker."""
    # A setting of Flower: its API needs no login. It listens on the loopback interface only.
    services.stack.settings["FLOWER_UNAUTHENTICATED_API"] = "true"
    # So that ends would soon be published again.
    services.stack.settings |= {"LEASE_S": "2", "HEARTBEAT_S": "0.5", "RECONCILE_EVERY_S": "0.3"}
    process = services.stack.flower()
    services.stack.worker()
    return process


@pytest.fixture
def flower(flower_process: Process) -> Iterator[httpx.Client]:
    """Open a client of Flower, which knows the worker."""
    with httpx.Client(base_url=flower_process.url, timeout=10, trust_env=False) as client:
        wait_for(client, "/workers?json=1", lambda body: body["data"])
        yield client


class TestFlower:
    def test_shows_a_completed_job_by_site_and_name(
        self, services: Services, flower: httpx.Client
    ) -> None:
        services.demo.have()
        run = run_job(services)

        task = wait_for_end(flower, run.job_id)

        assert (task["name"], task["state"]) == ("tubehunt.scrape-channels", "SUCCESS")
        assert Account().password not in str(task)

    def test_shows_a_failed_job_with_its_error(
        self, services: Services, flower: httpx.Client
    ) -> None:
        services.demo.have(wrong_password=True)
        services.forget_sessions()
        run = run_job(services)

        task = wait_for_end(flower, run.job_id)

        assert task["state"] == "FAILURE"
        assert "login_failed" in task["exception"]
        assert Account().password not in str(task)

    def test_counts_each_end_once(self, services: Services, flower: httpx.Client) -> None:
        before = count_ends(flower)
        services.demo.have()
        ids = [run_job(services).job_id for _ in range(2)]
        services.demo.have(wrong_password=True)
        services.forget_sessions()
        ids.append(run_job(services).job_id)
        services.demo.have(slow_ms=3000)
        with services.client() as api:
            for _ in range(2):  # one that runs, and one that waits
                job_id = api.post(f"{JOB}/start").json()["job_id"]
                ids.append(job_id)
            wait_until(lambda: api.get(f"{JOB}/result/{ids[-2]}").json()["status"] == "processing")
            for job_id in ids[-2:]:
                api.post(f"{JOB}/cancel/{job_id}").raise_for_status()
                follow(services, job_id)

        with services.connect() as redis:
            # None will be published again.
            wait_until(lambda: not redis.zcard(keys.UNPUBLISHED_ENDS), within_s=120)
        for job_id in ids:
            wait_for_end(flower, job_id)

        assert count_ends(flower) - before == len(ids)

    def test_is_told_of_ends_that_it_has_missed(
        self, services: Services, flower: httpx.Client, flower_process: Process
    ) -> None:
        services.demo.have()
        flower_process.stop()
        run = run_job(services)
        ended_at = run.record().ended_at
        assert ended_at
        with services.connect() as redis:
            # It was published for the first time, and nobody has received it.
            wait_until(
                lambda: (
                    (redis.zscore(keys.UNPUBLISHED_ENDS, run.job_id) or 0)
                    > ended_at.timestamp() * 1000 + 1
                )
            )
        flower_process.start()
        flower_process.wait_ready()

        wait_until(lambda: flower.get(f"/api/task/info/{run.job_id}").is_success, within_s=120)
        assert wait_for_end(flower, run.job_id)["state"] == "SUCCESS"


def count_ends(flower: httpx.Client) -> float:
    """Return the number of ends that Flower has been told of."""
    pattern = r'^flower_events_total\{.*type="task-(?:succeeded|failed)".*\} (\S+)$'
    return sum(map(float, re.findall(pattern, flower.get("/metrics").text, re.MULTILINE)))
