"""Lua scripts for webhook deliveries, in a real Redis."""

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from redis import Redis

from garimpo.local_stack.process import Process
from jobs.model.delivery import Delivery, DeliveryAttempt, DeliveryEvent, DeliveryState
from jobs.model.job import JobRequest
from jobs.model.record import ProgressMessage
from jobs.model.stored_result import decode_result
from jobs.model.webhook import WebhookEvent, WebhookPayload, WebhookSubscription
from jobs.redis import async_client, celery_message, keys
from jobs.store.delivery_store import DeliveryStore
from jobs.store.leased_deliveries import ClaimedDelivery, LeasedDeliveryStore
from tests.integration.jobs_in_redis import HEAD, Jobs, result_of

DAY = timedelta(days=1)
LEASE = timedelta(seconds=30)
ALL_EVENTS = (WebhookEvent.STARTED, WebhookEvent.PROGRESS)


class Deliveries:
    """Jobs with webhooks, and the stores of the API and the senders."""

    def __init__(self, url: str, jobs: Jobs, redis: Redis) -> None:
        self.url = url
        self.jobs = jobs
        self.redis = redis
        self.leased_deliveries = LeasedDeliveryStore(redis, lease=LEASE, check_after=LEASE)

    def submit(
        self, payload: WebhookPayload = WebhookPayload.FULL, events: tuple[WebhookEvent, ...] = ()
    ) -> JobRequest:
        return self.jobs.submit(webhook=WebhookSubscription("http://h/?secret", payload, events))

    def complete(self, job: JobRequest, token: str | None = None) -> None:
        self.jobs.store_result(job, token or self.jobs.claim(job), "SUCCESS", HEAD)

    def list_all(self, job: JobRequest) -> list[Delivery]:
        async def read() -> list[Delivery]:
            redis = async_client.connect(self.url)
            try:
                return [
                    delivery
                    for delivery, _ in await DeliveryStore(redis, check_after=LEASE).get(job.id)
                ]
            finally:
                await redis.aclose()

        return asyncio.run(read())

    def get(self, job: JobRequest, event: DeliveryEvent = DeliveryEvent.END) -> Delivery:
        [delivery] = [delivery for delivery in self.list_all(job) if delivery.event is event]
        return delivery

    def replay(self, job: JobRequest) -> timedelta | None:
        async def replay() -> timedelta | None:
            redis = async_client.connect(self.url)
            try:
                return await DeliveryStore(redis, check_after=LEASE).replay(job.id)
            finally:
                await redis.aclose()

        return asyncio.run(replay())

    def queued_arguments(self) -> list[list[str]]:
        """Return the arguments of the messages in the queue, the next one first."""
        messages = self.redis.lrange(keys.WEBHOOK_QUEUE, 0, -1)
        arguments = [json.loads(message)["headers"]["argsrepr"] for message in reversed(messages)]
        return [json.loads(text.replace("'", '"')) for text in arguments]

    def claim(self, job: JobRequest, event: DeliveryEvent = DeliveryEvent.END) -> ClaimedDelivery:
        claimed = self.leased_deliveries.claim(job.id, event)
        assert claimed
        return claimed

    def record_attempt(
        self,
        claimed: ClaimedDelivery,
        state: DeliveryState,
        delay_s: float = 0,
        *,
        not_found: bool = False,
    ) -> str:
        status = 204 if state is DeliveryState.DELIVERED else 500
        attempt = DeliveryAttempt(1, claimed.delivery.webhook_id, status=status)
        return self.leased_deliveries.record_attempt(
            claimed, attempt, state, timedelta(seconds=delay_s), not_found=not_found
        )

    def make_due(self, job: JobRequest, event: DeliveryEvent = DeliveryEvent.END) -> None:
        """Let the delay until the next attempt, or the sender's lease, expire."""
        if self.redis.hget(keys.delivery(job.id, event), "next_at"):
            self.redis.hset(keys.delivery(job.id, event), "next_at", 0)
        self.redis.zadd(keys.DELIVERIES_DUE, {f"{job.id}:{event}": 0}, xx=True)

    def count_due_and_open(self) -> tuple[int, int]:
        return int(str(self.redis.zcard(keys.DELIVERIES_DUE))), int(
            str(self.redis.zcard(keys.DELIVERIES_OPEN))
        )


@pytest.fixture
def deliveries(redis_process: Process, redis: Redis) -> Iterator[Deliveries]:
    with Jobs(redis_process.url) as jobs:
        yield Deliveries(redis_process.url, jobs, redis)


