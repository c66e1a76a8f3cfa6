"""The call backs' scripts in a real Redis: what is told, once, by one sender, until when."""

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from redis import Redis

from garimpo.stack.process import Process
from jobs import api_connection, keys, message
from jobs.deliveries import Deliveries, Taken
from jobs.delivery import Delivery, Fate, Slot, Try
from jobs.delivery_front import DeliveryFront
from jobs.job import Job
from jobs.record import Message
from jobs.webhook import Event, Payload, Webhook
from tests.integration.jobs_in_redis import Jobs

DAY = timedelta(days=1)
LEASE = timedelta(seconds=30)
ALL = (Event.STARTED, Event.PROGRESS)
RESULT = {"success": True, "channels": ["one"]}


class Told:
    """Jobs whose owner is told, and those who tell."""

    def __init__(self, url: str, jobs: Jobs, redis: Redis) -> None:
        self.url = url
        self.jobs = jobs
        self.redis = redis
        self.senders = Deliveries(redis, lease=LEASE)

    def submit(self, payload: Payload = Payload.FULL, events: tuple[Event, ...] = ()) -> Job:
        return self.jobs.submit(webhook=Webhook("http://h/?secret", payload, events))

    def end(self, job: Job, token: str | None = None) -> None:
        self.jobs.store(job, token or self.jobs.claim(job), "SUCCESS", RESULT)

    def look(self, job: Job) -> list[Delivery]:
        async def ask() -> list[Delivery]:
            redis = api_connection.connect(self.url)
            try:
                return [delivery for delivery, _ in await DeliveryFront(redis).look(job.id)]
            finally:
                await redis.aclose()

        return asyncio.run(ask())

    def one(self, job: Job, slot: Slot = Slot.END) -> Delivery:
        [found] = [delivery for delivery in self.look(job) if delivery.slot is slot]
        return found

    def replay(self, job: Job) -> bool:
        async def ask() -> bool:
            redis = api_connection.connect(self.url)
            try:
                return await DeliveryFront(redis).replay(job.id)
            finally:
                await redis.aclose()

        return asyncio.run(ask())

    def queued(self) -> list[list[str]]:
        """Return the arguments of the messages in the queue, the next one first."""
        texts = self.redis.lrange(keys.CALLBACKS, 0, -1)
        arguments = [json.loads(text)["headers"]["argsrepr"] for text in reversed(texts)]
        return [json.loads(text.replace("'", '"')) for text in arguments]

    def take(self, job: Job, slot: Slot = Slot.END) -> Taken:
        taken = self.senders.take(job.id, slot)
        assert taken
        return taken

    def settle(self, taken: Taken, fate: Fate, pause_s: float = 0, *, absent: bool = False) -> str:
        status = 204 if fate is Fate.DELIVERED else 500
        tried = Try(1, taken.delivery.webhook_id, status=status)
        return self.senders.settle(taken, tried, fate, timedelta(seconds=pause_s), absent=absent)

    def pass_time(self, job: Job, slot: Slot = Slot.END) -> None:
        """Let its pause, or its sender's lease, be over."""
        if self.redis.hget(keys.delivery(job.id, slot), "next_at"):
            self.redis.hset(keys.delivery(job.id, slot), "next_at", 0)
        self.redis.zadd(keys.DUE, {f"{job.id}:{slot}": 0}, xx=True)

    def waiting(self) -> tuple[int, int]:
        return int(str(self.redis.zcard(keys.DUE))), int(str(self.redis.zcard(keys.OPEN)))


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

        assert (delivery.fate, delivery.webhook_id) == (Fate.WAITING, f"{job.id}_end")
        assert told.queued() == [[job.id, "end"]]
        assert told.waiting() == (1, 1)

    def test_writes_the_message_that_celery_would(self, told: Told, redis: Redis) -> None:
        job = told.submit()
        told.end(job)
        ours = json.loads(str(redis.lpop(keys.CALLBACKS)))
        told.jobs.celery.send_task(
            message.SEND,
            args=[job.id, "end"],
            task_id=f"{job.id}:end",
            queue=keys.CALLBACKS,
            ignore_result=True,
        )
        celerys = json.loads(str(redis.lpop(keys.CALLBACKS)))

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

        assert json.loads(taken.result)["result"] == RESULT
        assert (taken.record.state, taken.record.progress) == ("completed", 100)
        for key in redis.keys("garimpo:delivery:*"):
            assert 47 * 3600 < int(str(redis.ttl(key))) <= 48 * 3600

    def test_keeps_no_result_that_is_not_told(self, told: Told, redis: Redis) -> None:
        job = told.submit(Payload.THIN)
        told.end(job)

        assert not redis.exists(keys.told_result(job.id, Slot.END))
        assert told.take(job).result == ""

    def test_is_told_once_although_it_comes_twice(self, told: Told) -> None:
        job = told.submit()
        token = told.jobs.claim(job)
        told.end(job, token)
        told.settle(told.take(job), Fate.DELIVERED)

        told.end(job, token)

        assert told.one(job).fate is Fate.DELIVERED
        assert told.queued() == [[job.id, "end"]], "the first one, which nobody took from here"


