"""A request that waits: it is answered at the end of the job, or at the end of its patience."""

import asyncio
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from api import long_polling
from tests.integration.services import Services
from tests.support.polling import wait_until

PATH = "/api/v1/tubehunt/scrape-channels"
#: Longer than a request may wait.
TIMEOUT_S = 90


def start(api: httpx.Client) -> str:
    job_id: str = api.post(f"{PATH}/start", json={"per_page": 10}).json()["job_id"]
    return job_id


@contextmanager
def asking(services: Services, path: str, **request: Any) -> Iterator["Future[httpx.Response]"]:
    """Ask in a thread of its own."""

    def ask() -> httpx.Response:
        with httpx.Client(base_url=services.api.url, trust_env=False, timeout=TIMEOUT_S) as client:
            return client.get(path, **request)

    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(ask)


class TestWait:
    def test_ends_with_the_job(self, services: Services, api: httpx.Client) -> None:
        job_id = start(api)
        with asking(services, f"{PATH}/result/{job_id}", params={"wait": 60}) as answer:
            assert not answer.done()
            worker = services.stack.worker()
            body = answer.result(timeout=60).json()
        worker.stop()

        assert (body["status"], body["is_final"]) == ("completed", True)

    def test_ends_at_once_with_a_cancelled_job(self, services: Services, api: httpx.Client) -> None:
        job_id = start(api)
        with asking(services, f"{PATH}/result/{job_id}", headers={"Prefer": "wait=60"}) as answer:
            wait_until(lambda: listening(services) and not answer.done())
            api.post(f"{PATH}/cancel/{job_id}")
            body = answer.result(timeout=30)

        assert body.json()["error_code"] == "cancelled"

    @pytest.mark.parametrize(
        ("params", "headers"),
        [({"wait": 1}, {}), ({"wait": "0.5"}, {}), ({}, {"Prefer": "respond-async, wait=1"})],
    )
    def test_ends_with_the_state_of_then(
        self, api: httpx.Client, params: dict[str, Any], headers: dict[str, str]
    ) -> None:
        job_id = start(api)
        began = time.monotonic()

        answer = api.get(f"{PATH}/result/{job_id}", params=params, headers=headers)

        assert time.monotonic() - began >= float(params.get("wait", 1))
        assert (answer.status_code, answer.json()["status"]) == (200, "pending")
        api.post(f"{PATH}/cancel/{job_id}")

    @pytest.mark.parametrize("wait", ["61", "-1", "soon"])
    def test_refuses_what_is_no_time(self, api: httpx.Client, wait: str) -> None:
        answer = api.get(f"{PATH}/result/{start(api)}", params={"wait": wait})

        assert (answer.status_code, answer.json()["error_code"]) == (422, "invalid_parameters")
        assert answer.json()["detail"].startswith("wait: ")

    def test_does_not_wait_for_an_unknown_job(self, api: httpx.Client) -> None:
        unknown = "00000000-0000-4000-8000-000000000000"
        assert api.get(f"{PATH}/result/{unknown}", params={"wait": 60}).status_code == 404

    def test_outlives_an_outage(self, services: Services, api: httpx.Client) -> None:
        job_id = start(api)
        with asking(services, f"{PATH}/result/{job_id}", params={"wait": 60}) as answer:
            wait_until(lambda: listening(services))
            services.redis.stop()
            assert api.get(f"{PATH}/result/{job_id}").status_code == 503
            services.redis.start()
            services.redis.wait_ready()
            assert not answer.done()
            wait_until(lambda: api.post(f"{PATH}/cancel/{job_id}").status_code == 202)
            body = answer.result(timeout=60)

        assert (body.status_code, body.json()["error_code"]) == (200, "cancelled")

    def test_says_at_its_end_that_redis_is_away(
        self, services: Services, api: httpx.Client
    ) -> None:
        job_id = start(api)
        with asking(services, f"{PATH}/result/{job_id}", params={"wait": 3}) as answer:
            wait_until(lambda: listening(services))
            services.redis.stop()
            try:
                assert answer.result(timeout=30).status_code == 503
            finally:
                services.redis.start()
                services.redis.wait_ready()

    def test_is_no_longer_than_a_pause_of_redis_if_the_job_has_ended(
        self, services: Services, api: httpx.Client
    ) -> None:
        job_id = start(api)
        api.post(f"{PATH}/cancel/{job_id}")
        with services.connect() as redis:
            # Too short for the connection that listens to be cut, and too long for a question.
            redis.execute_command("CLIENT PAUSE", 6000, "ALL")

        with asking(services, f"{PATH}/result/{job_id}", params={"wait": 60}) as answer:
            assert answer.result(timeout=30).json()["error_code"] == "cancelled"

    def test_ends_when_the_api_is_told_to_stop(self, services: Services, api: httpx.Client) -> None:
        job_id = start(api)
        with asking(services, f"{PATH}/result/{job_id}", params={"wait": 60}) as answer:
            wait_until(lambda: open_connections(services.api.pid, urlsplit(services.api.url).port))
            services.api.signal(signal.SIGTERM)
            body = answer.result(timeout=30)
        wait_until(lambda: not services.api.is_alive)
        services.api.start()
        services.api.wait_ready()

        assert (body.status_code, body.json()["status"]) == (200, "pending")

    @pytest.mark.parametrize(
        ("prefer", "seconds"),
        [
            (["wait=7"], 7),
            (["respond-async", "wait=7"], 7),
            (["wait=500"], 60),
            ([f"wait={'9' * 5000}"], 60),
            (["handling=lenient"], 0),
            (None, 0),
        ],
    )
    def test_is_as_long_as_preferred(self, prefer: list[str] | None, seconds: float) -> None:
        assert asyncio.run(long_polling.parse_wait(None, prefer)) == seconds


def listening(services: Services) -> int:
    """Whether the API hears of changes."""
    with services.connect() as redis:
        return int(redis.pubsub_numsub("garimpo:changes")[0][1])


class TestClientThatBreaksOff:
    def test_costs_nothing_any_more(self, services: Services, api: httpx.Client) -> None:
        job_id = start(api)
        pid = services.api.pid
        address = urlsplit(services.api.url)
        request = f"GET {PATH}/result/{job_id}?wait=60 HTTP/1.1\r\nHost: a\r\n\r\n".encode()
        clients = [
            socket.create_connection((str(address.hostname), address.port or 0)) for _ in range(50)
        ]
        for client in clients:
            client.sendall(request)
        wait_until(lambda: open_connections(pid, address.port) >= 50)

        for client in clients:
            client.close()

        wait_until(lambda: open_connections(pid, address.port) <= 5)
        assert api.get(f"{PATH}/result/{job_id}").json()["status"] == "pending"


def open_connections(pid: int, port: int | None) -> int:
    """How many clients the API has."""
    open_ones = psutil.Process(pid).net_connections("tcp")
    return sum(one.laddr.port == port and one.status == "ESTABLISHED" for one in open_ones)
