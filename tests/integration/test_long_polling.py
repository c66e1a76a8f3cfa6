"""Long polling: a response at the end of the job or of the wait."""

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
def send_in_background(
    services: Services, path: str, **request: Any
) -> Iterator["Future[httpx.Response]"]:
    """Send a GET request in a thread; yield its future."""

    def send() -> httpx.Response:
        with httpx.Client(base_url=services.api.url, trust_env=False, timeout=TIMEOUT_S) as client:
            return client.get(path, **request)

    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(send)


class TestWait:
    def test_ends_with_the_job(self, services: Services, api: httpx.Client) -> None:
        job_id = start(api)
        with send_in_background(
            services, f"{PATH}/result/{job_id}", params={"wait": 60}
        ) as response:
            assert not response.done()
            worker = services.stack.worker()
            body = response.result(timeout=60).json()
        worker.stop()

        assert (body["status"], body["is_final"]) == ("completed", True)

    def test_ends_at_once_with_a_cancelled_job(self, services: Services, api: httpx.Client) -> None:
        job_id = start(api)
        with send_in_background(
            services, f"{PATH}/result/{job_id}", headers={"Prefer": "wait=60"}
        ) as response:
            wait_until(lambda: has_subscription(services) and not response.done())
            api.post(f"{PATH}/cancel/{job_id}")
            body = response.result(timeout=30)

        assert body.json()["error_code"] == "cancelled"

    @pytest.mark.parametrize(
        ("params", "headers"),
        [({"wait": 1}, {}), ({"wait": "0.5"}, {}), ({}, {"Prefer": "respond-async, wait=1"})],
    )
    def test_ends_with_the_current_state(
        self, api: httpx.Client, params: dict[str, Any], headers: dict[str, str]
    ) -> None:
        job_id = start(api)
        started = time.monotonic()

        response = api.get(f"{PATH}/result/{job_id}", params=params, headers=headers)

        assert time.monotonic() - started >= float(params.get("wait", 1))
        assert (response.status_code, response.json()["status"]) == (200, "pending")
        api.post(f"{PATH}/cancel/{job_id}")

    @pytest.mark.parametrize("wait", ["61", "-1", "soon"])
    def test_rejects_an_invalid_duration(self, api: httpx.Client, wait: str) -> None:
        response = api.get(f"{PATH}/result/{start(api)}", params={"wait": wait})

        assert (response.status_code, response.json()["error_code"]) == (422, "invalid_parameters")
        assert response.json()["detail"].startswith("wait: ")

    def test_does_not_wait_for_an_unknown_job(self, api: httpx.Client) -> None:
        unknown = "00000000-0000-4000-8000-000000000000"
        assert api.get(f"{PATH}/result/{unknown}", params={"wait": 60}).status_code == 404

    def test_continues_after_an_outage(self, services: Services, api: httpx.Client) -> None:
        job_id = start(api)
        with send_in_background(
            services, f"{PATH}/result/{job_id}", params={"wait": 60}
        ) as response:
            wait_until(lambda: has_subscription(services))
            services.redis.stop()
            assert api.get(f"{PATH}/result/{job_id}").status_code == 503
            services.redis.start()
            services.redis.wait_ready()
            assert not response.done()
            wait_until(lambda: api.post(f"{PATH}/cancel/{job_id}").status_code == 202)
            body = response.result(timeout=60)

        assert (body.status_code, body.json()["error_code"]) == (200, "cancelled")

    def test_ends_with_503_while_redis_is_unavailable(
        self, services: Services, api: httpx.Client
    ) -> None:
        job_id = start(api)
        with send_in_background(
            services, f"{PATH}/result/{job_id}", params={"wait": 3}
        ) as response:
            wait_until(lambda: has_subscription(services))
            services.redis.stop()
            try:
                assert response.result(timeout=30).status_code == 503
            finally:
                services.redis.start()
                services.redis.wait_ready()

    def test_is_no_longer_than_a_pause_of_redis_if_the_job_has_ended(
        self, services: Services, api: httpx.Client
    ) -> None:
        job_id = start(api)
        api.post(f"{PATH}/cancel/{job_id}")
        with services.connect() as redis:
            # Longer than the deadline of a read, shorter than that of the subscription.
            redis.execute_command("CLIENT PAUSE", 6000, "ALL")

        with send_in_background(
            services, f"{PATH}/result/{job_id}", params={"wait": 60}
        ) as response:
            assert response.result(timeout=30).json()["error_code"] == "cancelled"

    def test_ends_when_the_api_shuts_down(self, services: Services, api: httpx.Client) -> None:
        path = f"{PATH}/result/{start(api)}"
        with services.connect() as redis:
            redis.config_resetstat()
            with send_in_background(services, path, params={"wait": 60}) as response:
                # The request has read the job once: it waits.
                wait_until(lambda: "cmdstat_hgetall" in redis.info("commandstats"))
                services.api.signal(signal.SIGTERM)
                body = response.result(timeout=30)
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
        assert long_polling.parse_wait(None, prefer) == seconds


def has_subscription(services: Services) -> bool:
    """Return whether the API is subscribed to job changes."""
    with services.connect() as redis:
        return int(redis.pubsub_numsub("garimpo:changes")[0][1]) > 0


class TestClientThatDisconnects:
    def test_frees_its_connection(self, services: Services, api: httpx.Client) -> None:
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
    """Return the number of open connections to a port of a process."""
    connections = psutil.Process(pid).net_connections("tcp")
    return sum(
        connection.laddr.port == port and connection.status == "ESTABLISHED"
        for connection in connections
    )