class TestComplete:
    def test_schedules_the_webhook_in_the_same_step(self, deliveries: Deliveries) -> None:
        job = deliveries.submit()
        assert deliveries.list_all(job) == []
        deliveries.complete(job)

        delivery = deliveries.get(job)

        assert (delivery.state, delivery.webhook_id) == (DeliveryState.WAITING, f"{job.id}_end")
        assert deliveries.queued_arguments() == [[job.id, "end"]]
        assert deliveries.count_due_and_open() == (1, 1)

    def test_writes_the_same_message_as_celery(self, deliveries: Deliveries, redis: Redis) -> None:
        job = deliveries.submit()
        deliveries.complete(job)
        message = json.loads(str(redis.lpop(keys.WEBHOOK_QUEUE)))
        deliveries.jobs.celery.send_task(
            celery_message.SEND_WEBHOOK_TASK,
            args=[job.id, "end"],
            task_id=f"{job.id}:end",
            queue=keys.WEBHOOK_QUEUE,
            ignore_result=True,
        )
        celerys_message = json.loads(str(redis.lpop(keys.WEBHOOK_QUEUE)))

        # Only the sender, the address for an RPC reply and the delivery tag may differ.
        for sent in (message, celerys_message):
            del sent["headers"]["origin"]
            del sent["properties"]["reply_to"], sent["properties"]["delivery_tag"]
        assert message == celerys_message

    def test_schedules_a_webhook_for_a_cancelled_job(self, deliveries: Deliveries) -> None:
        job = deliveries.submit()
        deliveries.jobs.cancel(job)

        claimed = deliveries.claim(job)

        assert claimed.record.failure
        assert claimed.record.failure.code == "cancelled"

    def test_copies_only_what_a_payload_shows(self, deliveries: Deliveries, redis: Redis) -> None:
        job = deliveries.submit()
        deliveries.jobs.cancel(job)

        copy = redis.hgetall(keys.delivery_record(job.id, DeliveryEvent.END))

        assert copy["params"] == "{}"
        assert not {"token", "envelope", "identical", "looks"} & copy.keys()
        assert not redis.exists(keys.delivery_result(job.id, DeliveryEvent.END))
        assert redis.hget(keys.record(job.id), "webhook") is None, "the delivery has it"

    def test_schedules_nothing_without_a_subscription(
        self, deliveries: Deliveries, redis: Redis
    ) -> None:
        job = deliveries.jobs.submit()
        deliveries.complete(job)

        assert deliveries.list_all(job) == []
        assert redis.keys("garimpo:deliver*") == []
        assert deliveries.queued_arguments() == []

    def test_keeps_the_payload_longer_than_the_result(
        self, deliveries: Deliveries, redis: Redis
    ) -> None:
        job = deliveries.submit()
        deliveries.complete(job)
        redis.delete(keys.record(job.id), keys.result(job.id), keys.items(job.id))

        claimed = deliveries.claim(job)

        assert decode_result(claimed.result) == result_of([], pages=0)
        assert (claimed.record.state, claimed.record.progress) == ("completed", 100)
        for key in redis.keys("garimpo:delivery:*"):
            assert 47 * 3600 < int(str(redis.ttl(key))) <= 48 * 3600

    def test_stores_no_result_for_a_thin_payload(
        self, deliveries: Deliveries, redis: Redis
    ) -> None:
        job = deliveries.submit(WebhookPayload.THIN)
        deliveries.complete(job)

        assert not redis.exists(keys.delivery_result(job.id, DeliveryEvent.END))
        assert deliveries.claim(job).result == ""

    def test_schedules_one_webhook_if_repeated(self, deliveries: Deliveries) -> None:
        job = deliveries.submit()
        token = deliveries.jobs.claim(job)
        deliveries.complete(job, token)
        deliveries.record_attempt(deliveries.claim(job), DeliveryState.DELIVERED)

        deliveries.complete(job, token)

        assert deliveries.get(job).state is DeliveryState.DELIVERED
        assert deliveries.queued_arguments() == [[job.id, "end"]], (
            "the first message, which was not received"
        )


