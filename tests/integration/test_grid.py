"""Remote browsers: jobs that use them, and removal of a dead worker's sessions.

The remote end is chromedriver, which implements WebDriver as a Grid does.
"""

import threading
import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from garimpo.local_stack.stack import Stack
from scraper.browser.chromedriver import find_chromedriver, open_chromedriver
from tests.integration.services import Services, follow, run_job

SETTINGS = {
    "LEASE_S": "3",
    "HEARTBEAT_S": "0.5",
    "RECONCILE_EVERY_S": "0.4",
    # This remote end may run as root, for which Chrome has no sandbox.
    "CHROME_ARGUMENTS": "--no-sandbox",
}


@pytest.fixture
def grid() -> Iterator[str]:
    """Run a remote end on a free port; return its URL."""
    with open_chromedriver(find_chromedriver(None)) as remote_end:
        yield remote_end.url


def wait_for(condition: Callable[[], bool], within_s: float = 30) -> None:
    deadline = time.monotonic() + within_s
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline
        pause.wait(0.05)


def list_sessions(grid: str) -> list[str]:
    """Return the ids of the remote end's sessions."""
    return [session["id"] for session in httpx.get(f"{grid}/sessions").json()["value"]]


@pytest.fixture
def services(grid: str) -> Iterator[Services]:
    """Run a stack whose workers use browsers of the remote end."""
    with Stack(settings={**SETTINGS, "SELENIUM_REMOTE_URL": grid}) as stack:
        yield Services(stack, stack.redis(), stack.site("--latency-ms", "0"), stack.api())


class TestGrid:
    def test_runs_a_job_and_leaves_no_session(self, services: Services, grid: str) -> None:
        services.stack.worker()

        assert run_job(services).end["result"]["total_channels"] == 50
        assert list_sessions(grid) == []

    def test_removes_the_session_of_a_dead_worker_at_the_takeover(
        self, services: Services, grid: str
    ) -> None:
        services.demo.have(slow_ms=1500)
        worker = services.stack.worker()
        with services.client() as api:
            response = api.post("/api/v1/tubehunt/scrape-channels/start", json={"pages": 2})
        wait_for(lambda: bool(services.demo.requests("/long/")))
        orphaned = list_sessions(grid)
        worker.kill()
        services.demo.have()
        services.stack.worker("second")

        run = follow(services, response.json()["job_id"])

        assert (run.end["status"], run.end["attempt"]) == ("completed", 2)
        assert len(orphaned) == 1
        assert list_sessions(grid) == []

    def test_removes_the_session_of_a_dead_worker_whose_job_was_cancelled(
        self, services: Services, grid: str
    ) -> None:
        address = "/api/v1/tubehunt/scrape-channels"
        services.demo.have(slow_ms=1500)
        worker = services.stack.worker()
        with services.client() as api:
            job_id = api.post(f"{address}/start", json={"pages": 2}).json()["job_id"]
            wait_for(lambda: bool(services.demo.requests("/long/")))
            worker.kill()
            assert len(list_sessions(grid)) == 1
            api.post(f"{address}/cancel/{job_id}")
        services.stack.worker("second")

        assert follow(services, job_id).end["error_code"] == "cancelled"
        wait_for(lambda: list_sessions(grid) == [])
