"""All programs with the Redis users of `deploy/redis`: what they may do, and what they may not."""

import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis import Redis
from redis.exceptions import AuthenticationError, NoPermissionError

from garimpo.local_stack.process import Process
from garimpo.local_stack.services import has_redis
from garimpo.local_stack.stack import Stack
from garimpo.local_stack.system import find_free_port, make_environment
from jobs.redis import keys
from tests.integration.services import SESSION_KEYS, Services, follow, run_job, write_fast_recipe
from tests.support.paths import ROOT
from tests.support.polling import wait_until
from tests.support.webhook_receiver import WebhookReceiver, status

FOLDER = ROOT / "deploy" / "redis"
START = "/api/v1/tubehunt/scrape-channels/start"
#: The passwords of the users, by the variable of `start.sh`.
PASSWORDS = {
    "REDISCLI_AUTH": "admin1",
    "REDIS_API_PASSWORD": "api2",
    "REDIS_WORKER_PASSWORD": "worker3",
    "REDIS_WEBHOOKS_PASSWORD": "webhooks4",
    "REDIS_FLOWER_PASSWORD": "flower5",
    "REDIS_KEDA_PASSWORD": "keda6",
}
API_KEY = "key-of-this-test-only"
USERS = ("api", "worker", "webhooks", "flower", "keda")
#: KEDA's query (its `redis` trigger).
KEDA_SCRIPT = """
local listName = KEYS[1]
local listType = redis.call('type', listName).ok
local cmd = {zset = 'zcard', set = 'scard', list = 'llen', hash = 'hlen', none = 'llen'}
return redis.call(cmd[listType], listName)
"""


@dataclass(frozen=True)
class RedisUsers:
    """A Redis with the users."""

    process: Process
    port: int

    def url(self, user: str) -> str:
        name = "REDISCLI_AUTH" if user == "default" else f"REDIS_{user.upper()}_PASSWORD"
        return f"redis://{user}:{PASSWORDS[name]}@127.0.0.1:{self.port}/0"

    def connect(self, user: str = "default") -> Redis:
        return Redis.from_url(self.url(user), decode_responses=True)

    def read_denials(self) -> list[tuple[Any, ...]]:
        """Return what Redis has refused: user, reason and object."""
        with self.connect() as redis:
            log: list[dict[str, Any]] = redis.acl_log()
        return sorted({(entry["username"], entry["reason"], entry["object"]) for entry in log})


def make_server(folder: Path, port: int, passwords: Mapping[str, str]) -> Process:
    """Return a Redis that is started as in containers."""
    url = f"redis://:{PASSWORDS['REDISCLI_AUTH']}@127.0.0.1:{port}/0"
    options = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
    return Process(
        "redis",
        ["sh", str(FOLDER / "start.sh"), *options],
        make_environment(passwords, inherit_all=False),
        cwd=folder,
        log=folder / "redis.log",
        url=url,
        is_ready=lambda _: has_redis(url),
    )


@pytest.fixture(scope="module")
def users(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisUsers]:
    """Run a Redis with the users, as in containers."""
    port = find_free_port()
    process = make_server(tmp_path_factory.mktemp("redis"), port, PASSWORDS)
    with ExitStack() as exits:
        exits.callback(process.stop)
        process.start()
        process.wait_ready()
        yield RedisUsers(process, port)


@dataclass(frozen=True)
class UserServices(Services):
    """Services of which each has its own user."""

    users: RedisUsers = field(kw_only=True)
    worker: Process = field(kw_only=True)

    def connect(self) -> Redis:
        return self.users.connect()

    def client(self) -> httpx.Client:
        # With a key, so that its limits are counted.
        client = super().client()
        client.headers["X-API-Key"] = API_KEY
        return client


@pytest.fixture
def services(users: RedisUsers) -> Iterator[UserServices]:
    """Run all programs as in containers, each as its user."""
    settings = {
        "SESSION_KEYS": SESSION_KEYS,
        "WEBHOOK_ALLOW": "127.0.0.1",
        "WEBHOOK_RETRY_FIRST_S": "0.2",
        "LEASE_S": "3",
        "HEARTBEAT_S": "0.7",
        "RECONCILE_EVERY_S": "0.4",
        # A setting of Flower: its API needs no login. It listens on the loopback interface only.
        "FLOWER_UNAUTHENTICATED_API": "true",
    }
    with Stack(settings=settings) as stack:
        recipes = stack.folder / "recipes"
        # A worker that takes over starts its browser while others are busy.
        write_fast_recipe(recipes, page_timeout_s=30, login_timeout_s=30)
        stack.settings["RECIPES_DIR"] = str(recipes)
        site = stack.site("--latency-ms", "0")
        stack.settings["REDIS_URL"] = users.url("flower")
        flower = stack.flower()
        stack.webhook_sender({"REDIS_URL": users.url("webhooks")})
        worker = stack.worker("one", {"REDIS_URL": users.url("worker")}, queues="jobs")
        api = stack.api({"REDIS_URL": users.url("api"), "API_KEYS": f"one:{API_KEY}:admin"})
        yield UserServices(stack, users.process, site, api, flower, users=users, worker=worker)


