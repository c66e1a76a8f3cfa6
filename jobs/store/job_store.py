"""Submit, read and cancel jobs (asynchronous, for the API)."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Literal

from redis.asyncio import Redis

from jobs.failure import FailureCode, JobFailedError
from jobs.model.job import JobRequest, JobState
from jobs.model.lease_policy import LeasePolicy, ms
from jobs.model.record import JobRecord, from_ms
from jobs.redis import celery_message, keys
from jobs.redis.async_client import UnreadableDataError, redis_deadline
from jobs.redis.lua import load_script
from jobs.redis.replies import execute_readable, log_wrong_type, parse_number
from jobs.store.completion import UNLEASED, CompletionPolicy, JobOutcome, completion_call
from jobs.store.queue_position import QueueLoad, QueuePosition
from jobs.store.record_reader import decode_record


@dataclass(frozen=True)
class ExpiredJob:
    """A job whose result has expired."""

    #: The name of its task, as `site.job`.
    task: str
    #: The name of the API key that started it; empty without keys.
    owner: str = ""

    @classmethod
    def decode(cls, tombstone: str) -> "ExpiredJob":
        """Decode what `complete.lua` leaves of a job."""
        task, _, owner = tombstone.partition(" ")
        return cls(task, owner)


@dataclass(frozen=True)
class JobSnapshot:
    """A job's record at one moment."""

    record: JobRecord
    #: That moment, on Redis' clock, as all times of the record.
    now: datetime
    #: None if the job does not wait.
    queue_position: QueuePosition | None = None
    #: What is stored as the result of a completed job (`jobs.model.stored_result`), if it was asked
    #: for and is not larger than that.
    stored_result: str | None = None


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


@dataclass(frozen=True)
class StartLimit:
    """How many jobs a caller may start in a window of time, which its first start begins."""

    caller: str
    starts: int
    window: timedelta

    @property
    def key(self) -> str:
        """The key of the number of starts in the present window."""
        return keys.started(self.caller, int(self.window.total_seconds()))


class TooManyStartsError(Exception):
    """The caller has no start left in this window of time."""

    def __init__(self, *, retry_after: timedelta) -> None:
        self.retry_after = retry_after
        super().__init__(retry_after)


class TooManyJobsError(Exception):
    """No further job may wait or be kept: in all, or of this caller."""

    def __init__(self, *, of_caller: bool) -> None:
        self.of_caller = of_caller
        super().__init__(of_caller)


@dataclass(frozen=True)
class JobLimits:
    """How many jobs may wait, and be kept in Redis with those that have ended."""

    waiting: int = 25_000
    kept: int = 50_000
    #: The same of one API key.
    waiting_per_owner: int = 2_000
    kept_per_owner: int = 20_000


#: How long an Idempotency-Key is remembered.
_IDEMPOTENCY_TTL = timedelta(hours=24)


