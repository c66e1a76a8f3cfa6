"""Lists of jobs, and statistics over all of them (asynchronous, for the API)."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import nlargest

from redis.asyncio import Redis

from jobs.model.job import JobState
from jobs.model.lease_policy import ms
from jobs.model.record import JobRecord
from jobs.redis import celery_message, keys
from jobs.redis.async_client import redis_deadline
from jobs.store.completion import TOMBSTONE_TTL
from jobs.store.queue_position import QueueLoad, QueuePosition
from jobs.store.stats import Counters, JobName, Stats
from jobs.store.worker_registry import WorkerStatus

#: How far back outcomes are told.
_OUTCOME_HOURS = 24
#: Where jobs have expired, so many are looked at together: after a quiet day it may be all of them.
_PRUNE_BATCH = 1000


@dataclass(frozen=True, order=True)
class Cursor:
    """A job's place in a list: when it was accepted (ms), and its id."""

    accepted_ms: int
    job_id: str


@dataclass(frozen=True)
class OutcomeCount:
    """How often a recipe's job has ended in one way."""

    job: JobName
    #: `completed`, or a failure's code.
    outcome: str
    count: int


@dataclass(frozen=True)
class QueueHealth:
    """What the health endpoint reports of the queue and its workers."""

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
    """Each call raises `JobsUnavailableError` without Redis."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def list_jobs(
        self, states: Sequence[JobState], group: str, limit: int, after: Cursor | None
    ) -> tuple[list[JobRecord], Cursor | None]:
        """List jobs, the newest first; none that has expired.

        Args:
            states: Only those in one of these states.
            group: Only those of a site, or of a recipe's job as `site.job`; empty for all.
            limit: How many at most.
            after: Only those that come after this place.

        Returns:
            The jobs, and the place after which the next ones come; None if there are no more.
        """
        lists = [keys.state_index(state, group) for state in states]
        found: list[tuple[JobRecord, Cursor]] = []
        # One more than is wanted tells whether there are more.
        batch, is_last = limit + 1, False
        while len(found) <= limit and not is_last:
            async with redis_deadline():
                places = await self._read_cursors(lists, batch, after)
            records = {
                one.id: one for one in await self.get_records([one.job_id for one in places])
            }
            found += [(records[one.job_id], one) for one in places if one.job_id in records]
            is_last = len(places) < batch
            if gone := [one.job_id for one in places if one.job_id not in records]:
                await self._prune(lists, gone)
                after, batch = places[-1], _PRUNE_BATCH
        shown = found[:limit]
        last = shown[-1][1] if len(found) > limit else None
        return [record for record, _ in shown], last

    async def _prune(self, lists: Sequence[str], job_ids: Sequence[str]) -> None:
        """Take expired jobs out of the lists: the next reader need not pass over them again."""
        async with redis_deadline():
            pipeline = self._redis.pipeline(transaction=False)
            for listed in lists:
                pipeline.zrem(listed, *job_ids)
            await pipeline.execute()

    async def _read_cursors(
        self, lists: Sequence[str], count: int, after: Cursor | None
    ) -> list[Cursor]:
        highest: int | str = "+inf"
        if after:
            highest = after.accepted_ms
            # Of those that were accepted in that very ms some stand before the place.
            pipeline = self._redis.pipeline(transaction=False)
            for listed in lists:
                pipeline.zcount(listed, highest, highest)
            count_here = sum(await pipeline.execute())
        else:
            count_here = 0
        pipeline = self._redis.pipeline(transaction=False)
        for listed in lists:
            pipeline.zrange(
                listed,
                highest,
                "-inf",
                byscore=True,
                desc=True,
                offset=0,
                num=count + count_here,
                withscores=True,
            )
        found = [
            Cursor(int(accepted_ms), job_id)
            for listed in await pipeline.execute()
            for job_id, accepted_ms in listed
        ]
        return nlargest(count, (place for place in found if after is None or place < after))

    async def get_queue_positions(self, records: Sequence[JobRecord]) -> dict[str, QueuePosition]:
        """Tell when the turns of those come that wait, by their ids."""
        waiting = [record.id for record in records if record.state is JobState.PENDING]
        if not waiting:
            return {}
        async with redis_deadline():
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.time()
            QueueLoad.add_queries(pipeline)
            for job_id in waiting:
                pipeline.zrank(keys.state_index(JobState.PENDING), job_id)
            (seconds, micros), *answers = await pipeline.execute()
        queue, places = answers[: -len(waiting)], answers[-len(waiting) :]
        now = QueueLoad.parse_replies(seconds * 1000 + micros // 1000, queue)
        turns = {job_id: now.locate(place) for job_id, place in zip(waiting, places, strict=True)}
        return {job_id: turn for job_id, turn in turns.items() if turn}

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
            (seconds, micros), _, workers, statuses, waiting, oldest = await pipeline.execute()
            accepted_ms = await self._get_accepted_ms(oldest) if oldest else None
        now_ms = int(seconds) * 1000 + int(micros) // 1000
        job_counts = [
            len(WorkerStatus.decode(statuses.get(name, "{}")).jobs)
            for name, until_ms in workers
            if until_ms >= now_ms
        ]
        return QueueHealth(
            workers_alive=len(job_counts),
            workers_busy=sum(count > 0 for count in job_counts),
            waiting=waiting,
            running=sum(job_counts),
            oldest_waiting_s=max(0, now_ms - accepted_ms) / 1000 if accepted_ms else 0.0,
        )

    async def get_stats(self) -> Stats:
        """Tell what has happened and what goes on.

        Raises:
            JobsUnavailableError: Also if Redis answers, and takes no writes.
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
                alive,
                doing,
                waiting,
                oldest,
                active,
                lost,
                callbacks,
                oldest_callback,
            ) = await pipeline.execute()
            since_ms = await self._get_accepted_ms(oldest) if oldest else None
        return Stats(
            counters=Counters.decode(counters),
            workers={name: WorkerStatus.decode(doing.get(name, "{}")) for name in alive},
            waiting=waiting,
            oldest_waiting_s=max(0, now_ms - since_ms) / 1000 if since_ms else 0.0,
            unfinished=active,
            worker_lost=lost,
            deliveries_waiting=callbacks,
            oldest_delivery_s=max(0.0, now_ms - oldest_callback[0][1]) / 1000
            if oldest_callback
            else 0.0,
        )

    async def count_outcomes(self) -> list[OutcomeCount]:
        """Tell how many jobs have ended in the last day, this hour and the 24 before, and how."""
        async with redis_deadline():
            seconds, _ = await self._redis.time()
            hour = int(seconds) // 3600
            pipeline = self._redis.pipeline(transaction=False)
            for back in range(_OUTCOME_HOURS + 1):
                pipeline.hgetall(keys.outcomes(hour - back))
            hours = await pipeline.execute()
        total: Counter[tuple[JobName, str]] = Counter()
        for counted in hours:
            total.update(Counters.decode(counted).counts.get("ended", {}))
        return [OutcomeCount(*job_and_outcome, number) for job_and_outcome, number in total.items()]

    async def get_records(self, job_ids: Sequence[str]) -> list[JobRecord]:
        """Read several jobs; those that are gone are left out."""
        async with redis_deadline():
            pipeline = self._redis.pipeline(transaction=False)
            for job_id in job_ids:
                pipeline.hgetall(keys.record(job_id))
            records = await pipeline.execute() if job_ids else []
        return [
            JobRecord.decode(job_id, fields)
            for job_id, fields in zip(job_ids, records, strict=True)
            if fields
        ]

    async def _get_accepted_ms(self, sent: str) -> int | None:
        """Return when the job of a message in the queue was accepted; None if it has gone."""
        accepted = await self._redis.hget(
            keys.record(celery_message.decode_job_id(sent)), "created_at"
        )
        return int(accepted) if accepted else None
