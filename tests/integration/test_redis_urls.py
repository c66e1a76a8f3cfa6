"""All programs with other kinds of REDIS_URL: TLS with a private CA, Sentinels."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from celery import Celery
from redis import Redis
from redis.exceptions import ConnectionError as NoConnectionError

from demo.golden import expected_items
from garimpo.local_stack.process import Process
from garimpo.local_stack.stack import Stack
from garimpo.local_stack.system import find_free_port
from jobs.celery_app import make_celery
from jobs.redis import async_client, keys
from jobs.redis.sync_client import connect_with_retries, connect_without_retries
from jobs.redis.url import RedisUrl
from tests.integration.redis_servers import (
    PASSWORD,
    QUOTED,
    SENTINEL_PASSWORD,
    Certificate,
    SentinelRedis,
    redis_server,
    sentinel_redis,
)
from tests.integration.services import Run, Services, follow, run_job, write_fast_recipe
from tests.support.polling import wait_until

#: Number of the site's channels: less than three pages of 50.
COUNT = 137
START = "/api/v1/tubehunt/scrape-channels/start"


@dataclass(frozen=True)
class ExternalRedisServices(Services):
    """Services with a Redis that only the product's own settings can connect to."""

    redis_url: str = ""

    @property
    def celery(self) -> Celery:
        return make_celery(self.redis_url, result_ttl=timedelta(hours=24))

    def connect(self) -> Redis:
        return connect_with_retries(RedisUrl.parse(self.redis_url))

    def logs(self) -> str:
        """Return the logs of all processes."""
        return "".join(file.read_text() for file in self.stack.folder.glob("*.log"))


@contextmanager
def run_services(redis: Process, url: str) -> Iterator[ExternalRedisServices]:
    """Run all programs with a REDIS_URL.

    Args:
        redis: The Redis process.
        url: REDIS_URL of all programs.
    """
    with Stack() as stack:
        recipes = stack.folder / "recipes"
        write_fast_recipe(recipes, page_timeout_s=30, login_timeout_s=30)
        stack.settings["RECIPES_DIR"] = str(recipes)
        # A setting of Flower: its API needs no login. It listens on the loopback interface only.
        stack.settings["FLOWER_UNAUTHENTICATED_API"] = "true"
        stack.settings["REDIS_URL"] = url
        site, flower = stack.site("--latency-ms", "0"), stack.flower()
        api = stack.api()
        stack.worker()
        yield ExternalRedisServices(stack, redis, site, api, flower, redis_url=url)


def get_from_flower(services: Services, path: str) -> Any:
    assert services.flower
    response = httpx.get(f"{services.flower.url}{path}", timeout=10, trust_env=False)
    return response.json() if response.is_success else {}


def check_flower_shows_success(services: Services, run: Run) -> None:
    """Fail unless Flower receives the event of the job's end."""
    wait_until(
        lambda: (
            get_from_flower(services, "/api/tasks").get(run.job_id, {}).get("state") == "SUCCESS"
        ),
        within_s=90,
    )


def ping(url: str, client: str) -> None:
    """Connect to Redis with a client of the product.

    Raises:
        redis.RedisError: It cannot connect.
    """
    if client == "worker":
        with connect_without_retries(RedisUrl.parse(url)) as redis:
            redis.ping()
    elif client == "api":

        async def ping_concurrently() -> None:
            async with async_client.connect(url) as redis:
                # More requests than connections, so that some wait for one. TLS handshakes are too
                # slow for that on a busy machine.
                count = 4 if "ssl_" in url else 100
                await asyncio.gather(*(redis.ping() for _ in range(count)))

        asyncio.run(ping_concurrently())
    else:
        with make_celery(url, result_ttl=timedelta(hours=1)).connection() as broker:
            broker.connect()


all_clients = pytest.mark.parametrize("client", ["worker", "api", "kombu"])


