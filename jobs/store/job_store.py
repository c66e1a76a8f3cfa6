"""Submit, read and cancel jobs (asynchronous, for the API)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Literal, cast

from redis.asyncio import Redis

from jobs.failure import FailureCode, JobFailedError
from jobs.model.job import JobRequest, JobState
from jobs.model.lease_policy import LeasePolicy, ms
from jobs.model.record import JobRecord, from_ms
from jobs.redis import celery_message, keys
from jobs.redis.async_client import redis_deadline
from jobs.redis.lua import load_script
from jobs.store.completion import UNLEASED, JobOutcome, completion_call
from jobs.store.queue_position import QueueLoad, QueuePosition


@dataclass(frozen=True)
class ExpiredJob:
    """The job did exist, and its result is gone."""

    #: The recipe's job, as `site.job`.
    task: str


@dataclass(frozen=True)
class JobSnapshot:
    """A record, and when it was looked at (on Redis' clock, as all its times)."""

    record: JobRecord
    now: datetime
    #: When its turn comes; None if it does not wait.
    queue_position: QueuePosition | None = None


@dataclass(frozen=True)
class SubmitResult:
    """An accepted start."""

    id: str
    created_at: datetime
    #: Whether it led to a new job, to that of an earlier request with its key, or to an identical
    #: one, now or by an earlier request.
    how: Literal["accepted", "repeated", "joined", "rejoined"]


class IdempotencyConflictError(Exception):
    """The Idempotency-Key was used for another request."""


#: For how long a key stands for its request.
_IDEMPOTENCY_TTL = timedelta(hours=24)


class JobStore:
    """What the API can ask of the jobs; each call raises `JobsUnavailableError` without Redis."""

    def __init__(self, redis: Redis, lease_policy: LeasePolicy, *, result_ttl: timedelta) -> None:
        self._redis = redis
        self._lease_policy = lease_policy
        self._result_ttl = result_ttl
        self._submit = redis.register_script(load_script("submit"))
        self._cancel = redis.register_script(load_script("cancel"))
        self._finish = redis.register_script(load_script("complete"))

    async def submit(
        self, request: JobRequest, *, idempotency_key: str | None = None, join: bool = False
    ) -> SubmitResult:
        """Accept a job: its record and its message in the queue, in one step.

        Args:
            request: What is asked for.
            idempotency_key: The caller's Idempotency-Key: within a day, the same key leads to the
                same job.
            join: Whether an identical job that has not ended will do.

        Raises:
            IdempotencyConflictError: The key stands for another request.
        """
        fields = [text for pair in request.as_fields().items() for text in pair]
        sent = celery_message.encode_job(request.task_name, request.id)
        kept_ms = ms(_IDEMPOTENCY_TTL) if idempotency_key is not None else 0
        scope = sha256(
            "\0".join((request.caller, request.task_name, idempotency_key or "")).encode()
        ).hexdigest()
        async with redis_deadline():
            word, created_at, job_id = await self._submit(
                keys=[
                    keys.record(request.id),
                    keys.ACTIVE,
                    keys.JOB_QUEUE,
                    keys.COUNTERS,
                    keys.idempotency(scope),
                    keys.identical(request.identity),
                ],
                args=[
                    request.id,
                    sent,
                    ms(self._lease_policy.lease),
                    kept_ms,
                    request.fingerprint,
                    int(join),
                    *fields,
                ],
            )
        if word == "conflict":
            raise IdempotencyConflictError
        return SubmitResult(job_id, from_ms(created_at), word)

    async def cancel(self, request: JobRequest) -> bool:
        """Ask for the end of a job: at once if it waits, else at its worker's next heartbeat.

        Returns:
            False if it had ended before.
        """
        async with redis_deadline():
            told = await self._cancel(keys=[keys.record(request.id)])
            if told == "waiting":
                # Whoever claims it in this moment finds it cancelled, and ends it just so.
                failed = JobOutcome.failed(request.id, JobFailedError(FailureCode.CANCELLED))
                script_keys, arguments = completion_call(
                    request.id, UNLEASED, request.task_name, failed, self._result_ttl
                )
                await self._finish(keys=script_keys, args=arguments)
        return told in {"waiting", "running"}

    async def get(self, job_id: str) -> JobSnapshot | ExpiredJob | None:
        """Read a job's record; None if there never was such a job."""
        async with redis_deadline():
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.hgetall(keys.record(job_id))
            pipeline.get(keys.tombstone(job_id))
            pipeline.time()
            pipeline.zrank(keys.state_index(JobState.PENDING), job_id)
            QueueLoad.add_queries(pipeline)
            fields, tombstone, (seconds, micros), before, *queue = await pipeline.execute()
        if fields:
            now_ms = seconds * 1000 + micros // 1000
            turn = QueueLoad.parse_replies(now_ms, queue).locate(before)
            return JobSnapshot(JobRecord.decode(job_id, fields), from_ms(now_ms), turn)
        return ExpiredJob(tombstone) if tombstone else None

    async def get_items(self, job_id: str, start: int, count: int) -> tuple[list[str], int]:
        """Read some of what a job has scraped so far.

        Args:
            job_id: The job's id.
            start: How many items to pass over.
            count: How many to read at most.

        Returns:
            The items, each one JSON object; and how many there are in all.
        """
        async with redis_deadline():
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.lrange(keys.items(job_id), start, start + count - 1)
            pipeline.llen(keys.items(job_id))
            items, total = await pipeline.execute()
        return items, total

    async def get_result(self, job_id: str) -> str | None:
        """Read what Celery's backend keeps of a completed job; None once it has expired.

        Returns:
            JSON; its `result` is what the task returned. It may be megabytes.
        """
        async with redis_deadline():
            return cast("str | None", await self._redis.get(keys.result(job_id)))
