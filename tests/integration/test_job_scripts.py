"""Lua scripts that change a job's record, in a real Redis: fencing and atomicity."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from billiard.exceptions import TimeLimitExceeded
from celery.exceptions import NotRegistered, TaskRevokedError
from celery.result import AsyncResult
from redis import Redis

from garimpo.local_stack.process import Process
from jobs.failure import FailureCode, JobFailedError
from jobs.model.job import JobRequest, JobState
from jobs.model.record import ProgressMessage
from jobs.model.webhook import WebhookSubscription
from jobs.redis import keys
from jobs.redis.lua import load_script
from jobs.store.job_store import ExpiredJob
from jobs.store.leased_jobs import (
    FinishedPage,
    LeaseLostError,
    PagesLostError,
    StoredPages,
    progress_meta,
)
from tests.integration.jobs_in_redis import HEAD, STARTING, Jobs, parse_job_id, result_of

ITEM = {"channel_name": "São & Cia"}


@pytest.fixture
def jobs(redis_process: Process, redis: Redis) -> Iterator[Jobs]:  # noqa: ARG001 - empties Redis
    with Jobs(redis_process.url) as jobs:
        yield jobs


class TestSubmit:
    def test_stores_record_and_message_in_one_step(self, jobs: Jobs, redis: Redis) -> None:
        job = jobs.submit()

        record = jobs.get(job).record
        assert (record.state, record.params) == (JobState.PENDING, {"pages": 2})
        assert redis.llen(keys.JOB_QUEUE) == 1
        assert redis.zscore(keys.ACTIVE, job.id) is not None

    def test_changes_nothing_if_repeated(self, jobs: Jobs, redis: Redis) -> None:
        job = jobs.submit()
        before = redis.hgetall(keys.record(job.id))

        jobs.call_store(lambda store: store.submit(job))

        assert redis.hgetall(keys.record(job.id)) == before
        assert redis.llen(keys.JOB_QUEUE) == 1

    def test_puts_only_the_id_into_the_message(self, jobs: Jobs) -> None:
        job = JobRequest("tubehunt", "scrape-channels", "digest", {"order_by": "FINDME"})
        jobs.call_store(lambda store: store.submit(job))

        with jobs.celery.connection_for_read() as connection:
            received = connection.SimpleQueue(keys.JOB_QUEUE).get(timeout=5)

        assert received.payload[:2] == [[job.id], {}]
        assert "FINDME" not in json.dumps([received.headers, received.properties])

    def test_writes_the_same_message_as_celery(self, jobs: Jobs, redis: Redis) -> None:
        job = jobs.submit()
        message = json.loads(str(redis.lpop(keys.JOB_QUEUE)))
        # Only the sender, the address for an RPC reply and the delivery tag may differ.
        jobs.celery.send_task(job.task_name, args=[job.id], task_id=job.id, ignore_result=False)
        celery_message = json.loads(str(redis.lpop(keys.JOB_QUEUE)))

        for sent in (message, celery_message):
            del sent["headers"]["origin"]
            del sent["properties"]["reply_to"], sent["properties"]["delivery_tag"]
        assert message == celery_message


class TestGet:
    def test_returns_none_for_an_unknown_job(self, jobs: Jobs) -> None:
        assert jobs.call_store(lambda store: store.get("no-such-job")) is None

    def test_distinguishes_an_expired_job_from_an_unknown_one(
        self, jobs: Jobs, redis: Redis
    ) -> None:
        job = jobs.submit()
        jobs.store_result(job, jobs.claim(job), "SUCCESS", HEAD)

        redis.pexpire(keys.record(job.id), 0)

        expired = jobs.call_store(lambda store: store.get(job.id))
        assert expired == ExpiredJob("tubehunt.scrape-channels")


class TestClaim:
    def test_leases_the_job_to_one_worker_only(self, jobs: Jobs) -> None:
        job = jobs.submit()
        jobs.claim(job)

        with pytest.raises(LeaseLostError, match="busy"):
            jobs.claim(job, "two")

    def test_sets_the_state_in_celery_too(self, jobs: Jobs) -> None:
        job = jobs.submit()
        assert jobs.celery_state(job) == "PENDING"

        jobs.claim(job)

        assert (jobs.celery_state(job), jobs.get(job).record.state) == ("PROGRESS", "processing")

    def test_refuses_a_job_that_has_ended(self, jobs: Jobs) -> None:
        job = jobs.submit()
        jobs.store_result(job, jobs.claim(job), "SUCCESS", HEAD)

        with pytest.raises(LeaseLostError, match="final"):
            jobs.claim(job)

    def test_refuses_a_job_that_has_killed_too_many_workers(self, jobs: Jobs, redis: Redis) -> None:
        job = jobs.submit()
        # As if a reconciler had died before it could end the job.
        redis.hset(keys.record(job.id), "crashes", 3)

        with pytest.raises(LeaseLostError, match="poison"):
            jobs.claim(job)

    def test_refuses_an_unknown_job(self, jobs: Jobs) -> None:
        with pytest.raises(LeaseLostError, match="absent"):
            jobs.leased_jobs.claim("no-such-job", "one", STARTING)


class TestProgress:
    def test_is_the_same_in_record_and_celery(self, jobs: Jobs) -> None:
        job = jobs.submit()
        token = jobs.claim(job)

        jobs.store_result(
            job, token, "PROGRESS", progress_meta(40, ProgressMessage("logging_in", {}))
        )

        record = jobs.get(job).record
        assert (record.progress, record.message) == (40, ProgressMessage("logging_in", {}))
        result: Any = AsyncResult(job.id, app=jobs.celery)
        assert result.info == {"progress": 40, "key": "logging_in", "args": {}}

    def test_never_decreases(self, jobs: Jobs) -> None:
        job = jobs.submit()
        token = jobs.claim(job)
        jobs.leased_jobs.set_progress(job.id, token, 40, STARTING)

        jobs.leased_jobs.set_progress(job.id, token, 10, STARTING)

        assert jobs.get(job).record.progress == 40

    def test_is_refused_without_the_token(self, jobs: Jobs) -> None:
        job = jobs.submit()
        jobs.claim(job)

        with pytest.raises(LeaseLostError):
            jobs.store_result(job, "another", "PROGRESS", progress_meta(40, STARTING))

        assert jobs.get(job).record.progress == 0

    def test_is_refused_after_the_end(self, jobs: Jobs) -> None:
        job = jobs.submit()
        token = jobs.claim(job)
        jobs.store_result(job, token, "SUCCESS", HEAD)

        with pytest.raises(LeaseLostError):
            jobs.leased_jobs.set_progress(job.id, token, 10, STARTING)

        assert (jobs.celery_state(job), jobs.get(job).record.state) == ("SUCCESS", "completed")


class TestAppendPage:
    def test_stores_each_page_once(self, jobs: Jobs) -> None:
        job = jobs.submit()
        token = jobs.claim(job)

        first, second = FinishedPage(2, [{"n": 3}]), FinishedPage(1, [{"n": 1}, {"n": 2}])

        stored = jobs.leased_jobs.append_page(job.id, token, first)
        after = [jobs.leased_jobs.append_page(job.id, token, second, stored) for _ in range(2)]

        assert (stored, after) == (StoredPages(1, 1), [StoredPages(2, 3)] * 2)
        assert jobs.leased_jobs.get_items(job.id) == [{"n": 3}, {"n": 1}, {"n": 2}]

    @pytest.mark.parametrize(
        "lost", [(keys.pages, keys.items, keys.item_totals), (keys.items, keys.item_totals)]
    )
    def test_is_refused_while_redis_lacks_an_earlier_page(
        self, jobs: Jobs, redis: Redis, lost: tuple[Callable[[str], str], ...]
    ) -> None:
        job = jobs.submit()
        token = jobs.claim(job)
        stored = jobs.leased_jobs.append_page(job.id, token, FinishedPage(1, [ITEM]))
        redis.delete(*(key(job.id) for key in lost))

        with pytest.raises(PagesLostError):
            jobs.leased_jobs.append_page(job.id, token, FinishedPage(2, [ITEM]), stored)

        assert jobs.leased_jobs.get_items(job.id) == []
        assert "2" not in redis.hkeys(keys.pages(job.id))

    def test_may_begin_again_after_all_pages_were_discarded(self, jobs: Jobs) -> None:
        job = jobs.submit()
        token = jobs.claim(job)
        jobs.leased_jobs.append_page(job.id, token, FinishedPage(1, [ITEM]))
        with pytest.raises(LeaseLostError):
            jobs.leased_jobs.discard_pages(job.id, "another")
        assert jobs.stored_pages(job) == StoredPages(1, 1)

        jobs.leased_jobs.discard_pages(job.id, token)

        jobs.leased_jobs.append_page(job.id, token, FinishedPage(1, [ITEM]))
        assert jobs.stored_pages(job) == StoredPages(1, 1)

    def test_stores_the_url_of_the_first_page(self, jobs: Jobs) -> None:
        job = jobs.submit()
        page, url = FinishedPage(1, [ITEM]), "http://127.0.0.1/list"

        jobs.leased_jobs.append_page(job.id, jobs.claim(job), page, page_url=url)

        assert jobs.get(job).record.page_url == url

    def test_stores_a_page_without_items(self, jobs: Jobs, redis: Redis) -> None:
        job = jobs.submit()

        jobs.leased_jobs.append_page(job.id, jobs.claim(job), FinishedPage(1, []))

        assert redis.hkeys(keys.pages(job.id)) == ["1"]

    def test_is_refused_without_the_token(self, jobs: Jobs) -> None:
        job = jobs.submit()
        jobs.claim(job)

        with pytest.raises(LeaseLostError):
            jobs.leased_jobs.append_page(job.id, "another", FinishedPage(1, [{"n": 1}]))

        assert jobs.leased_jobs.get_items(job.id) == []


class TestComplete:
    def test_ends_record_and_celery_in_one_step(self, jobs: Jobs, redis: Redis) -> None:
        job = jobs.submit()
        token = jobs.claim(job)
        jobs.leased_jobs.append_page(job.id, token, FinishedPage(1, [ITEM]))

        jobs.store_result(job, token, "SUCCESS", HEAD)

        assert jobs.get(job).record.state is JobState.COMPLETED
        result: Any = AsyncResult(job.id, app=jobs.celery)
        assert result.result == result_of([ITEM]) == jobs.read_result(job)
        assert redis.zscore(keys.ACTIVE, job.id) is None

    @pytest.mark.parametrize("state", ["SUCCESS", "FAILURE"])
    def test_is_dated_by_redis(self, jobs: Jobs, redis: Redis, state: str) -> None:
        job = jobs.submit()
        result = HEAD if state == "SUCCESS" else JobFailedError(FailureCode.PAGE_TIMEOUT)

        jobs.store_result(job, jobs.claim(job), state, result)

        stored = jobs.decode_celery_meta(str(redis.get(keys.result(job.id))))
        ended_at = jobs.get(job).record.ended_at
        assert ended_at == datetime.fromisoformat(stored["date_done"])

    @pytest.mark.parametrize("year", [1970, 1999, 2000, 2024, 2026, 2100, 2400])
    def test_is_dated_by_our_calendar(self, redis: Redis, year: int) -> None:
        script = load_script("end_login").rpartition("\n-- ")[0] + "\nreturn iso_time(ARGV[1] + 0)"
        start = datetime(year, 1, 1, tzinfo=UTC)
        for hours in range(0, 400 * 24, 37):
            at = start + timedelta(hours=hours, milliseconds=hours)

            text = redis.eval(script, 0, int(at.timestamp() * 1000 + 0.5))

            assert datetime.fromisoformat(str(text)) == at

    def test_expires_record_result_and_items_together(self, jobs: Jobs, redis: Redis) -> None:
        job = jobs.submit()
        token = jobs.claim(job)
        jobs.leased_jobs.append_page(job.id, token, FinishedPage(1, [{"n": 1}]))
        names = [name(job.id) for name in (keys.record, keys.result, keys.pages)]
        assert {redis.ttl(key) for key in names} == {-1}, "nothing expires while the job runs"

        jobs.store_result(job, token, "SUCCESS", HEAD)

        day_s = 24 * 3600
        assert all(day_s - 60 < int(str(redis.ttl(key))) <= day_s for key in names)
        assert int(str(redis.ttl(keys.tombstone(job.id)))) > 7 * day_s

    def test_stores_a_failure_for_clients_and_celery(self, jobs: Jobs) -> None:
        job = jobs.submit()
        error = JobFailedError("login_failed", {"reason": "Senha incorreta"})

        jobs.store_result(job, jobs.claim(job), "FAILURE", error)

        failure = jobs.get(job).record.failure
        assert failure is not None
        assert (failure.code, failure.details) == ("login_failed", {"reason": "Senha incorreta"})
        raised = AsyncResult(job.id, app=jobs.celery).result
        assert isinstance(raised, JobFailedError)
        assert (jobs.celery_state(job), raised.code) == ("FAILURE", "login_failed")

    def test_keeps_an_internal_error_out_of_redis(self, jobs: Jobs, redis: Redis) -> None:
        job = jobs.submit()

        jobs.store_result(job, jobs.claim(job), "FAILURE", KeyError("s3cret"))

        failure = jobs.get(job).record.failure
        assert failure is not None
        assert failure.code == "internal_error"
        assert "s3cret" not in str(redis.get(keys.result(job.id)))
        assert "s3cret" not in str(redis.hgetall(keys.record(job.id)))

    @pytest.mark.parametrize("state", ["SUCCESS", "FAILURE"])
    def test_is_refused_without_the_token(self, jobs: Jobs, state: str) -> None:
        job = jobs.submit()
        jobs.claim(job)

        jobs.store_result(job, "another", state, HEAD if state == "SUCCESS" else KeyError())

        assert (jobs.celery_state(job), jobs.get(job).record.state) == ("PROGRESS", "processing")

    @pytest.mark.parametrize("state", ["STARTED", "SUCCESS", "FAILURE", "REVOKED", "RETRY"])
    def test_ignores_automatic_writes_of_celery(self, jobs: Jobs, state: str) -> None:
        job = jobs.submit()
        token = jobs.claim(job)

        jobs.store_result(job, None, state, KeyError(), worker="two")

        assert (jobs.celery_state(job), jobs.get(job).record.state) == ("PROGRESS", "processing")
        jobs.store_result(job, token, "SUCCESS", HEAD)
        jobs.store_result(job, None, state, KeyError())
        assert (jobs.celery_state(job), jobs.get(job).record.state) == ("SUCCESS", "completed")

    @pytest.mark.parametrize("pages", [1, 2])
    def test_is_refused_while_redis_lacks_items(self, jobs: Jobs, redis: Redis, pages: int) -> None:
        job = jobs.submit()
        token = jobs.claim(job)
        jobs.leased_jobs.append_page(job.id, token, FinishedPage(1, [ITEM]))
        # As after a crash of Redis, which keeps its log of writes once per second.
        if pages == 1:
            redis.delete(keys.items(job.id), keys.item_totals(job.id), keys.pages(job.id))

        jobs.store_result(job, token, "SUCCESS", replace(HEAD, total=1, pages_read=pages))

        assert (jobs.celery_state(job), jobs.get(job).record.state) == ("PROGRESS", "processing")
        jobs.make_due(job)
        jobs.reconcile()
        assert jobs.count_messages(job) == 2, "another worker reads the page again"

    def test_ends_a_job_only_once(self, jobs: Jobs) -> None:
        job = jobs.submit()
        token = jobs.claim(job)
        jobs.store_result(job, token, "SUCCESS", HEAD)
        ended_at = jobs.get(job).record.ended_at

        jobs.store_result(job, token, "FAILURE", JobFailedError("page_timeout"))

        assert (jobs.celery_state(job), jobs.get(job).record.ended_at) == ("SUCCESS", ended_at)

    def test_fails_a_pending_job_whose_task_is_not_registered(self, jobs: Jobs) -> None:
        job = jobs.submit()

        jobs.store_result(job, None, "FAILURE", NotRegistered(job.task_name))

        failure = jobs.get(job).record.failure
        assert failure is not None
        assert (jobs.celery_state(job), failure.code) == ("FAILURE", "recipe_unknown")

    def test_ignores_an_unregistered_task_while_another_worker_runs_the_job(
        self, jobs: Jobs
    ) -> None:
        job = jobs.submit()
        jobs.claim(job)

        jobs.store_result(job, None, "FAILURE", NotRegistered(job.task_name))

        assert jobs.get(job).record.state is JobState.PROCESSING

    def test_fails_a_job_of_its_own_worker_at_the_hard_limit(self, jobs: Jobs) -> None:
        job = jobs.submit()
        token = jobs.claim(job, "one")
        jobs.leased_jobs.append_page(job.id, token, FinishedPage(1, [{"n": 1}, {"n": 2}]))

        jobs.store_result(job, None, "FAILURE", TimeLimitExceeded(60), worker="one")

        failure = jobs.get(job).record.failure
        assert failure is not None
        assert (failure.code, failure.details) == ("time_limit", {"items": 2})
        assert len(jobs.leased_jobs.get_items(job.id)) == 2, "items that were read are kept"

    def test_ignores_the_hard_limit_of_a_worker_that_has_lost_the_job(self, jobs: Jobs) -> None:
        job = jobs.submit()
        jobs.claim(job, "one")
        jobs.make_due(job)
        jobs.reconcile()
        jobs.claim(job, "two")

        jobs.store_result(job, None, "FAILURE", TimeLimitExceeded(60), worker="one")

        assert jobs.get(job).record.state is JobState.PROCESSING

    def test_fails_a_job_that_was_revoked_while_pending(self, jobs: Jobs) -> None:
        job = jobs.submit()

        jobs.store_result(job, None, "REVOKED", TaskRevokedError("revoked"))

        assert (jobs.celery_state(job), jobs.failure_code(job)) == ("FAILURE", "cancelled")


class TestRenew:
    def test_extends_the_lease(self, jobs: Jobs, redis: Redis) -> None:
        job = jobs.submit()
        token = jobs.claim(job)
        jobs.make_due(job)

        assert jobs.leased_jobs.renew(job.id, token) == "held"

        assert jobs.reconcile() == {}
        seconds, _ = redis.time()
        assert float(str(redis.zscore(keys.ACTIVE, job.id))) > seconds * 1000

    def test_reports_that_the_job_was_cancelled(self, jobs: Jobs) -> None:
        job = jobs.submit()
        token = jobs.claim(job)

        jobs.cancel(job)

        assert jobs.leased_jobs.renew(job.id, token) == "cancelled"

    def test_reports_that_the_lease_is_lost(self, jobs: Jobs) -> None:
        job = jobs.submit()
        token = jobs.claim(job)
        jobs.make_due(job)
        jobs.reconcile()

        assert jobs.leased_jobs.renew(job.id, token) == "lost"
        jobs.claim(job, "two")
        assert jobs.leased_jobs.renew(job.id, token) == "lost"

    def test_does_not_revive_a_job_that_has_ended(self, jobs: Jobs, redis: Redis) -> None:
        job = jobs.submit()
        token = jobs.claim(job)
        jobs.store_result(job, token, "SUCCESS", HEAD)

        assert jobs.leased_jobs.renew(job.id, token) == "lost"
        assert redis.zscore(keys.ACTIVE, job.id) is None


class TestRelease:
    def test_puts_the_job_at_the_front_of_the_queue(self, jobs: Jobs, redis: Redis) -> None:
        job = jobs.submit()
        token = jobs.claim(job)
        redis.delete(keys.JOB_QUEUE)
        jobs.submit()

        assert jobs.leased_jobs.release(job.task_name, job.id, token)

        assert parse_job_id(str(redis.rpop(keys.JOB_QUEUE))) == job.id

    def test_lets_the_next_worker_continue(self, jobs: Jobs, redis: Redis) -> None:
        job = jobs.submit()
        token = jobs.claim(job)
        jobs.leased_jobs.append_page(job.id, token, FinishedPage(1, [{"n": 1}]))
        jobs.leased_jobs.set_progress(job.id, token, 50, ProgressMessage("logging_in", {}))

        jobs.leased_jobs.release(job.task_name, job.id, token)

        assert jobs.get(job).record.state is JobState.PROCESSING, "the state does not go backwards"
        lease = jobs.leased_jobs.claim(job.id, "two", STARTING)
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

        assert not jobs.leased_jobs.release(job.task_name, job.id, "another")

        with pytest.raises(LeaseLostError, match="busy"):
            jobs.claim(job, "two")


class TestCancel:
    def test_ends_a_pending_job_at_once(self, jobs: Jobs) -> None:
        job = jobs.submit()

        assert jobs.cancel(job)

        assert (jobs.celery_state(job), jobs.failure_code(job)) == ("FAILURE", "cancelled")

    def test_leaves_ending_a_running_job_to_its_worker(self, jobs: Jobs) -> None:
        job = jobs.submit()
        jobs.claim(job)

        assert jobs.cancel(job)

        assert jobs.get(job).record.state is JobState.PROCESSING

    def test_is_rejected_after_the_end(self, jobs: Jobs) -> None:
        job = jobs.submit()
        jobs.store_result(job, jobs.claim(job), "SUCCESS", HEAD)

        assert not jobs.cancel(job)

        assert (jobs.celery_state(job), jobs.failure_code(job)) == ("SUCCESS", None)

    def test_is_ignored_if_the_job_ends_first(self, jobs: Jobs) -> None:
        job = jobs.submit()
        token = jobs.claim(job)
        jobs.cancel(job)

        jobs.store_result(job, token, "SUCCESS", HEAD)

        assert (jobs.celery_state(job), jobs.failure_code(job)) == ("SUCCESS", None)

    def test_prevents_another_claim(self, jobs: Jobs) -> None:
        job = jobs.submit()
        token = jobs.claim(job)
        jobs.cancel(job)
        jobs.leased_jobs.release(job.task_name, job.id, token)

        with pytest.raises(LeaseLostError, match="cancelled"):
            jobs.claim(job, "two")

    @pytest.mark.parametrize(("length", "is_kept"), [(400, True), (2000, False)])
    def test_removes_long_parameters(self, jobs: Jobs, *, length: int, is_kept: bool) -> None:
        waiting, running = (submit_long(jobs, length) for _ in range(2))
        token = jobs.claim(running)

        jobs.cancel(waiting)
        jobs.cancel(running)
        assert jobs.get(running).record.params == running.params, "until it has ended"
        jobs.store_result(running, token, "FAILURE", JobFailedError(FailureCode.CANCELLED))

        for job in (waiting, running):
            assert jobs.failure_code(job) == "cancelled"
            assert jobs.get(job).record.params == (job.params if is_kept else {})

    def test_leaves_a_repeat_of_the_start_its_job(self, jobs: Jobs) -> None:
        job = JobRequest("tubehunt", "scrape-channels", "digest", {"order_by": "a" * 2000})

        def submit(request: JobRequest) -> str:
            return jobs.call_store(lambda store: store.submit(request, idempotency_key="key")).id

        submit(job)
        jobs.cancel(job)

        assert submit(replace(job, id=str(uuid4()))) == job.id

    def test_takes_little_memory_whatever_was_submitted(self, jobs: Jobs, redis: Redis) -> None:
        jobs.cancel(submit_long(jobs, 60_000))  # the scripts take memory, too
        before = redis.info("memory")["used_memory"]

        for _ in range(100):
            jobs.cancel(submit_long(jobs, 60_000))

        assert redis.info("memory")["used_memory"] - before < 100 * 16_000


def submit_long(jobs: Jobs, length: int) -> JobRequest:
    """Submit a job with a parameter of this length, and a webhook with a long URL."""
    webhook = WebhookSubscription("http://127.0.0.1:9/" + "a" * 1900)
    params = {"order_by": "a" * length}
    job = JobRequest("tubehunt", "scrape-channels", "digest", params, webhook=webhook)
    jobs.call_store(lambda store: store.submit(job))
    return job
