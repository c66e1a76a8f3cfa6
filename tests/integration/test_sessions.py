"""Logged in once: workers share the session of an account, encrypted in Redis."""

import json
from collections.abc import Iterator

import httpx
import pytest
from cryptography.fernet import Fernet
from redis import Redis

from garimpo.local_stack.process import Process
from garimpo.local_stack.stack import Stack
from jobs.redis import keys
from tests.integration.services import Services, follow, run_job, write_fast_recipe
from tests.support.demo_site import EMAIL, PASSWORD
from tests.support.polling import wait_until

PATH = "/api/v1/tubehunt/scrape-channels"
COOKIE = "tubehunt_session"


@pytest.fixture
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    recipes = tmp_path_factory.mktemp("recipes")
    write_fast_recipe(recipes, login_timeout_s=20)
    settings = {
        "RECIPES_DIR": str(recipes),
        "SESSION_KEYS": f"{Fernet.generate_key().decode()},{Fernet.generate_key().decode()}",
        "LEASE_S": "4",
        "HEARTBEAT_S": "1",
        "RECONCILE_EVERY_S": "1",
    }
    with Stack(settings=settings) as stack:
        redis = stack.redis()
        site = stack.site("--latency-ms", "0")
        yield Services(stack, redis, site, stack.api())


def start_workers(services: Services, *names: str) -> list[Process]:
    workers = [services.stack.worker(name, wait=False) for name in names]
    for worker in workers:
        worker.wait_ready()
    return workers


def start_job(services: Services, **params: object) -> str:
    with services.client() as api:
        response = api.post(f"{PATH}/start", json=params)
        job_id: str = response.json()["job_id"]
        return job_id


def count_logins(services: Services) -> int:
    """Return how often the form was sent."""
    return sum(request["method"] == "POST" for request in services.demo.requests("/login"))


def read_cookie(services: Services) -> str:
    """Return the value of the session's cookie, as only the workers know it."""
    with services.connect() as redis:
        stored = redis.hget(keys.session("tubehunt", "default"), "state")
    key = services.stack.settings["SESSION_KEYS"].partition(",")[0]
    text = Fernet(key).decrypt(str(stored)).decode().partition(" ")[2]
    [value] = [c["value"] for c in json.loads(text)["cookies"] if c["name"] == COOKIE]
    return str(value)


def read_everything(services: Services) -> bytes:
    """Return all keys and values of Redis, and all files of the stack."""
    with Redis.from_url(services.redis.url) as redis:
        dumped = [key + (redis.dump(key) or b"") for key in redis.keys("*")]
    files = [path.read_bytes() for path in services.stack.folder.rglob("*") if path.is_file()]
    return b"\n".join([*dumped, *files])


