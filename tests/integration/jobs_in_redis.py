"""Both sides of the jobs in one Redis, the API's and a worker's, without any process of theirs."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self, TypeVar, cast

from celery import Celery
from celery.app.task import Context
from celery.result import AsyncResult
from redis import Redis

from jobs.celery_app import make_celery
from jobs.model.job import JobRequest
from jobs.model.lease_policy import LeasePolicy
from jobs.model.record import JobRecord, ProgressMessage
from jobs.model.result import ResultHead
from jobs.redis import async_client, keys
from jobs.result_backend import FencedRedisBackend
from jobs.store.item_reader import ItemReader
from jobs.store.job_store import JobSnapshot, JobStore
from jobs.store.reconciler import Reconciler

T = TypeVar("T")

DAY = timedelta(hours=24)

STARTING = ProgressMessage("starting", {})

#: The result of a job of one page.
HEAD = ResultHead(
    collection="channels",
    total=1,
    timestamp=datetime(2026, 1, 1, 22, 5, 30, tzinfo=UTC),
    pages_requested=1,
    pages_read=1,
)


class Jobs:
    """The real scripts behind the calls that API, workers and reconciler make."""

    def __init__(self, url: str, leasing: LeasePolicy | None = None) -> None:
        self.leasing = leasing or LeasePolicy()
        self.celery: Celery = make_celery(url, result_ttl=DAY, lease_policy=self.leasing)
        # Celery remembers results that it has read; here each look is at Redis.
        self.celery.conf.result_cache_max = -1
        backend = self.celery.backend
        assert isinstance(backend, FencedRedisBackend)
        self.backend = backend
        self.redis = cast("Redis", backend.client)
        self.leases = backend.leased_jobs
        self.endings = backend.completer
        #: Of what ends the reconciler has told.
        self.told: list[JobRecord] = []
        self._loop = asyncio.Runner()
        self._front_redis = async_client.connect(url)
        self._front = JobStore(self._front_redis, self.leasing, result_ttl=DAY)
        self.items = ItemReader(self._front_redis)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._loop.run(self._front_redis.aclose())
        self._loop.close()
        self.redis.close()

    def ask(self, question: Callable[[JobStore], Awaitable[T]]) -> T:
        return self.wait_for(question(self._front))

    def wait_for(self, answer: Awaitable[T]) -> T:
        async def wait() -> T:
            return await answer

        return self._loop.run(wait())

    def submit(self, **changes: Any) -> JobRequest:
        job = JobRequest("tubehunt", "scrape-channels", "digest", {"pages": 2}, **changes)
        self.ask(lambda jobs: jobs.submit(job))
        return job

    def look(self, job: JobRequest) -> JobSnapshot:
        seen = self.ask(lambda jobs: jobs.get(job.id))
        assert isinstance(seen, JobSnapshot)
        return seen

    def read_items(
        self, job: JobRequest, start: int = 0, count: int = 1000
    ) -> tuple[list[dict[str, Any]], int]:
        """Read items as the API does."""
        items, total = self.wait_for(self.items.read(job.id, start, count))
        return [json.loads(item) for item in items], total

    def read_result(self, job: JobRequest) -> dict[str, Any]:
        """Read the whole result of a completed job as the API does."""

        async def read() -> dict[str, Any]:
            stored = await self.items.get_result(job.id)
            assert stored
            chunks = [chunk async for chunk in self.items.iterate_result(job.id, stored)]
            items = [json.loads(item) for chunk in chunks for item in chunk]
            return {**stored.result, stored.collection: items}

        return self.wait_for(read())

    def cancel(self, job: JobRequest) -> bool:
        return self.ask(lambda jobs: jobs.cancel(job))

    def claim(self, job: JobRequest, worker: str = "one") -> str:
        return self.leases.claim(job.id, worker, STARTING).token

    def store(
        self, job: JobRequest, token: str | None, state: str, result: object, worker: str = "one"
    ) -> None:
        """Write as Celery in a process of `worker` does."""
        self.backend.worker_name = worker
        request = Context(id=job.id, task=job.task_name, lease_token=token)
        self.backend.store_result(job.id, result, state, request=request)

    def code(self, job: JobRequest) -> str | None:
        """Why the job has failed, if it has."""
        failure = self.look(job).record.failure
        return failure.code if failure else None

    def celery_state(self, job: JobRequest) -> str:
        return AsyncResult(job.id, app=self.celery).state

    def celery_meta(self, stored: str | None) -> dict[str, Any]:
        """Decode what Celery's result key holds, as Celery does."""
        if stored is None:
            return {"status": "PENDING", "result": None}
        meta: dict[str, Any] = self.backend.decode_result(stored.encode())
        return meta

    def reconciler(self, name: str = "one") -> Reconciler:
        return Reconciler(self.redis, self.leasing, self.endings, name, self.told.append)

    def reconcile(self) -> dict[str, str]:
        """Look at what is due, as the worker whose turn it is and after any grace."""
        self.redis.delete(keys.RECONCILER)
        now_s, _ = self.redis.time()
        self.redis.set(keys.LAST_RECONCILED, now_s * 1000)
        self.redis.delete(keys.GRACE)
        return self.reconciler().run_once()

    def pass_time(self, job: JobRequest) -> None:
        """Let the job's lease, or its wait for the next look, be over."""
        self.redis.zadd(keys.ACTIVE, {job.id: 0}, xx=True)

    def now_ms(self) -> int:
        seconds, micros = self.redis.time()
        return seconds * 1000 + micros // 1000

    def queued(self, job: JobRequest) -> int:
        """Count the job's messages in the queue."""
        return sum(job.id == id_of(str(text)) for text in self.redis.lrange(keys.JOB_QUEUE, 0, -1))


def id_of(message: str) -> str:
    """Return the job that a message is for."""
    return str(json.loads(message)["headers"]["id"])
