"""The call backs' scripts in a real Redis: what is told, once, by one sender, until when."""

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
from tests.integration.jobs_in_redis import HEAD, Jobs

DAY = timedelta(days=1)
LEASE = timedelta(seconds=30)
ALL = (WebhookEvent.STARTED, WebhookEvent.PROGRESS)


class Told:
    """Jobs whose owner is told, and those who tell."""

    def __init__(self, url: str, jobs: Jobs, redis: Redis) -> None:
        self.url = url
        self.jobs = jobs
        self.redis = redis
        self.senders = LeasedDeliveryStore(redis, lease=LEASE, check_after=LEASE)

    def submit(
        self, payload: WebhookPayload = WebhookPayload.FULL, events: tuple[WebhookEvent, ...] = ()
    ) -> JobRequest:
        return self.jobs.submit(webhook=WebhookSubscription("http://h/?secret", payload, events))

    def end(self, job: JobRequest, token: str | None = None) -> None:
        self.jobs.store(job, token or self.jobs.claim(job), "SUCCESS", HEAD)

    def look(self, job: JobRequest) -> list[Delivery]:
        async def ask() -> list[Delivery]:
            redis = async_client.connect(self.url)
            try:
                return [
                    delivery
                    for delivery, _ in await DeliveryStore(redis, check_after=LEASE).get(job.id)
                ]
            finally:
                await redis.aclose()

        return asyncio.run(ask())

    def one(self, job: JobRequest, slot: DeliveryEvent = DeliveryEvent.END) -> Delivery:
        [found] = [delivery for delivery in self.look(job) if delivery.event is slot]
        return found

    def replay(self, job: JobRequest) -> bool:
        async def ask() -> bool:
            redis = async_client.connect(self.url)
            try:
                return await DeliveryStore(redis, check_after=LEASE).replay(job.id)
            finally:
                await redis.aclose()

        return asyncio.run(ask())

    def queued(self) -> list[list[str]]:
        """Return the arguments of the messages in the queue, the next one first."""
        texts = self.redis.lrange(keys.WEBHOOK_QUEUE, 0, -1)
        arguments = [json.loads(text)["headers"]["argsrepr"] for text in reversed(texts)]
        return [json.loads(text.replace("'", '"')) for text in arguments]

    def take(self, job: JobRequest, slot: DeliveryEvent = DeliveryEvent.END) -> ClaimedDelivery:
        taken = self.senders.claim(job.id, slot)
        assert taken
        return taken

    def settle(
        self,
        taken: ClaimedDelivery,
        fate: DeliveryState,
        pause_s: float = 0,
        *,
        absent: bool = False,
    ) -> str:
        status = 204 if fate is DeliveryState.DELIVERED else 500
        tried = DeliveryAttempt(1, taken.delivery.webhook_id, status=status)
        return self.senders.record_attempt(
            taken, tried, fate, timedelta(seconds=pause_s), not_found=absent
        )

    def pass_time(self, job: JobRequest, slot: DeliveryEvent = DeliveryEvent.END) -> None:
        """Let its pause, or its sender's lease, be over."""
        if self.redis.hget(keys.delivery(job.id, slot), "next_at"):
            self.redis.hset(keys.delivery(job.id, slot), "next_at", 0)
        self.redis.zadd(keys.DELIVERIES_DUE, {f"{job.id}:{slot}": 0}, xx=True)

    def waiting(self) -> tuple[int, int]:
        return int(str(self.redis.zcard(keys.DELIVERIES_DUE))), int(
            str(self.redis.zcard(keys.DELIVERIES_OPEN))
        )


@pytest.fixture
def told(redis_process: Process, redis: Redis) -> Iterator[Told]:
    with Jobs(redis_process.url) as jobs:
        yield Told(redis_process.url, jobs, redis)