class TestTake:
    def test_gives_it_to_one_sender(self, told: Told) -> None:
        job = told.submit()
        told.end(job)
        told.take(job)

        assert told.senders.take(job.id, Slot.END) is None
        assert told.one(job).fate is Fate.SENDING

    def test_gives_nothing_before_its_time(self, told: Told) -> None:
        job = told.submit()
        told.end(job)
        told.settle(told.take(job), Fate.WAITING, pause_s=60)

        assert told.senders.take(job.id, Slot.END) is None

        told.pass_time(job)
        assert told.take(job).delivery.number == 1

    @pytest.mark.parametrize("fate", [Fate.DELIVERED, Fate.GIVEN_UP])
    def test_gives_nothing_after_the_end(self, told: Told, fate: Fate) -> None:
        job = told.submit()
        told.end(job)
        told.settle(told.take(job), fate)

        assert told.senders.take(job.id, Slot.END) is None
        assert told.waiting() == (0, 0)

    def test_gives_nothing_of_what_it_does_not_know(self, told: Told) -> None:
        assert told.senders.take("unknown", Slot.END) is None


class TestSettle:
    def test_keeps_the_tries(self, told: Told, redis: Redis) -> None:
        job = told.submit()
        told.end(job)
        told.settle(told.take(job), Fate.WAITING, absent=True)
        told.settle(told.take(job), Fate.DELIVERED)

        delivery = told.one(job)

        assert [one.status for one in delivery.tries] == [500, 204]
        assert (delivery.number, delivery.absences) == (1, 1)
        assert 0 < int(str(redis.ttl(keys.tries(job.id, Slot.END)))) <= 48 * 3600

    def test_writes_nothing_after_the_lease(self, told: Told) -> None:
        job = told.submit()
        told.end(job)
        late = told.take(job)
        told.pass_time(job)
        told.jobs.reconcile()
        told.settle(told.take(job), Fate.DELIVERED)

        assert told.settle(late, Fate.GIVEN_UP) == "lost"

        assert told.one(job).fate is Fate.DELIVERED

    def test_never_touches_the_job(self, told: Told, redis: Redis) -> None:
        job = told.submit()
        told.end(job)
        before = redis.hgetall(keys.record(job.id)), redis.get(keys.result(job.id))

        told.settle(told.take(job), Fate.GIVEN_UP)

        assert before == (redis.hgetall(keys.record(job.id)), redis.get(keys.result(job.id)))

    def test_counts_tries_and_ends(self, told: Told, redis: Redis) -> None:
        for fate in (Fate.DELIVERED, Fate.GIVEN_UP):
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
        told.settle(told.take(job), Fate.WAITING, pause_s=60)

        told.jobs.reconcile()

        assert len(told.queued()) == 1

    def test_queues_the_next_try_when_it_is_due_and_once(self, told: Told, redis: Redis) -> None:
        job = told.submit()
        told.end(job)
        redis.delete(keys.CALLBACKS)
        told.settle(told.take(job), Fate.WAITING, pause_s=60)
        for _ in range(3):
            told.pass_time(job)
            told.jobs.reconcile()

        assert told.queued() == [[job.id, "end"]]

    def test_queues_a_message_that_is_lost(self, told: Told, redis: Redis) -> None:
        job = told.submit()
        told.end(job)
        redis.delete(keys.CALLBACKS)
        told.pass_time(job)

        told.jobs.reconcile()

        assert told.queued() == [[job.id, "end"]]

    def test_queues_what_its_sender_has_not_lived_to_tell(self, told: Told, redis: Redis) -> None:
        job = told.submit()
        told.end(job)
        redis.delete(keys.CALLBACKS)
        first = told.take(job)
        told.pass_time(job)

        told.jobs.reconcile()
        assert told.jobs.redis.hget(keys.delivery(job.id, Slot.END), "state") == Fate.WAITING
        told.jobs.reconcile()

        assert told.queued() == [[job.id, "end"]]
        again = told.take(job)
        assert again.delivery.webhook_id == first.delivery.webhook_id
        assert [one.error for one in told.one(job).tries] == ["sender_lost"]

    def lose(self, told: Told, job: Job, slot: Slot = Slot.END) -> None:
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
            next_at = told.one(job).next_at
            assert next_at
            seconds, _ = redis.time()
            pauses.append(round(next_at.timestamp() - seconds))

        assert [pause > 1 for pause in pauses[:5]] == [False] * 3 + [True] * 2
        assert pauses == pytest.approx(sorted(pauses), abs=1)
        assert pauses[-1] == pytest.approx(4 * 3600, abs=2)
        assert len(told.one(job).tries) == 50, "the last ones are kept"

    def test_gives_up_what_senders_die_of_for_a_day(self, told: Told, redis: Redis) -> None:
        job = told.submit()
        told.end(job)
        redis.hincrby(keys.delivery(job.id, Slot.END), "since", -25 * 3600 * 1000)

        self.lose(told, job)

        assert told.one(job).fate is Fate.GIVEN_UP
        assert told.waiting() == (0, 0)

    def test_begins_anew_what_was_asked_for_while_its_sender_died(self, told: Told) -> None:
        job = told.submit()
        told.end(job)
        told.take(job)
        told.replay(job)
        told.pass_time(job)

        told.jobs.reconcile()

        assert told.take(job).delivery.number == 0

    def test_tells_nothing_of_the_course_after_the_end(self, told: Told) -> None:
        job = told.submit(events=ALL)
        token = told.jobs.claim(job)
        told.jobs.leases.progress(job.id, token, 10, Message("starting", {}))
        told.take(job, Slot.PROGRESS)
        told.end(job, token)
        told.pass_time(job, Slot.PROGRESS)

        told.jobs.reconcile()

        assert told.one(job, Slot.PROGRESS).fate is Fate.GIVEN_UP

    def test_forgets_what_has_expired(self, told: Told, redis: Redis) -> None:
        job = told.submit()
        told.end(job)
        redis.delete(keys.delivery(job.id, Slot.END))
        told.pass_time(job)

        told.jobs.reconcile()

        assert told.waiting() == (0, 0)


