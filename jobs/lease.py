"""A worker's side of a job: the right to write to it, for as long as its token holds."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast
from uuid import uuid4

from celery.exceptions import Ignore
from redis import Redis, exceptions
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from jobs import keys, script
from jobs.record import Failure, Message, Record
from jobs.state import State

#: How long a tombstone outlives its job's record.
TOMBSTONE = timedelta(days=7)


class LeaseLostError(Ignore):
    """The job is no longer this worker's: whatever it still wants to write is not wanted.

    As Celery's `Ignore` it ends the delivery without a word in the result backend.
    """


def connect(url: str) -> Redis:
    """Open a worker's connection pool; nothing is sent yet.

    Args:
        url: Redis' address. Every command is repeated for about four minutes while Redis is away
            (a restart, a failover), so that a scrape outlives it; all scripts bear repeating.
    """
    client: Redis = Redis.from_url(
        url,
        decode_responses=True,
        socket_connect_timeout=5,
        socket_timeout=5,
        socket_keepalive=True,
        health_check_interval=30,
        retry=Retry(ExponentialBackoff(cap=2, base=0.05), 120),
        retry_on_error=[exceptions.ConnectionError, exceptions.TimeoutError],
    )
    return client


def result_meta(job_id: str, state: str, result: object, done_at: str | None = None) -> str:
    """Write a task's state as Celery's Redis backend does.

    Args:
        job_id: The task's id.
        state: A Celery state, or PROGRESS.
        result: JSON data.
        done_at: ISO 8601, for final states.
    """
    return json.dumps(
        {
            "status": state,
            "result": result,
            "traceback": None,
            "children": [],
            "date_done": done_at,
            "task_id": job_id,
        }
    )


@dataclass(frozen=True)
class Ending:
    """How a job ends."""

    state: State
    #: What Celery's result key keeps from now on.
    meta: str
    failure: Failure | None = None


class JobLeases:
    """All that a worker writes to records; each call is one script, and is safe to repeat."""

    def __init__(self, redis: Redis, *, result_ttl: timedelta) -> None:
        self._redis = redis
        self._result_ttl = result_ttl
        self._claim = redis.register_script(script.source("claim"))
        self._progress = redis.register_script(script.source("progress"))
        self._append = redis.register_script(script.source("append"))
        self._finish = redis.register_script(script.source("finish"))

    def claim(self, job_id: str, worker: str, first: Message) -> tuple[str, Record]:
        """Take a waiting job.

        Args:
            job_id: The job's id.
            worker: The worker's name.
            first: What the job's caller reads from now on.

        Returns:
            The token that every later write must show, and the record.

        Raises:
            LeaseLostError: There is nothing to do: no such job, or it is another's, or over.
        """
        token = uuid4().hex
        meta = result_meta(job_id, "PROGRESS", progress_meta(0, first))
        reply = cast(
            "str | list[str]",
            self._claim(
                keys=[keys.record(job_id), keys.result(job_id)],
                args=[token, worker, first.encode(), meta],
            ),
        )
        if isinstance(reply, str):
            raise LeaseLostError(reply)
        return token, Record.decode(job_id, dict(zip(reply[::2], reply[1::2], strict=True)))

    def progress(self, job_id: str, token: str, percent: int, said: Message) -> None:
        """Tell how far the job is.

        Raises:
            LeaseLostError: The token no longer holds the job.
        """
        meta = result_meta(job_id, "PROGRESS", progress_meta(percent, said))
        held = self._progress(
            keys=[keys.record(job_id), keys.result(job_id)],
            args=[token, percent, said.encode(), meta],
        )
        if not held:
            raise LeaseLostError

    def append(
        self, job_id: str, token: str, page: int, items: Sequence[Mapping[str, Any]]
    ) -> None:
        """Add a finished page with its items.

        Raises:
            LeaseLostError: The token no longer holds the job.
        """
        held = self._append(
            keys=[keys.record(job_id), keys.items(job_id), keys.pages(job_id)],
            args=[token, page, *(json.dumps(item) for item in items)],
        )
        if not held:
            raise LeaseLostError

    def items(self, job_id: str) -> list[dict[str, Any]]:
        """Read all items that have been added so far, in their order."""
        stored = cast("list[str]", self._redis.lrange(keys.items(job_id), 0, -1))
        return [json.loads(item) for item in stored]

    def finish(self, job_id: str, token: str, task: str, ending: Ending) -> bool:
        """End a job, in its record and in Celery's result at once.

        Args:
            job_id: The job's id.
            token: The lease's token; empty to end a job that still waits.
            task: The task's name, which the tombstone keeps.
            ending: How.

        Returns:
            Whether the job has ended this way; False if it was no longer the token's.
        """
        ttl_ms = int(self._result_ttl / timedelta(milliseconds=1))
        return bool(
            self._finish(
                keys=[
                    keys.record(job_id),
                    keys.result(job_id),
                    keys.items(job_id),
                    keys.pages(job_id),
                    keys.ACTIVE,
                    keys.tombstone(job_id),
                ],
                args=[
                    token,
                    job_id,
                    ending.state,
                    ending.failure.encode() if ending.failure else "",
                    ending.meta,
                    ttl_ms,
                    ttl_ms + int(TOMBSTONE / timedelta(milliseconds=1)),
                    task,
                ],
            )
        )


def progress_meta(percent: int, said: Message) -> dict[str, Any]:
    """Return what Celery's result key holds while a job runs: AsyncResult(id).info."""
    return {"progress": percent, "key": said.key, "args": dict(said.args)}
