"""The callers' side of the jobs: start one, look at one. Asynchronous, for the API."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from redis import exceptions
from redis.asyncio import BlockingConnectionPool, Connection, Redis, SSLConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff

from jobs import keys, message, script
from jobs.address import Address
from jobs.ending import NOBODY, Ending, finish_call
from jobs.failure import FailureCode, JobFailedError
from jobs.figures import Counters, Figures
from jobs.job import Job
from jobs.leasing import Leasing, ms
from jobs.presence import Doing
from jobs.record import Record, moment


class JobsUnavailableError(Exception):
    """Redis does not answer, or takes no writes: nothing can be said of any job just now."""


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


class _SentinelPool(SentinelConnectionPool, BlockingConnectionPool):
    """Asks the Sentinels where Redis is; its callers wait their turn, as at the other pool."""

    async def aclose(self) -> None:
        """Close the connections to the Sentinels, too."""
        await super().aclose()
        for sentinel in self.sentinel_manager.sentinels:
            await sentinel.aclose()


def connect(url: str) -> Redis:
    """Open the API's connection pool; nothing is sent yet.

    Args:
        url: Redis' address. A connection that was cut while idle is opened anew once; what takes
            longer than 2 s is given up, so that a caller hears of it within 5 s.

    Raises:
        AddressError: It is no address.
    """
    address = Address.parse(url)
    options: dict[str, Any] = {
        **address.options,
        # More callers than this wait their turn, within their deadline.
        "max_connections": 64,
        "timeout": None,
        "connection_class": SSLConnection if address.tls else Connection,
        "decode_responses": True,
        "socket_connect_timeout": 2,
        "socket_timeout": 2,
        "retry": Retry(NoBackoff(), 1),
        "retry_on_error": [exceptions.ConnectionError],
        "health_check_interval": 0,
    }
    client: Redis
    if address.master:
        options["ssl"] = options.pop("connection_class") is SSLConnection
        client = Sentinel(  # type: ignore[no-untyped-call] # redis-py gives it no types
            address.hosts, sentinel_kwargs=address.sentinel_options
        ).master_for(address.master, connection_pool_class=_SentinelPool, **options)
    else:
        [(host, port)] = address.hosts
        client = Redis.from_pool(BlockingConnectionPool(host=host, port=port, **options))
    return client


class JobFront:
    """What the API can ask of the jobs; each call raises `JobsUnavailableError` without Redis."""

    def __init__(
        self, redis: Redis, leasing: Leasing, *, result_ttl: timedelta, deadline_s: float = 4.0
    ) -> None:
        self._redis = redis
        self._leasing = leasing
        self._result_ttl = result_ttl
        self._deadline_s = deadline_s
        self._submit = redis.register_script(script.source("submit"))
        self._cancel = redis.register_script(script.source("cancel"))
        self._finish = redis.register_script(script.source("finish"))

    @asynccontextmanager
    async def _answering(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._deadline_s):
                yield
        except (exceptions.RedisError, OSError, TimeoutError) as error:
            # Away, starting, full, without its replicas, not writing: no job can be accepted now.
            raise JobsUnavailableError from error

    async def submit(self, job: Job) -> datetime:
        """Accept a job: its record and its message in the queue, in one step.

        Returns:
            When it was accepted.
        """
        fields = [text for pair in job.as_fields().items() for text in pair]
        sent = message.encode(job, keys.QUEUE)
        async with self._answering():
            _, created_at = await self._submit(
                keys=[keys.record(job.id), keys.ACTIVE, keys.QUEUE, keys.COUNTERS],
                args=[job.id, sent, ms(self._leasing.lease), *fields],
            )
        return moment(created_at)

    async def cancel(self, job: Job) -> bool:
        """Ask for the end of a job: at once if it waits, else at its worker's next heartbeat.

        Returns:
            False if it had ended before.
        """
        async with self._answering():
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
        async with self._answering():
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.hgetall(keys.record(job_id))
            pipeline.get(keys.tombstone(job_id))
            pipeline.time()
            fields, tombstone, (seconds, micros) = await pipeline.execute()
        if fields:
            return Seen(Record.decode(job_id, fields), moment(seconds * 1000 + micros // 1000))
        return Expired(tombstone) if tombstone else None

    async def result(self, job_id: str) -> str | None:
        """Read what Celery's backend keeps of a completed job; None once it has expired.

        Returns:
            JSON; its `result` is what the task returned. It may be megabytes.
        """
        async with self._answering():
            return cast("str | None", await self._redis.get(keys.result(job_id)))

    async def figures(self) -> Figures:
        """Tell what has happened and what goes on.

        Raises:
            JobsUnavailableError: Also if Redis answers, and takes no writes.
        """
        async with self._answering():
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
            pipeline.zcard(keys.GIVEN_UP)
            _, counters, alive, doing, waiting, oldest, active, lost = await pipeline.execute()
            since_ms = await self._accepted_ms(oldest) if oldest else None
        return Figures(
            counters=Counters.decode(counters),
            workers={name: Doing.decode(doing.get(name, "{}")) for name in alive},
            waiting=waiting,
            oldest_waiting_s=max(0, now_ms - since_ms) / 1000 if since_ms else 0.0,
            unfinished=active,
            given_up=lost,
        )

    async def _accepted_ms(self, sent: str) -> int | None:
        """Return when the job of a message in the queue was accepted; None if it has gone."""
        job_id = message.job_id(sent)
        accepted = await self._redis.hget(keys.record(job_id), "created_at")
        return int(accepted) if accepted else None