class TestClaim:
    def test_leases_the_delivery_to_one_sender_only(self, deliveries: Deliveries) -> None:
        job = deliveries.submit()
        deliveries.complete(job)
        deliveries.claim(job)

        assert deliveries.leased_deliveries.claim(job.id, DeliveryEvent.END) is None
        assert deliveries.get(job).state is DeliveryState.SENDING

    def test_refuses_a_delivery_that_is_not_due(self, deliveries: Deliveries) -> None:
        job = deliveries.submit()
        deliveries.complete(job)
        deliveries.record_attempt(deliveries.claim(job), DeliveryState.WAITING, delay_s=60)

        assert deliveries.leased_deliveries.claim(job.id, DeliveryEvent.END) is None

        deliveries.make_due(job)
        assert deliveries.claim(job).delivery.attempt_count == 1

    @pytest.mark.parametrize("state", [DeliveryState.DELIVERED, DeliveryState.GIVEN_UP])
    def test_refuses_a_delivery_that_has_ended(
        self, deliveries: Deliveries, state: DeliveryState
    ) -> None:
        job = deliveries.submit()
        deliveries.complete(job)
        deliveries.record_attempt(deliveries.claim(job), state)

        assert deliveries.leased_deliveries.claim(job.id, DeliveryEvent.END) is None
        assert deliveries.count_due_and_open() == (0, 0)

    def test_refuses_an_unknown_delivery(self, deliveries: Deliveries) -> None:
        assert deliveries.leased_deliveries.claim("unknown", DeliveryEvent.END) is None


class TestRecordAttempt:
    def test_stores_the_attempts(self, deliveries: Deliveries, redis: Redis) -> None:
        job = deliveries.submit()
        deliveries.complete(job)
        deliveries.record_attempt(deliveries.claim(job), DeliveryState.WAITING, not_found=True)
        deliveries.record_attempt(deliveries.claim(job), DeliveryState.DELIVERED)

        delivery = deliveries.get(job)

        assert [attempt.status for attempt in delivery.attempts] == [500, 204]
        assert (delivery.attempt_count, delivery.not_found_count) == (1, 1)
        assert (
            0 < int(str(redis.ttl(keys.delivery_attempts(job.id, DeliveryEvent.END)))) <= 48 * 3600
        )

    def test_is_refused_after_the_lease_has_expired(self, deliveries: Deliveries) -> None:
        job = deliveries.submit()
        deliveries.complete(job)
        expired = deliveries.claim(job)
        deliveries.make_due(job)
        deliveries.jobs.reconcile()
        deliveries.record_attempt(deliveries.claim(job), DeliveryState.DELIVERED)

        assert deliveries.record_attempt(expired, DeliveryState.GIVEN_UP) == "lost"

        assert deliveries.get(job).state is DeliveryState.DELIVERED

    def test_does_not_change_the_job(self, deliveries: Deliveries, redis: Redis) -> None:
        job = deliveries.submit()
        deliveries.complete(job)
        before = redis.hgetall(keys.record(job.id)), redis.get(keys.result(job.id))

        deliveries.record_attempt(deliveries.claim(job), DeliveryState.GIVEN_UP)

        assert before == (redis.hgetall(keys.record(job.id)), redis.get(keys.result(job.id)))

    def test_counts_attempts_and_outcomes(self, deliveries: Deliveries, redis: Redis) -> None:
        for state in (DeliveryState.DELIVERED, DeliveryState.GIVEN_UP):
            job = deliveries.submit()
            deliveries.complete(job)
            deliveries.record_attempt(deliveries.claim(job), state)

        counters = redis.hgetall(keys.COUNTERS)

        labels = "|tubehunt|scrape-channels|"
        assert counters[f"callbacks_delivered{labels}end"] == "1"
        assert counters[f"callbacks_given_up{labels}end"] == "1"
        assert counters[f"callback_tries{labels}2xx"] == "1"
        assert counters[f"callback_tries{labels}5xx"] == "1"


