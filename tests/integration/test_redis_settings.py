"""A Redis that may lose jobs: what health, metrics and logs say, and the requests it refuses."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis import Redis

from garimpo.local_stack.stack import Stack
from garimpo.local_stack.system import find_free_port
from tests.integration.redis_servers import redis_server
from tests.integration.services import Services
from tests.integration.test_metrics import read
from tests.support.polling import wait_until

JOB = "/api/v1/tubehunt/scrape-channels"


@pytest.fixture
def services() -> Iterator[Services]:
    """Run a stack for one test, which changes the settings of its Redis."""
    with Stack() as stack:
        yield Services(stack, stack.redis(), stack.site("--latency-ms", "0"), stack.api())


def get_health(services: Services, language: str = "en") -> dict[str, Any]:
    with services.client() as api:
        body: dict[str, Any] = api.get("/api/health", headers={"Accept-Language": language}).json()
    return body


def describe(health: dict[str, Any]) -> tuple[str, str, list[str]]:
    return health["status"], health["services"]["redis_settings"], health["redis_problems"]


def problem_metrics(services: Services) -> dict[str, float]:
    return {
        labels[0][1]: value
        for (name, labels), value in read(services).items()
        if name == "garimpo_redis_problem"
    }


class TestSettings:
    @pytest.mark.parametrize(
        ("problem", "setting", "values"),
        [
            ("eviction", "maxmemory-policy", ("noeviction", "allkeys-lru")),
            ("no_persistence", "appendonly", ("yes", "no")),
        ],
    )
    def test_that_lose_jobs_are_reported(
        self, services: Services, problem: str, setting: str, values: tuple[str, str]
    ) -> None:
        safe, unsafe = values
        services.stack.worker("one")
        wait_until(lambda: get_health(services)["services"]["workers"] == "ok")
        assert describe(get_health(services)) == ("ok", "ok", [])
        assert problem_metrics(services)[problem] == 0

        with services.connect() as redis:
            redis.config_set(setting, unsafe)
            assert describe(get_health(services)) == ("degraded", "unsafe", [problem])
            assert setting in get_health(services)["message"]
            assert get_health(services, "pt")["message"] != get_health(services)["message"]
            assert problem_metrics(services)[problem] == 1
            assert problem_metrics(services)["unknown"] == 0
            assert services.api.read_log().count("Redis may lose jobs") == 1
            # Workers look when they start, and then at intervals.
            second = services.stack.worker("two")
            wait_until(lambda: f"problems={problem}" in second.read_log())

            redis.config_set(setting, safe)
            assert describe(get_health(services)) == ("ok", "ok", [])
            assert "Redis keeps jobs again" in services.api.read_log()

    def test_are_unknown_to_a_user_without_info(self, services: Services) -> None:
        with services.connect() as redis:
            redis.acl_setuser(
                "api",
                enabled=True,
                passwords=["+secret1"],
                keys=["*"],
                channels=["*"],
                commands=["+@all", "-info"],
            )
        url = services.redis.url.replace("redis://", "redis://api:secret1@")
        services.stack.worker("one", {"REDIS_URL": url})
        services.api.stop()
        services.api.environment["REDIS_URL"] = url
        services.api.start()
        services.api.wait_ready()
        wait_until(lambda: get_health(services)["services"]["workers"] == "ok")

        health = get_health(services)

        assert describe(health) == ("ok", "unknown", [])
        assert "INFO" in health["message"]
        assert problem_metrics(services) == {"unknown": 1}
        assert services.api.read_log().count("it is unknown whether Redis may lose jobs") == 1


class TestReplica:
    def test_that_is_not_in_step_is_reported(self, services: Services, tmp_path: Path) -> None:
        with services.connect() as redis:
            # The replica waits for its first copy of the data.
            redis.config_set("repl-diskless-sync-delay", 600)
            port = find_free_port()
            config = {"port": str(port), "replicaof": services.redis.url[8:-2].replace(":", " ")}
            with redis_server(tmp_path, "replica", config, f"redis://127.0.0.1:{port}/0"):
                wait_until(lambda: "slave0" in redis.info("replication"))

                assert get_health(services)["redis_problems"] == ["replica_behind"]
        wait_until(lambda: not get_health(services)["redis_problems"])

    def test_that_was_the_master_refuses_writes_with_503(self, services: Services) -> None:
        with services.client() as api, services.connect() as redis:
            ended, waiting = (
                api.post(f"{JOB}/start", json={"webhook_url": "https://example.com"}).json()[
                    "job_id"
                ]
                for _ in range(2)
            )
            api.post(f"{JOB}/cancel/{ended}").raise_for_status()

            demote(redis)
            try:
                refusals = [
                    api.post(f"{JOB}/start"),
                    api.post(f"{JOB}/start", headers={"Idempotency-Key": "one"}),
                    api.post(f"{JOB}/cancel/{waiting}"),
                    api.post(f"{JOB}/deliveries/{ended}/replay"),
                ]
                health = api.get("/api/health", headers={"Accept-Language": "en"})
                metrics = read(services)
            finally:
                redis.replicaof("NO", "ONE")

            assert [describe_error(response) for response in refusals] == [
                (503, "redis_unavailable", "5")
            ] * 4
            assert health.status_code == 503
            assert describe(health.json()) == ("error", "unsafe", ["replica"])
            assert "replica" in health.json()["message"]
            assert metrics["garimpo_redis_up", ()] == 0
            assert metrics["garimpo_redis_problem", (("problem", "replica"),)] == 1
            assert api.post(f"{JOB}/cancel/{waiting}").status_code == 202

    def test_that_accepts_writes_is_reported(self, services: Services) -> None:
        with services.connect() as redis:
            redis.config_set("replica-read-only", "no")
            demote(redis)

            assert describe(get_health(services)) == ("degraded", "unsafe", ["replica"])


def demote(redis: Redis) -> None:
    """Make a server the replica of one that does not answer."""
    redis.replicaof("127.0.0.1", str(find_free_port()))


def describe_error(response: httpx.Response) -> tuple[int, str, str | None]:
    code: str = response.json()["error_code"]
    return response.status_code, code, response.headers.get("retry-after")
