"""REDIS_URL as others have theirs, for all programs: TLS with a CA of one's own, and Sentinels."""

import asyncio
import re
import signal
from collections.abc import Callable, Iterator, Mapping
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
from redis.exceptions import NoPermissionError

from garimpo.local_stack.process import Process
from garimpo.local_stack.stack import Stack
from garimpo.local_stack.system import find_free_port
from jobs.celery_app import make_celery
from jobs.redis import async_client
from jobs.redis.sync_client import connect_impatient, connect_patient
from jobs.redis.url import RedisUrl
from tests.integration.redis_servers import (
    PASSWORD,
    QUOTED,
    SENTINELS_OWN,
    Certificate,
    Watched,
    redis_server,
    watched_redis,
)
from tests.integration.services import Run, Services, follow, run_job, write_fast_recipe
from tests.support.paths import ROOT
from tests.support.polling import wait_until

DOCS = ROOT / "docs" / "redis.md"
#: How many channels the site has: less than three pages of 50.
COUNT = 137
START = "/api/v1/tubehunt/scrape-channels/start"


@dataclass(frozen=True)
class Elsewhere(Services):
    """The services with a Redis whose address only the product reads."""

    redis_url: str = ""

    @property
    def celery(self) -> Celery:
        return make_celery(self.redis_url, result_ttl=timedelta(hours=24))

    def connect(self) -> Redis:
        return connect_patient(RedisUrl.parse(self.redis_url))

    def logs(self) -> str:
        """All that every process has written."""
        return "".join(file.read_text() for file in self.stack.folder.glob("*.log"))


@contextmanager
def running(redis: Process, url: str, more: Mapping[str, str] | None = None) -> Iterator[Elsewhere]:
    """Run all programs with this address; `more` has other ones for API, worker or Flower."""

    def own(program: str) -> dict[str, str]:
        return {"REDIS_URL": (more or {}).get(program, url)}

    with Stack() as stack:
        recipes = stack.folder / "recipes"
        write_fast_recipe(recipes)
        stack.settings["RECIPES_DIR"] = str(recipes)
        # Flower's own switch: its API answers without a login, for this test's loopback alone.
        stack.settings["FLOWER_UNAUTHENTICATED_API"] = "true"
        stack.settings |= own("flower")
        site, flower = stack.site("--latency-ms", "0"), stack.flower()
        api = stack.api(own("api"))
        stack.worker(extra=own("worker"))
        yield Elsewhere(stack, redis, site, api, flower, redis_url=url)


def ask_flower(services: Services, path: str) -> Any:
    assert services.flower
    answer = httpx.get(f"{services.flower.url}{path}", timeout=10, trust_env=False)
    return answer.json() if answer.is_success else {}


def check_flower_knows(services: Services, run: Run) -> None:
    """Fail unless Flower hears of the job's end."""
    wait_until(
        lambda: ask_flower(services, "/api/tasks").get(run.job_id, {}).get("state") == "SUCCESS",
        within_s=90,
    )


def ping(url: str, how: str) -> None:
    """Reach Redis as one of the programs' parts does; raises what that raises."""
    if how == "worker":
        with connect_impatient(RedisUrl.parse(url)) as redis:
            redis.ping()
    elif how == "api":

        async def asked() -> None:
            async with async_client.connect(url) as redis:
                # More than it has connections: they wait their turn. Behind TLS a handshake takes
                # its time, which a busy machine has not.
                number = 4 if "ssl_" in url else 100
                await asyncio.gather(*(redis.ping() for _ in range(number)))

        asyncio.run(asked())
    else:
        with make_celery(url, result_ttl=timedelta(hours=1)).connection() as broker:
            broker.connect()


everyone = pytest.mark.parametrize("how", ["worker", "api", "kombu"])


@dataclass(frozen=True)
class Guarded:
    """A Redis behind TLS."""

    process: Process
    port: int
    certificate: Certificate

    def url(self, *, host: str = "127.0.0.1", query: str = "") -> str:
        return f"rediss://:{QUOTED}@{host}:{self.port}/0{query}"

    @property
    def trusting(self) -> str:
        """The query of those who know the certificate."""
        return f"?ssl_ca_certs={self.certificate.file}"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """Run a Redis that takes nothing but TLS."""
    folder, port = tmp_path_factory.mktemp("tls"), find_free_port()
    certificate = Certificate.make(folder)
    config = {**certificate.server(port), "requirepass": f'"{PASSWORD}"'}
    url = f"rediss://:{QUOTED}@127.0.0.1:{port}/0?ssl_ca_certs={certificate.file}"
    with redis_server(folder, "guarded", config, url) as process:
        yield Guarded(process, port, certificate)


class TestTls:
    def test_carries_a_whole_job(self, guarded: Guarded) -> None:
        url = guarded.url(query=guarded.trusting)
        with running(guarded.process, url) as services:
            run = run_job(services)

            assert run.end["result"]["total_channels"] == 50
            check_flower_knows(services, run)
            queues = ask_flower(services, "/api/queues/length")["active_queues"]
            assert {one["name"]: one["messages"] for one in queues} == {"jobs": 0, "callbacks": 0}
            told = ask_flower(services, "/api/workers?refresh=1")
            for secret in (PASSWORD, QUOTED):
                assert secret not in services.logs() + str(told)

    @everyone
    def test_refuses_a_certificate_that_nobody_vouches_for(
        self, guarded: Guarded, how: str
    ) -> None:
        with pytest.raises(NoConnectionError, match="certificate verify failed"):
            ping(guarded.url(), how)

    @everyone
    def test_refuses_a_certificate_for_somebody_else(self, guarded: Guarded, how: str) -> None:
        with pytest.raises(NoConnectionError, match="not valid for 'localhost'"):
            ping(guarded.url(host="localhost", query=guarded.trusting), how)

    @everyone
    @pytest.mark.parametrize("spelled", ["none", "CERT_NONE"])
    def test_takes_any_certificate_where_it_is_told_to(
        self, guarded: Guarded, how: str, spelled: str
    ) -> None:
        ping(guarded.url(host="localhost", query=f"?ssl_cert_reqs={spelled}"), how)