class TestReconcile:
    def test_ignores_a_delivery_that_is_not_due(self, deliveries: Deliveries) -> None:
        job = deliveries.submit()
        deliveries.complete(job)
        deliveries.record_attempt(deliveries.claim(job), DeliveryState.WAITING, delay_s=60)

        deliveries.jobs.reconcile()

        assert len(deliveries.queued_arguments()) == 1

    def test_enqueues_the_next_attempt_once_when_it_is_due(
        self, deliveries: Deliveries, redis: Redis
    ) -> None:
        job = deliveries.submit()
        deliveries.complete(job)
        redis.delete(keys.WEBHOOK_QUEUE)
        deliveries.record_attempt(deliveries.claim(job), DeliveryState.WAITING, delay_s=60)
        for _ in range(3):
            deliveries.make_due(job)
            deliveries.jobs.reconcile()

        assert deliveries.queued_arguments() == [[job.id, "end"]]

    def test_enqueues_a_lost_message_again(self, deliveries: Deliveries, redis: Redis) -> None:
        job = deliveries.submit()
        deliveries.complete(job)
        redis.delete(keys.WEBHOOK_QUEUE)
        deliveries.make_due(job)

        deliveries.jobs.reconcile()

        assert deliveries.queued_arguments() == [[job.id, "end"]]

    def test_retries_a_delivery_whose_sender_died(
        self, deliveries: Deliveries, redis: Redis
    ) -> None:
        job = deliveries.submit()
        deliveries.complete(job)
        redis.delete(keys.WEBHOOK_QUEUE)
        first = deliveries.claim(job)
        deliveries.make_due(job)

        deliveries.jobs.reconcile()
        assert (
            deliveries.jobs.redis.hget(keys.delivery(job.id, DeliveryEvent.END), "state")
            == DeliveryState.WAITING
        )
        deliveries.jobs.reconcile()

        assert deliveries.queued_arguments() == [[job.id, "end"]]
        second = deliveries.claim(job)
        assert second.delivery.webhook_id == first.delivery.webhook_id
        assert [attempt.error for attempt in deliveries.get(job).attempts] == ["sender_lost"]

    def lose_sender(self, deliveries: Deliveries, job: JobRequest) -> None:
        """Let a sender die during an attempt."""
        deliveries.make_due(job)
        deliveries.claim(job)
        deliveries.make_due(job)
        deliveries.jobs.reconcile()

    def test_retries_with_growing_delays_if_senders_keep_dying(
        self, deliveries: Deliveries, redis: Redis
    ) -> None:
        job = deliveries.submit()
        deliveries.complete(job)
        delays_s = []
        for _ in range(60):
            self.lose_sender(deliveries, job)
            next_at = deliveries.get(job).next_attempt_at
            assert next_at
            seconds, _ = redis.time()
            delays_s.append(round(next_at.timestamp() - seconds))

        assert [delay_s > 1 for delay_s in delays_s[:5]] == [False] * 3 + [True] * 2
        assert delays_s == pytest.approx(sorted(delays_s), abs=1)
        assert delays_s[-1] == pytest.approx(4 * 3600, abs=2)
        assert len(deliveries.get(job).attempts) == 50, "only the last attempts are kept"

    def test_gives_up_if_senders_have_died_for_a_day(
        self, deliveries: Deliveries, redis: Redis
    ) -> None:
        job = deliveries.submit()
        deliveries.complete(job)
        redis.hincrby(keys.delivery(job.id, DeliveryEvent.END), "since", -25 * 3600 * 1000)

        self.lose_sender(deliveries, job)

        assert deliveries.get(job).state is DeliveryState.GIVEN_UP
        assert deliveries.count_due_and_open() == (0, 0)

    def test_restarts_a_delivery_that_was_replayed_before_its_sender_died(
        self, deliveries: Deliveries
    ) -> None:
        job = deliveries.submit()
        deliveries.complete(job)
        deliveries.claim(job)
        deliveries.replay(job)
        deliveries.make_due(job)

        deliveries.jobs.reconcile()

        assert deliveries.claim(job).delivery.attempt_count == 0

    def test_gives_up_progress_after_the_end(self, deliveries: Deliveries) -> None:
        job = deliveries.submit(events=ALL_EVENTS)
        token = deliveries.jobs.claim(job)
        deliveries.jobs.leased_jobs.set_progress(job.id, token, 10, ProgressMessage("starting", {}))
        deliveries.claim(job, DeliveryEvent.PROGRESS)
        deliveries.complete(job, token)
        deliveries.make_due(job, DeliveryEvent.PROGRESS)

        deliveries.jobs.reconcile()

        assert deliveries.get(job, DeliveryEvent.PROGRESS).state is DeliveryState.GIVEN_UP

    def test_forgets_an_expired_delivery(self, deliveries: Deliveries, redis: Redis) -> None:
        job = deliveries.submit()
        deliveries.complete(job)
        redis.delete(keys.delivery(job.id, DeliveryEvent.END))
        deliveries.make_due(job)

        deliveries.jobs.reconcile()

        assert deliveries.count_due_and_open() == (0, 0)


