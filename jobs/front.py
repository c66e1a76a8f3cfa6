"""The callers' side of the jobs: start one, look at one. Asynchronous, for the API."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Literal, cast

from redis.asyncio import Redis

from jobs import keys, message, script
from jobs.answering import answering
from jobs.ending import NOBODY, Ending, finish_call
from jobs.failure import FailureCode, JobFailedError
from jobs.job import Job
from jobs.leasing import Leasing, ms
from jobs.record import Record, moment
from jobs.state import State
from jobs.turn import Queue, Turn


@dataclass(frozen=True)
class Expired:
    """The job did exist, and its result is gone."""

    #: The recipe's job, as `site.job`.
    task: str


@dataclass(frozen=True)
class Seen:
    """A record, and when it was looked at (on Redis' clock, as all its times)."""

    record: Record
    now: datetime
    #: When its turn comes; None if it does not wait.
    turn: Turn | None = None


@dataclass(frozen=True)
class Accepted:
    """An accepted start."""

    id: str
    created_at: datetime
    #: Whether it led to a new job, to that of an earlier request with its key, or to an identical
    #: one, now or by an earlier request.
    how: Literal["accepted", "repeated", "joined", "rejoined"]


class IdempotencyConflictError(Exception):
    """The Idempotency-Key was used for another request."""


#: For how long a key stands for its request.
_KEY_KEPT = timedelta(hours=24)


class JobFront:
    """What the API can ask of the jobs; each call raises `JobsUnavailableError` without Redis."""

    def __init__(self, redis: Redis, leasing: Leasing, *, result_ttl: timedelta) -> None:
        self._redis = redis
        self._leasing = leasing
        self._result_ttl = result_ttl
        self._submit = redis.register_script(script.source("submit"))
        self._cancel = redis.register_script(script.source("cancel"))
        self._finish = redis.register_script(script.source("finish"))

    async def submit(self, job: Job, *, key: str | None = None, join: bool = False) -> Accepted:
        """Accept a job: its record and its message in the queue, in one step.

        Args:
            job: What is asked for.
            key: The caller's own name for this request (Idempotency-Key): the same one within a
                day leads to the same job.
            join: Whether an identical job that has not ended will do.

        Raises:
            IdempotencyConflictError: The key stands for another request.
        """
        fields = [text for pair in job.as_fields().items() for text in pair]
        sent = message.encode(job.task, job.id)
        kept_ms = ms(_KEY_KEPT) if key is not None else 0
        scope = sha256("\0".join((job.caller, job.task, key or "")).encode()).hexdigest()
        async with answering():
            word, created_at, job_id = await self._submit(
                keys=[
                    keys.record(job.id),
                    keys.ACTIVE,
                    keys.QUEUE,
                    keys.COUNTERS,
                    keys.idempotency(scope),
                    keys.identical(job.identity),
                ],
                args=[
                    job.id,
                    sent,
                    ms(self._leasing.lease),
                    kept_ms,
                    job.fingerprint,
                    int(join),
                    *fields,
                ],
            )
        if word == "conflict":
            raise IdempotencyConflictError
        return Accepted(job_id, moment(created_at), word)

    async def cancel(self, job: Job) -> bool:
        """Ask for the end of a job: at once if it waits, else at its worker's next heartbeat.

        Returns:
            False if it had ended before.
        """
        async with answering():
            told = await self._cancel(keys=[keys.record(job.id)])
            if told == "waiting":
                # Whoever claims it in this moment finds it cancelled, and ends it just so.
                failed = Ending.failed(job.id, JobFailedError(FailureCode.CANCELLED))
                script_keys, arguments = finish_call(
                    job.id, NOBODY, job.task, failed, self._result_ttl
                )
                await self._finish(keys=script_keys, args=arguments)
        return told in {"waiting", "running"}

    async def look(self, job_id: str) -> Seen | Expired | None:
        """Read a job's record; None if there never was such a job."""
        async with answering():
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.hgetall(keys.record(job_id))
            pipeline.get(keys.tombstone(job_id))
            pipeline.time()
            pipeline.zrank(keys.listed(State.PENDING), job_id)
            Queue.ask(pipeline)
            fields, tombstone, (seconds, micros), before, *queue = await pipeline.execute()
        if fields:
            now_ms = seconds * 1000 + micros // 1000
            turn = Queue.read(now_ms, queue).turn(before)
            return Seen(Record.decode(job_id, fields), moment(now_ms), turn)
        return Expired(tombstone) if tombstone else None

    async def items(self, job_id: str, start: int, count: int) -> tuple[list[str], int]:
        """Read some of what a job has scraped so far.

        Args:
            job_id: The job's id.
            start: How many items to pass over.
            count: How many to read at most.

        Returns:
            The items, each one JSON object; and how many there are in all.
        """
        async with answering():
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.lrange(keys.items(job_id), start, start + count - 1)
            pipeline.llen(keys.items(job_id))
            items, total = await pipeline.execute()
        return items, total

    async def result(self, job_id: str) -> str | None:
        """Read what Celery's backend keeps of a completed job; None once it has expired.

        Returns:
            JSON; its `result` is what the task returned. It may be megabytes.
        """
        async with answering():
            return cast("str | None", await self._redis.get(keys.result(job_id)))
