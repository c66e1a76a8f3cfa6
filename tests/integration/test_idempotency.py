"""Repeated start requests: one job."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import httpx
import pytest

from jobs.redis import keys
from tests.integration.services import Services, follow
from tests.support.polling import wait_until

PATH = "/api/v1/tubehunt/scrape-channels"


def start(
    api: httpx.Client, key: str | None = None, *, join: bool = False, pages: int = 1
) -> httpx.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    body = {"per_page": 10, "pages": pages}
    params = {"join": "true"} if join else {}
    return api.post(f"{PATH}/start", json=body, headers=headers, params=params)


class TestIdempotencyKey:
    def test_returns_the_same_job_and_response(self, api: httpx.Client) -> None:
        key = str(uuid4())
        first = start(api, key)
        second = start(api, key)

        assert (first.status_code, second.status_code) == (202, 202)
        assert first.json() == second.json()
        assert first.headers["Location"] == second.headers["Location"]
        assert second.headers["Idempotent-Replayed"] == "true"
        assert "Idempotent-Replayed" not in first.headers
        assert start(api, str(uuid4())).json()["job_id"] != first.json()["job_id"]

    def test_is_kept_for_a_day(self, services: Services, api: httpx.Client) -> None:
        with services.connect() as redis:
            before = set(redis.keys(keys.idempotency("*")))
            start(api, str(uuid4()))
            [kept] = set(redis.keys(keys.idempotency("*"))) - before

            assert 24 * 3600 - 60 < int(redis.ttl(kept)) <= 24 * 3600

    def test_creates_one_job_for_twenty_requests_at_once(self, services: Services) -> None:
        key = str(uuid4())
        with services.connect() as redis:
            before = redis.llen(keys.JOB_QUEUE)

            def send(_: int) -> str:
                with services.client() as api:
                    job_id: str = start(api, key).json()["job_id"]
                    return job_id

            with ThreadPoolExecutor(20) as callers:
                ids = set(callers.map(send, range(20)))

            assert len(ids) == 1
            assert redis.llen(keys.JOB_QUEUE) == before + 1

    def test_conflicts_with_another_request(self, api: httpx.Client) -> None:
        key = str(uuid4())
        start(api, key)

        response = start(api, key, pages=2)

        assert (response.status_code, response.json()["error_code"]) == (
            422,
            "idempotency_conflict",
        )

    def test_is_kept_after_the_end_of_the_job(self, api: httpx.Client) -> None:
        key = str(uuid4())
        job_id = start(api, key).json()["job_id"]
        api.post(f"{PATH}/cancel/{job_id}")

        assert start(api, key).json()["job_id"] == job_id

    def test_makes_it_safe_to_repeat_a_failed_request(
        self, services: Services, api: httpx.Client
    ) -> None:
        key = str(uuid4())
        services.redis.stop()
        try:
            assert start(api, key).status_code == 503
        finally:
            services.redis.start()
            services.redis.wait_ready()
        wait_until(lambda: start(api, key).status_code == 202)
        assert start(api, key).headers["Idempotent-Replayed"] == "true"

    @pytest.mark.parametrize("key", ["", "x" * 256])
    def test_has_between_1_and_255_characters(self, api: httpx.Client, key: str) -> None:
        response = start(api, key)
        assert (response.status_code, response.json()["error_code"]) == (422, "invalid_parameters")


class TestJoin:
    def test_returns_an_identical_pending_job(self, api: httpx.Client) -> None:
        first = start(api, pages=5).json()

        joined = start(api, join=True, pages=5).json()

        assert (joined["job_id"], joined["joined"], first["joined"]) == (
            first["job_id"],
            True,
            False,
        )
        assert start(api, join=True, pages=6).json()["joined"] is False
        assert start(api, pages=5).json()["job_id"] != first["job_id"], "without join"

    def test_creates_a_new_job_after_the_end(self, services: Services, api: httpx.Client) -> None:
        first = start(api, pages=7).json()
        api.post(f"{PATH}/cancel/{first['job_id']}")
        follow(services, first["job_id"])

        second = start(api, join=True, pages=7).json()

        assert (second["joined"], second["job_id"] != first["job_id"]) == (False, True)
        with services.connect() as redis:
            assert len(redis.keys(keys.identical("*"))) > 0
            api.post(f"{PATH}/cancel/{second['job_id']}")

    def test_can_be_combined_with_a_key(self, api: httpx.Client) -> None:
        key = str(uuid4())
        first = start(api, pages=8).json()["job_id"]

        joined = start(api, key, join=True, pages=8)
        assert (joined.json()["job_id"], joined.json()["joined"]) == (first, True)
        api.post(f"{PATH}/cancel/{first}")

        again = start(api, key, join=True, pages=8)

        assert again.json() == joined.json()
        assert again.headers["Idempotent-Replayed"] == "true"
