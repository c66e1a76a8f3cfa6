"""The reconciler in a real Redis: what it puts back, takes away, ends and tells."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from redis import Redis

from garimpo.local_stack.process import Process
from jobs.model.lease_policy import LeasePolicy, ms
from jobs.redis import keys
from jobs.store.leased_jobs import LeaseLostError
from tests.integration.jobs_in_redis import HEAD, STARTING, Jobs


@pytest.fixture
def jobs(redis_process: Process, redis: Redis) -> Iterator[Jobs]:  # noqa: ARG001 - it was emptied
    with Jobs(redis_process.url) as both_sides:
        yield both_sides


class TestReconcile:
    def test_lets_jobs_be_that_are_not_due(self, jobs: Jobs) -> None:
        jobs.submit()
        jobs.claim(jobs.submit())

        assert jobs.reconcile() == {}

    def test_keeps_a_message_that_is_in_the_queue(self, jobs: Jobs) -> None:
        job = jobs.submit()
        jobs.pass_time(job)

        assert jobs.reconcile() == {job.id: "kept"}

        assert jobs.queued(job) == 1

    def test_queues_a_message_that_is_lost(self, jobs: Jobs, redis: Redis) -> None:
        job = jobs.submit()
        redis.delete(keys.JOB_QUEUE)
        jobs.pass_time(job)

        assert jobs.reconcile() == {job.id: "queued"}

        assert jobs.queued(job) == 1

    def test_queues_a_message_whose_worker_died_before_the_claim(self, jobs: Jobs) -> None:
        job = jobs.submit()
        with jobs.celery.connection_for_read() as connection:
            # Taken, and never acknowledged: it stays where kombu has put it.
            connection.SimpleQueue(keys.JOB_QUEUE).get(timeout=5)
            jobs.pass_time(job)

            assert jobs.reconcile() == {job.id: "queued"}

            assert jobs.queued(job) == 1

    def test_looks_less_and_less_often(self, jobs: Jobs, redis: Redis) -> None:
        job = jobs.submit()
        leases = []
        for _ in range(7):
            jobs.pass_time(job)
            jobs.reconcile()
            seconds, _ = redis.time()
            until_s = float(str(redis.zscore(keys.ACTIVE, job.id))) / 1000 - seconds
            leases.append(round(until_s / jobs.leasing.lease.total_seconds()))

        assert leases == [1, 2, 4, 8, 16, 20, 20]

    def test_takes_a_job_from_a_worker_that_is_silent(self, jobs: Jobs, redis: Redis) -> None:
        job = jobs.submit()
        token = jobs.claim(job)
        redis.delete(keys.JOB_QUEUE)
        jobs.pass_time(job)

        assert jobs.reconcile() == {job.id: "taken"}

        assert jobs.queued(job) == 1
        assert redis.hget(keys.record(job.id), "crashes") == "1"
        with pytest.raises(LeaseLostError):
            jobs.leases.set_progress(job.id, token, 50, STARTING)

    def test_ends_a_cancelled_job_whose_worker_is_silent(self, jobs: Jobs) -> None:
        job = jobs.submit()
        jobs.claim(job)
        jobs.cancel(job)
        jobs.pass_time(job)

        assert jobs.reconcile() == {job.id: "cancelled"}

        assert jobs.code(job) == "cancelled"

    def test_gives_up_a_job_that_kills_its_workers(self, jobs: Jobs, redis: Redis) -> None:
        job = jobs.submit()
        for word in ("taken", "taken", "poison"):
            jobs.claim(job)
            jobs.pass_time(job)
            assert jobs.reconcile() == {job.id: word}

        failure = jobs.look(job).record.failure
        assert failure is not None
        assert (failure.code, failure.details) == ("worker_lost", {"crashes": 3})
        assert redis.zrange(keys.WORKER_LOST, 0, -1) == [job.id]

    def test_ends_a_job_that_has_waited_too_long(
        self, redis_process: Process, redis: Redis
    ) -> None:
        with Jobs(redis_process.url, LeasePolicy(queue_ttl=timedelta(milliseconds=1))) as jobs:
            job, running = jobs.submit(), jobs.submit()
            jobs.leases.release(running.task_name, running.id, jobs.claim(running))
            for one in (job, running):
                jobs.pass_time(one)
                redis.hincrby(keys.record(one.id), "created_at", -1000)

            done = jobs.reconcile()

            assert done == {job.id: "expired", running.id: "kept"}, "only what never ran"
            assert jobs.code(job) == "queue_expired"

    def test_takes_a_running_job_before_a_long_queue(self, jobs: Jobs, redis: Redis) -> None:
        waiting = [jobs.submit() for _ in range(250)]
        running = jobs.submit()
        jobs.claim(running)
        for job in waiting:
            jobs.pass_time(job)
        redis.zadd(keys.ACTIVE, {running.id: 1})  # due, and after all others

        assert jobs.reconcile()[running.id] == "taken"

    def test_goes_on_behind_a_record_that_cannot_be_read(self, jobs: Jobs, redis: Redis) -> None:
        strange, job, told = jobs.submit(), jobs.submit(), jobs.submit()
        redis.hset(keys.record(strange.id), "state", "of another version")
        redis.zadd(keys.UNPUBLISHED_ENDS, {strange.id: 0})
        redis.delete(keys.JOB_QUEUE)
        for one in (strange, job):
            jobs.pass_time(one)
        jobs.store(told, jobs.claim(told), "SUCCESS", HEAD)

        assert jobs.reconcile() == {strange.id: "unreadable", job.id: "queued"}
        assert [record.id for record in jobs.told] == [told.id]
        assert redis.hget(keys.record(strange.id), "state") == "of another version"
        assert jobs.reconcile() == {}, "looked at again later"

    def test_forgets_a_job_whose_record_is_gone(self, jobs: Jobs, redis: Redis) -> None:
        job = jobs.submit()
        redis.delete(keys.record(job.id))
        jobs.pass_time(job)

        assert jobs.reconcile() == {job.id: "gone"}

        assert redis.zcard(keys.ACTIVE) == 0


class TestReconcilerLook:
    def test_is_had_by_one_of_several_workers(self, jobs: Jobs, redis: Redis) -> None:
        one, two = jobs.reconciler("one"), jobs.reconciler("two")
        job = jobs.submit()
        jobs.pass_time(job)

        assert one.run_once() == {job.id: "kept"}
        jobs.pass_time(job)
        assert two.run_once() == {}
        assert one.run_once() == {job.id: "kept"}

        # The lock runs out, as after the death of its holder.
        redis.delete(keys.RECONCILER)
        jobs.pass_time(job)
        assert two.run_once() == {job.id: "kept"}
        assert one.run_once() == {}

    def test_believes_workers_one_lease_longer_after_an_outage(
        self, jobs: Jobs, redis: Redis
    ) -> None:
        job = jobs.submit()
        jobs.claim(job)
        jobs.pass_time(job)
        seconds, _ = redis.time()
        redis.set(keys.LAST_RECONCILED, seconds * 1000 - ms(jobs.leasing.lease))
        reconciler = jobs.reconciler()

        assert reconciler.run_once() == {job.id: "held"}
        assert 0 < int(str(redis.pttl(keys.GRACE))) <= ms(jobs.leasing.lease)
        assert reconciler.run_once() == {job.id: "held"}

        redis.delete(keys.GRACE)
        assert reconciler.run_once() == {job.id: "taken"}

    def test_takes_long_rounds_for_no_outage(self, redis_process: Process, redis: Redis) -> None:
        with Jobs(redis_process.url, LeasePolicy(reconcile_interval=timedelta(seconds=15))) as jobs:
            job = jobs.submit()
            jobs.claim(job)
            jobs.reconcile()
            jobs.pass_time(job)
            redis.decrby(keys.LAST_RECONCILED, 15_000)

            assert jobs.reconciler().run_once() == {job.id: "taken"}


class TestReconcilerTell:
    def test_tells_of_each_end_three_times(self, jobs: Jobs, redis: Redis) -> None:
        job, cancelled, running = jobs.submit(), jobs.submit(), jobs.submit()
        jobs.store(job, jobs.claim(job), "SUCCESS", HEAD)
        jobs.cancel(cancelled)
        jobs.claim(running)
        lease_ms = ms(jobs.leasing.lease)

        for since_ms in (0, lease_ms, 4 * lease_ms, 16 * lease_ms):
            for ended in (job, cancelled):
                redis.hset(keys.record(ended.id), "ended_at", jobs.now_ms() - since_ms)
            redis.zadd(keys.UNPUBLISHED_ENDS, {job.id: 0, cancelled.id: 0}, xx=True)
            jobs.reconcile()
            # Not again before it is due.
            jobs.reconcile()

        told = [(record.id, record.state) for record in jobs.told]
        assert sorted(told) == sorted([(job.id, "completed"), (cancelled.id, "failed")] * 3)
        assert redis.zcard(keys.UNPUBLISHED_ENDS) == 0