class TestSession:
    def test_is_shared_by_jobs_that_start_at_once(self, services: Services) -> None:
        start_workers(services, "one", "two", "three")
        jobs = [start_job(services, pages=2, per_page=10) for _ in range(6)]

        ends = [follow(services, job_id).end for job_id in jobs]

        assert [end["status"] for end in ends] == ["completed"] * 6
        assert count_logins(services) == 1

    def test_is_nowhere_in_clear(self, services: Services) -> None:
        # RDB files and DUMP compress long texts, and so might hide the value.
        with services.connect() as redis:
            redis.config_set("rdbcompression", "no")
        start_workers(services, "one", "two")
        jobs = [start_job(services, pages=2, per_page=10) for _ in range(3)]
        for job_id in jobs:
            assert follow(services, job_id).end["status"] == "completed"

        everything = read_everything(services)

        assert keys.session("tubehunt", "default").encode() in everything
        assert read_cookie(services).encode() not in everything

    def test_that_ends_in_the_middle_is_renewed_once(self, services: Services) -> None:
        start_workers(services, "one", "two", "three")
        run_job(services, {"pages": 1, "per_page": 10})
        services.demo.have(session_ends_after=2)
        jobs = [start_job(services, pages=3, per_page=10) for _ in range(3)]

        ends = [follow(services, job_id).end for job_id in jobs]

        assert [end["result"]["total_channels"] for end in ends] == [30] * 3
        assert count_logins(services) == 2

    def test_outlives_its_worker(self, services: Services) -> None:
        [worker] = start_workers(services, "one")
        run_job(services, {"pages": 1, "per_page": 10})
        worker.stop()
        start_workers(services, "two")

        assert run_job(services, {"pages": 1, "per_page": 10}).end["status"] == "completed"
        assert count_logins(services) == 1

    def test_a_worker_that_dies_while_it_logs_in_blocks_nobody(self, services: Services) -> None:
        [first] = start_workers(services, "one")
        services.demo.have(login_late_button_ms=600_000)
        job_id = start_job(services, pages=1, per_page=10)
        with services.connect() as redis:
            key = keys.session("tubehunt", "default")
            wait_until(lambda: redis.hget(key, "turn_token"))
        first.kill()
        services.demo.have()
        start_workers(services, "two")

        assert run_job(services, {"pages": 1, "per_page": 10}).end["status"] == "completed"
        assert follow(services, job_id).end["status"] == "completed"

    def test_of_an_older_key_is_still_used(self, services: Services) -> None:
        [worker] = start_workers(services, "one")
        run_job(services, {"pages": 1, "per_page": 10})
        worker.stop()
        old = services.stack.settings["SESSION_KEYS"].partition(",")[0]
        new = Fernet.generate_key().decode()
        services.stack.worker("two", {"SESSION_KEYS": f"{new},{old}"})

        run_job(services, {"pages": 1, "per_page": 10})

        assert count_logins(services) == 1

    def test_of_an_unknown_key_or_another_account_is_not_used(self, services: Services) -> None:
        [worker] = start_workers(services, "one")
        run_job(services, {"pages": 1, "per_page": 10})
        worker.stop()
        other = services.stack.worker("two", {"SESSION_KEYS": Fernet.generate_key().decode()})
        run_job(services, {"pages": 1, "per_page": 10})
        other.stop()

        assert count_logins(services) == 2

    def test_of_an_old_password_is_not_used(self, services: Services) -> None:
        [worker] = start_workers(services, "one")
        run_job(services, {"pages": 1, "per_page": 10})
        worker.stop()
        services.stack.worker("two", {"TUBEHUNT_PASSWORD": "a-new-password"})

        end = run_job(services, {"pages": 1, "per_page": 10}).end

        assert end["error_code"] == "login_failed"  # the demo site still has the old one
        assert count_logins(services) == 2


class TestAccounts:
    def test_have_sessions_of_their_own(self, services: Services) -> None:
        services.stack.settings |= {
            "TUBEHUNT__SHOP_2__USERNAME": EMAIL,
            "TUBEHUNT__SHOP_2__PASSWORD": PASSWORD,
        }
        start_workers(services, "one")

        ends = [
            run_job(services, {"pages": 1, "per_page": 10, **account}).end
            for account in ({}, {"account": "shop-2"}, {"account": "default"})
        ]

        assert [end["account"] for end in ends] == ["default", "shop-2", "default"]
        assert [end["status"] for end in ends] == ["completed"] * 3
        assert count_logins(services) == 2

    def test_name_the_variables_of_one_that_the_worker_does_not_know(
        self, services: Services
    ) -> None:
        start_workers(services, "one")

        end = run_job(services, {"account": "other"}).end

        assert (end["error_code"], end["account"]) == ("credentials_missing", "other")
        assert "TUBEHUNT__OTHER__USERNAME, TUBEHUNT__OTHER__PASSWORD" in end["error"]
        assert count_logins(services) == 0

    def test_are_a_part_of_the_request(self, services: Services) -> None:
        with services.client() as api:

            def start(key: str = "", **body: str) -> httpx.Response:
                headers = {"Idempotency-Key": key} if key else {}
                return api.post(f"{PATH}/start", json=body, headers=headers, params={"join": True})

            one, same, other = start(), start(account="default"), start(account="other")
            assert start("key", account="other").status_code == 202
            conflict = start("key")
            listed = {job["job_id"]: job for job in api.get("/api/v1/jobs").json()["jobs"]}

        assert one.json()["job_id"] == same.json()["job_id"] != other.json()["job_id"]
        assert conflict.json()["error_code"] == "idempotency_conflict"
        assert listed[one.json()["job_id"]]["account"] == "default"
        assert listed[other.json()["job_id"]]["account"] == "other"

    @pytest.mark.parametrize("name", ["Shop", "shop_2", "-shop", "shop-", "a--b", "", "x" * 51])
    def test_have_names_of_one_form(self, services: Services, name: str) -> None:
        with services.client() as api:
            response = api.post(f"{PATH}/start", json={"account": name})

        assert (response.status_code, response.json()["error_code"]) == (422, "invalid_parameters")
        assert "account" in response.json()["detail"]