class TestReplay:
    @pytest.mark.parametrize("fate", [Fate.DELIVERED, Fate.GIVEN_UP, Fate.WAITING])
    def test_begins_anew_and_at_once(self, told: Told, redis: Redis, fate: Fate) -> None:
        job = told.submit()
        told.end(job)
        told.settle(told.take(job), fate, pause_s=60, absent=True)
        redis.delete(keys.CALLBACKS)

        assert told.replay(job)

        assert told.queued() == [[job.id, "end"]]
        taken = told.take(job)
        assert (taken.delivery.number, taken.delivery.absences) == (0, 0)
        assert taken.delivery.webhook_id == f"{job.id}_end"
        assert len(told.one(job).tries) == 1, "what was tried before is still told"

    def test_sends_nothing_twice_at_once(self, told: Told, redis: Redis) -> None:
        job = told.submit()
        told.end(job)
        taken = told.take(job)
        redis.delete(keys.CALLBACKS)

        assert told.replay(job)

        assert told.queued() == []
        assert told.senders.take(job.id, Slot.END) is None
        assert told.settle(taken, Fate.DELIVERED) == Fate.DELIVERED
        assert told.queued() == []

    def test_goes_on_at_once_if_the_one_under_way_fails(self, told: Told, redis: Redis) -> None:
        job = told.submit()
        told.end(job)
        taken = told.take(job)
        redis.delete(keys.CALLBACKS)
        told.replay(job)

        told.settle(taken, Fate.GIVEN_UP)

        assert told.queued() == [[job.id, "end"]]
        assert told.take(job).delivery.number == 0

    def test_knows_no_other_jobs(self, told: Told) -> None:
        waiting, untold = told.submit(), told.jobs.submit()
        told.end(untold)

        assert not told.replay(waiting)
        assert not told.replay(untold)


