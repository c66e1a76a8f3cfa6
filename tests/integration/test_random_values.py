"""Random values in Redis, through the real scripts: they concern no job but their own.

`make fuzz` tries more of them.
"""

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from itertools import chain
from typing import Any
from uuid import uuid4

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis
from redis.exceptions import ResponseError

from jobs.failure import FailureCode, JobFailedError
from jobs.model.decoding import DECODE_ERRORS
from jobs.model.delivery import DeliveryEvent
from jobs.model.record import UnreadableRecordError
from jobs.model.webhook import WebhookEvent, WebhookSubscription
from jobs.redis import keys
from jobs.store.delivery_inbox import DeliveryInbox, DeliveryKey
from jobs.store.leased_deliveries import LeasedDeliveryStore
from jobs.store.leased_jobs import FinishedPage, LeaseLostError
from tests.integration.jobs_in_redis import DAY, HEAD, Jobs
from tests.integration.services import Services
from tests.integration.test_foreign_records import OVERVIEWS, PATH
from tests.support.polling import wait_until

DEFAULT_EXAMPLES = 15
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", DEFAULT_EXAMPLES))
RANDOM = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=EXAMPLES == DEFAULT_EXAMPLES,
    suppress_health_check=list(HealthCheck),
)

JSON = st.sampled_from(
    ["", "{}", "[]", "null", "5", '"x"', '{"key": []}', '{"code": {}}', "[[[", '{"events": 5}']
)
VALUES = (
    st.binary(max_size=40)
    | JSON.map(str.encode)
    | st.integers().map(lambda number: str(number).encode())
    | st.floats().map(lambda number: str(number).encode())
)
#: Numbers that Redis accepts as scores.
SCORES = st.floats(allow_nan=False)
MEMBERS = st.binary(max_size=60) | st.builds(
    lambda job_id, event: f"{job_id}{event}".encode(),
    st.uuids(),
    st.sampled_from(["", ":end", ":started", ":progress", ":other", ":"]),
)
RECORD_FIELDS = (
    *("site", "job", "recipe", "params", "caller", "state", "progress", "attempt", "message"),
    *("failure", "created_at", "started_at", "ended_at", "revision", "webhook", "token", "worker"),
    *("envelope", "looks", "crashes", "cancel", "identical", "ran_before", "browser", "page_url"),
    *("items_read", "pages_read", "ran"),
)
DELIVERY_FIELDS = (
    *("state", "revision", "at", "since", "next_at", "tries", "absences", "token", "again"),
    *("replayed_at", "envelope", "looks"),
)
SETS = (
    keys.ACTIVE,
    keys.UNPUBLISHED_ENDS,
    keys.DELIVERIES_DUE,
    keys.DELIVERIES_OPEN,
    keys.WORKERS,
    keys.WORKER_LOST,
    *(keys.state_index(state) for state in ("pending", "processing", "completed", "failed")),
)
#: What a program that reads such a value may raise: it says that it is not ours.
REPORTED = (ResponseError, UnreadableRecordError, LeaseLostError)


@pytest.fixture(scope="module")
def jobs(services: Services) -> Iterator[Jobs]:
    with Jobs(services.redis.url) as jobs:
        yield jobs


@pytest.fixture(scope="module")
def client(services: Services) -> Iterator[httpx.Client]:
    with services.client() as client:
        yield client


def check_others(jobs: Jobs, api: httpx.Client) -> None:
    """Check that everything about all jobs works, and that a lost job is found."""
    lost = jobs.submit()
    jobs.redis.lrem(keys.JOB_QUEUE, 1, str(jobs.redis.hget(keys.record(lost.id), "envelope")))
    # The next one to be checked, whatever else is due.
    jobs.redis.zadd(keys.ACTIVE, {lost.id: -1e308}, xx=True)
    assert any(jobs.reconcile().get(lost.id) == "queued" for _ in range(3))
    for path in OVERVIEWS:
        assert api.get(path).status_code == 200, path


def set_fields(
    redis: Redis, key: str, fields: Mapping[str, bytes], missing: Collection[str] = ()
) -> None:
    for name, value in fields.items():
        redis.hset(key, name, value)
    if missing:
        redis.hdel(key, *missing)