def get_from_flower(services: Services, path: str) -> Any:
    assert services.flower
    response = httpx.get(f"{services.flower.url}{path}", timeout=10, trust_env=False)
    return response.json() if response.is_success else {}


def is_in_flower(services: Services, job_id: str, state: str) -> bool:
    task = get_from_flower(services, "/api/tasks").get(job_id, {})
    return bool(task.get("state") == state)


@pytest.mark.timeout(300)
class TestPrograms:
    def test_need_no_more_permissions(self, services: UserServices) -> None:
        users = services.users
        with services.client() as api, WebhookReceiver() as receiver:
            # A webhook that is repeated, and sent again on request.
            receiver.respond_with(status(503), status(204))
            job = run_job(services, {"webhook_url": receiver.url, "pages": 2})
            assert job.end["status"] == "completed"
            receiver.wait_for(job.job_id, 2)
            deliveries = START.replace("start", f"deliveries/{job.job_id}")
            wait_until(lambda: api.get(deliveries).json()["deliveries"][-1]["state"] == "delivered")
            api.post(f"{deliveries}/replay").raise_for_status()
            receiver.wait_for(job.job_id, 3)

            # All that clients read.
            for path in ("result", "items", "events"):
                api.get(START.replace("start", f"{path}/{job.job_id}")).raise_for_status()
            for suffix in ("?format=csv", "?wait=1"):
                address = START.replace("start", f"result/{job.job_id}{suffix}")
                api.get(address).raise_for_status()
            lookup = f"/api/v1/jobs/{job.job_id}"
            for path in ("/api/v1/jobs", lookup, "/api/v1/figures", "/metrics"):
                assert api.get(path, follow_redirects=True).status_code == 200, path
            assert api.get("/api/health").json()["status"] == "ok"

            # The sessions of accounts.
            session = START.replace("scrape-channels/start", "sessions/default")
            assert api.get(session.removesuffix("/default")).json()["sessions"]
            cookie = {"name": "a", "value": "b", "domain": "127.0.0.1"}
            api.post(f"{session}/renew").raise_for_status()
            api.put(session, json=[cookie]).raise_for_status()
            api.delete(session).raise_for_status()

            # A start that is repeated.
            # All pages are loaded at the same time: long enough to stop a worker meanwhile.
            services.demo.have(slow_ms=4000)
            repeated = [
                api.post(START, json={"pages": 3}, headers={"Idempotency-Key": "one"})
                for _ in range(2)
            ]
            assert len({response.json()["job_id"] for response in repeated}) == 1

            # A worker that dies: another one takes over.
            job_id = repeated[0].json()["job_id"]
            wait_until(lambda: len(services.demo.requests("/long/")) >= 2)
            services.worker.kill()
            second = services.stack.worker("two", {"REDIS_URL": users.url("worker")}, queues="jobs")
            end = follow(services, job_id, within_s=90).end
            assert (end["status"], end["attempt"]) == ("completed", 2), end

            # A worker that is stopped: it puts its job back.
            services.demo.forget_requests()
            job_id = api.post(START, json={"pages": 3}).json()["job_id"]
            wait_until(lambda: len(services.demo.requests("/long/")) >= 2)
            second.stop()
            third = services.stack.worker(
                "three", {"REDIS_URL": users.url("worker")}, queues="jobs"
            )
            end = follow(services, job_id, within_s=90).end
            assert (end["status"], end["attempt"]) == ("completed", 2), end

            # A job that is cancelled while it runs, and one while it waits.
            running, waiting = (
                api.post(START, json={"pages": pages}).json()["job_id"] for pages in (4, 5)
            )
            wait_until(
                lambda: (
                    api.get(START.replace("start", f"result/{running}")).json()["status"]
                    == "processing"
                )
            )
            for job_id in (waiting, running):
                api.post(START.replace("start", f"cancel/{job_id}")).raise_for_status()
                assert follow(services, job_id).end["error_code"] == "cancelled"

            # What Flower shows and asks for.
            wait_until(lambda: is_in_flower(services, job.job_id, "SUCCESS"))
            get_from_flower(services, "/api/workers?refresh=1")
            [*queues] = get_from_flower(services, "/api/queues/length")["active_queues"]
            assert "jobs" in {queue["name"] for queue in queues}
            third.stop()

        denials = users.read_denials()
        assert denials == [], denials

    def test_of_the_autoscaler_reads_the_number_of_jobs(self, users: RedisUsers) -> None:
        with users.connect() as redis, users.connect("keda") as keda:
            redis.zadd(keys.ACTIVE, {"one": 1, "two": 2})
            assert keda.eval(KEDA_SCRIPT, 1, keys.ACTIVE) == 2
            redis.delete(keys.ACTIVE)


