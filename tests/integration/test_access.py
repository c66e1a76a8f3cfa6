"""API keys: who is answered, what each key may do, and whose jobs it sees."""

import json
import re
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from redis import Redis

from api.access.api_key import Scope, make_key
from garimpo.local_stack.stack import Stack
from jobs.redis import keys
from tests.integration.command_line import run_garimpo
from tests.integration.services import write_fast_recipe
from tests.support.polling import wait_until
from tests.support.webhook_receiver import WebhookReceiver

PATH = "/api/v1/tubehunt/scrape-channels"
UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"
ALICE, BOB, ADMIN = (f"{name}-of-the-tests-0123456789" for name in ("alice", "bob", "admin"))
CAROL, DAVE = (f"{name}-of-the-tests-0123456789" for name in ("carol", "dave"))
READER, METRICS = (f"{name}-of-the-tests-0123456789" for name in ("reader", "metrics"))
KEYS = (
    f"alice:{ALICE},bob:{BOB},admin:{ADMIN}:admin,alice:{READER}:read,prometheus:{METRICS}:metrics"
)


class KeyedStack:
    """Redis, the demo site, a worker, and APIs with keys."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.api = stack.api({"API_KEYS": KEYS})

    def client(self, key: str | None = None, url: str = "") -> httpx.Client:
        headers = {} if key is None else {"X-API-Key": key}
        return httpx.Client(
            base_url=url or self.api.url, headers=headers, timeout=30, trust_env=False
        )


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyedStack]:
    recipes = tmp_path_factory.mktemp("recipes")
    write_fast_recipe(recipes)
    settings = {"RECIPES_DIR": str(recipes), "WEBHOOK_ALLOW": "127.0.0.1"}
    with Stack(settings=settings) as stack:
        stack.redis()
        stack.site("--latency-ms", "0")
        keyed = KeyedStack(stack)
        stack.worker()
        yield keyed


@pytest.fixture(scope="module")
def keyless_url(keyed: KeyedStack) -> str:
    return keyed.stack.api().url


def start(client: httpx.Client, **headers: str) -> str:
    response = client.post(f"{PATH}/start", json={"per_page": 10}, headers=headers)
    assert response.status_code == 202, response.text
    job_id: str = response.json()["job_id"]
    return job_id


def addresses_of(job_id: str) -> list[tuple[str, str]]:
    return [
        ("GET", f"{PATH}/result/{job_id}"),
        ("GET", f"{PATH}/result/{job_id}?wait=1"),
        ("GET", f"{PATH}/result/{job_id}?format=csv"),
        ("GET", f"{PATH}/items/{job_id}"),
        ("GET", f"{PATH}/items/{job_id}?format=ndjson"),
        ("GET", f"{PATH}/events/{job_id}"),
        ("GET", f"{PATH}/deliveries/{job_id}"),
        ("GET", f"/api/v1/jobs/{job_id}"),
        ("POST", f"{PATH}/cancel/{job_id}"),
        ("POST", f"{PATH}/deliveries/{job_id}/replay"),
    ]


class TestWithoutAKey:
    @pytest.mark.parametrize(
        "path",
        [
            "/api/health",
            "/metrics",
            "/docs",
            "/openapi.json",
            "/api/v1/jobs",
            "/api/v1/figures",
            f"{PATH}/result/nothing",
            "/no/such/path",
            "/api/v1/tubehunt/",
        ],
    )
    def test_every_path_is_refused_alike(self, keyed: KeyedStack, path: str) -> None:
        with keyed.client() as api:
            response = api.get(path)

        assert response.status_code == 401
        assert response.json()["error_code"] == "unauthorized"
        assert "Garimpo" in response.headers["WWW-Authenticate"]

    def test_a_start_is_refused(self, keyed: KeyedStack) -> None:
        with keyed.client() as api:
            assert api.post(f"{PATH}/start", json={}).status_code == 401

    def test_liveness_is_answered(self, keyed: KeyedStack) -> None:
        with keyed.client() as api:
            assert api.get("/api/live").json() == {"status": "ok"}

    @pytest.mark.parametrize(
        "headers",
        [
            {"X-API-Key": ""},
            {"X-API-Key": ALICE[:-1]},
            {"X-API-Key": f"{ALICE}x"},
            {"X-API-Key": f"alice:{ALICE}"},
            {"Authorization": f"Basic {ALICE}"},
            {"Authorization": ALICE},
            {"Authorization": "Bearer"},
            {"Cookie": f"X-API-Key={ALICE}"},
        ],
    )
    def test_a_wrong_key_is_none(self, keyed: KeyedStack, headers: dict[str, str]) -> None:
        with keyed.client() as api:
            response = api.get("/api/v1/jobs", headers=headers)

        assert response.status_code == 401
        assert ALICE not in response.text

    def test_a_key_in_the_query_is_none(self, keyed: KeyedStack) -> None:
        with keyed.client() as api:
            assert api.get("/api/v1/jobs", params={"api_key": ALICE}).status_code == 401


class TestKey:
    @pytest.mark.parametrize(
        "headers",
        [{"X-API-Key": ALICE}, {"Authorization": f"Bearer {ALICE}"}],
        ids=["x-api-key", "bearer"],
    )
    def test_is_sent_in_either_header(self, keyed: KeyedStack, headers: dict[str, str]) -> None:
        with keyed.client() as api:
            assert api.get("/api/v1/jobs", headers=headers).status_code == 200

    def test_opens_the_documentation_in_a_browser(self, keyed: KeyedStack) -> None:
        with keyed.client() as api:
            refusal = api.get("/docs")
            page = api.get("/docs", auth=("any", ALICE))
            elsewhere = api.get("/api/v1/jobs", auth=("any", ALICE))

        assert refusal.headers["WWW-Authenticate"].startswith("Basic ")
        assert page.status_code == 200
        assert elsewhere.status_code == 401

    @pytest.mark.parametrize(
        ("key", "method", "path"),
        [
            (READER, "POST", f"{PATH}/start"),
            (READER, "POST", f"{PATH}/cancel/{UNKNOWN_ID}"),
            (READER, "POST", f"{PATH}/deliveries/{UNKNOWN_ID}/replay"),
            (READER, "GET", "/metrics"),
            (READER, "GET", "/api/v1/figures"),
            (METRICS, "GET", "/api/v1/jobs"),
            (METRICS, "GET", f"{PATH}/result/{UNKNOWN_ID}"),
        ],
    )
    def test_needs_the_scope(self, keyed: KeyedStack, key: str, method: str, path: str) -> None:
        with keyed.client(key) as api:
            response = api.request(method, path)

        assert (response.status_code, response.json()["error_code"]) == (403, "forbidden")

    @pytest.mark.parametrize("path", ["/metrics", "/api/v1/figures", "/api/health"])
    def test_with_the_scope_reads_statistics(self, keyed: KeyedStack, path: str) -> None:
        with keyed.client(METRICS) as api:
            assert api.get(path).status_code == 200


class TestOwnJobs:
    def test_no_address_of_a_job_answers_another_key(self, keyed: KeyedStack) -> None:
        with keyed.client(ALICE) as alice, keyed.client(BOB) as bob:
            job_id = start(alice)
            assert alice.get(f"{PATH}/result/{job_id}?wait=30").json()["status"] == "completed"
            unknown = [bob.request(*address) for address in addresses_of(str(uuid4()))]
            answers = [bob.request(*address) for address in addresses_of(job_id)]

            assert {answer.status_code for answer in answers} == {404}
            assert [answer.content for answer in answers] == [answer.content for answer in unknown]
            assert alice.get(f"{PATH}/result/{job_id}").json()["status"] == "completed"

    def test_an_expired_job_is_unknown_to_another_key(self, keyed: KeyedStack) -> None:
        with Stack() as stack:  # without a worker, so that the cancel ends the job
            stack.redis()
            api = stack.api({"API_KEYS": KEYS, "RESULT_TTL_S": "1"})
            with keyed.client(ALICE, api.url) as alice, keyed.client(BOB, api.url) as bob:
                job_id = start(alice)
                path = f"{PATH}/result/{job_id}"
                assert alice.post(f"{PATH}/cancel/{job_id}").status_code == 202

                wait_until(lambda: alice.get(path).status_code == 410)
                assert bob.get(path).status_code == 404

    def test_lists_are_apart(self, keyed: KeyedStack) -> None:
        with (
            keyed.client(ALICE) as alice,
            keyed.client(BOB) as bob,
            keyed.client(ADMIN) as admin,
            keyed.client(READER) as reader,
        ):
            of_alice, of_bob = start(alice), start(bob)

            def listed(client: httpx.Client, **filters: str) -> set[str]:
                body = client.get("/api/v1/jobs", params={"limit": "200", **filters}).json()
                return {job["job_id"] for job in body["jobs"]}

            for filters in ({}, {"site": "tubehunt"}, {"site": "tubehunt", "job": PATH[17:]}):
                assert of_alice in listed(alice, **filters)
                assert of_bob not in listed(alice, **filters)
                assert of_alice not in listed(bob, **filters)
                assert {of_alice, of_bob} <= listed(admin, **filters)
            assert listed(reader) == listed(alice)  # another key of the same name

    def test_idempotency_keys_and_joins_are_apart(self, keyed: KeyedStack) -> None:
        key = str(uuid4())
        with keyed.client(ALICE) as alice, keyed.client(BOB) as bob:
            of_alice = start(alice, **{"Idempotency-Key": key})
            assert start(alice, **{"Idempotency-Key": key}) == of_alice
            assert start(bob, **{"Idempotency-Key": key}) != of_alice

            body = {"per_page": 10, "pages": 3}
            path = f"{PATH}/start?join=true"
            first = alice.post(path, json=body).json()["job_id"]
            assert bob.post(path, json=body).json()["job_id"] != first

    def test_an_admin_sees_and_cancels_all_jobs(self, keyed: KeyedStack) -> None:
        with keyed.client(ALICE) as alice, keyed.client(ADMIN) as admin:
            job_id = start(alice)

            assert admin.get(f"{PATH}/result/{job_id}?wait=30").status_code == 200
            assert admin.post(f"{PATH}/cancel/{job_id}").status_code in {202, 409}


class TestKeyFile:
    def test_keys_come_and_go_without_a_restart(self, keyed: KeyedStack, tmp_path: Path) -> None:
        file = tmp_path / "keys"
        first, first_secret = make_key("first")
        second, second_secret = make_key("second", [Scope.READ])
        file.write_text(f"# keys of the tests\n{first.format_entry()}\n")
        api = keyed.stack.api({"API_KEYS_FILE": str(file)})

        def status(secret: str) -> int:
            with keyed.client(secret, api.url) as client:
                return client.get("/api/v1/jobs").status_code

        assert (status(first_secret), status(second_secret)) == (200, 401)
        file.write_text(f"{second.format_entry()}\n")
        wait_until(lambda: (status(first_secret), status(second_secret)) == (401, 200))
        file.write_text("")
        wait_until(lambda: status(second_secret) == 401)
        assert status("") == 401

    def test_a_fault_keeps_no_revoked_key_alive(self, keyed: KeyedStack, tmp_path: Path) -> None:
        file = tmp_path / "keys"
        kept, kept_secret = make_key("kept")
        revoked, revoked_secret = make_key("revoked")
        file.write_text(f"{kept.format_entry()}\n{revoked.format_entry()}\n")
        api = keyed.stack.api({"API_KEYS": KEYS, "API_KEYS_FILE": str(file)})

        def status(secret: str) -> int:
            with keyed.client(secret, api.url) as client:
                return client.get("/api/v1/jobs").status_code

        def health() -> dict[str, Any]:
            with keyed.client(ALICE, api.url) as client:
                body: dict[str, Any] = client.get("/api/health").json()
                return body

        assert health()["status"] == "ok"
        file.write_text(f"{kept.format_entry()}\nnot an entry\n")
        wait_until(lambda: status(revoked_secret) == 401)
        assert status(kept_secret) == 200
        assert "line 2 is left out" in api.read_log()
        assert health()["status"] == "degraded"
        assert "malformadas" in health()["message"]
        file.unlink()
        wait_until(lambda: status(kept_secret) == 401)
        assert "cannot be read: No such file" in api.read_log()
        assert "nenhuma chave dele" in health()["message"]
        with keyed.client(url=api.url) as nobody:
            assert nobody.get("/api/v1/jobs").status_code == 401

    @pytest.mark.parametrize("content", [None, "", "alice:short"])
    def test_an_unusable_file_stops_the_start(
        self, keyed: KeyedStack, tmp_path: Path, content: str | None
    ) -> None:
        file = tmp_path / "keys"
        if content is not None:
            file.write_text(content)
        api = keyed.stack.api({"API_KEYS_FILE": str(file)}, wait=False)

        wait_until(lambda: not api.is_alive)
        assert "API_KEYS_FILE" in api.read_log()
        assert "Traceback" not in api.read_log()


class TestRevokedKey:
    @pytest.mark.parametrize("change", ["removed", "fewer scopes", "file gone"])
    def test_ends_what_it_has_opened(self, keyed: KeyedStack, tmp_path: Path, change: str) -> None:
        file = tmp_path / "keys"
        entry = f"carol:{CAROL}:start+read"
        file.write_text(f"{entry}\n")
        with Stack() as stack:  # without a worker, so that the job waits
            stack.redis()
            url = stack.api({"API_KEYS": KEYS, "API_KEYS_FILE": str(file)}).url
            with keyed.client(CAROL, url) as carol, ThreadPoolExecutor() as threads:
                job_id = start(carol)
                wait = threads.submit(carol.get, f"{PATH}/result/{job_id}?wait=60", timeout=90)
                with carol.stream("GET", f"{PATH}/events/{job_id}", timeout=90) as stream:
                    lines = stream.iter_lines()
                    assert next(lines) == "event: progress"
                    if change == "file gone":
                        file.unlink()
                    else:
                        less = entry.replace("+read", "") if change == "fewer scopes" else ""
                        file.write_text(f"{less}\n")
                    rest = "\n".join(lines)  # until the API ends the stream

                assert "event:" not in rest
                assert wait.result().status_code == 401
                with keyed.client(ADMIN, url) as admin:
                    path = f"{PATH}/result/{job_id}"
                    assert admin.get(path).json()["status"] == "pending"

    def test_does_not_get_the_end_of_its_job(self, keyed: KeyedStack, tmp_path: Path) -> None:
        file = tmp_path / "keys"
        file.write_text(f"carol:{CAROL}\n")
        with Stack() as stack:  # without a worker, so that the cancel ends the job
            stack.redis()
            url = stack.api({"API_KEYS": KEYS, "API_KEYS_FILE": str(file)}).url
            with keyed.client(CAROL, url) as carol, keyed.client(ADMIN, url) as admin:
                job_id = start(carol)
                with carol.stream("GET", f"{PATH}/events/{job_id}", timeout=90) as stream:
                    lines = stream.iter_lines()
                    assert next(lines) == "event: progress"
                    file.write_text("")
                    path = "/api/v1/jobs"
                    wait_until(lambda: carol.get(path).status_code == 401)
                    admin.post(f"{PATH}/cancel/{job_id}")
                    rest = "\n".join(lines)

                assert "event:" not in rest

    def test_does_not_disturb_others(self, keyed: KeyedStack, tmp_path: Path) -> None:
        file = tmp_path / "keys"
        file.write_text(f"carol:{CAROL}\ndave:{DAVE}\n")
        with Stack() as stack:  # without a worker, so that the cancel ends the job
            stack.redis()
            url = stack.api({"API_KEYS_FILE": str(file)}).url
            with keyed.client(CAROL, url) as carol, keyed.client(DAVE, url) as dave:
                of_carol, of_dave = start(carol), start(dave)
                with (
                    dave.stream("GET", f"{PATH}/events/{of_dave}", timeout=90) as of_kept,
                    carol.stream("GET", f"{PATH}/events/{of_carol}", timeout=90) as of_revoked,
                ):
                    file.write_text(f"dave:{DAVE}\n")
                    for _ in of_revoked.iter_lines():
                        pass
                    dave.post(f"{PATH}/cancel/{of_dave}")
                    assert "event: end" in of_kept.iter_lines()


class TestOwner:
    def test_is_shown_to_an_admin_only(self, keyed: KeyedStack) -> None:
        with keyed.client(ALICE) as alice, keyed.client(ADMIN) as admin:
            job_id = start(alice)

            assert admin.get(f"/api/v1/jobs/{job_id}").json()["owner"] == "alice"
            assert alice.get(f"/api/v1/jobs/{job_id}").json()["owner"] is None

    def test_selects_jobs(self, keyed: KeyedStack) -> None:
        with keyed.client(ALICE) as alice, keyed.client(BOB) as bob, keyed.client(ADMIN) as admin:
            of_alice, of_bob = start(alice), start(bob)

            def listed(client: httpx.Client, owner: str) -> set[str]:
                params = {"limit": "200", "owner": owner}
                body = client.get("/api/v1/jobs", params=params).json()
                return {job["job_id"] for job in body["jobs"]}

            assert of_alice in listed(admin, "alice")
            assert of_bob not in listed(admin, "alice")
            assert {of_alice, of_bob} <= listed(admin, "")
            assert of_bob in listed(bob, "bob")
            assert listed(admin, "nobody") == set()
            refusal = bob.get("/api/v1/jobs", params={"owner": "alice"})
            assert refusal.json()["error_code"] == "forbidden"
            assert admin.get("/api/v1/jobs", params={"owner": "a:b"}).status_code == 422


class TestRefusals:
    def test_are_counted_and_logged_by_reason(self, keyed: KeyedStack) -> None:
        settings = {"API_KEYS": KEYS, "ALLOWED_HOSTS": "127.0.0.1", "RATE_LIMIT_READS": "4/hour"}
        api = keyed.stack.api({**settings, "LOG_FORMAT": "json"})

        def count(reason: str) -> float:
            with keyed.client(METRICS, api.url) as client:
                metrics = client.get("/metrics").text
            [value] = re.findall(rf'requests_refused_total{{reason="{reason}"}} (\S+)', metrics)
            return float(value)

        with keyed.client(url=api.url) as nobody, keyed.client(ALICE, api.url) as alice:
            assert count("key_unknown") == 0
            nobody.get("/api/v1/jobs")
            nobody.get("/api/v1/jobs", headers={"X-API-Key": "x" * 40})
            nobody.get("/api/v1/jobs", headers={"Host": "evil.test"})
            alice.post(f"{PATH}/start", headers={"Origin": "http://evil.test"})
            alice.get("/metrics")
            for _ in range(5):
                alice.get("/api/v1/jobs")
        with keyed.client(METRICS, api.url) as client:
            metrics = client.get("/metrics").text
        counts = dict(re.findall(r'requests_refused_total{reason="(\w+)"} (\S+)', metrics))

        expected = {"key_missing": 1, "key_unknown": 1, "host": 1, "origin": 1, "rate": 2}
        expected |= {"scope": 0, "not_local": 0}
        assert {reason: float(value) for reason, value in counts.items()} == expected

        def logged() -> set[str]:
            return set(re.findall(r'"refused": "(\w+)"', api.read_log()))

        reasons = {reason for reason, value in expected.items() if value}
        wait_until(lambda: logged() == reasons)

    def test_a_start_names_caller_and_job_in_the_log(self, keyed: KeyedStack) -> None:
        api = keyed.stack.api({"API_KEYS": KEYS, "LOG_FORMAT": "json"})
        with keyed.client(ALICE, api.url) as alice:
            job_id = start(alice)

        def lines() -> list[dict[str, Any]]:
            texts = api.read_log().splitlines()
            parsed = [json.loads(text) for text in texts if text.endswith("}")]
            return [line for line in parsed if line.get("job_id") == job_id]

        wait_until(lines)
        assert [(line["caller"], line["status"]) for line in lines()] == [("alice", 202)]


class TestCaching:
    def test_no_cache_keeps_what_the_api_says(self, keyed: KeyedStack) -> None:
        with keyed.client(ALICE) as alice:
            addresses = [("GET", "/api/v1/jobs"), *addresses_of(start(alice))]
            for method, path in addresses:
                expected = "no-cache" if "/events/" in path else "no-store"
                headers = alice.request(method, path).headers
                assert headers["Cache-Control"] == expected, path


class TestUnreadableRecord:
    def test_exists_only_for_those_who_have_access_to_it(self, keyed: KeyedStack) -> None:
        with keyed.client(ALICE) as alice:
            unreadable, ownerless = start(alice), start(alice)
            for job_id in (unreadable, ownerless):
                # A worker that takes the job would make its record readable.
                wait_until(partial(get_final, alice, job_id))
        with Redis.from_url(keyed.stack.settings["REDIS_URL"]) as redis:
            redis.hset(keys.record(unreadable), "state", "paused")
            redis.delete(keys.record(ownerless))
            redis.set(keys.record(ownerless), "x")

        def codes_of(key: str, job_id: str) -> set[tuple[int, str]]:
            with keyed.client(key) as client:
                answers = [client.request(*address) for address in addresses_of(job_id)]
            return {(answer.status_code, answer.json()["error_code"]) for answer in answers}

        assert codes_of(ALICE, unreadable) == {(503, "record_unreadable")}
        assert codes_of(BOB, unreadable) == {(404, "job_not_found")}
        assert codes_of(ADMIN, ownerless) == {(503, "record_unreadable")}
        assert codes_of(ALICE, ownerless) == {(404, "job_not_found")}


class TestLimits:
    @pytest.fixture
    def limited(self, keyed: KeyedStack) -> str:
        return keyed.stack.api(
            {
                "API_KEYS": KEYS,
                "RATE_LIMIT_STARTS": "3/hour",
                "RATE_LIMIT_READS": "5/minute",
            }
        ).url

    def test_starts_and_reads_are_counted_for_each_key(
        self, keyed: KeyedStack, limited: str
    ) -> None:
        with keyed.client(ALICE, limited) as alice, keyed.client(BOB, limited) as bob:
            starts = [alice.post(f"{PATH}/start", json={}) for _ in range(4)]
            reads = [alice.get("/api/v1/jobs") for _ in range(6)]

            assert [response.status_code for response in starts] == [202] * 3 + [429]
            assert [response.status_code for response in reads] == [200] * 5 + [429]
            for response in (starts[-1], reads[-1]):
                assert response.json()["error_code"] == "rate_limited"
                assert 1 <= int(response.headers["Retry-After"]) <= 3600
            assert bob.get("/api/v1/jobs").status_code == 200

    @pytest.mark.parametrize("path", ["/api/health", "/metrics", "/docs", "/openapi.json"])
    def test_requests_that_concern_no_job_count_too(
        self, keyed: KeyedStack, limited: str, path: str
    ) -> None:
        with keyed.client(ADMIN, limited) as admin, keyed.client(url=limited) as nobody:
            statuses = [admin.get(path).status_code for _ in range(6)]
            assert statuses == [200] * 5 + [429]
            assert nobody.get("/api/live").status_code == 200

    def test_event_streams_that_are_opened_at_once_are_bounded(self, keyed: KeyedStack) -> None:
        with Stack() as stack:  # without a worker, so that the job waits
            stack.redis()
            limits = {"MAX_OPEN_RESPONSES_PER_KEY": "2"}
            api = stack.api({"API_KEYS": KEYS, **limits})
            with keyed.client(ALICE, api.url) as alice:
                path = f"{PATH}/events/{start(alice)}"
                ready = threading.Barrier(20)

                def open_stream(_: int) -> int:
                    with keyed.client(ALICE, api.url) as client:
                        client.get("/api/live")  # connects
                        ready.wait()
                        with client.stream("GET", path) as response:
                            ready.wait()  # until all have been answered
                            return response.status_code

                with ThreadPoolExecutor(20) as pool:
                    statuses = sorted(pool.map(open_stream, range(20)))

        assert statuses == [200] * 2 + [429] * 18

    def test_waiting_jobs_are_bounded(self, keyed: KeyedStack) -> None:
        limits = {"MAX_WAITING_JOBS": "4", "MAX_WAITING_JOBS_PER_KEY": "3"}
        with Stack() as stack:  # without a worker, so that jobs wait
            stack.redis()
            api = stack.api({"API_KEYS": KEYS, **limits})
            with keyed.client(ALICE, api.url) as alice, keyed.client(BOB, api.url) as bob:
                of_alice = [alice.post(f"{PATH}/start", json={}) for _ in range(4)]
                of_bob = [bob.post(f"{PATH}/start", json={}) for _ in range(2)]

                assert [response.status_code for response in of_alice] == [202] * 3 + [429]
                assert of_alice[-1].json()["error_code"] == "rate_limited"
                assert [response.status_code for response in of_bob] == [202, 503]
                assert of_bob[-1].json()["error_code"] == "queue_full"
                assert int(of_bob[-1].headers["Retry-After"]) > 0
                job_id = of_alice[0].json()["job_id"]
                assert alice.post(f"{PATH}/cancel/{job_id}").status_code == 202
                assert bob.post(f"{PATH}/start", json={}).status_code == 202


class TestMemory:
    def test_of_a_full_redis_is_no_outage(self, keyed: KeyedStack) -> None:
        with (
            Redis.from_url(keyed.stack.settings["REDIS_URL"]) as connection,
            keyed.client(ALICE) as alice,
        ):
            connection.config_set("maxmemory", 1)
            try:
                response = alice.post(f"{PATH}/start", json={})
            finally:
                connection.config_set("maxmemory", 0)

        assert (response.status_code, response.json()["error_code"]) == (503, "queue_full")

    @pytest.mark.timeout(300)
    def test_that_starts_and_cancellations_use_up_is_left_to_accepted_jobs(
        self, tmp_path: Path
    ) -> None:
        write_fast_recipe(tmp_path)
        settings = {"RECIPES_DIR": str(tmp_path), "WEBHOOK_ALLOW": "127.0.0.1"}
        params = {"order_by": "a" * 2000, "webhook_url": "http://127.0.0.1:9/" + "a" * 1900}
        with Stack(settings=settings) as stack:
            redis, _ = stack.redis(), stack.site("--latency-ms", "0")
            url = stack.api().url
            with (
                httpx.Client(base_url=url, timeout=30, trust_env=False) as api,
                Redis.from_url(redis.url) as connection,
            ):
                kept = start(api)
                used = connection.info("memory")["used_memory"]
                connection.config_set("maxmemory", used + 8_000_000)
                while (response := api.post(f"{PATH}/start", json=params)).status_code == 202:
                    job_id = response.json()["job_id"]
                    assert api.post(f"{PATH}/cancel/{job_id}").status_code == 202

                assert (response.status_code, response.json()["error_code"]) == (503, "queue_full")
                assert int(response.headers["Retry-After"]) > 0
                stack.worker()
                ended = wait_until(lambda: get_final(api, kept), within_s=120)
                assert ended is not None
                assert ended["status"] == "completed", ended


def get_final(api: httpx.Client, job_id: str) -> dict[str, Any] | None:
    body: dict[str, Any] = api.get(f"{PATH}/result/{job_id}").json()
    return body if body["is_final"] else None


def exchange(url: str, request: bytes) -> bytes:
    """Send bytes; return what comes back until the connection ends or there is a response."""
    address = httpx.URL(url)
    received = b""
    with socket.create_connection((address.host, address.port), timeout=60) as connection:
        with suppress(OSError):  # closed while it still sends
            connection.sendall(request)
        with suppress(ConnectionResetError):
            while b"\r\n\r\n" not in received and (part := connection.recv(65536)):
                received += part
    return received


class TestRequestForm:
    def test_headers_without_end_are_refused(self, keyed: KeyedStack) -> None:
        request = b"GET /api/live HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 2_000_000

        assert b" 200 " not in exchange(keyed.api.url, request)
        with keyed.client() as api:
            assert api.get("/api/live").status_code == 200

    @pytest.mark.timeout(120)
    def test_a_request_that_does_not_arrive_is_closed(self) -> None:
        head = b"POST %s/start HTTP/1.1\r\nHost: localhost\r\n" % PATH.encode()
        body = b"Content-Type: application/json\r\nContent-Length: 50\r\n\r\n{"
        with Stack() as stack:  # without a worker, so that the job waits
            stack.redis()
            url = stack.api().url
            job_id = httpx.post(f"{url}{PATH}/start", json={}, trust_env=False).json()["job_id"]
            with ThreadPoolExecutor() as threads:
                path = f"{url}{PATH}/result/{job_id}?wait=30"
                waiting = threads.submit(httpx.get, path, timeout=90, trust_env=False)
                slow = [threads.submit(exchange, url, part) for part in (b"", head, head + body)]

                # Not by their own time limit, which raises TimeoutError.
                assert [future.result() for future in slow] == [b""] * 3
                assert not waiting.done()
                assert waiting.result().json()["status"] == "pending"

    @pytest.mark.parametrize(
        "head",
        [
            "GET /api/v1/jobs HTTP/1.1\r\nHost: localhost\r\nHost: evil.test",
            "GET /api/v1/jobs HTTP/1.0",
            "GET http://evil.test/api/v1/jobs HTTP/1.1\r\nHost: evil.test",
            "GET /api/v1/jobs HTTP/1.1\r\nHost: evil.test",
            "GET /api/v1/jobs HTTP/1.1\r\nHost: localhost@evil.test",
        ],
    )
    def test_hosts_that_are_not_this_machine_are_refused(self, keyless_url: str, head: str) -> None:
        answer = exchange(keyless_url, f"{head}\r\n\r\n".encode())

        assert answer.split(b" ")[1] in {b"400", b"421"}

    def test_a_form_starts_no_job(self, keyless_url: str) -> None:
        path = f"{keyless_url}{PATH}/start"
        for media_type in (
            "application/x-www-form-urlencoded",
            "text/plain",
            "multipart/form-data",
        ):
            headers = {"Content-Type": media_type}
            for body in (b"", b'{"pages": 1}'):
                answer = httpx.post(path, content=body, headers=headers, trust_env=False)
                assert answer.status_code == 415, media_type
        assert httpx.post(path, content=b"{}", trust_env=False).status_code == 415
        assert httpx.post(path, trust_env=False).status_code == 202
        assert httpx.post(path, json={}, trust_env=False).status_code == 202


class TestWithoutKeys:
    @pytest.mark.parametrize(
        "headers",
        [
            {"X-Forwarded-For": "203.0.113.7"},
            {"X-Forwarded-For": "127.0.0.1"},
            {"Forwarded": "for=203.0.113.7"},
            {"X-Real-IP": "203.0.113.7"},
        ],
    )
    def test_a_proxy_gets_no_answer(self, keyless_url: str, headers: dict[str, str]) -> None:
        answer = httpx.get(f"{keyless_url}/api/v1/jobs", headers=headers, trust_env=False)

        assert (answer.status_code, answer.json()["error_code"]) == (403, "forbidden")


class TestCommandLine:
    def test_checks_an_api_with_its_key(self, keyed: KeyedStack, tmp_path: Path) -> None:
        options = ("--quick", "--start-within-ms", "10000", "--param", "per_page=10", "--json")
        settings = {"GARIMPO_URL": keyed.api.url}
        done = run_garimpo(tmp_path, "check", *options, GARIMPO_API_KEY=ALICE, **settings)

        assert done.returncode == 0, done.stdout + done.stderr
        assert ALICE not in done.stdout + done.stderr

    @pytest.mark.parametrize("command", [["jobs"], ["check", "--quick"], ["run", "tubehunt", "x"]])
    def test_says_that_a_key_is_missing(
        self, keyed: KeyedStack, tmp_path: Path, command: list[str]
    ) -> None:
        done = run_garimpo(tmp_path, *command, GARIMPO_URL=keyed.api.url)

        assert done.returncode != 0
        assert "GARIMPO_API_KEY" in done.stdout + done.stderr

    def test_makes_a_key_that_the_api_takes(self, keyed: KeyedStack, tmp_path: Path) -> None:
        file = tmp_path / "keys"
        made = [run_garimpo(tmp_path, "keys", "new", name, "--file", str(file)) for name in "ab"]
        api = keyed.stack.api({"API_KEYS_FILE": str(file)})

        assert file.stat().st_mode & 0o077 == 0
        for done in made:
            secret = done.stdout.strip()
            assert secret not in file.read_text()
            with keyed.client(secret, api.url) as client:
                assert client.get("/api/v1/jobs").status_code == 200

    @pytest.mark.parametrize("arguments", [["a b"], ["a", "--scope", "write"]])
    def test_refuses_a_malformed_key(self, tmp_path: Path, arguments: list[str]) -> None:
        done = run_garimpo(tmp_path, "keys", "new", *arguments)

        assert (done.returncode, done.stdout) == (2, "")


class TestAddresses:
    def test_a_webhook_names_no_host_that_its_caller_made_up(self, keyed: KeyedStack) -> None:
        headers = {"Host": "attacker.example:9999", "X-Forwarded-Proto": "https"}
        with WebhookReceiver() as receiver, keyed.client(ALICE) as alice:
            body = {"webhook_url": receiver.url, "webhook_payload": "thin", "per_page": 10}
            response = alice.post(f"{PATH}/start", json=body, headers=headers)
            assert response.status_code == 202, response.text

            [webhook] = receiver.wait_for(response.json()["job_id"])

        assert "attacker" not in webhook.body
        assert f'"result_url": "{PATH}/result/' in webhook.body

    def test_no_redirect_names_the_host_of_the_request(self, keyed: KeyedStack) -> None:
        with keyed.client(ALICE) as alice:
            response = alice.get("/api/v1/jobs/", headers={"Host": "attacker.example"})

        assert response.status_code == 404
        assert "attacker" not in str(response.headers)