class JobStore:
    """Submits, reads and cancels jobs. Each call raises RedisUnavailableError without Redis."""

    def __init__(
        self,
        redis: Redis,
        lease_policy: LeasePolicy,
        *,
        result_ttl: timedelta,
        limits: JobLimits = JobLimits(),
    ) -> None:
        self._redis = redis
        self._limits = limits
        self._lease_policy = lease_policy
        self._completion_policy = CompletionPolicy(result_ttl, lease_policy.lease)
        self._submit = redis.register_script(load_script("submit"))
        self._read_job = redis.register_script(load_script("read_job"))
        self._count_start = redis.register_script(load_script("count_start"))
        self._cancel = redis.register_script(load_script("cancel"))
        self._complete = redis.register_script(load_script("complete"))

    async def submit(
        self,
        request: JobRequest,
        *,
        idempotency_key: str | None = None,
        join: bool = False,
        start_limit: StartLimit | None = None,
    ) -> SubmitResult:
        """Accept a job: create its record and enqueue its message, in one step.

        Args:
            request: The job.
            idempotency_key: The caller's Idempotency-Key: within a day, the same key leads to the
                same job.
            join: Whether an identical job that has not ended may be returned instead.
            start_limit: The caller's limit, against which this start is counted.

        Raises:
            TooManyStartsError: The limit is reached.
            IdempotencyConflictError: The key was used for another request.
            TooManyJobsError: No further job may wait or be kept.
        """
        owned = keys.owner_group(request.caller) if request.caller else ""
        fields = [text for pair in request.as_fields().items() for text in pair]
        key_ttl_ms = ms(_IDEMPOTENCY_TTL) if idempotency_key is not None else 0
        scope = "\0".join((request.caller, request.task_name, idempotency_key or ""))
        async with redis_deadline():
            status, *accepted = await self._submit(
                keys=[
                    keys.record(request.id),
                    keys.ACTIVE,
                    keys.JOB_QUEUE,
                    keys.COUNTERS,
                    keys.idempotency(sha256(scope.encode()).hexdigest()),
                    keys.identical(request.identity),
                    start_limit.key if start_limit else keys.started("", 0),
                ],
                args=[
                    request.id,
                    celery_message.encode_job(request.task_name, request.id),
                    ms(self._lease_policy.lease),
                    key_ttl_ms,
                    request.fingerprint,
                    int(join),
                    self._limits.waiting,
                    f":{owned}" if owned else "",
                    self._limits.waiting_per_owner,
                    self._limits.kept,
                    self._limits.kept_per_owner,
                    start_limit.starts if start_limit else "",
                    ms(start_limit.window) if start_limit else 0,
                    *fields,
                ],
            )
        if status == "limited":
            raise TooManyStartsError(retry_after=timedelta(milliseconds=int(accepted[0])))
        if status == "conflict":
            raise IdempotencyConflictError
        if status in {"full", "owner_full"}:
            raise TooManyJobsError(of_caller=status == "owner_full")
        created_at, job_id = accepted
        return SubmitResult(job_id, from_ms(created_at), status)

    async def count_start(self, limit: StartLimit) -> None:
        """Count something against a caller's limit that is worth as much as a start.

        Raises:
            TooManyStartsError: The limit is reached.
        """
        async with redis_deadline():
            wait_ms = await self._count_start(
                keys=[limit.key], args=[limit.starts, ms(limit.window)]
            )
        if wait_ms:
            raise TooManyStartsError(retry_after=timedelta(milliseconds=wait_ms))

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

    async def get(
        self, job_id: str, *, max_result_bytes: int = 0
    ) -> JobSnapshot | ExpiredJob | None:
        """Return a job; None if the id is unknown.

        Args:
            job_id: The job's id.
            max_result_bytes: Up to which size the result of a completed job is returned too.

        Raises:
            UnreadableDataError: Its record cannot be decoded.
        """
        async with redis_deadline():
            reply, stored_result = await self._read_job(
                keys=[
                    keys.record(job_id),
                    keys.tombstone(job_id),
                    keys.result(job_id),
                    keys.state_index(JobState.PENDING),
                    keys.state_index(JobState.PROCESSING),
                    keys.WORKERS,
                    keys.COUNTERS,
                ],
                args=[job_id, keys.TYPICAL_DURATION, max_result_bytes],
            )
        now_ms, errors, pairs, tombstone, jobs_before, running, workers, pace = json.loads(reply)
        for error in errors:
            log_wrong_type(error)
        if pairs or pairs is False:
            fields = None if pairs is False else dict(_pair(pairs))
            record = decode_record(job_id, fields)
            if record is None:
                raise UnreadableDataError(job_id, owner=(fields or {}).get("caller"))
            if record.state is JobState.FAILED and record.items_read is None:
                record = await self._count_read(record)
            position = None
            if jobs_before is not False:
                expiries = [(name, float(expires_ms)) for name, expires_ms in _pair(workers or [])]
                load = QueueLoad.parse_replies(now_ms, (running, expiries, pace))
                position = load.locate(jobs_before)
            return JobSnapshot(record, from_ms(now_ms), position, stored_result)
        return ExpiredJob.decode(tombstone) if tombstone else None

    async def _count_read(self, record: JobRecord) -> JobRecord:
        """Return the record of a job that an earlier version has ended, with what it has read."""
        async with redis_deadline():
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.llen(keys.items(record.id))
            pipeline.llen(keys.item_totals(record.id))
            pipeline.lindex(keys.item_totals(record.id), -1)
            pipeline.hlen(keys.pages(record.id))
            counts = await execute_readable(pipeline)
        blocks, counted_blocks, total, pages = (parse_number(count) for count in counts)
        # Version 0.1 stored one item in each element of the list, without a total.
        items = max(0, total + blocks - counted_blocks)
        return replace(record, items_read=items, pages_read=pages)


def _pair(flat: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the pairs of a reply that a script returns as one list."""
    return zip(flat[::2], flat[1::2], strict=True)