class TestFinish:
    def test_tells_the_end_in_the_same_step(self, told: Told) -> None:
        job = told.submit()
        assert told.look(job) == []
        told.end(job)

        delivery = told.one(job)

        assert (delivery.state, delivery.webhook_id) == (DeliveryState.WAITING, f"{job.id}_end")
        assert told.queued() == [[job.id, "end"]]
        assert told.waiting() == (1, 1)

    def test_writes_the_message_that_celery_would(self, told: Told, redis: Redis) -> None:
        job = told.submit()
        told.end(job)
        ours = json.loads(str(redis.lpop(keys.WEBHOOK_QUEUE)))
        told.jobs.celery.send_task(
            celery_message.SEND_WEBHOOK_TASK,
            args=[job.id, "end"],
            task_id=f"{job.id}:end",
            queue=keys.WEBHOOK_QUEUE,
            ignore_result=True,
        )
        celerys = json.loads(str(redis.lpop(keys.WEBHOOK_QUEUE)))

        # Only who sent it, and where an RPC reply would go, may differ.
        for sent in (ours, celerys):
            del sent["headers"]["origin"]
            del sent["properties"]["reply_to"], sent["properties"]["delivery_tag"]
        assert ours == celerys

    def test_tells_of_cancelled_jobs(self, told: Told) -> None:
        job = told.submit()
        told.jobs.cancel(job)

        taken = told.take(job)

        assert taken.record.failure
        assert taken.record.failure.code == "cancelled"

    def test_tells_nobody_of_other_jobs(self, told: Told, redis: Redis) -> None:
        job = told.jobs.submit()
        told.end(job)

        assert told.look(job) == []
        assert redis.keys("garimpo:deliver*") == []
        assert told.queued() == []

    def test_keeps_what_is_told_longer_than_the_result(self, told: Told, redis: Redis) -> None:
        job = told.submit()
        told.end(job)
        redis.delete(keys.record(job.id), keys.result(job.id), keys.items(job.id))

        taken = told.take(job)

        assert decode_result(taken.result) == HEAD.as_dict([])
        assert (taken.record.state, taken.record.progress) == ("completed", 100)
        for key in redis.keys("garimpo:delivery:*"):
            assert 47 * 3600 < int(str(redis.ttl(key))) <= 48 * 3600

    def test_keeps_no_result_that_is_not_told(self, told: Told, redis: Redis) -> None:
        job = told.submit(WebhookPayload.THIN)
        told.end(job)

        assert not redis.exists(keys.delivery_result(job.id, DeliveryEvent.END))
        assert told.take(job).result == ""

    def test_is_told_once_although_it_comes_twice(self, told: Told) -> None:
        job = told.submit()
        token = told.jobs.claim(job)
        told.end(job, token)
        told.settle(told.take(job), DeliveryState.DELIVERED)

        told.end(job, token)

        assert told.one(job).state is DeliveryState.DELIVERED
        assert told.queued() == [[job.id, "end"]], "the first one, which nobody took from here"


class TestTake:
    def test_gives_it_to_one_sender(self, told: Told) -> None:
        job = told.submit()
        told.end(job)
        told.take(job)

        assert told.senders.claim(job.id, DeliveryEvent.END) is None
        assert told.one(job).state is DeliveryState.SENDING

    def test_gives_nothing_before_its_time(self, told: Told) -> None:
        job = told.submit()
        told.end(job)
        told.settle(told.take(job), DeliveryState.WAITING, pause_s=60)

        assert told.senders.claim(job.id, DeliveryEvent.END) is None

        told.pass_time(job)
        assert told.take(job).delivery.attempt_count == 1

    @pytest.mark.parametrize("fate", [DeliveryState.DELIVERED, DeliveryState.GIVEN_UP])
    def test_gives_nothing_after_the_end(self, told: Told, fate: DeliveryState) -> None:
        job = told.submit()
        told.end(job)
        told.settle(told.take(job), fate)

        assert told.senders.claim(job.id, DeliveryEvent.END) is None
        assert told.waiting() == (0, 0)

    def test_gives_nothing_of_what_it_does_not_know(self, told: Told) -> None:
        assert told.senders.claim("unknown", DeliveryEvent.END) is None


