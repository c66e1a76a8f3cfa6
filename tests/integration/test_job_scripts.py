"""The record's scripts in a real Redis: who may change a job, and that each step is whole."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from celery import Celery
from celery.app.task import Context
from celery.exceptions import NotRegistered
from celery.result import AsyncResult
from redis import Redis

from garimpo.stack.process import Process
from jobs import front, keys
from jobs.backend import FencedRedisBackend
from jobs.celery_app import make_celery
from jobs.failure import JobFailedError
from jobs.front import Expired, JobFront, Seen
from jobs.job import Job
from jobs.lease import LeaseLostError, Page, progress_meta
from jobs.leasing import Leasing
from jobs.record import Message
from jobs.state import State

T = TypeVar("T")

DAY = timedelta(hours=24)

STARTING = Message("starting", {})
RESULT = {"success": True, "channels": [{"channel_name": "São & Cia"}], "warnings": []}


class Jobs:
    """Both sides of the jobs in one Redis: the API's and a worker's."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.celery: Celery = make_celery(url, result_ttl=DAY)
        backend = self.celery.backend
        assert isinstance(backend, FencedRedisBackend)
        self.backend = backend
        self.leases = backend.leases

    def ask(self, question: Callable[[JobFront], Awaitable[T]]) -> T:
        async def asked() -> T:
            redis = front.connect(self._url)
            try:
                return await question(JobFront(redis, Leasing(), result_ttl=DAY))
            finally:
                await redis.aclose()

        return asyncio.run(asked())

    def submit(self, **changes: Any) -> Job:
        job = Job("tubehunt", "scrape-channels", "digest", {"pages": 2}, **changes)
        self.ask(lambda jobs: jobs.submit(job))
        return job

    def look(self, job: Job) -> Seen:
        seen = self.ask(lambda jobs: jobs.look(job.id))
        assert isinstance(seen, Seen)
        return seen

    def claim(self, job: Job, worker: str = "one") -> str:
        return self.leases.claim(job.id, worker, STARTING).token

    def store(self, job: Job, token: str, state: str, result: object) -> None:
        """Write as Celery does after a task."""
        request = Context(id=job.id, task=job.task, lease_token=token)
        self.backend.store_result(job.id, result, state, request=request)

    def celery_state(self, job: Job) -> str:
        return AsyncResult(job.id, app=self.celery).state


@pytest.fixture
def jobs(redis_process: Process, redis: Redis) -> Jobs:  # noqa: ARG001 - it has been emptied
    return Jobs(redis_process.url)


class TestSubmit:
    def test_writes_record_and_message_together(self, jobs: Jobs, redis: Redis) -> None:
        job = jobs.submit()

        seen = jobs.look(job)
        assert (seen.record.state, seen.record.params) == (State.PENDING, {"pages": 2})
        assert redis.llen(keys.QUEUE) == 1
        assert redis.zscore(keys.ACTIVE, job.id) is not None

    def test_changes_nothing_when_it_comes_twice(self, jobs: Jobs, redis: Redis) -> None:
        job = jobs.submit()
        before = redis.hgetall(keys.record(job.id))

        jobs.ask(lambda front: front.submit(job))

        assert redis.hgetall(keys.record(job.id)) == before
        assert redis.llen(keys.QUEUE) == 1

    def test_puts_nothing_but_the_id_into_the_message(self, jobs: Jobs) -> None:
        job = Job("tubehunt", "scrape-channels", "digest", {"order_by": "FINDME"})
        jobs.ask(lambda front: front.submit(job))

        with jobs.celery.connection_for_read() as connection:
            received = connection.SimpleQueue(keys.QUEUE).get(timeout=5)

        assert received.payload[:2] == [[job.id], {}]
        assert "FINDME" not in json.dumps([received.headers, received.properties])

    def test_writes_the_message_that_celery_would(self, jobs: Jobs, redis: Redis) -> None:
        job = jobs.submit()
        ours = json.loads(str(redis.lpop(keys.QUEUE)))
        # Only who sent it, and where an RPC reply would go, may differ.
        jobs.celery.send_task(job.task, args=[job.id], task_id=job.id, ignore_result=False)
        celerys = json.loads(str(redis.lpop(keys.QUEUE)))

        for sent in (ours, celerys):
            del sent["headers"]["origin"]
            del sent["properties"]["reply_to"], sent["properties"]["delivery_tag"]
        assert ours == celerys


class TestLook:
    def test_tells_nothing_of_a_job_that_never_was(self, jobs: Jobs) -> None:
        assert jobs.ask(lambda front: front.look("no-such-job")) is None

    def test_tells_an_expired_job_from_an_unknown_one(self, jobs: Jobs, redis: Redis) -> None:
        job = jobs.submit()
        jobs.store(job, jobs.claim(job), "SUCCESS", RESULT)

        redis.pexpire(keys.record(job.id), 0)

        gone = jobs.ask(lambda front: front.look(job.id))
        assert gone == Expired("tubehunt.scrape-channels")


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
        jobs.store(job, jobs.claim(job), "SUCCESS", RESULT)

        with pytest.raises(LeaseLostError, match="final"):
            jobs.claim(job)

    def test_drops_a_delivery_for_a_job_that_never_was(self, jobs: Jobs) -> None:
        with pytest.raises(LeaseLostError, match="absent"):
            jobs.leases.claim("no-such-job", "one", STARTING)