class TestReplay:
    @pytest.mark.parametrize(
        "state", [DeliveryState.DELIVERED, DeliveryState.GIVEN_UP, DeliveryState.WAITING]
    )
    def test_restarts_the_delivery_at_once(
        self, deliveries: Deliveries, redis: Redis, state: DeliveryState
    ) -> None:
        job = deliveries.submit()
        deliveries.complete(job)
        deliveries.record_attempt(deliveries.claim(job), state, delay_s=60, not_found=True)
        redis.delete(keys.WEBHOOK_QUEUE)

        assert deliveries.replay(job) == timedelta(0)

        assert deliveries.queued_arguments() == [[job.id, "end"]]
        claimed = deliveries.claim(job)
        assert (claimed.delivery.attempt_count, claimed.delivery.not_found_count) == (0, 0)
        assert claimed.delivery.webhook_id == f"{job.id}_end"
        assert len(deliveries.get(job).attempts) == 1, "the earlier attempt is still listed"

    def test_waits_for_a_running_attempt(self, deliveries: Deliveries, redis: Redis) -> None:
        job = deliveries.submit()
        deliveries.complete(job)
        claimed = deliveries.claim(job)
        redis.delete(keys.WEBHOOK_QUEUE)

        assert deliveries.replay(job) == timedelta(0)

        assert deliveries.queued_arguments() == []
        assert deliveries.leased_deliveries.claim(job.id, DeliveryEvent.END) is None
        assert (
            deliveries.record_attempt(claimed, DeliveryState.DELIVERED) == DeliveryState.DELIVERED
        )
        assert deliveries.queued_arguments() == []

    def test_restarts_at_once_if_the_running_attempt_fails(
        self, deliveries: Deliveries, redis: Redis
    ) -> None:
        job = deliveries.submit()
        deliveries.complete(job)
        claimed = deliveries.claim(job)
        redis.delete(keys.WEBHOOK_QUEUE)
        deliveries.replay(job)

        deliveries.record_attempt(claimed, DeliveryState.GIVEN_UP)

        assert deliveries.queued_arguments() == [[job.id, "end"]]
        assert deliveries.claim(job).delivery.attempt_count == 0

    def test_is_refused_for_a_job_without_a_delivery(self, deliveries: Deliveries) -> None:
        pending, unsubscribed = deliveries.submit(), deliveries.jobs.submit()
        deliveries.complete(unsubscribed)

        assert deliveries.replay(pending) is None
        assert deliveries.replay(unsubscribed) is None

    def test_is_possible_once_a_minute(self, deliveries: Deliveries, redis: Redis) -> None:
        job = deliveries.submit()
        deliveries.complete(job)
        deliveries.replay(job)
        redis.delete(keys.WEBHOOK_QUEUE)

        wait = deliveries.replay(job)

        assert wait
        assert timedelta(0) < wait <= timedelta(minutes=1)
        assert deliveries.queued_arguments() == []
        redis.hincrby(keys.delivery(job.id, "end"), "replayed_at", -60_000)
        assert deliveries.replay(job) == timedelta(0)


