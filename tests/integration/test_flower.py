"""Jobs in Flower: names, states, and no secrets."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from demo.account import Account
from tests.integration.services import Services, run_job


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


@pytest.fixture(scope="module")
def flower(services: Services) -> Iterator[httpx.Client]:
    """Run Flower and a worker that it knows."""
    # A setting of Flower: its API needs no login. It listens on the loopback interface only.
    services.stack.settings["FLOWER_UNAUTHENTICATED_API"] = "true"
    process = services.stack.flower()
    services.stack.worker()
    with httpx.Client(base_url=process.url, timeout=10, trust_env=False) as client:
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
        run = run_job(services)

        task = wait_for_end(flower, run.job_id)

        assert task["state"] == "FAILURE"
        assert "login_failed" in task["exception"]
        assert Account().password not in str(task)