class TestSettle:
    def test_keeps_the_tries(self, told: Told, redis: Redis) -> None:
        job = told.submit()
        told.end(job)
        told.settle(told.take(job), DeliveryState.WAITING, absent=True)
        told.settle(told.take(job), DeliveryState.DELIVERED)

        delivery = told.one(job)

        assert [one.status for one in delivery.attempts] == [500, 204]
        assert (delivery.attempt_count, delivery.not_found_count) == (1, 1)
        assert (
            0 < int(str(redis.ttl(keys.delivery_attempts(job.id, DeliveryEvent.END)))) <= 48 * 3600
        )

    def test_writes_nothing_after_the_lease(self, told: Told) -> None:
        job = told.submit()
        told.end(job)
        late = told.take(job)
        told.pass_time(job)
        told.jobs.reconcile()
        told.settle(told.take(job), DeliveryState.DELIVERED)

        assert told.settle(late, DeliveryState.GIVEN_UP) == "lost"

        assert told.one(job).state is DeliveryState.DELIVERED

    def test_never_touches_the_job(self, told: Told, redis: Redis) -> None:
        job = told.submit()
        told.end(job)
        before = redis.hgetall(keys.record(job.id)), redis.get(keys.result(job.id))

        told.settle(told.take(job), DeliveryState.GIVEN_UP)

        assert before == (redis.hgetall(keys.record(job.id)), redis.get(keys.result(job.id)))

    def test_counts_tries_and_ends(self, told: Told, redis: Redis) -> None:
        for fate in (DeliveryState.DELIVERED, DeliveryState.GIVEN_UP):
            job = told.submit()
            told.end(job)
            told.settle(told.take(job), fate)

        counters = redis.hgetall(keys.COUNTERS)

        of = "|tubehunt|scrape-channels|"
        assert counters[f"callbacks_delivered{of}end"] == "1"
        assert counters[f"callbacks_given_up{of}end"] == "1"
        assert counters[f"callback_tries{of}2xx"] == "1"
        assert counters[f"callback_tries{of}5xx"] == "1"


class TestRedeliver:
    def test_lets_be_what_is_not_due(self, told: Told) -> None:
        job = told.submit()
        told.end(job)
        told.settle(told.take(job), DeliveryState.WAITING, pause_s=60)

        told.jobs.reconcile()

        assert len(told.queued()) == 1

    def test_queues_the_next_try_when_it_is_due_and_once(self, told: Told, redis: Redis) -> None:
        job = told.submit()
        told.end(job)
        redis.delete(keys.WEBHOOK_QUEUE)
        told.settle(told.take(job), DeliveryState.WAITING, pause_s=60)
        for _ in range(3):
            told.pass_time(job)
            told.jobs.reconcile()

        assert told.queued() == [[job.id, "end"]]

    def test_queues_a_message_that_is_lost(self, told: Told, redis: Redis) -> None:
        job = told.submit()
        told.end(job)
        redis.delete(keys.WEBHOOK_QUEUE)
        told.pass_time(job)

        told.jobs.reconcile()

        assert told.queued() == [[job.id, "end"]]

    def test_queues_what_its_sender_has_not_lived_to_tell(self, told: Told, redis: Redis) -> None:
        job = told.submit()
        told.end(job)
        redis.delete(keys.WEBHOOK_QUEUE)
        first = told.take(job)
        told.pass_time(job)

        told.jobs.reconcile()
        assert (
            told.jobs.redis.hget(keys.delivery(job.id, DeliveryEvent.END), "state")
            == DeliveryState.WAITING
        )
        told.jobs.reconcile()

        assert told.queued() == [[job.id, "end"]]
        again = told.take(job)
        assert again.delivery.webhook_id == first.delivery.webhook_id
        assert [one.error for one in told.one(job).attempts] == ["sender_lost"]

    def lose(self, told: Told, job: JobRequest, slot: DeliveryEvent = DeliveryEvent.END) -> None:
        """Let a sender die with it."""
        told.pass_time(job, slot)
        told.take(job, slot)
        told.pass_time(job, slot)
        told.jobs.reconcile()

    def test_sends_less_and_less_often_what_senders_die_of(self, told: Told, redis: Redis) -> None:
        job = told.submit()
        told.end(job)
        pauses = []
        for _ in range(60):
            self.lose(told, job)
            next_at = told.one(job).next_attempt_at
            assert next_at
            seconds, _ = redis.time()
            pauses.append(round(next_at.timestamp() - seconds))

        assert [pause > 1 for pause in pauses[:5]] == [False] * 3 + [True] * 2
        assert pauses == pytest.approx(sorted(pauses), abs=1)
        assert pauses[-1] == pytest.approx(4 * 3600, abs=2)
        assert len(told.one(job).attempts) == 50, "the last ones are kept"

    def test_gives_up_what_senders_die_of_for_a_day(self, told: Told, redis: Redis) -> None:
        job = told.submit()
        told.end(job)
        redis.hincrby(keys.delivery(job.id, DeliveryEvent.END), "since", -25 * 3600 * 1000)

        self.lose(told, job)

        assert told.one(job).state is DeliveryState.GIVEN_UP
        assert told.waiting() == (0, 0)

    def test_begins_anew_what_was_asked_for_while_its_sender_died(self, told: Told) -> None:
        job = told.submit()
        told.end(job)
        told.take(job)
        told.replay(job)
        told.pass_time(job)

        told.jobs.reconcile()

        assert told.take(job).delivery.attempt_count == 0

    def test_tells_nothing_of_the_course_after_the_end(self, told: Told) -> None:
        job = told.submit(events=ALL)
        token = told.jobs.claim(job)
        told.jobs.leases.set_progress(job.id, token, 10, ProgressMessage("starting", {}))
        told.take(job, DeliveryEvent.PROGRESS)
        told.end(job, token)
        told.pass_time(job, DeliveryEvent.PROGRESS)

        told.jobs.reconcile()

        assert told.one(job, DeliveryEvent.PROGRESS).state is DeliveryState.GIVEN_UP

    def test_forgets_what_has_expired(self, told: Told, redis: Redis) -> None:
        job = told.submit()
        told.end(job)
        redis.delete(keys.delivery(job.id, DeliveryEvent.END))
        told.pass_time(job)

        told.jobs.reconcile()

        assert told.waiting() == (0, 0)


