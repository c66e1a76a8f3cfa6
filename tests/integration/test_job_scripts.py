"""The record's scripts in a real Redis: who may change a job, and that each step is whole."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from billiard.exceptions import TimeLimitExceeded
from celery.exceptions import NotRegistered, TaskRevokedError
from celery.result import AsyncResult
from redis import Redis

from garimpo.local_stack.process import Process
from jobs.failure import JobFailedError
from jobs.model.job import JobRequest, JobState
from jobs.model.record import ProgressMessage
from jobs.redis import keys
from jobs.store.job_store import ExpiredJob
from jobs.store.leased_jobs import FinishedPage, LeaseLostError, progress_meta
from tests.integration.jobs_in_redis import HEAD, STARTING, Jobs, id_of

ITEM = {"channel_name": "São & Cia"}


@pytest.fixture
def jobs(redis_process: Process, redis: Redis) -> Iterator[Jobs]:  # noqa: ARG001 - it was emptied
    with Jobs(redis_process.url) as both_sides:
        yield both_sides


class TestSubmit:
    def test_writes_record_and_message_together(self, jobs: Jobs, redis: Redis) -> None:
        job = jobs.submit()

        seen = jobs.look(job)
        assert (seen.record.state, seen.record.params) == (JobState.PENDING, {"pages": 2})
        assert redis.llen(keys.JOB_QUEUE) == 1
        assert redis.zscore(keys.ACTIVE, job.id) is not None

    def test_changes_nothing_when_it_comes_twice(self, jobs: Jobs, redis: Redis) -> None:
        job = jobs.submit()
        before = redis.hgetall(keys.record(job.id))

        jobs.ask(lambda front: front.submit(job))

        assert redis.hgetall(keys.record(job.id)) == before
        assert redis.llen(keys.JOB_QUEUE) == 1

    def test_puts_nothing_but_the_id_into_the_message(self, jobs: Jobs) -> None:
        job = JobRequest("tubehunt", "scrape-channels", "digest", {"order_by": "FINDME"})
        jobs.ask(lambda front: front.submit(job))

        with jobs.celery.connection_for_read() as connection:
            received = connection.SimpleQueue(keys.JOB_QUEUE).get(timeout=5)

        assert received.payload[:2] == [[job.id], {}]
        assert "FINDME" not in json.dumps([received.headers, received.properties])

    def test_writes_the_message_that_celery_would(self, jobs: Jobs, redis: Redis) -> None:
        job = jobs.submit()
        ours = json.loads(str(redis.lpop(keys.JOB_QUEUE)))
        # Only who sent it, and where an RPC reply would go, may differ.
        jobs.celery.send_task(job.task_name, args=[job.id], task_id=job.id, ignore_result=False)
        celerys = json.loads(str(redis.lpop(keys.JOB_QUEUE)))

        for sent in (ours, celerys):
            del sent["headers"]["origin"]
            del sent["properties"]["reply_to"], sent["properties"]["delivery_tag"]
        assert ours == celerys


class TestFrontLook:
    def test_tells_nothing_of_a_job_that_never_was(self, jobs: Jobs) -> None:
        assert jobs.ask(lambda front: front.get("no-such-job")) is None

    def test_tells_an_expired_job_from_an_unknown_one(self, jobs: Jobs, redis: Redis) -> None:
        job = jobs.submit()
        jobs.store(job, jobs.claim(job), "SUCCESS", HEAD)

        redis.pexpire(keys.record(job.id), 0)

        gone = jobs.ask(lambda front: front.get(job.id))
        assert gone == ExpiredJob("tubehunt.scrape-channels")


class TestClaim:
    def test_gives_the_job_to_one_worker_only(self, jobs: Jobs) -> None:
        job = jobs.submit()
        jobs.claim(job)

        with pytest.raises(LeaseLostError, match="busy"):
            jobs.claim(job, "two")

    def test_writes_the_first_state_to_celery_too(self, jobs: Jobs) -> None:
        job = jobs.submit()
        assert jobs.celery_state(job) == "PENDING"

        jobs.claim(job)

        assert (jobs.celery_state(job), jobs.look(job).record.state) == ("PROGRESS", "processing")

    def test_drops_a_delivery_for_a_job_that_is_over(self, jobs: Jobs) -> None:
        job = jobs.submit()
        jobs.store(job, jobs.claim(job), "SUCCESS", HEAD)

        with pytest.raises(LeaseLostError, match="final"):
            jobs.claim(job)

    def test_refuses_a_job_that_has_killed_too_many_workers(self, jobs: Jobs, redis: Redis) -> None:
        job = jobs.submit()
        # As after a reconciler that died before it could end the job.
        redis.hset(keys.record(job.id), "crashes", 3)

        with pytest.raises(LeaseLostError, match="poison"):
            jobs.claim(job)

    def test_drops_a_delivery_for_a_job_that_never_was(self, jobs: Jobs) -> None:
        with pytest.raises(LeaseLostError, match="absent"):
            jobs.leases.claim("no-such-job", "one", STARTING)


class TestProgress:
    def test_shows_the_same_in_record_and_celery(self, jobs: Jobs) -> None:
        job = jobs.submit()
        token = jobs.claim(job)

        jobs.store(job, token, "PROGRESS", progress_meta(40, ProgressMessage("logging_in", {})))

        record = jobs.look(job).record
        assert (record.progress, record.message) == (40, ProgressMessage("logging_in", {}))
        result: Any = AsyncResult(job.id, app=jobs.celery)
        assert result.info == {"progress": 40, "key": "logging_in", "args": {}}

    def test_never_falls(self, jobs: Jobs) -> None:
        job = jobs.submit()
        token = jobs.claim(job)
        jobs.leases.set_progress(job.id, token, 40, STARTING)

        jobs.leases.set_progress(job.id, token, 10, STARTING)

        assert jobs.look(job).record.progress == 40

    def test_is_refused_without_the_token(self, jobs: Jobs) -> None:
        job = jobs.submit()
        jobs.claim(job)

        with pytest.raises(LeaseLostError):
            jobs.store(job, "another", "PROGRESS", progress_meta(40, STARTING))

        assert jobs.look(job).record.progress == 0

    def test_is_refused_after_the_end(self, jobs: Jobs) -> None:
        job = jobs.submit()
        token = jobs.claim(job)
        jobs.store(job, token, "SUCCESS", HEAD)

        with pytest.raises(LeaseLostError):
            jobs.leases.set_progress(job.id, token, 10, STARTING)

        assert (jobs.celery_state(job), jobs.look(job).record.state) == ("SUCCESS", "completed")


class TestAppend:
    def test_takes_each_page_once(self, jobs: Jobs) -> None:
        job = jobs.submit()
        token = jobs.claim(job)

        for page, items in ((2, [{"n": 3}]), (1, [{"n": 1}, {"n": 2}]), (2, [{"n": 3}])):
            jobs.leases.append_page(job.id, token, FinishedPage(page, items))

        assert jobs.leases.get_items(job.id) == [{"n": 3}, {"n": 1}, {"n": 2}]

    def test_takes_a_page_without_items(self, jobs: Jobs, redis: Redis) -> None:
        job = jobs.submit()

        jobs.leases.append_page(job.id, jobs.claim(job), FinishedPage(1, []))

        assert redis.hkeys(keys.pages(job.id)) == ["1"]

    def test_is_refused_without_the_token(self, jobs: Jobs) -> None:
        job = jobs.submit()
        jobs.claim(job)

        with pytest.raises(LeaseLostError):
            jobs.leases.append_page(job.id, "another", FinishedPage(1, [{"n": 1}]))

        assert jobs.leases.get_items(job.id) == []


class TestFinish:
    def test_ends_record_and_celery_in_one_step(self, jobs: Jobs, redis: Redis) -> None:
        job = jobs.submit()
        token = jobs.claim(job)
        jobs.leases.append_page(job.id, token, FinishedPage(1, [ITEM]))

        jobs.store(job, token, "SUCCESS", HEAD)

        assert jobs.look(job).record.state is JobState.COMPLETED
        result: Any = AsyncResult(job.id, app=jobs.celery)
        assert result.result == HEAD.as_dict([ITEM]) == jobs.read_result(job)
        assert redis.zscore(keys.ACTIVE, job.id) is None

    def test_lets_record_result_and_items_expire_together(self, jobs: Jobs, redis: Redis) -> None:
        job = jobs.submit()
        token = jobs.claim(job)
        jobs.leases.append_page(job.id, token, FinishedPage(1, [{"n": 1}]))
        kept = [name(job.id) for name in (keys.record, keys.result, keys.pages)]
        assert {redis.ttl(key) for key in kept} == {-1}, "nothing expires while it runs"

        jobs.store(job, token, "SUCCESS", HEAD)

        day = 24 * 3600
        assert all(day - 60 < int(str(redis.ttl(key))) <= day for key in kept)
        assert int(str(redis.ttl(keys.tombstone(job.id)))) > 7 * day

    def test_shows_a_failure_to_callers_and_to_celery(self, jobs: Jobs) -> None:
        job = jobs.submit()
        reason = JobFailedError("login_failed", {"reason": "Senha incorreta"})

        jobs.store(job, jobs.claim(job), "FAILURE", reason)

        failure = jobs.look(job).record.failure
        assert failure is not None
        assert (failure.code, failure.details) == ("login_failed", {"reason": "Senha incorreta"})
        raised = AsyncResult(job.id, app=jobs.celery).result
        assert isinstance(raised, JobFailedError)
        assert (jobs.celery_state(job), raised.code) == ("FAILURE", "login_failed")

    def test_keeps_an_error_of_our_own_out_of_redis(self, jobs: Jobs, redis: Redis) -> None:
        job = jobs.submit()

        jobs.store(job, jobs.claim(job), "FAILURE", KeyError("s3cret"))

        failure = jobs.look(job).record.failure
        assert failure is not None
        assert failure.code == "internal_error"
        assert "s3cret" not in str(redis.get(keys.result(job.id)))
        assert "s3cret" not in str(redis.hgetall(keys.record(job.id)))

    @pytest.mark.parametrize("state", ["SUCCESS", "FAILURE"])
    def test_is_refused_without_the_token(self, jobs: Jobs, state: str) -> None:
        job = jobs.submit()
        jobs.claim(job)

        jobs.store(job, "another", state, HEAD if state == "SUCCESS" else KeyError())

        assert (jobs.celery_state(job), jobs.look(job).record.state) == ("PROGRESS", "processing")

    @pytest.mark.parametrize("state", ["STARTED", "SUCCESS", "FAILURE", "REVOKED", "RETRY"])
    def test_drops_what_celery_writes_by_itself(self, jobs: Jobs, state: str) -> None:
        job = jobs.submit()
        token = jobs.claim(job)

        jobs.store(job, None, state, KeyError(), worker="two")

        assert (jobs.celery_state(job), jobs.look(job).record.state) == ("PROGRESS", "processing")
        jobs.store(job, token, "SUCCESS", HEAD)
        jobs.store(job, None, state, KeyError())
        assert (jobs.celery_state(job), jobs.look(job).record.state) == ("SUCCESS", "completed")

    def test_happens_once(self, jobs: Jobs) -> None:
        job = jobs.submit()
        token = jobs.claim(job)
        jobs.store(job, token, "SUCCESS", HEAD)
        ended_at = jobs.look(job).record.ended_at

        jobs.store(job, token, "FAILURE", JobFailedError("page_timeout"))

        assert (jobs.celery_state(job), jobs.look(job).record.ended_at) == ("SUCCESS", ended_at)

    def test_ends_a_waiting_job_whose_task_no_worker_knows(self, jobs: Jobs) -> None:
        job = jobs.submit()

        jobs.store(job, None, "FAILURE", NotRegistered(job.task_name))

        failure = jobs.look(job).record.failure
        assert failure is not None
        assert (jobs.celery_state(job), failure.code) == ("FAILURE", "recipe_unknown")

    def test_leaves_a_job_alone_that_another_worker_runs(self, jobs: Jobs) -> None:
        job = jobs.submit()
        jobs.claim(job)

        jobs.store(job, None, "FAILURE", NotRegistered(job.task_name))

        assert jobs.look(job).record.state is JobState.PROCESSING

    def test_ends_at_a_hard_limit_what_a_child_of_that_worker_has(self, jobs: Jobs) -> None:
        job = jobs.submit()
        token = jobs.claim(job, "one")
        jobs.leases.append_page(job.id, token, FinishedPage(1, [{"n": 1}, {"n": 2}]))

        jobs.store(job, None, "FAILURE", TimeLimitExceeded(60), worker="one")

        failure = jobs.look(job).record.failure
        assert failure is not None
        assert (failure.code, failure.details) == ("time_limit", {"items": 2})
        assert len(jobs.leases.get_items(job.id)) == 2, "what was read stays"

    def test_ignores_a_hard_limit_of_a_worker_that_has_lost_the_job(self, jobs: Jobs) -> None:
        job = jobs.submit()
        jobs.claim(job, "one")
        jobs.pass_time(job)
        jobs.reconcile()
        jobs.claim(job, "two")

        jobs.store(job, None, "FAILURE", TimeLimitExceeded(60), worker="one")

        assert jobs.look(job).record.state is JobState.PROCESSING

    def test_ends_a_job_that_was_revoked_while_it_waited(self, jobs: Jobs) -> None:
        job = jobs.submit()

        jobs.store(job, None, "REVOKED", TaskRevokedError("revoked"))

        assert (jobs.celery_state(job), jobs.code(job)) == ("FAILURE", "cancelled")


class TestHeartbeat:
    def test_keeps_the_lease_alive(self, jobs: Jobs, redis: Redis) -> None:
        job = jobs.submit()
        token = jobs.claim(job)
        jobs.pass_time(job)

        assert jobs.leases.renew(job.id, token) == "held"

        assert jobs.reconcile() == {}
        seconds, _ = redis.time()
        assert float(str(redis.zscore(keys.ACTIVE, job.id))) > seconds * 1000

    def test_hears_that_the_job_shall_end(self, jobs: Jobs) -> None:
        job = jobs.submit()
        token = jobs.claim(job)

        jobs.cancel(job)

        assert jobs.leases.renew(job.id, token) == "cancelled"

    def test_hears_that_the_job_is_lost(self, jobs: Jobs) -> None:
        job = jobs.submit()
        token = jobs.claim(job)
        jobs.pass_time(job)
        jobs.reconcile()

        assert jobs.leases.renew(job.id, token) == "lost"
        jobs.claim(job, "two")
        assert jobs.leases.renew(job.id, token) == "lost"

    def test_does_not_bring_back_a_job_that_is_over(self, jobs: Jobs, redis: Redis) -> None:
        job = jobs.submit()
        token = jobs.claim(job)
        jobs.store(job, token, "SUCCESS", HEAD)

        assert jobs.leases.renew(job.id, token) == "lost"
        assert redis.zscore(keys.ACTIVE, job.id) is None


class TestRelease:
    def test_makes_the_job_the_next_one(self, jobs: Jobs, redis: Redis) -> None:
        job = jobs.submit()
        token = jobs.claim(job)
        redis.delete(keys.JOB_QUEUE)
        jobs.submit()

        assert jobs.leases.release(job.task_name, job.id, token)

        assert id_of(str(redis.rpop(keys.JOB_QUEUE))) == job.id

    def test_lets_the_next_worker_go_on_from_there(self, jobs: Jobs, redis: Redis) -> None:
        job = jobs.submit()
        token = jobs.claim(job)
        jobs.leases.append_page(job.id, token, FinishedPage(1, [{"n": 1}]))
        jobs.leases.set_progress(job.id, token, 50, ProgressMessage("logging_in", {}))

        jobs.leases.release(job.task_name, job.id, token)

        assert jobs.look(job).record.state is JobState.PROCESSING, "no step back"
        lease = jobs.leases.claim(job.id, "two", STARTING)
        assert (lease.done_pages, lease.record.progress, lease.record.attempt) == (
            frozenset({1}),
            50,
            2,
        )
        assert lease.record.message == ProgressMessage("logging_in", {})
        assert redis.hget(keys.record(job.id), "crashes") == "0"

    def test_is_refused_without_the_token(self, jobs: Jobs) -> None:
        job = jobs.submit()
        jobs.claim(job)

        assert not jobs.leases.release(job.task_name, job.id, "another")

        with pytest.raises(LeaseLostError, match="busy"):
            jobs.claim(job, "two")


class TestCancel:
    def test_ends_a_waiting_job_at_once(self, jobs: Jobs) -> None:
        job = jobs.submit()

        assert jobs.cancel(job)

        assert (jobs.celery_state(job), jobs.code(job)) == ("FAILURE", "cancelled")

    def test_leaves_the_end_of_a_running_job_to_its_worker(self, jobs: Jobs) -> None:
        job = jobs.submit()
        jobs.claim(job)

        assert jobs.cancel(job)

        assert jobs.look(job).record.state is JobState.PROCESSING

    def test_comes_too_late_after_the_end(self, jobs: Jobs) -> None:
        job = jobs.submit()
        jobs.store(job, jobs.claim(job), "SUCCESS", HEAD)

        assert not jobs.cancel(job)

        assert (jobs.celery_state(job), jobs.code(job)) == ("SUCCESS", None)

    def test_gives_way_to_an_end_that_comes_first(self, jobs: Jobs) -> None:
        job = jobs.submit()
        token = jobs.claim(job)
        jobs.cancel(job)

        jobs.store(job, token, "SUCCESS", HEAD)

        assert (jobs.celery_state(job), jobs.code(job)) == ("SUCCESS", None)

    def test_keeps_a_job_from_being_claimed_again(self, jobs: Jobs) -> None:
        job = jobs.submit()
        token = jobs.claim(job)
        jobs.cancel(job)
        jobs.leases.release(job.task_name, job.id, token)

        with pytest.raises(LeaseLostError, match="cancelled"):
            jobs.claim(job, "two")
