"""Foreign data in Redis, read by the API and the reconciler: reported, and never a 500."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from redis import Redis

from jobs.redis import keys
from jobs.store.leased_jobs import FinishedPage
from tests.integration.jobs_in_redis import HEAD, Jobs
from tests.integration.services import Services
from tests.integration.test_events import follow
from tests.support.polling import wait_until

PATH = "/api/v1/tubehunt/scrape-channels"
OVERVIEWS = ("/api/health", "/metrics", "/api/v1/figures", "/api/v1/jobs", "/api/v1/jobs?limit=1")

#: By name: the field of a record, and what another program or version may write there.
FIELDS: dict[str, tuple[str, str | bytes]] = {
    "unknown state": ("state", "paused"),
    "no state": ("state", ""),
    "state without failure": ("state", "failed"),
    "progress no number": ("progress", "half"),
    "progress beyond 100": ("progress", "1000"),
    "attempt of text": ("attempt", "x"),
    "time no number": ("created_at", "yesterday"),
    "time no clock has": ("created_at", "9" * 30),
    "params a list": ("params", "[1]"),
    "params of another type": ("params", '{"a": {"b": []}}'),
    "params NaN": ("params", '{"a": NaN}'),
    "params a surrogate": ("params", '{"a": "\\ud800"}'),
    "params deep": ("params", "[" * 100_000),
    "params not UTF-8": ("params", b"\xff\xfe"),
    "site with a slash": ("site", "../../etc"),
    "message a list": ("message", "[]"),
    "message arguments a list": ("message", '{"key": "opening_page", "args": []}'),
    "failure of a pending job": ("failure", '{"code": "cancelled", "details": {}}'),
    "failure code a number": ("failure", '{"code": 5, "details": {}}'),
    "webhook of text": ("webhook", "x"),
    "webhook without a URL": ("webhook", "{}"),
    "revision of text": ("revision", "x"),
}


@pytest.fixture
def jobs(services: Services) -> Iterator[Jobs]:
    with services.connect() as redis:
        redis.flushall()
    with Jobs(services.redis.url) as jobs:
        yield jobs


@pytest.fixture
def redis(services: Services, jobs: Jobs) -> Iterator[Redis]:  # noqa: ARG001 - empties Redis
    with services.connect() as redis:
        yield redis


def check_overviews(api: httpx.Client) -> None:
    for path in OVERVIEWS:
        assert api.get(path).status_code == 200, path


class TestRecord:
    @pytest.mark.parametrize("name", FIELDS)
    def test_that_is_unreadable_concerns_only_its_job(
        self, jobs: Jobs, redis: Redis, api: httpx.Client, name: str
    ) -> None:
        readable, unreadable, newest = (jobs.submit() for _ in range(3))
        field, value = FIELDS[name]
        redis.hset(keys.record(unreadable.id), field, value)

        check_overviews(api)
        listed = [job["job_id"] for job in api.get("/api/v1/jobs").json()["jobs"]]
        assert set(listed) == {readable.id, newest.id}
        first = api.get("/api/v1/jobs?limit=1").json()
        second = api.get("/api/v1/jobs", params={"cursor": first["next_cursor"]}).json()
        assert [job["job_id"] for job in first["jobs"] + second["jobs"]] == listed
        assert redis.zcard(keys.state_index("pending")) == 3, "it is not removed"
        for path in ("result", "items", "events", "deliveries"):
            response = api.get(f"{PATH}/{path}/{unreadable.id}")
            code = response.json()["error_code"]
            assert (response.status_code, code) == (503, "record_unreadable"), path
        for path in (f"cancel/{unreadable.id}", f"deliveries/{unreadable.id}/replay"):
            assert api.post(f"{PATH}/{path}").json()["error_code"] == "record_unreadable"

    def test_of_another_type_is_unreadable_although_redis_answers(
        self, jobs: Jobs, redis: Redis, api: httpx.Client
    ) -> None:
        job = jobs.submit()
        redis.delete(keys.record(job.id))
        redis.set(keys.record(job.id), "x")

        response = api.get(f"{PATH}/result/{job.id}", headers={"Accept-Language": "en"})

        assert response.status_code == 503
        assert response.json() == {
            "detail": "Data of this job in Redis cannot be read; a newer version of Garimpo may "
            "have written it",
            "error_code": "record_unreadable",
        }
        check_overviews(api)

    def test_with_a_failure_code_of_a_newer_version_is_shown(
        self, jobs: Jobs, redis: Redis, api: httpx.Client
    ) -> None:
        job = jobs.submit()
        jobs.cancel(job)
        failure = json.dumps({"code": "site_moved", "details": {"to": "x"}})
        redis.hset(keys.record(job.id), "failure", failure)

        [listed] = api.get("/api/v1/jobs", headers={"Accept-Language": "en"}).json()["jobs"]
        body = api.get(f"{PATH}/result/{job.id}").json()

        assert (listed["status"], listed["error_code"]) == ("failed", "site_moved")
        assert listed["message"] == "The job failed: site_moved"
        assert (body["status"], body["error_code"]) == ("failed", "site_moved")
        assert job.id in jobs.reconcile() or jobs.published, "its end is published"

    def test_with_a_message_of_a_newer_version_is_shown(
        self, jobs: Jobs, redis: Redis, api: httpx.Client
    ) -> None:
        job = jobs.submit()
        jobs.claim(job)
        redis.hset(keys.record(job.id), "message", '{"key": "solving_captcha", "args": {}}')

        body = api.get(f"{PATH}/result/{job.id}", headers={"Accept-Language": "en"}).json()

        assert (body["status"], body["message"]) == ("processing", "Job running")


class TestResult:
    @pytest.mark.parametrize("stored", ["junk", "[]", "{}", '{"result": {}}', '{"items": 5}', None])
    def test_that_is_unreadable_is_reported(
        self, services: Services, jobs: Jobs, redis: Redis, api: httpx.Client, stored: str | None
    ) -> None:
        job = jobs.submit()
        token = jobs.claim(job)
        jobs.leased_jobs.append_page(job.id, token, FinishedPage(1, [{"name": "a"}]))
        jobs.store_result(job, token, "SUCCESS", HEAD)
        redis.delete(keys.result(job.id))
        if stored is None:
            redis.hset(keys.result(job.id), "a", "b")
        else:
            redis.set(keys.result(job.id), stored)

        for path in ("result", "items"):
            response = api.get(f"{PATH}/{path}/{job.id}")
            assert response.json()["error_code"] == "record_unreadable", path
        with follow(services, job.id) as (_, events):
            assert list(events) == [], "the stream ends"


class TestCounters:
    def test_of_other_forms_are_skipped(self, jobs: Jobs, redis: Redis, api: httpx.Client) -> None:
        for field in (
            "accepted|tubehunt|scrape-channels",
            "waited|a|b|junk",
            "pace_ms",
            "x|",
            b"\xff|",
        ):
            redis.hset(keys.COUNTERS, field, "junk")
        redis.hset(keys.WORKER_STATUS, "one", "junk")
        redis.hset(keys.WORKER_STATUS, "two", '{"jobs": [5], "browser_mb": "x"}')
        workers: dict[Any, float] = {"one": jobs.now_ms() * 2, "two": float("inf"), b"\xff": 1e300}
        redis.zadd(keys.WORKERS, workers)
        redis.zadd(keys.state_index("pending"), {"junk": float("inf"), "more": -1})

        check_overviews(api)
        job_id = api.post(f"{PATH}/start").json()["job_id"]
        assert api.get(f"{PATH}/result/{job_id}").json()["queue_position"] is not None

    @pytest.mark.parametrize(
        "key",
        [
            keys.COUNTERS,
            keys.WORKERS,
            keys.WORKER_STATUS,
            keys.DELIVERIES_OPEN,
            keys.WORKER_LOST,
            keys.state_index("pending"),
            keys.JOB_QUEUE,
        ],
    )
    def test_of_another_type_do_not_hide_the_rest(
        self, redis: Redis, api: httpx.Client, key: str
    ) -> None:
        redis.set(key, "junk")

        check_overviews(api)


class TestMembers:
    def test_that_are_foreign_are_set_aside(self, jobs: Jobs, redis: Redis) -> None:
        lost = jobs.submit()
        redis.delete(keys.JOB_QUEUE)
        foreign: dict[Any, float] = {
            "nocolon": 1,
            "a:b:c": 2,
            b"\xff\xfe": 3,
            "x" * 9000: 4,
        }
        for key in (keys.ACTIVE, keys.UNPUBLISHED_ENDS, keys.DELIVERIES_DUE):
            redis.zadd(key, foreign)
        redis.zadd(keys.DELIVERIES_DUE, {f"{lost.id}:unknown": 0})
        jobs.make_due(lost)

        assert jobs.reconcile() == {lost.id: "queued"}

        assert redis.zcard(keys.DELIVERIES_DUE) == 0
        assert redis.hget(keys.COUNTERS, "refused|||member") == "13"
        entries = [json.loads(entry) for entry in redis.lrange(keys.REFUSED, 0, -1)]
        assert {entry["source"] for entry in entries} == {
            keys.ACTIVE,
            keys.UNPUBLISHED_ENDS,
            keys.DELIVERIES_DUE,
        }
        assert max(len(entry["content"]) for entry in entries) <= 2000

    def test_of_another_type_do_not_stop_the_reconciler(self, jobs: Jobs, redis: Redis) -> None:
        lost = jobs.submit()
        redis.delete(keys.JOB_QUEUE)
        for key in (keys.UNPUBLISHED_ENDS, keys.DELIVERIES_DUE):
            redis.set(key, "junk")
        wrong = jobs.submit()
        redis.delete(keys.record(wrong.id), keys.JOB_QUEUE)
        redis.set(keys.record(wrong.id), "junk")
        for job in (wrong, lost):
            jobs.make_due(job)

        assert jobs.reconcile() == {wrong.id: "unreadable", lost.id: "queued"}


class TestNotifications:
    def test_of_other_forms_do_not_end_the_listener(
        self, jobs: Jobs, redis: Redis, api: httpx.Client
    ) -> None:
        for message in (b"\xff\xfe\xfd", b"", b" ", b"x" * 1_000_000, b"\x00 end"):
            redis.publish(keys.CHANGES_CHANNEL, message)
        job = jobs.submit()
        ended = threading.Thread(target=lambda: jobs.cancel(job))

        wait_until(lambda: redis.pubsub_numsub(keys.CHANGES_CHANNEL)[0][1] == 1)
        ended.start()
        body = api.get(f"{PATH}/result/{job.id}", params={"wait": 9}).json()
        ended.join()

        assert body["is_final"]
        assert api.get("/api/health").json()["services"]["events"] == "ok"