class TestReplay:
    @pytest.mark.parametrize(
        "fate", [DeliveryState.DELIVERED, DeliveryState.GIVEN_UP, DeliveryState.WAITING]
    )
    def test_begins_anew_and_at_once(self, told: Told, redis: Redis, fate: DeliveryState) -> None:
        job = told.submit()
        told.end(job)
        told.settle(told.take(job), fate, pause_s=60, absent=True)
        redis.delete(keys.WEBHOOK_QUEUE)

        assert told.replay(job)

        assert told.queued() == [[job.id, "end"]]
        taken = told.take(job)
        assert (taken.delivery.attempt_count, taken.delivery.not_found_count) == (0, 0)
        assert taken.delivery.webhook_id == f"{job.id}_end"
        assert len(told.one(job).attempts) == 1, "what was tried before is still told"

    def test_sends_nothing_twice_at_once(self, told: Told, redis: Redis) -> None:
        job = told.submit()
        told.end(job)
        taken = told.take(job)
        redis.delete(keys.WEBHOOK_QUEUE)

        assert told.replay(job)

        assert told.queued() == []
        assert told.senders.claim(job.id, DeliveryEvent.END) is None
        assert told.settle(taken, DeliveryState.DELIVERED) == DeliveryState.DELIVERED
        assert told.queued() == []

    def test_goes_on_at_once_if_the_one_under_way_fails(self, told: Told, redis: Redis) -> None:
        job = told.submit()
        told.end(job)
        taken = told.take(job)
        redis.delete(keys.WEBHOOK_QUEUE)
        told.replay(job)

        told.settle(taken, DeliveryState.GIVEN_UP)

        assert told.queued() == [[job.id, "end"]]
        assert told.take(job).delivery.attempt_count == 0

    def test_knows_no_other_jobs(self, told: Told) -> None:
        waiting, untold = told.submit(), told.jobs.submit()
        told.end(untold)

        assert not told.replay(waiting)
        assert not told.replay(untold)