@dataclass(frozen=True)
class TlsRedis:
    """A Redis that accepts only TLS."""

    process: Process
    port: int
    certificate: Certificate

    def url(self, *, host: str = "127.0.0.1", query: str = "") -> str:
        return f"rediss://:{QUOTED}@{host}:{self.port}/0{query}"

    @property
    def trust_query(self) -> str:
        """The query of a URL that trusts the certificate."""
        return f"?ssl_ca_certs={self.certificate.file}"


@pytest.fixture(scope="module")
def tls_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsRedis]:
    """Run a Redis that accepts only TLS."""
    folder, port = tmp_path_factory.mktemp("tls"), find_free_port()
    certificate = Certificate.make(folder)
    config = {**certificate.server(port), "requirepass": f'"{PASSWORD}"'}
    url = f"rediss://:{QUOTED}@127.0.0.1:{port}/0?ssl_ca_certs={certificate.file}"
    with redis_server(folder, "tls", config, url) as process:
        yield TlsRedis(process, port, certificate)


class TestTls:
    def test_runs_a_job(self, tls_redis: TlsRedis) -> None:
        url = tls_redis.url(query=tls_redis.trust_query)
        with run_services(tls_redis.process, url) as services:
            run = run_job(services)

            assert run.end["result"]["total_channels"] == 50
            check_flower_shows_success(services, run)
            queues = get_from_flower(services, "/api/queues/length")["active_queues"]
            assert {queue["name"]: queue["messages"] for queue in queues} == {
                "jobs": 0,
                "callbacks": 0,
            }
            workers = get_from_flower(services, "/api/workers?refresh=1")
            for secret in (PASSWORD, QUOTED):
                assert secret not in services.logs() + str(workers)

    @all_clients
    def test_rejects_an_untrusted_certificate(self, tls_redis: TlsRedis, client: str) -> None:
        with pytest.raises(NoConnectionError, match="certificate verify failed"):
            ping(tls_redis.url(), client)

    @all_clients
    def test_rejects_a_certificate_for_another_host(self, tls_redis: TlsRedis, client: str) -> None:
        with pytest.raises(NoConnectionError, match="not valid for 'localhost'"):
            ping(tls_redis.url(host="localhost", query=tls_redis.trust_query), client)

    @all_clients
    @pytest.mark.parametrize("value", ["none", "CERT_NONE"])
    def test_accepts_any_certificate_if_checks_are_disabled(
        self, tls_redis: TlsRedis, client: str, value: str
    ) -> None:
        ping(tls_redis.url(host="localhost", query=f"?ssl_cert_reqs={value}"), client)


def count_pages(redis: Process, job_id: str) -> int:
    """Return the number of a job's pages that a server has."""
    with Redis.from_url(redis.url) as connection:
        return int(connection.hlen(keys.pages(job_id)))


def do_nothing() -> None:
    """Do nothing."""


def check_survives_failover(
    redis: SentinelRedis,
    lose_master: Callable[[], None],
    restore_master: Callable[[], None] = do_nothing,
) -> None:
    """Fail unless a running job and all programs survive a failover without a restart.

    Args:
        redis: The master, its replica and the Sentinel.
        lose_master: Starts the failover.
        restore_master: Called before Flower is checked.
    """
    wait_until(redis.count_online_replicas)
    first_port = redis.master_port()
    with run_services(redis.master, redis.url) as services, services.client() as api:
        services.demo.have(slow_ms=700)
        job_id = api.post(START, json={"pages": 3}).json()["job_id"]
        wait_until(lambda: len(services.demo.requests("/long/")) >= 2)

        lose_master()

        wait_until(lambda: redis.master_port() != first_port, within_s=60)
        run = follow(services, job_id, within_s=120)
        run.check_progress()
        run.check_agreement()
        assert run.end["status"] == "completed", run.end
        assert run.end["result"]["total_channels"] == COUNT

        services.demo.have()
        wait_until(lambda: api.get("/api/health").status_code == 200)
        later = run_job(services, within_s=90)
        assert later.end["status"] == "completed"
        restore_master()
        check_flower_shows_success(services, later)
        workers = get_from_flower(services, "/api/workers?refresh=1")
        for secret in (PASSWORD, QUOTED, SENTINEL_PASSWORD):
            assert secret not in services.logs() + str(workers)