class TestRecords:
    @RANDOM
    @given(
        fields=st.dictionaries(st.sampled_from(RECORD_FIELDS), VALUES, max_size=4),
        missing=st.sets(st.sampled_from(RECORD_FIELDS), max_size=2),
        is_claimed=st.booleans(),
    )
    def test_concern_only_their_job(
        self,
        jobs: Jobs,
        client: httpx.Client,
        fields: dict[str, bytes],
        missing: set[str],
        is_claimed: bool,  # noqa: FBT001 - generated
    ) -> None:
        jobs.redis.flushall()
        webhook = WebhookSubscription("http://127.0.0.1:9/", events=[WebhookEvent.STARTED])
        job = jobs.submit(webhook=webhook)
        token = jobs.claim(job) if is_claimed else "x"
        set_fields(jobs.redis, keys.record(job.id), fields, missing)
        jobs.make_due(job)

        check_others(jobs, client)
        for call in (
            lambda: jobs.claim(job, "two"),
            lambda: jobs.leased_jobs.renew(job.id, token),
            lambda: jobs.leased_jobs.append_page(job.id, token, FinishedPage(1, [{"a": 1}])),
            lambda: jobs.store_result(job, token, "SUCCESS", HEAD),
            lambda: jobs.store_result(
                job, token, "FAILURE", JobFailedError(FailureCode.PAGE_TIMEOUT)
            ),
            lambda: jobs.leased_jobs.release(job.task_name, job.id, token),
        ):
            with suppress(*REPORTED):
                call()
        for path in ("result", "items", "deliveries"):
            assert client.get(f"{PATH}/{path}/{job.id}").status_code in {200, 404, 410, 503}, path
        assert client.post(f"{PATH}/cancel/{job.id}").status_code in {202, 404, 409, 410, 503}
        check_others(jobs, client)


class TestDeliveries:
    @RANDOM
    @given(
        fields=st.dictionaries(st.sampled_from(DELIVERY_FIELDS), VALUES, max_size=4),
        missing=st.sets(st.sampled_from(DELIVERY_FIELDS), max_size=2),
        copy=st.dictionaries(st.sampled_from(RECORD_FIELDS), VALUES, max_size=2),
        attempts=st.lists(VALUES, max_size=2),
    )
    def test_concern_only_their_webhook(
        self, jobs: Jobs, client: httpx.Client, **values: Any
    ) -> None:
        jobs.redis.flushall()
        job, other = (jobs.submit(webhook=WebhookSubscription("http://127.0.0.1:9/")) for _ in "ab")
        for each in (job, other):
            jobs.cancel(each)
        end = DeliveryEvent.END
        set_fields(jobs.redis, keys.delivery(job.id, end), values["fields"], values["missing"])
        set_fields(jobs.redis, keys.delivery_record(job.id, end), values["copy"])
        for attempt in values["attempts"]:
            jobs.redis.rpush(keys.delivery_attempts(job.id, end), attempt)
        jobs.redis.delete(keys.WEBHOOK_QUEUE)
        jobs.redis.zadd(keys.DELIVERIES_DUE, dict.fromkeys([f"{job.id}:end", f"{other.id}:end"], 0))

        check_others(jobs, client)
        inbox = DeliveryInbox(jobs.redis)
        sent = {key for _ in "ab" if (key := inbox.take(1))}
        assert DeliveryKey(other.id, end) in sent
        inbox.find_receiver(DeliveryKey(job.id, end))
        store = LeasedDeliveryStore(jobs.redis, lease=DAY, check_after=DAY)
        with suppress(ResponseError, *DECODE_ERRORS):
            store.claim(job.id, end)
        assert client.get(f"{PATH}/deliveries/{job.id}").status_code in {200, 503}
        replayed = client.post(f"{PATH}/deliveries/{job.id}/replay")
        assert replayed.status_code in {202, 404, 429, 503}
        check_others(jobs, client)


class TestMembers:
    @RANDOM
    @given(
        members=st.dictionaries(
            st.sampled_from(SETS), st.dictionaries(MEMBERS, SCORES, max_size=8), max_size=5
        )
    )
    def test_do_not_hide_ours(
        self, jobs: Jobs, client: httpx.Client, members: dict[str, dict[Any, float]]
    ) -> None:
        jobs.redis.flushall()
        for key, scores in members.items():
            if scores:
                jobs.redis.zadd(key, scores)
        job = jobs.submit(webhook=WebhookSubscription("http://127.0.0.1:9/"))
        jobs.cancel(job)
        jobs.redis.delete(keys.WEBHOOK_QUEUE)
        jobs.redis.zadd(keys.DELIVERIES_DUE, {f"{job.id}:end": -1e308}, xx=True)

        check_others(jobs, client)

        assert DeliveryInbox(jobs.redis).take(1) == DeliveryKey(job.id, DeliveryEvent.END)


class TestNotifications:
    def test_of_any_bytes_do_not_end_the_listener(
        self, jobs: Jobs, client: httpx.Client, services: Services
    ) -> None:
        job = jobs.submit()

        @RANDOM
        @given(messages=st.lists(st.binary(max_size=80) | VALUES, max_size=20))
        def publish(messages: list[bytes]) -> None:
            ours = f"{job.id} ".encode()
            for message in chain(messages, (ours + message for message in messages)):
                jobs.redis.publish(keys.CHANGES_CHANNEL, message)

        publish()
        with services.connect() as redis:
            wait_until(lambda: redis.pubsub_numsub(keys.CHANGES_CHANNEL)[0][1] == 1)
        jobs.cancel(job)
        body = client.get(f"{PATH}/result/{job.id}", params={"wait": 9}).json()
        assert body["error_code"] == "cancelled"
        assert client.get("/api/health").json()["services"]["events"] == "ok"
        assert client.get(f"{PATH}/result/{uuid4()}", params={"wait": 0}).status_code == 404
