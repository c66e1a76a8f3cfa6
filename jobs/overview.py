"""All jobs together: lists of them, and figures. Asynchronous, for the API."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import nlargest

from redis.asyncio import Redis

from jobs import keys, message
from jobs.answering import answering
from jobs.ending import TOMBSTONE
from jobs.figures import Counters, Figures, JobName
from jobs.leasing import ms
from jobs.presence import Doing
from jobs.record import Record
from jobs.state import State
from jobs.turn import Queue, Turn

#: How far back outcomes are told.
_HOURS = 24
#: Where jobs have expired, so many are looked at together: after a quiet day it may be all of them.
_GONE_BATCH = 1000


@dataclass(frozen=True, order=True)
class Place:
    """A job's place in a list: when it was accepted (ms), and its id."""

    accepted_ms: int
    job_id: str


@dataclass(frozen=True)
class Outcome:
    """How often a recipe's job has ended in one way."""

    job: JobName
    #: `completed`, or a failure's code.
    outcome: str
    number: int


class Overview:
    """Each call raises `JobsUnavailableError` without Redis."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def jobs(
        self, states: Sequence[State], group: str, count: int, after: Place | None
    ) -> tuple[list[Record], Place | None]:
        """List jobs, the newest first; none that has expired.

        Args:
            states: Only those in one of these states.
            group: Only those of a site, or of a recipe's job as `site.job`; empty for all.
            count: How many at most.
            after: Only those that come after this place.

        Returns:
            The jobs, and the place after which the next ones come; None if there are no more.
        """
        lists = [keys.listed(state, group) for state in states]
        found: list[tuple[Record, Place]] = []
        # One more than is wanted tells whether there are more.
        batch, is_last = count + 1, False
        while len(found) <= count and not is_last:
            async with answering():
                places = await self._places(lists, batch, after)
            records = {one.id: one for one in await self.records([one.job_id for one in places])}
            found += [(records[one.job_id], one) for one in places if one.job_id in records]
            is_last = len(places) < batch
            if gone := [one.job_id for one in places if one.job_id not in records]:
                await self._forget(lists, gone)
                after, batch = places[-1], _GONE_BATCH
        shown = found[:count]
        last = shown[-1][1] if len(found) > count else None
        return [record for record, _ in shown], last

    async def _forget(self, lists: Sequence[str], job_ids: Sequence[str]) -> None:
        """Take expired jobs out of the lists: the next reader need not pass over them again."""
        async with answering():
            pipeline = self._redis.pipeline(transaction=False)
            for listed in lists:
                pipeline.zrem(listed, *job_ids)
            await pipeline.execute()

    async def _places(self, lists: Sequence[str], count: int, after: Place | None) -> list[Place]:
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
            Place(int(accepted_ms), job_id)
            for listed in await pipeline.execute()
            for job_id, accepted_ms in listed
        ]
        return nlargest(count, (place for place in found if after is None or place < after))

    async def turns(self, records: Sequence[Record]) -> dict[str, Turn]:
        """Tell when the turns of those come that wait, by their ids."""
        waiting = [record.id for record in records if record.state is State.PENDING]
        if not waiting:
            return {}
        async with answering():
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.time()
            Queue.ask(pipeline)
            for job_id in waiting:
                pipeline.zrank(keys.listed(State.PENDING), job_id)
            (seconds, micros), *answers = await pipeline.execute()
        queue, places = answers[: -len(waiting)], answers[-len(waiting) :]
        now = Queue.read(seconds * 1000 + micros // 1000, queue)
        turns = {job_id: now.turn(place) for job_id, place in zip(waiting, places, strict=True)}
        return {job_id: turn for job_id, turn in turns.items() if turn}

    async def figures(self) -> Figures:
        """Tell what has happened and what goes on.

        Raises:
            JobsUnavailableError: Also if Redis answers, and takes no writes.
        """
        async with answering():
            seconds, micros = await self._redis.time()
            now_ms = int(seconds) * 1000 + int(micros) // 1000
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.set(keys.HEALTH, now_ms, px=1000)
            pipeline.hgetall(keys.COUNTERS)
            pipeline.zrangebyscore(keys.WORKERS, now_ms, "+inf")
            pipeline.hgetall(keys.DOING)
            pipeline.llen(keys.QUEUE)
            pipeline.lindex(keys.QUEUE, -1)
            pipeline.zcard(keys.ACTIVE)
            pipeline.zcount(keys.GIVEN_UP, now_ms - ms(TOMBSTONE), "+inf")
            pipeline.zcard(keys.OPEN)
            pipeline.zrange(keys.OPEN, 0, 0, withscores=True)
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
            since_ms = await self._accepted_ms(oldest) if oldest else None
        return Figures(
            counters=Counters.decode(counters),
            workers={name: Doing.decode(doing.get(name, "{}")) for name in alive},
            waiting=waiting,
            oldest_waiting_s=max(0, now_ms - since_ms) / 1000 if since_ms else 0.0,
            unfinished=active,
            given_up=lost,
            callbacks_waiting=callbacks,
            oldest_callback_s=max(0.0, now_ms - oldest_callback[0][1]) / 1000
            if oldest_callback
            else 0.0,
        )

    async def outcomes(self) -> list[Outcome]:
        """Tell how many jobs have ended in the last day, this hour and the 24 before, and how."""
        async with answering():
            seconds, _ = await self._redis.time()
            hour = int(seconds) // 3600
            pipeline = self._redis.pipeline(transaction=False)
            for back in range(_HOURS + 1):
                pipeline.hgetall(keys.outcomes(hour - back))
            hours = await pipeline.execute()
        total: Counter[tuple[JobName, str]] = Counter()
        for counted in hours:
            total.update(Counters.decode(counted).counts.get("ended", {}))
        return [Outcome(*job_and_outcome, number) for job_and_outcome, number in total.items()]

    async def records(self, job_ids: Sequence[str]) -> list[Record]:
        """Read several jobs; those that are gone are left out."""
        async with answering():
            pipeline = self._redis.pipeline(transaction=False)
            for job_id in job_ids:
                pipeline.hgetall(keys.record(job_id))
            records = await pipeline.execute() if job_ids else []
        return [
            Record.decode(job_id, fields)
            for job_id, fields in zip(job_ids, records, strict=True)
            if fields
        ]

    async def _accepted_ms(self, sent: str) -> int | None:
        """Return when the job of a message in the queue was accepted; None if it has gone."""
        accepted = await self._redis.hget(keys.record(message.job_id(sent)), "created_at")
        return int(accepted) if accepted else None