class TestEvents:
    def test_are_told_if_asked_for(self, told: Told) -> None:
        job = told.submit(events=ALL)
        token = told.jobs.claim(job)
        told.jobs.leases.progress(job.id, token, 10, Message("starting", {}))

        assert [one.slot for one in told.look(job)] == [Slot.STARTED, Slot.PROGRESS]
        assert told.queued() == [[job.id, "started"], [job.id, "progress"]]
        assert told.take(job, Slot.STARTED).record.state == "processing"
        assert told.take(job, Slot.PROGRESS).record.progress == 10

    @pytest.mark.parametrize("event", ALL)
    def test_are_told_one_without_the_other(self, told: Told, event: Event) -> None:
        job = told.submit(events=(event,))
        token = told.jobs.claim(job)
        told.jobs.leases.progress(job.id, token, 10, Message("starting", {}))

        assert [f"job.{one.slot}" for one in told.look(job)] == [event]

    def test_tell_the_start_of_the_first_attempt_alone(self, told: Told) -> None:
        job = told.submit(events=ALL)
        told.jobs.leases.release(job.task, job.id, told.jobs.claim(job))
        told.settle(told.take(job, Slot.STARTED), Fate.DELIVERED)
        told.jobs.claim(job)

        assert told.one(job, Slot.STARTED).fate is Fate.DELIVERED

    def test_replace_progress_that_was_not_told(self, told: Told) -> None:
        job = told.submit(events=ALL)
        token = told.jobs.claim(job)
        for percent in (10, 20, 30):
            told.jobs.leases.progress(job.id, token, percent, Message("starting", {}))

        taken = told.take(job, Slot.PROGRESS)

        assert taken.record.progress == 30
        assert told.queued().count([job.id, "progress"]) == 1
        assert taken.delivery.webhook_id == f"{job.id}_progress_{taken.record.revision}"

    @pytest.mark.parametrize("fate", [Fate.DELIVERED, Fate.WAITING])
    def test_tell_what_is_new_after_what_is_on_its_way(self, told: Told, fate: Fate) -> None:
        job = told.submit(events=ALL)
        token = told.jobs.claim(job)
        told.jobs.leases.progress(job.id, token, 10, Message("starting", {}))
        first = told.take(job, Slot.PROGRESS)
        told.jobs.leases.progress(job.id, token, 20, Message("starting", {}))
        assert told.senders.take(job.id, Slot.PROGRESS) is None

        told.settle(first, fate)

        second = told.take(job, Slot.PROGRESS)
        assert second.record.progress == 20
        assert second.delivery.webhook_id != first.delivery.webhook_id

    def test_keep_their_pause_although_there_is_news(self, told: Told) -> None:
        job = told.submit(events=ALL)
        token = told.jobs.claim(job)
        told.jobs.leases.progress(job.id, token, 10, Message("starting", {}))
        told.settle(told.take(job, Slot.PROGRESS), Fate.WAITING, pause_s=60)

        told.jobs.leases.progress(job.id, token, 20, Message("starting", {}))

        assert told.senders.take(job.id, Slot.PROGRESS) is None

    def test_are_given_up_when_the_job_has_ended(self, told: Told) -> None:
        job = told.submit(events=ALL)
        token = told.jobs.claim(job)
        told.jobs.leases.progress(job.id, token, 10, Message("starting", {}))
        on_its_way = told.take(job, Slot.STARTED)
        told.end(job, token)

        assert told.one(job, Slot.PROGRESS).fate is Fate.GIVEN_UP
        assert told.settle(on_its_way, Fate.WAITING) == Fate.GIVEN_UP
        assert told.one(job).fate is Fate.WAITING
        assert told.waiting() == (1, 1)


class TestSubmit:
    def test_takes_another_webhook_for_another_request(self, told: Told) -> None:
        one = Webhook("http://h/1")
        first = told.jobs.submit(webhook=one)

        def same(webhook: Webhook | None) -> bool:
            job = Job(first.site, first.name, first.recipe, first.params, webhook=webhook)
            return job.fingerprint == first.fingerprint and job.identity == first.identity

        assert same(one)
        assert same(Webhook("http://h/1", api_url="http://other"))
        assert not same(None)
        assert not same(Webhook("http://h/2"))
        assert not same(Webhook("http://h/1", Payload.THIN))
        assert not same(Webhook("http://h/1", events=ALL))