def nothing() -> None:
    """Leave all as it is."""


def check_goes_on(
    redis: Watched, lose: Callable[[], None], regain: Callable[[], None] = nothing
) -> None:
    """Fail unless a job outlives the loss of its master, and all programs go on by themselves."""
    wait_until(redis.replicas_in_step)
    first = redis.master_port()
    with running(redis.one, redis.url) as services, services.client() as api:
        services.demo.have(slow_ms=700)
        job_id = api.post(START, json={"pages": 3}).json()["job_id"]
        wait_until(lambda: len(services.demo.requests("/long/")) >= 2)

        lose()

        wait_until(lambda: redis.master_port() != first, within_s=60)
        run = follow(services, job_id, within_s=120)
        run.check_progress()
        run.check_agreement()
        assert run.end["result"]["total_channels"] == COUNT

        services.demo.have()
        wait_until(lambda: api.get("/api/health").status_code == 200)
        later = run_job(services, within_s=90)
        assert later.end["status"] == "completed"
        regain()
        check_flower_knows(services, later)
        told = ask_flower(services, "/api/workers?refresh=1")
        for secret in (PASSWORD, QUOTED, SENTINELS_OWN):
            assert secret not in services.logs() + str(told)


class TestSentinel:
    @pytest.mark.timeout(300)
    def test_carries_a_job_over_the_death_of_its_master(self, tmp_path: Path) -> None:
        with watched_redis(tmp_path) as redis:
            check_goes_on(redis, redis.one.kill)

    @pytest.mark.timeout(300)
    def test_carries_a_job_over_a_master_that_hangs(self, tmp_path: Path) -> None:
        # Nobody closes the connections to it; Flower hears nothing until somebody does.
        with watched_redis(tmp_path) as redis:
            check_goes_on(
                redis,
                lambda: redis.one.signal(signal.SIGSTOP),
                lambda: redis.one.signal(signal.SIGCONT),
            )

    @pytest.mark.timeout(300)
    def test_carries_a_job_over_a_planned_change(self, tmp_path: Path) -> None:
        # A Sentinel tells the old master last: until then that must take no writes.
        with watched_redis(tmp_path, {"min-replicas-to-write": "1"}) as redis:
            check_goes_on(redis, redis.hand_over)

    @everyone
    def test_is_reached_through_tls_where_its_address_says_so(
        self, tmp_path: Path, how: str
    ) -> None:
        with watched_redis(tmp_path, certificate=Certificate.make(tmp_path)) as redis:
            ping(redis.url, how)


def count_refusals(redis: Redis) -> int:
    """Count the commands that Redis refused for its missing replicas."""
    told: dict[str, Any] = redis.info("errorstats")
    return int(told.get("errorstat_NOREPLICAS", {}).get("count", 0))


class TestReplicas:
    def test_that_are_missing_cost_time_and_no_job(self, services: Services) -> None:
        services.stack.worker()
        services.demo.have(slow_ms=700)
        with services.client() as api, services.connect() as redis:
            job_id = api.post(START, json={"pages": 3}).json()["job_id"]
            wait_until(lambda: len(services.demo.requests("/long/")) >= 2)

            redis.config_set("min-replicas-to-write", 1)

            assert api.post(START).status_code == 503
            assert api.get("/api/health").status_code == 503
            # The worker's words on its second page are among them.
            wait_until(lambda: count_refusals(redis) >= 20)
            redis.config_set("min-replicas-to-write", 0)
            run = follow(services, job_id)
            run.check_agreement()
            assert (run.end["status"], run.end["attempt"]) == ("completed", 1)


class TestUsers:
    def test_need_no_more_rights_than_the_docs_give_them(
        self, redis_process: Process, redis: Redis
    ) -> None:
        text = DOCS.read_text(encoding="utf-8")
        users = re.findall(r"^user (\w+) (on >(\S+) .*)$", text, re.MULTILINE)
        urls = {}
        for name, rights, password in users:
            redis.execute_command(  # type: ignore[no-untyped-call] # redis-py has none
                *("ACL", "SETUSER", name, *rights.split())
            )
            urls[name] = redis_process.url.replace("redis://", f"redis://{name}:{password}@")
        assert urls.keys() == {"api", "worker", "flower"}

        with running(redis_process, redis_process.url, urls) as services:
            run = run_job(services)
            check_flower_knows(services, run)
            ask_flower(services, "/api/workers?refresh=1")
            queues = ask_flower(services, "/api/queues/length")["active_queues"]
            with services.client() as api:
                services.demo.have(slow_ms=3000)
                long = api.post(START, json={"pages": 3}).json()["job_id"]
                api.post(START.replace("start", f"cancel/{long}")).raise_for_status()
                assert follow(services, long).end["error_code"] == "cancelled"
                assert api.get("/api/health").status_code == 200
                assert api.get("/metrics").status_code == 200

        assert {one["name"]: one["messages"] for one in queues} == {"jobs": 0, "callbacks": 0}
        assert redis.acl_log() == []
        for url in urls.values():
            with Redis.from_url(url) as own:
                for forbidden in ("FLUSHALL", "CONFIG GET *", "KEYS *", "GET another's"):
                    with pytest.raises(NoPermissionError):
                        own.execute_command(*forbidden.split())
