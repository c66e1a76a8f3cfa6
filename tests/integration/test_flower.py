"""Flower, as ops look at it: each job by its site's name, failed ones as failed, no secret."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from demo.account import Account
from tests.integration.services import Services, run_job


def wait_for(flower: httpx.Client, path: str, is_there: Callable[[Any], Any]) -> Any:
    """Ask Flower until its answer has what is looked for; return that."""
    deadline = time.monotonic() + 30
    pause = threading.Event()
    while True:
        answer = flower.get(path)
        found = is_there(answer.json()) if answer.is_success else None
        if found:
            return found
        assert time.monotonic() < deadline, answer.text
        pause.wait(0.1)


def wait_for_end(flower: httpx.Client, job_id: str) -> dict[str, Any]:
    """Return what Flower knows of a task, once it knows its end."""

    def ended(tasks: dict[str, Any]) -> dict[str, Any] | None:
        task: dict[str, Any] = tasks.get(job_id, {})
        return task if task.get("state") in {"SUCCESS", "FAILURE"} else None

    found: dict[str, Any] = wait_for(flower, "/api/tasks", ended)
    return found


@pytest.fixture(scope="module")
def flower(services: Services) -> Iterator[httpx.Client]:
    """Run Flower and a worker that it has heard of."""
    # Flower's own switch: its API answers without a login, for this test's loopback alone.
    services.stack.settings["FLOWER_UNAUTHENTICATED_API"] = "true"
    process = services.stack.flower()
    services.stack.worker()
    with httpx.Client(base_url=process.url, timeout=10, trust_env=False) as client:
        wait_for(client, "/workers?json=1", lambda answer: answer["data"])
        yield client


class TestFlower:
    def test_shows_a_completed_job_by_its_sites_name(
        self, services: Services, flower: httpx.Client
    ) -> None:
        services.demo.have()
        run = run_job(services)

        task = wait_for_end(flower, run.job_id)

        assert (task["name"], task["state"]) == ("tubehunt.scrape-channels", "SUCCESS")
        assert Account().password not in str(task)

    def test_shows_a_failed_job_as_failed_and_why(
        self, services: Services, flower: httpx.Client
    ) -> None:
        services.demo.have(wrong_password=True)
        run = run_job(services)

        task = wait_for_end(flower, run.job_id)

        assert task["state"] == "FAILURE"
        assert "login_failed" in task["exception"]
        assert Account().password not in str(task)