class TestEvents:
    def test_are_sent_if_subscribed(self, deliveries: Deliveries) -> None:
        job = deliveries.submit(events=ALL_EVENTS)
        token = deliveries.jobs.claim(job)
        deliveries.jobs.leased_jobs.set_progress(job.id, token, 10, ProgressMessage("starting", {}))

        assert [delivery.event for delivery in deliveries.list_all(job)] == [
            DeliveryEvent.STARTED,
            DeliveryEvent.PROGRESS,
        ]
        assert deliveries.queued_arguments() == [[job.id, "started"], [job.id, "progress"]]
        assert deliveries.claim(job, DeliveryEvent.STARTED).record.state == "processing"
        assert deliveries.claim(job, DeliveryEvent.PROGRESS).record.progress == 10

    @pytest.mark.parametrize("event", ALL_EVENTS)
    def test_can_be_subscribed_separately(
        self, deliveries: Deliveries, event: WebhookEvent
    ) -> None:
        job = deliveries.submit(events=(event,))
        token = deliveries.jobs.claim(job)
        deliveries.jobs.leased_jobs.set_progress(job.id, token, 10, ProgressMessage("starting", {}))

        assert [f"job.{delivery.event}" for delivery in deliveries.list_all(job)] == [event]

    def test_include_only_the_start_of_the_first_attempt(self, deliveries: Deliveries) -> None:
        job = deliveries.submit(events=ALL_EVENTS)
        deliveries.jobs.leased_jobs.release(job.task_name, job.id, deliveries.jobs.claim(job))
        deliveries.record_attempt(
            deliveries.claim(job, DeliveryEvent.STARTED), DeliveryState.DELIVERED
        )
        deliveries.jobs.claim(job)

        assert deliveries.get(job, DeliveryEvent.STARTED).state is DeliveryState.DELIVERED

    def test_replace_progress_that_was_not_sent(self, deliveries: Deliveries) -> None:
        job = deliveries.submit(events=ALL_EVENTS)
        token = deliveries.jobs.claim(job)
        for percent in (10, 20, 30):
            deliveries.jobs.leased_jobs.set_progress(
                job.id, token, percent, ProgressMessage("starting", {})
            )

        claimed = deliveries.claim(job, DeliveryEvent.PROGRESS)

        assert claimed.record.progress == 30
        assert deliveries.queued_arguments().count([job.id, "progress"]) == 1
        assert claimed.delivery.webhook_id == f"{job.id}_progress_{claimed.record.revision}"

    @pytest.mark.parametrize("state", [DeliveryState.DELIVERED, DeliveryState.WAITING])
    def test_include_new_progress_after_a_running_attempt(
        self, deliveries: Deliveries, state: DeliveryState
    ) -> None:
        job = deliveries.submit(events=ALL_EVENTS)
        token = deliveries.jobs.claim(job)
        deliveries.jobs.leased_jobs.set_progress(job.id, token, 10, ProgressMessage("starting", {}))
        first = deliveries.claim(job, DeliveryEvent.PROGRESS)
        deliveries.jobs.leased_jobs.set_progress(job.id, token, 20, ProgressMessage("starting", {}))
        assert deliveries.leased_deliveries.claim(job.id, DeliveryEvent.PROGRESS) is None

        deliveries.record_attempt(first, state)

        second = deliveries.claim(job, DeliveryEvent.PROGRESS)
        assert second.record.progress == 20
        assert second.delivery.webhook_id != first.delivery.webhook_id

    def test_keep_their_delay_despite_new_progress(self, deliveries: Deliveries) -> None:
        job = deliveries.submit(events=ALL_EVENTS)
        token = deliveries.jobs.claim(job)
        deliveries.jobs.leased_jobs.set_progress(job.id, token, 10, ProgressMessage("starting", {}))
        deliveries.record_attempt(
            deliveries.claim(job, DeliveryEvent.PROGRESS), DeliveryState.WAITING, delay_s=60
        )

        deliveries.jobs.leased_jobs.set_progress(job.id, token, 20, ProgressMessage("starting", {}))

        assert deliveries.leased_deliveries.claim(job.id, DeliveryEvent.PROGRESS) is None

    def test_are_given_up_when_the_job_has_ended(self, deliveries: Deliveries) -> None:
        job = deliveries.submit(events=ALL_EVENTS)
        token = deliveries.jobs.claim(job)
        deliveries.jobs.leased_jobs.set_progress(job.id, token, 10, ProgressMessage("starting", {}))
        running = deliveries.claim(job, DeliveryEvent.STARTED)
        deliveries.complete(job, token)

        assert deliveries.get(job, DeliveryEvent.PROGRESS).state is DeliveryState.GIVEN_UP
        assert deliveries.record_attempt(running, DeliveryState.WAITING) == DeliveryState.GIVEN_UP
        assert deliveries.get(job).state is DeliveryState.WAITING
        assert deliveries.count_due_and_open() == (1, 1)


class TestSubmit:
    def test_treats_another_webhook_as_another_request(self, deliveries: Deliveries) -> None:
        subscription = WebhookSubscription("http://h/1")
        first = deliveries.jobs.submit(webhook=subscription)

        def is_same(webhook: WebhookSubscription | None) -> bool:
            job = JobRequest(
                first.site, first.name, first.recipe_digest, first.params, webhook=webhook
            )
            return job.fingerprint == first.fingerprint and job.identity == first.identity

        assert is_same(subscription)
        assert is_same(WebhookSubscription("http://h/1", api_url="http://other"))
        assert not is_same(None)
        assert not is_same(WebhookSubscription("http://h/2"))
        assert not is_same(WebhookSubscription("http://h/1", WebhookPayload.THIN))
        assert not is_same(WebhookSubscription("http://h/1", events=ALL_EVENTS))
