"""A job's items while it runs and after its end: each exactly once."""

import signal
from typing import Any

import httpx
import pytest

from demo.channels import all_channels
from demo.golden import expected_item
from garimpo.local_stack.process import Process
from tests.integration.services import Services, follow, run_job
from tests.support.polling import wait_until

PATH = "/api/v1/tubehunt/scrape-channels"


@pytest.fixture(scope="module")
def worker(services: Services) -> Process:
    return services.stack.worker()


def read(api: httpx.Client, job_id: str, **params: Any) -> dict[str, Any]:
    response = api.get(f"{PATH}/items/{job_id}", params=params)
    assert response.status_code == 200, response.text
    page: dict[str, Any] = response.json()
    return page


def read_next(api: httpx.Client, job_id: str, items: list[Any], cursor: str | None) -> str | None:
    """Append the page after the cursor to the items; return the next cursor."""
    page = read(api, job_id, limit=7, **({"cursor": cursor} if cursor else {}))
    items += page["items"]
    return str(page["next_cursor"]) if page["next_cursor"] is not None else None


class TestItems:
    def test_come_page_by_page_until_the_end(
        self, services: Services, api: httpx.Client, worker: Process
    ) -> None:
        assert worker.is_alive
        services.demo.have()
        run = run_job(services, {"pages": 2, "per_page": 10})
        items: list[Any] = []
        cursor = read_next(api, run.job_id, items, None)
        while cursor is not None:
            cursor = read_next(api, run.job_id, items, cursor)

        assert items == run.end["result"]["channels"]
        last = read(api, run.job_id, cursor=20)
        assert (last["items"], last["total"], last["next_cursor"]) == ([], 20, None)

    def test_can_be_read_while_the_job_runs_also_after_a_take_over(
        self, services: Services, api: httpx.Client, worker: Process
    ) -> None:
        services.demo.have(hang_page=3)
        job_id = api.post(f"{PATH}/start", json={"pages": 4, "per_page": 10}).json()["job_id"]
        wait_until(lambda: read(api, job_id)["total"] == 20)
        items: list[Any] = []
        cursor = read_next(api, job_id, items, None)
        while len(items) < 20:
            cursor = read_next(api, job_id, items, cursor)
        waiting = read(api, job_id, cursor=cursor)
        assert (waiting["items"], waiting["next_cursor"]) == ([], "20")
        assert (waiting["is_final"], waiting["retry_after_seconds"] > 0) == (False, True)

        worker.signal(signal.SIGTERM)
        wait_until(lambda: not worker.is_alive)
        services.demo.have()
        worker.start()
        end = follow(services, job_id).end
        while cursor is not None:
            cursor = read_next(api, job_id, items, cursor)

        assert (end["status"], end["attempt"]) == ("completed", 2)
        assert items == [expected_item(channel) for channel in all_channels()[:40]]

    def test_of_a_failed_job_are_kept(self, services: Services, api: httpx.Client) -> None:
        services.demo.have(hang_page=2)
        job_id = api.post(f"{PATH}/start", json={"pages": 2, "per_page": 10}).json()["job_id"]
        wait_until(lambda: read(api, job_id)["total"] == 10)
        api.post(f"{PATH}/cancel/{job_id}")
        end = follow(services, job_id).end
        assert (end["error_code"], end["items_read"], end["pages_read"]) == ("cancelled", 10, 1)

        page = read(api, job_id)

        assert (page["status"], page["total"], page["next_cursor"]) == ("failed", 10, None)
        services.demo.have()

    @pytest.mark.parametrize(
        "params", [{"cursor": "-1"}, {"cursor": "x"}, {"limit": "1001"}, {"cursor": str(2**63 - 1)}]
    )
    def test_reject_an_invalid_cursor_or_limit(
        self, api: httpx.Client, params: dict[str, str]
    ) -> None:
        unknown = "00000000-0000-4000-8000-000000000000"
        response = api.get(f"{PATH}/items/{unknown}", params=params)
        assert (response.status_code, response.json()["error_code"]) == (422, "invalid_parameters")