#: Commands that no program needs.
DANGEROUS = (
    "FLUSHALL",
    "FLUSHDB",
    "CONFIG GET *",
    "CONFIG SET dir /tmp",
    "KEYS *",
    "SCAN 0",
    "RANDOMKEY",
    "SCRIPT FLUSH",
    "SHUTDOWN NOSAVE",
    "ACL LIST",
    "ACL WHOAMI",
    "MODULE LIST",
    "REPLICAOF NO ONE",
    "SLAVEOF NO ONE",
    "CLIENT LIST",
    "CLIENT KILL TYPE normal",
    "MONITOR",
    "SAVE",
    "BGREWRITEAOF",
    "SORT jobs",
    "MIGRATE 127.0.0.1 1 jobs 0 1",
    "RESTORE jobs 0 x",
    "DUMP jobs",
    "RENAME jobs garimpo:job:x",
    "SELECT 1",
    "SWAPDB 0 1",
    "FUNCTION LIST",
    "GET another",
    "SET another 1",
    "LPUSH another x",
    "PUBLISH another x",
    "SUBSCRIBE another",
    "PSUBSCRIBE *",
)
#: Keys and commands of other programs, by user.
FOREIGN = {
    "api": [
        "HGETALL unacked",
        "SMEMBERS _kombu.binding.jobs",
        "BRPOP jobs 1",
        "RPOP jobs",
        "EVAL return 0",
        "PUBLISH /0.celery.pidbox x",
        "SUBSCRIBE /0.celery.pidbox",
    ],
    "worker": ["EVAL return 0", "GETRANGE celery-task-meta-x 0 1", "KEYS garimpo:*"],
    "webhooks": ["EVAL return 0", "BRPOP jobs\x06\x163 1", "GETRANGE celery-task-meta-x 0 1"],
    "flower": [
        "HGETALL garimpo:job:x",
        "GET celery-task-meta-x",
        "LPUSH jobs x",
        "BRPOP jobs 1",
        "DEL jobs",
        "SET callbacks x",
        "HGETALL unacked",
        "SUBSCRIBE garimpo:changes",
        "EVAL return 0",
    ],
    "keda": [
        "ZADD garimpo:active 1 x",
        "DEL garimpo:active",
        "ZRANGE garimpo:active 0 -1",
        "LLEN jobs",
        "HGETALL garimpo:job:x",
    ],
}


class TestUsers:
    @pytest.mark.parametrize("user", USERS)
    def test_are_refused_everything_else(self, users: RedisUsers, user: str) -> None:
        with users.connect(user) as redis:
            for command in (*DANGEROUS, *FOREIGN[user]):
                with pytest.raises(NoPermissionError):
                    redis.execute_command(*command.split(" "))

    def test_need_a_password(self, users: RedisUsers) -> None:
        with (
            Redis(port=users.port) as redis,
            pytest.raises(AuthenticationError),
        ):
            redis.ping()

    def test_have_passwords_in_no_argument(self, users: RedisUsers) -> None:
        arguments = Path(f"/proc/{users.process.pid}/cmdline").read_text(encoding="utf-8")

        assert "redis-server" in arguments
        assert not re.search("|".join(PASSWORDS.values()), arguments)

    def test_survive_a_restart(self, users: RedisUsers) -> None:
        users.process.stop()
        users.process.start()
        users.process.wait_ready()
        with users.connect("api") as redis:
            assert redis.ping()


class TestStart:
    @pytest.mark.parametrize("password", ["", "with space", "p@ss", "new\nline", "$(id)"])
    def test_refuses_other_passwords(self, tmp_path: Path, password: str) -> None:
        passwords = {**PASSWORDS, "REDIS_WORKER_PASSWORD": password}
        process = make_server(tmp_path, find_free_port(), passwords)
        try:
            process.start()
            wait_until(lambda: not process.is_alive)
        finally:
            process.stop()

        assert "letters and digits" in process.read_log()
