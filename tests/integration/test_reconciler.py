"""The reconciler on a real Redis: lost messages, expired leases, failed jobs, events."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from threading import Event

import pytest
from redis import Redis

from garimpo.local_stack.process import Process
from jobs.model.lease_policy import LeasePolicy, ms
from jobs.model.record import JobRecord
from jobs.model.webhook import WebhookSubscription
from jobs.redis import keys
from jobs.store.leased_jobs import LeaseLostError
from jobs.store.reconciler import Reconciler
from jobs.store.worker_registry import WorkerRegistry, WorkerStatus
from tests.integration.jobs_in_redis import HEAD, STARTING, Jobs

HOUR_MS = 3_600_000


@pytest.fixture
def jobs(redis_process: Process, redis: Redis) -> Iterator[Jobs]:  # noqa: ARG001 - empties Redis
    with Jobs(redis_process.url) as jobs:
        yield jobs


class TestReconcile:
    def test_ignores_jobs_that_are_not_due(self, jobs: Jobs) -> None:
        jobs.submit()
        jobs.claim(jobs.submit())

        assert jobs.reconcile() == {}

    def test_keeps_a_message_that_is_in_the_queue(self, jobs: Jobs) -> None:
        job = jobs.submit()
        jobs.make_due(job)

        assert jobs.reconcile() == {job.id: "kept"}

        assert jobs.count_messages(job) == 1

    def test_enqueues_a_lost_message_again(self, jobs: Jobs, redis: Redis) -> None:
        job = jobs.submit()
        redis.delete(keys.JOB_QUEUE)
        jobs.make_due(job)

        assert jobs.reconcile() == {job.id: "queued"}

        assert jobs.count_messages(job) == 1

    def test_enqueues_a_message_whose_worker_died_before_the_claim(self, jobs: Jobs) -> None:
        job = jobs.submit()
        with jobs.celery.connection_for_read() as connection:
            # Received and never acknowledged: it remains in kombu's `unacked` hash.
            connection.SimpleQueue(keys.JOB_QUEUE).get(timeout=5)
            jobs.make_due(job)

            assert jobs.reconcile() == {job.id: "queued"}

            assert jobs.count_messages(job) == 1

    def test_checks_at_growing_intervals(self, jobs: Jobs, redis: Redis) -> None:
        job = jobs.submit()
        intervals = []
        for _ in range(7):
            jobs.make_due(job)
            jobs.reconcile()
            seconds, _ = redis.time()
            interval_s = float(str(redis.zscore(keys.ACTIVE, job.id))) / 1000 - seconds
            intervals.append(round(interval_s / jobs.lease_policy.lease.total_seconds()))

        assert intervals == [1, 2, 4, 8, 16, 20, 20]

    def test_revokes_an_expired_lease(self, jobs: Jobs, redis: Redis) -> None:
        job = jobs.submit()
        token = jobs.claim(job)
        redis.delete(keys.JOB_QUEUE)
        jobs.make_due(job)

        assert jobs.reconcile() == {job.id: "taken"}

        assert jobs.count_messages(job) == 1
        assert redis.hget(keys.record(job.id), "crashes") == "1"
        with pytest.raises(LeaseLostError):
            jobs.leased_jobs.set_progress(job.id, token, 50, STARTING)

    def test_ends_a_cancelled_job_whose_lease_has_expired(self, jobs: Jobs) -> None:
        job = jobs.submit()
        jobs.claim(job)
        jobs.cancel(job)
        jobs.make_due(job)

        assert jobs.reconcile() == {job.id: "cancelled"}

        assert jobs.failure_code(job) == "cancelled"

    def test_fails_a_job_that_kills_its_workers(self, jobs: Jobs, redis: Redis) -> None:
        job = jobs.submit()
        for action in ("taken", "taken", "poison"):
            jobs.claim(job)
            jobs.make_due(job)
            assert jobs.reconcile() == {job.id: action}

        failure = jobs.get(job).record.failure
        assert failure is not None
        assert (failure.code, failure.details) == ("worker_lost", {"crashes": 3})
        assert redis.zrange(keys.WORKER_LOST, 0, -1) == [job.id]

    def test_fails_a_job_that_has_waited_too_long(
        self, redis_process: Process, redis: Redis
    ) -> None:
        with Jobs(redis_process.url, LeasePolicy(queue_ttl=timedelta(milliseconds=1))) as jobs:
            pending, running = jobs.submit(), jobs.submit()
            jobs.leased_jobs.release(running.task_name, running.id, jobs.claim(running))
            for job in (pending, running):
                jobs.make_due(job)
                redis.hincrby(keys.record(job.id), "created_at", -1000)

            done = jobs.reconcile()

            assert done == {pending.id: "expired", running.id: "kept"}, "only jobs that never ran"
            assert jobs.failure_code(pending) == "queue_expired"

    def test_handles_running_jobs_before_a_long_queue(self, jobs: Jobs, redis: Redis) -> None:
        pending = [jobs.submit() for _ in range(250)]
        running = jobs.submit()
        jobs.claim(running)
        for job in pending:
            jobs.make_due(job)
        redis.zadd(keys.ACTIVE, {running.id: 1})  # due, and later than all others

        assert jobs.reconcile()[running.id] == "taken"

    def test_continues_after_a_record_that_cannot_be_decoded(
        self, jobs: Jobs, redis: Redis
    ) -> None:
        unreadable, lost, completed = (jobs.submit() for _ in range(3))
        redis.hset(keys.record(unreadable.id), "state", "of another version")
        redis.zadd(keys.UNPUBLISHED_ENDS, {unreadable.id: 0})
        redis.delete(keys.JOB_QUEUE)
        for job in (unreadable, lost):
            jobs.make_due(job)
        jobs.store_result(completed, jobs.claim(completed), "SUCCESS", HEAD)

        assert jobs.reconcile() == {unreadable.id: "unreadable", lost.id: "queued"}
        assert [record.id for record in jobs.published] == [completed.id]
        assert redis.hget(keys.record(unreadable.id), "state") == "of another version"
        assert jobs.reconcile() == {}, "checked again later"

    def test_forgets_a_job_without_a_record(self, jobs: Jobs, redis: Redis) -> None:
        job = jobs.submit()
        redis.delete(keys.record(job.id))
        jobs.make_due(job)

        assert jobs.reconcile() == {job.id: "gone"}

        assert redis.zcard(keys.ACTIVE) == 0


class TestLock:
    def test_is_held_by_one_of_several_workers(self, jobs: Jobs, redis: Redis) -> None:
        first, second = jobs.make_reconciler("one"), jobs.make_reconciler("two")
        job = jobs.submit()
        jobs.make_due(job)

        assert first.run_once() == {job.id: "kept"}
        jobs.make_due(job)
        assert second.run_once() == {}
        assert first.run_once() == {job.id: "kept"}

        # The lock expires, as after its holder has died.
        redis.delete(keys.RECONCILER)
        jobs.make_due(job)
        assert second.run_once() == {job.id: "kept"}
        assert first.run_once() == {}


class TestGracePeriod:
    def test_lasts_one_lease_after_an_outage(self, jobs: Jobs, redis: Redis) -> None:
        job = jobs.submit()
        jobs.claim(job)
        jobs.make_due(job)
        seconds, _ = redis.time()
        redis.set(keys.LAST_RECONCILED, seconds * 1000 - ms(jobs.lease_policy.lease))
        reconciler = jobs.make_reconciler()

        assert reconciler.run_once() == {job.id: "held"}
        assert 0 < int(str(redis.pttl(keys.GRACE))) <= ms(jobs.lease_policy.lease)
        assert reconciler.run_once() == {job.id: "held"}

        redis.delete(keys.GRACE)
        assert reconciler.run_once() == {job.id: "taken"}

    def test_does_not_follow_a_run_that_took_long(self, redis_process: Process) -> None:
        policy = LeasePolicy(
            lease=timedelta(seconds=1), reconcile_interval=timedelta(milliseconds=100)
        )
        with Jobs(redis_process.url, policy) as jobs:
            ended, running = jobs.submit(), jobs.submit()
            jobs.cancel(ended)
            jobs.claim(running)

            def publish_slowly(records: Sequence[JobRecord]) -> list[bool]:
                return [Event().wait(1) for _ in records]

            reconciler = Reconciler(jobs.redis, policy, jobs.completer, "one", publish_slowly)
            reconciler.run_once()
            jobs.redis.delete(keys.GRACE)
            jobs.make_due(running)

            assert reconciler.run_once() == {running.id: "taken"}

    def test_follows_a_clock_that_is_set_forward(self, jobs: Jobs, redis: Redis) -> None:
        job = jobs.submit()
        jobs.claim(job)
        reconciler = jobs.make_reconciler()
        reconciler.run_once()
        redis.delete(keys.GRACE)
        redis.decrby(keys.LAST_RECONCILED, HOUR_MS)
        jobs.make_due(job)

        assert reconciler.run_once() == {job.id: "held"}

    def test_does_not_follow_a_long_reconcile_interval(
        self, redis_process: Process, redis: Redis
    ) -> None:
        with Jobs(redis_process.url, LeasePolicy(reconcile_interval=timedelta(seconds=15))) as jobs:
            job = jobs.submit()
            jobs.claim(job)
            jobs.reconcile()
            jobs.make_due(job)
            redis.decrby(keys.LAST_RECONCILED, 15_000)

            assert jobs.make_reconciler().run_once() == {job.id: "taken"}


class TestLongQueue:
    def test_costs_nothing(self, jobs: Jobs, redis: Redis) -> None:
        commands = []
        for count in (120, 480):
            for _ in range(count):
                jobs.make_due(jobs.submit())
            jobs.reconcile()
            for job_id in redis.zrange(keys.ACTIVE, 0, -1):
                redis.zadd(keys.ACTIVE, {str(job_id): 0})
            before = count_commands(redis)
            jobs.reconcile()
            commands.append(count_commands(redis) - before)

        # A few more, but not four times as many.
        assert commands[1] < 1.2 * commands[0]

    def test_hides_no_lost_message_of_the_next_job(self, jobs: Jobs, redis: Redis) -> None:
        lost, *_ = [jobs.submit() for _ in range(300)]
        redis.rpop(keys.JOB_QUEUE)
        for job_id in redis.zrange(keys.ACTIVE, 0, -1):
            redis.zadd(keys.ACTIVE, {str(job_id): 0})
        # Of all that are due, it has been so for the shortest time.
        redis.zadd(keys.ACTIVE, {lost.id: 1})

        assert jobs.reconcile()[lost.id] == "queued"

        assert jobs.count_messages(lost) == 1


def count_commands(redis: Redis) -> int:
    """Return the number of calls of scripts and of commands in them."""
    stats = redis.info("commandstats")
    return sum(command["calls"] for command in stats.values())


class TestClockThatGoesBack:
    def test_gives_a_lease_no_more_than_its_length(self, jobs: Jobs, redis: Redis) -> None:
        job = jobs.submit()
        jobs.claim(job)
        lease_ms = ms(jobs.lease_policy.lease)
        redis.zadd(keys.ACTIVE, {job.id: jobs.now_ms() + HOUR_MS})

        assert jobs.reconcile() == {job.id: "held"}
        assert float(str(redis.zscore(keys.ACTIVE, job.id))) <= jobs.now_ms() + lease_ms

        jobs.make_due(job)
        assert jobs.reconcile() == {job.id: "taken"}

    def test_hides_no_lost_message(self, jobs: Jobs, redis: Redis) -> None:
        job = jobs.submit()
        redis.delete(keys.JOB_QUEUE)
        redis.zadd(keys.ACTIVE, {job.id: jobs.now_ms() + HOUR_MS})

        assert jobs.reconcile() == {job.id: "queued"}

    def test_ends_lock_and_grace_of_the_time_before(self, jobs: Jobs, redis: Redis) -> None:
        job = jobs.submit()
        jobs.claim(job)
        jobs.make_due(job)
        redis.set(keys.RECONCILER, "dead", px=HOUR_MS)
        redis.set(keys.GRACE, "dead", px=HOUR_MS)
        redis.set(keys.LAST_RECONCILED, jobs.now_ms() + HOUR_MS)
        reconciler = jobs.make_reconciler()

        assert reconciler.run_once() == {job.id: "held"}
        assert int(str(redis.pttl(keys.GRACE))) <= ms(jobs.lease_policy.lease)

    def test_delays_no_delivery(self, jobs: Jobs, redis: Redis) -> None:
        job = jobs.submit(webhook=WebhookSubscription("http://h/"))
        jobs.cancel(job)
        delivery = keys.delivery(job.id, "end")
        next_at = jobs.now_ms() + HOUR_MS + 10_000
        redis.hset(delivery, "next_at", next_at)
        redis.zadd(keys.DELIVERIES_DUE, {f"{job.id}:end": next_at})
        redis.set(keys.LAST_RECONCILED, jobs.now_ms() + HOUR_MS)

        jobs.make_reconciler().run_once()

        soon = jobs.now_ms() + 20_000
        assert int(str(redis.hget(delivery, "next_at"))) < soon
        assert float(str(redis.zscore(keys.DELIVERIES_DUE, f"{job.id}:end"))) < soon

    def test_keeps_no_dead_worker_alive(self, jobs: Jobs, redis: Redis) -> None:
        redis.zadd(keys.WORKERS, {"dead": jobs.now_ms() + HOUR_MS})

        WorkerRegistry(redis).heartbeat("alive", WorkerStatus(), timedelta(seconds=15))

        assert redis.zrange(keys.WORKERS, 0, -1) == ["alive"]


class TestPublishedEnds:
    def test_are_published_once(self, jobs: Jobs, redis: Redis) -> None:
        job = jobs.submit()
        jobs.store_result(job, jobs.claim(job), "SUCCESS", HEAD)

        jobs.reconcile()

        assert [record.id for record in jobs.published] == [job.id]
        assert redis.zcard(keys.UNPUBLISHED_ENDS) == 0

    def test_that_nobody_receives_are_published_again(self, jobs: Jobs, redis: Redis) -> None:
        jobs.is_flower_up = False
        completed, cancelled, running = (jobs.submit() for _ in range(3))
        jobs.store_result(completed, jobs.claim(completed), "SUCCESS", HEAD)
        jobs.cancel(cancelled)
        jobs.claim(running)
        lease_ms = ms(jobs.lease_policy.lease)

        for age_ms in (0, lease_ms, 4 * lease_ms, 256 * lease_ms, 1024 * lease_ms):
            for job in (completed, cancelled):
                redis.hset(keys.record(job.id), "ended_at", jobs.now_ms() - age_ms)
            redis.zadd(keys.UNPUBLISHED_ENDS, {completed.id: 0, cancelled.id: 0}, xx=True)
            jobs.reconcile()
            # Nothing is published before it is due again.
            jobs.reconcile()

        published = [(record.id, record.state) for record in jobs.published]
        ends = [(completed.id, "completed"), (cancelled.id, "failed")]
        assert sorted(published) == sorted(ends * 4)
        assert redis.zcard(keys.UNPUBLISHED_ENDS) == 0