class TestProgress:
    def test_shows_the_same_in_record_and_celery(self, jobs: Jobs) -> None:
        job = jobs.submit()
        token = jobs.claim(job)

        jobs.store(job, token, "PROGRESS", progress_meta(40, Message("logging_in", {})))

        record = jobs.look(job).record
        assert (record.progress, record.message) == (40, Message("logging_in", {}))
        result: Any = AsyncResult(job.id, app=jobs.celery)
        assert result.info == {"progress": 40, "key": "logging_in", "args": {}}

    def test_never_falls(self, jobs: Jobs) -> None:
        job = jobs.submit()
        token = jobs.claim(job)
        jobs.leases.progress(job.id, token, 40, STARTING)

        jobs.leases.progress(job.id, token, 10, STARTING)

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
        jobs.store(job, token, "SUCCESS", RESULT)

        with pytest.raises(LeaseLostError):
            jobs.leases.progress(job.id, token, 10, STARTING)

        assert (jobs.celery_state(job), jobs.look(job).record.state) == ("SUCCESS", "completed")


class TestAppend:
    def test_takes_each_page_once(self, jobs: Jobs) -> None:
        job = jobs.submit()
        token = jobs.claim(job)

        for page, items in ((2, [{"n": 3}]), (1, [{"n": 1}, {"n": 2}]), (2, [{"n": 3}])):
            jobs.leases.append(job.id, token, Page(page, items))

        assert jobs.leases.items(job.id) == [{"n": 3}, {"n": 1}, {"n": 2}]

    def test_takes_a_page_without_items(self, jobs: Jobs, redis: Redis) -> None:
        job = jobs.submit()

        jobs.leases.append(job.id, jobs.claim(job), Page(1, []))

        assert redis.hkeys(keys.pages(job.id)) == ["1"]

    def test_is_refused_without_the_token(self, jobs: Jobs) -> None:
        job = jobs.submit()
        jobs.claim(job)

        with pytest.raises(LeaseLostError):
            jobs.leases.append(job.id, "another", Page(1, [{"n": 1}]))

        assert jobs.leases.items(job.id) == []


class TestFinish:
    def test_ends_record_and_celery_in_one_step(self, jobs: Jobs, redis: Redis) -> None:
        job = jobs.submit()

        jobs.store(job, jobs.claim(job), "SUCCESS", RESULT)

        assert jobs.look(job).record.state is State.COMPLETED
        result: Any = AsyncResult(job.id, app=jobs.celery)
        assert result.result == RESULT
        assert jobs.ask(lambda front: front.result(job.id)) == RESULT
        assert redis.zscore(keys.ACTIVE, job.id) is None

    def test_lets_record_result_and_items_expire_together(self, jobs: Jobs, redis: Redis) -> None:
        job = jobs.submit()
        token = jobs.claim(job)
        jobs.leases.append(job.id, token, Page(1, [{"n": 1}]))
        kept = [name(job.id) for name in (keys.record, keys.result, keys.items, keys.pages)]
        assert {redis.ttl(key) for key in kept} == {-1}, "nothing expires while it runs"

        jobs.store(job, token, "SUCCESS", RESULT)

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

        jobs.store(job, "another", state, RESULT if state == "SUCCESS" else KeyError())

        assert (jobs.celery_state(job), jobs.look(job).record.state) == ("PROGRESS", "processing")

    @pytest.mark.parametrize("state", ["STARTED", "SUCCESS", "FAILURE", "REVOKED", "RETRY"])
    def test_drops_what_celery_writes_by_itself(self, jobs: Jobs, state: str) -> None:
        job = jobs.submit()
        token = jobs.claim(job)

        jobs.store(job, "", state, KeyError())

        assert (jobs.celery_state(job), jobs.look(job).record.state) == ("PROGRESS", "processing")
        jobs.store(job, token, "SUCCESS", RESULT)
        jobs.store(job, "", state, KeyError())
        assert (jobs.celery_state(job), jobs.look(job).record.state) == ("SUCCESS", "completed")

    def test_happens_once(self, jobs: Jobs) -> None:
        job = jobs.submit()
        token = jobs.claim(job)
        jobs.store(job, token, "SUCCESS", RESULT)
        ended_at = jobs.look(job).record.ended_at

        jobs.store(job, token, "FAILURE", JobFailedError("page_timeout"))

        assert (jobs.celery_state(job), jobs.look(job).record.ended_at) == ("SUCCESS", ended_at)

    def test_ends_a_waiting_job_whose_task_no_worker_knows(self, jobs: Jobs) -> None:
        job = jobs.submit()

        jobs.store(job, "", "FAILURE", NotRegistered(job.task))

        failure = jobs.look(job).record.failure
        assert failure is not None
        assert (jobs.celery_state(job), failure.code) == ("FAILURE", "recipe_unknown")

    def test_leaves_a_job_alone_that_another_worker_runs(self, jobs: Jobs) -> None:
        job = jobs.submit()
        jobs.claim(job)

        jobs.store(job, "", "FAILURE", NotRegistered(job.task))

        assert jobs.look(job).record.state is State.PROCESSING