class TestSentinel:
    @pytest.mark.timeout(300)
    def test_fails_over_if_the_master_dies(self, tmp_path: Path) -> None:
        with sentinel_redis(tmp_path) as redis:
            check_survives_failover(redis, redis.master.kill)

    @pytest.mark.timeout(300)
    def test_fails_over_if_the_master_hangs(self, tmp_path: Path) -> None:
        # Its connections stay open; Flower receives no events until they are closed.
        with sentinel_redis(tmp_path) as redis:
            check_survives_failover(
                redis,
                lambda: redis.master.signal(signal.SIGSTOP),
                lambda: redis.master.signal(signal.SIGCONT),
            )

    @pytest.mark.timeout(400)
    def test_completes_a_job_whose_last_pages_the_new_master_lacks(self, tmp_path: Path) -> None:
        with sentinel_redis(tmp_path, down_after_ms=5000) as redis:
            wait_until(redis.count_online_replicas)
            first_port = redis.master_port()
            with run_services(redis.master, redis.url) as services, services.client() as api:
                services.demo.have(slow_ms=700)
                body = {"pages": 9, "per_page": 10}
                job_id = api.post(START, json=body).json()["job_id"]
                wait_until(lambda: count_pages(redis.replica, job_id) >= 1, within_s=60)
                redis.cut_replication()
                wait_until(
                    lambda: (
                        count_pages(redis.master, job_id) >= count_pages(redis.replica, job_id) + 2
                    ),
                    within_s=40,
                )

                redis.master.kill()

                wait_until(lambda: redis.master_port() != first_port, within_s=120)
                run = follow(services, job_id, within_s=200)
                run.check_agreement()
                assert (run.end["status"], run.end["attempt"]) == ("completed", 2)
                assert run.end["result"]["channels"] == expected_items(90)
                assert run.end["result"]["pages_read"] == 9

    @pytest.mark.timeout(300)
    def test_fails_over_as_planned(self, tmp_path: Path) -> None:
        # The Sentinel demotes the old master last: until then it must accept no writes.
        with sentinel_redis(tmp_path, {"min-replicas-to-write": "1"}) as redis:
            check_survives_failover(redis, redis.fail_over)

    @all_clients
    def test_is_connected_through_tls_if_the_url_requires_it(
        self, tmp_path: Path, client: str
    ) -> None:
        with sentinel_redis(tmp_path, certificate=Certificate.make(tmp_path)) as redis:
            ping(redis.url, client)


def count_rejections(redis: Redis) -> int:
    """Return the number of commands that Redis rejected because replicas are missing."""
    stats: dict[str, Any] = redis.info("errorstats")
    return int(stats.get("errorstat_NOREPLICAS", {}).get("count", 0))


class TestMissingReplicas:
    def test_delay_a_job_without_losing_it(self, services: Services) -> None:
        services.stack.worker()
        services.demo.have(slow_ms=700)
        with services.client() as api, services.connect() as redis:
            job_id = api.post(START, json={"pages": 3}).json()["job_id"]
            wait_until(lambda: len(services.demo.requests("/long/")) >= 2)

            redis.config_set("min-replicas-to-write", 1)

            assert api.post(START).status_code == 503
            assert api.get("/api/health").status_code == 503
            # The worker's progress on its second page is among them.
            wait_until(lambda: count_rejections(redis) >= 20)
            redis.config_set("min-replicas-to-write", 0)
            run = follow(services, job_id)
            run.check_agreement()
            assert (run.end["status"], run.end["attempt"]) == ("completed", 1)
