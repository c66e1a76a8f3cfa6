"""Submit, read and cancel jobs (asynchronous, for the API)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Literal

from redis.asyncio import Redis

from jobs.failure import FailureCode, JobFailedError
from jobs.model.job import JobRequest, JobState
from jobs.model.lease_policy import LeasePolicy, ms
from jobs.model.record import JobRecord, from_ms
from jobs.redis import celery_message, keys
from jobs.redis.async_client import redis_deadline
from jobs.redis.lua import load_script
from jobs.store.completion import UNLEASED, CompletionPolicy, JobOutcome, completion_call
from jobs.store.queue_position import QueueLoad, QueuePosition


@dataclass(frozen=True)
class ExpiredJob:
    """A job whose result has expired."""

    #: The name of its task, as `site.job`.
    task: str


@dataclass(frozen=True)
class JobSnapshot:
    """A job's record at one moment."""

    record: JobRecord
    #: That moment, on Redis' clock, as all times of the record.
    now: datetime
    #: None if the job does not wait.
    queue_position: QueuePosition | None = None


@dataclass(frozen=True)
class SubmitResult:
    """An accepted start."""

    id: str
    created_at: datetime
    #: Whether it created a job (`accepted`), had the Idempotency-Key of an earlier start
    #: (`repeated`), or joined an identical job, now (`joined`) or by an earlier start (`rejoined`).
    outcome: Literal["accepted", "repeated", "joined", "rejoined"]


class IdempotencyConflictError(Exception):
    """The Idempotency-Key was used for another request."""


#: How long an Idempotency-Key is remembered.
_IDEMPOTENCY_TTL = timedelta(hours=24)


class JobStore:
    """Submits, reads and cancels jobs. Each call raises RedisUnavailableError without Redis."""

    def __init__(self, redis: Redis, lease_policy: LeasePolicy, *, result_ttl: timedelta) -> None:
        self._redis = redis
        self._lease_policy = lease_policy
        self._completion_policy = CompletionPolicy(result_ttl, lease_policy.lease)
        self._submit = redis.register_script(load_script("submit"))
        self._cancel = redis.register_script(load_script("cancel"))
        self._complete = redis.register_script(load_script("complete"))

    async def submit(
        self, request: JobRequest, *, idempotency_key: str | None = None, join: bool = False
    ) -> SubmitResult:
        """Accept a job: create its record and enqueue its message, in one step.

        Args:
            request: The job.
            idempotency_key: The caller's Idempotency-Key: within a day, the same key leads to the
                same job.
            join: Whether an identical job that has not ended may be returned instead.

        Raises:
            IdempotencyConflictError: The key was used for another request.
        """
        fields = [text for pair in request.as_fields().items() for text in pair]
        key_ttl_ms = ms(_IDEMPOTENCY_TTL) if idempotency_key is not None else 0
        scope = "\0".join((request.caller, request.task_name, idempotency_key or ""))
        async with redis_deadline():
            status, created_at, job_id = await self._submit(
                keys=[
                    keys.record(request.id),
                    keys.ACTIVE,
                    keys.JOB_QUEUE,
                    keys.COUNTERS,
                    keys.idempotency(sha256(scope.encode()).hexdigest()),
                    keys.identical(request.identity),
                ],
                args=[
                    request.id,
                    celery_message.encode_job(request.task_name, request.id),
                    ms(self._lease_policy.lease),
                    key_ttl_ms,
                    request.fingerprint,
                    int(join),
                    *fields,
                ],
            )
        if status == "conflict":
            raise IdempotencyConflictError
        return SubmitResult(job_id, from_ms(created_at), status)

    async def cancel(self, request: JobRequest) -> bool:
        """Cancel a job: at once if it waits, else at its worker's next heartbeat.

        Returns:
            False if it has ended or no longer exists.
        """
        async with redis_deadline():
            status = await self._cancel(keys=[keys.record(request.id)])
            if status == "waiting":
                # A worker that claims it concurrently sees the request and fails it the same way.
                outcome = JobOutcome.failed(request.id, JobFailedError(FailureCode.CANCELLED))
                script_keys, arguments = completion_call(
                    request.id, UNLEASED, request.task_name, outcome, self._completion_policy
                )
                await self._complete(keys=script_keys, args=arguments)
        return status in {"waiting", "running"}

    async def get(self, job_id: str) -> JobSnapshot | ExpiredJob | None:
        """Return a job; None if the id is unknown."""
        async with redis_deadline():
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.hgetall(keys.record(job_id))
            pipeline.get(keys.tombstone(job_id))
            pipeline.time()
            pipeline.zrank(keys.state_index(JobState.PENDING), job_id)
            QueueLoad.add_queries(pipeline)
            fields, tombstone, (seconds, micros), jobs_before, *replies = await pipeline.execute()
        if fields:
            now_ms = seconds * 1000 + micros // 1000
            position = QueueLoad.parse_replies(now_ms, replies).locate(jobs_before)
            return JobSnapshot(JobRecord.decode(job_id, fields), from_ms(now_ms), position)
        return ExpiredJob(tombstone) if tombstone else None