class TestEvents:
    def test_are_told_if_asked_for(self, told: Told) -> None:
        job = told.submit(events=ALL)
        token = told.jobs.claim(job)
        told.jobs.leases.set_progress(job.id, token, 10, ProgressMessage("starting", {}))

        assert [one.event for one in told.look(job)] == [
            DeliveryEvent.STARTED,
            DeliveryEvent.PROGRESS,
        ]
        assert told.queued() == [[job.id, "started"], [job.id, "progress"]]
        assert told.take(job, DeliveryEvent.STARTED).record.state == "processing"
        assert told.take(job, DeliveryEvent.PROGRESS).record.progress == 10

    @pytest.mark.parametrize("event", ALL)
    def test_are_told_one_without_the_other(self, told: Told, event: WebhookEvent) -> None:
        job = told.submit(events=(event,))
        token = told.jobs.claim(job)
        told.jobs.leases.set_progress(job.id, token, 10, ProgressMessage("starting", {}))

        assert [f"job.{one.event}" for one in told.look(job)] == [event]

    def test_tell_the_start_of_the_first_attempt_alone(self, told: Told) -> None:
        job = told.submit(events=ALL)
        told.jobs.leases.release(job.task_name, job.id, told.jobs.claim(job))
        told.settle(told.take(job, DeliveryEvent.STARTED), DeliveryState.DELIVERED)
        told.jobs.claim(job)

        assert told.one(job, DeliveryEvent.STARTED).state is DeliveryState.DELIVERED

    def test_replace_progress_that_was_not_told(self, told: Told) -> None:
        job = told.submit(events=ALL)
        token = told.jobs.claim(job)
        for percent in (10, 20, 30):
            told.jobs.leases.set_progress(job.id, token, percent, ProgressMessage("starting", {}))

        taken = told.take(job, DeliveryEvent.PROGRESS)

        assert taken.record.progress == 30
        assert told.queued().count([job.id, "progress"]) == 1
        assert taken.delivery.webhook_id == f"{job.id}_progress_{taken.record.revision}"

    @pytest.mark.parametrize("fate", [DeliveryState.DELIVERED, DeliveryState.WAITING])
    def test_tell_what_is_new_after_what_is_on_its_way(
        self, told: Told, fate: DeliveryState
    ) -> None:
        job = told.submit(events=ALL)
        token = told.jobs.claim(job)
        told.jobs.leases.set_progress(job.id, token, 10, ProgressMessage("starting", {}))
        first = told.take(job, DeliveryEvent.PROGRESS)
        told.jobs.leases.set_progress(job.id, token, 20, ProgressMessage("starting", {}))
        assert told.senders.claim(job.id, DeliveryEvent.PROGRESS) is None

        told.settle(first, fate)

        second = told.take(job, DeliveryEvent.PROGRESS)
        assert second.record.progress == 20
        assert second.delivery.webhook_id != first.delivery.webhook_id

    def test_keep_their_pause_although_there_is_news(self, told: Told) -> None:
        job = told.submit(events=ALL)
        token = told.jobs.claim(job)
        told.jobs.leases.set_progress(job.id, token, 10, ProgressMessage("starting", {}))
        told.settle(told.take(job, DeliveryEvent.PROGRESS), DeliveryState.WAITING, pause_s=60)

        told.jobs.leases.set_progress(job.id, token, 20, ProgressMessage("starting", {}))

        assert told.senders.claim(job.id, DeliveryEvent.PROGRESS) is None

    def test_are_given_up_when_the_job_has_ended(self, told: Told) -> None:
        job = told.submit(events=ALL)
        token = told.jobs.claim(job)
        told.jobs.leases.set_progress(job.id, token, 10, ProgressMessage("starting", {}))
        on_its_way = told.take(job, DeliveryEvent.STARTED)
        told.end(job, token)

        assert told.one(job, DeliveryEvent.PROGRESS).state is DeliveryState.GIVEN_UP
        assert told.settle(on_its_way, DeliveryState.WAITING) == DeliveryState.GIVEN_UP
        assert told.one(job).state is DeliveryState.WAITING
        assert told.waiting() == (1, 1)


class TestSubmit:
    def test_takes_another_webhook_for_another_request(self, told: Told) -> None:
        one = WebhookSubscription("http://h/1")
        first = told.jobs.submit(webhook=one)

        def same(webhook: WebhookSubscription | None) -> bool:
            job = JobRequest(
                first.site, first.name, first.recipe_digest, first.params, webhook=webhook
            )
            return job.fingerprint == first.fingerprint and job.identity == first.identity

        assert same(one)
        assert same(WebhookSubscription("http://h/1", api_url="http://other"))
        assert not same(None)
        assert not same(WebhookSubscription("http://h/2"))
        assert not same(WebhookSubscription("http://h/1", WebhookPayload.THIN))
        assert not same(WebhookSubscription("http://h/1", events=ALL))
