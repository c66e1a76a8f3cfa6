"""Lists of jobs, and statistics over all of them (asynchronous, for the API)."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import nlargest
from math import isfinite

from redis.asyncio import Redis

from jobs.model.job import JobState
from jobs.model.lease_policy import ms
from jobs.model.record import JobRecord, from_ms
from jobs.redis import keys
from jobs.redis.async_client import redis_deadline
from jobs.redis.message_check import find_job_id
from jobs.redis.replies import execute_readable, parse_number
from jobs.store.completion import TOMBSTONE_TTL
from jobs.store.queue_position import QueueLoad, QueuePosition
from jobs.store.record_reader import decode_record
from jobs.store.stats import Counters, JobName, Stats
from jobs.store.worker_registry import WorkerStatus

#: The hours before the present one whose outcomes are counted.
_OUTCOME_HOURS = 24
#: The number of entries that are read at once where jobs have expired: after a quiet day it may be
#: all of them.
_PRUNE_BATCH = 1000


@dataclass(frozen=True, order=True)
class Cursor:
    """A position in the list of jobs: the time of acceptance (ms) and the id of a job."""

    accepted_ms: int
    job_id: str


@dataclass(frozen=True)
class OutcomeCount:
    """The number of jobs of a definition that had one outcome."""

    job: JobName
    #: `completed`, or a failure's code.
    outcome: str
    count: int


@dataclass(frozen=True)
class QueueHealth:
    """Numbers of the queue and its workers for the health endpoint."""

    #: The time on Redis' clock.
    now: datetime
    workers_alive: int
    #: Workers with a job.
    workers_busy: int
    #: Jobs in the queue.
    waiting: int
    #: Jobs of live workers.
    running: int
    #: Time since the next job in the queue was accepted, in seconds.
    oldest_waiting_s: float


class JobIndex:
    """Lists jobs and counts them. Each call raises RedisUnavailableError without Redis."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def list_jobs(
        self,
        states: Sequence[JobState],
        group: str,
        limit: int,
        after: Cursor | None,
        *,
        owner: str | None = None,
    ) -> tuple[list[JobRecord], Cursor | None]:
        """Return jobs that have not expired, the newest first.

        Args:
            states: The states to include.
            group: Only the jobs of a site, or of a definition as `site.job`; empty for all.
            limit: The maximum number of jobs.
            after: Only the jobs after this position.
            owner: Only the jobs that this API key has started; None for all.

        Returns:
            The jobs, and the position after which the next ones follow; None if there are no more.
        """
        if owner is not None:
            group = keys.owner_group(owner, group)
        indexes = [keys.state_index(state, group) for state in states]
        listed: list[tuple[JobRecord, Cursor]] = []
        # One more than requested shows whether there are more.
        batch_size = limit + 1
        is_last = False
        while len(listed) <= limit and not is_last:
            async with redis_deadline():
                cursors = await self._read_cursors(indexes, batch_size, after)
            by_id = await self._read_records([cursor.job_id for cursor in cursors])
            readable = ((by_id.get(entry.job_id), entry) for entry in cursors)
            listed += [(record, entry) for record, entry in readable if record]
            is_last = len(cursors) < batch_size
            if cursors:
                after = cursors[-1]
            if expired := [entry.job_id for entry in cursors if entry.job_id not in by_id]:
                await self._prune(indexes, expired)
                batch_size = _PRUNE_BATCH
        shown = listed[:limit]
        last = shown[-1][1] if len(listed) > limit else None
        return [record for record, _ in shown], last

    async def _prune(self, indexes: Sequence[str], job_ids: Sequence[str]) -> None:
        """Remove expired jobs from the indexes, so that later queries skip them."""
        async with redis_deadline():
            pipeline = self._redis.pipeline(transaction=False)
            for index in indexes:
                pipeline.zrem(index, *job_ids)
            await pipeline.execute()

    async def _read_cursors(
        self, indexes: Sequence[str], count: int, after: Cursor | None
    ) -> list[Cursor]:
        """Return the positions of the newest jobs after a position."""
        max_score: int | str = "+inf"
        same_ms = 0
        if after:
            max_score = after.accepted_ms
            # Some jobs that were accepted in the same millisecond are before the position.
            pipeline = self._redis.pipeline(transaction=False)
            for index in indexes:
                pipeline.zcount(index, max_score, max_score)
            same_ms = sum(count or 0 for count in await execute_readable(pipeline))
        pipeline = self._redis.pipeline(transaction=False)
        for index in indexes:
            pipeline.zrange(
                index,
                max_score,
                "-inf",
                byscore=True,
                desc=True,
                offset=0,
                num=count + same_ms,
                withscores=True,
            )
        entries = [
            Cursor(int(accepted_ms), job_id)
            for index_entries in await execute_readable(pipeline)
            for job_id, accepted_ms in index_entries or ()
            if isfinite(accepted_ms)
        ]
        return nlargest(count, (entry for entry in entries if after is None or entry < after))

    async def get_queue_positions(self, records: Sequence[JobRecord]) -> dict[str, QueuePosition]:
        """Return the queue positions of the waiting jobs among these, by their ids."""
        waiting = [record.id for record in records if record.state is JobState.PENDING]
        if not waiting:
            return {}
        async with redis_deadline():
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.time()
            QueueLoad.add_queries(pipeline)
            for job_id in waiting:
                pipeline.zrank(keys.state_index(JobState.PENDING), job_id)
            (seconds, micros), *replies = await execute_readable(pipeline)
        load_replies = replies[: -len(waiting)]
        ranks = replies[-len(waiting) :]
        load = QueueLoad.parse_replies(seconds * 1000 + micros // 1000, load_replies)
        positions = {job_id: load.locate(rank) for job_id, rank in zip(waiting, ranks, strict=True)}
        return {job_id: position for job_id, position in positions.items() if position}

    async def get_health(self) -> QueueHealth:
        """Read the state of the queue and its workers; unlike `get_stats`, without the counters.

        Raises:
            RedisUnavailableError: Redis is unavailable, or accepts no writes.
        """
        async with redis_deadline():
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.time()
            pipeline.set(keys.WRITE_PROBE, 1, px=1000)
            pipeline.zrange(keys.WORKERS, 0, -1, withscores=True)
            pipeline.hgetall(keys.WORKER_STATUS)
            pipeline.llen(keys.JOB_QUEUE)
            pipeline.lindex(keys.JOB_QUEUE, -1)
            replies = await execute_readable(pipeline)
            (seconds, micros), _, workers, statuses, waiting, oldest = replies
            accepted_ms = await self._get_accepted_ms(oldest) if oldest else None
        now_ms = int(seconds) * 1000 + int(micros) // 1000
        running = [
            WorkerStatus.decode((statuses or {}).get(name, "")).jobs
            for name, until_ms in workers or ()
            if until_ms >= now_ms
        ]
        return QueueHealth(
            now=from_ms(now_ms),
            workers_alive=len(running),
            workers_busy=sum(bool(job_ids) for job_ids in running),
            waiting=waiting or 0,
            # A job that is handed over may be in the status of both workers.
            running=len({job_id for job_ids in running for job_id in job_ids}),
            oldest_waiting_s=max(0, now_ms - accepted_ms) / 1000 if accepted_ms else 0.0,
        )

    async def get_stats(self) -> Stats:
        """Return all statistics.

        Raises:
            RedisUnavailableError: Redis is unavailable, or accepts no writes.
        """
        async with redis_deadline():
            seconds, micros = await self._redis.time()
            now_ms = int(seconds) * 1000 + int(micros) // 1000
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.set(keys.WRITE_PROBE, now_ms, px=1000)
            pipeline.hgetall(keys.COUNTERS)
            pipeline.zrangebyscore(keys.WORKERS, now_ms, "+inf")
            pipeline.hgetall(keys.WORKER_STATUS)
            pipeline.llen(keys.JOB_QUEUE)
            pipeline.lindex(keys.JOB_QUEUE, -1)
            pipeline.zcard(keys.ACTIVE)
            pipeline.zcount(keys.WORKER_LOST, now_ms - ms(TOMBSTONE_TTL), "+inf")
            pipeline.zcard(keys.DELIVERIES_OPEN)
            pipeline.zrange(keys.DELIVERIES_OPEN, 0, 0, withscores=True)
            (
                _,
                counters,
                workers,
                statuses,
                waiting,
                next_message,
                unfinished,
                worker_lost,
                deliveries_waiting,
                oldest_delivery,
            ) = await execute_readable(pipeline)
            accepted_ms = await self._get_accepted_ms(next_message) if next_message else None
        delivery_ms = oldest_delivery[0][1] if oldest_delivery else now_ms
        return Stats(
            counters=Counters.decode(counters or {}),
            workers={
                name: WorkerStatus.decode((statuses or {}).get(name, "")) for name in workers or ()
            },
            waiting=waiting or 0,
            oldest_waiting_s=max(0, now_ms - accepted_ms) / 1000 if accepted_ms else 0.0,
            unfinished=unfinished or 0,
            worker_lost=worker_lost or 0,
            deliveries_waiting=deliveries_waiting or 0,
            oldest_delivery_s=max(0.0, now_ms - delivery_ms) / 1000,
        )

    async def count_outcomes(self) -> list[OutcomeCount]:
        """Return the outcomes of the last day: of this hour and the 24 before it."""
        async with redis_deadline():
            seconds, _ = await self._redis.time()
            hour = int(seconds) // 3600
            pipeline = self._redis.pipeline(transaction=False)
            for back in range(_OUTCOME_HOURS + 1):
                pipeline.hgetall(keys.outcomes(hour - back))
            hours = await execute_readable(pipeline)
        total: Counter[tuple[JobName, str]] = Counter()
        for fields in hours:
            total.update(Counters.decode(fields or {}).counts.get("ended", {}))
        return [OutcomeCount(job, outcome, count) for (job, outcome), count in total.items()]

    async def get_records(self, job_ids: Sequence[str]) -> list[JobRecord]:
        """Return the records of jobs, without those that have expired or cannot be decoded."""
        return [record for record in (await self._read_records(job_ids)).values() if record]

    async def _read_records(self, job_ids: Sequence[str]) -> dict[str, JobRecord | None]:
        """Return the records of jobs that have not expired; None for those that cannot be read."""
        async with redis_deadline():
            pipeline = self._redis.pipeline(transaction=False)
            for job_id in job_ids:
                pipeline.hgetall(keys.record(job_id))
            records = await execute_readable(pipeline) if job_ids else []
        return {
            job_id: decode_record(job_id, fields)
            for job_id, fields in zip(job_ids, records, strict=True)
            if fields or fields is None
        }

    async def _get_accepted_ms(self, message: str) -> int | None:
        """Return when the job of a queue message was accepted; None if it is not known."""
        job_id = find_job_id(message)
        if job_id is None:
            return None
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.hget(keys.record(job_id), "created_at")
        [accepted] = await execute_readable(pipeline)
        return parse_number(accepted) or None
