"""The stores of the API, the workers and the reconciler on one Redis, in one process."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
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
from jobs.store.leased_jobs import FinishedPage, StoredPages
from jobs.store.reconciler import Reconciler

T = TypeVar("T")

DAY = timedelta(hours=24)

STARTING = ProgressMessage("starting", {})

#: The result of a job; `Jobs.store_result` fills in the number of its pages and items.
HEAD = ResultHead(
    collection="channels",
    total=0,
    timestamp=datetime(2026, 1, 1, 22, 5, 30, tzinfo=UTC),
    pages_requested=1,
    pages_read=1,
)


def result_of(items: Sequence[dict[str, Any]], pages: int = 1) -> dict[str, Any]:
    """Return the whole result of a job that was completed with HEAD."""
    return replace(HEAD, total=len(items), pages_read=pages).as_dict(items)


class Jobs:
    """Runs the real Lua scripts through the calls of the API, the workers and the reconciler."""

    def __init__(self, url: str, lease_policy: LeasePolicy | None = None) -> None:
        self.url = url
        self.lease_policy = lease_policy or LeasePolicy()
        self.celery: Celery = make_celery(url, result_ttl=DAY, lease_policy=self.lease_policy)
        # Celery caches results that it has read; here each read must reach Redis.
        self.celery.conf.result_cache_max = -1
        backend = self.celery.backend
        assert isinstance(backend, FencedRedisBackend)
        self.backend = backend
        self.redis = cast("Redis", backend.client)
        self.leased_jobs = backend.leased_jobs
        self.completer = backend.completer
        #: Records whose end the reconciler has published.
        self.published: list[JobRecord] = []
        #: Whether anybody receives them.
        self.is_flower_up = True
        self._runner = asyncio.Runner()
        self._async_redis = async_client.connect(url)
        self._job_store = JobStore(self._async_redis, self.lease_policy, result_ttl=DAY)
        self.items = ItemReader(self._async_redis)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._runner.run(self._async_redis.aclose())
        self._runner.close()
        self.redis.close()

    def call_store(self, call: Callable[[JobStore], Awaitable[T]]) -> T:
        """Call the API's store and return the result."""
        return self.run_async(call(self._job_store))

    def run_async(self, awaitable: Awaitable[T]) -> T:
        async def wait() -> T:
            return await awaitable

        return self._runner.run(wait())

    def submit(self, **changes: Any) -> JobRequest:
        job = JobRequest("tubehunt", "scrape-channels", "digest", {"pages": 2}, **changes)
        self.call_store(lambda store: store.submit(job))
        return job

    def get(self, job: JobRequest) -> JobSnapshot:
        snapshot = self.call_store(lambda store: store.get(job.id))
        assert isinstance(snapshot, JobSnapshot)
        return snapshot

    def read_items(
        self, job: JobRequest, start: int = 0, count: int = 1000
    ) -> tuple[list[dict[str, Any]], int]:
        """Read items as the API does."""
        items, total = self.run_async(self.items.read(job.id, start, count))
        return [json.loads(item) for item in items], total

    def read_result(self, job: JobRequest) -> dict[str, Any]:
        """Read the whole result of a completed job as the API does."""

        async def read() -> dict[str, Any]:
            stored = await self.items.get_result(job.id)
            assert stored
            chunks = [chunk async for chunk in await self.items.iterate_result(job.id, stored)]
            items = [json.loads(item) for chunk in chunks for item in chunk]
            return {**stored.result, stored.collection: items}

        return self.run_async(read())

    def cancel(self, job: JobRequest) -> bool:
        return self.call_store(lambda store: store.cancel(job))

    def claim(self, job: JobRequest, worker: str = "one") -> str:
        return self.leased_jobs.claim(job.id, worker, STARTING).token

    def stored_pages(self, job: JobRequest) -> StoredPages:
        """Return what Redis has of a job's pages."""
        pages = self.leased_jobs.get_pages(job.id)
        return StoredPages(len(pages), self.leased_jobs.count_items(job.id))

    def append(self, job: JobRequest, token: str, page: FinishedPage) -> None:
        """Append a page to those that are stored."""
        self.leased_jobs.append_page(job.id, token, page, self.stored_pages(job))

    def store_result(
        self, job: JobRequest, token: str | None, state: str, result: object, worker: str = "one"
    ) -> None:
        """Store a result as Celery does in a process of `worker`."""
        self.backend.worker_name = worker
        if result is HEAD:
            stored = self.stored_pages(job)
            result = replace(HEAD, total=stored.items, pages_read=stored.pages)
        request = Context(id=job.id, task=job.task_name, lease_token=token)
        self.backend.store_result(job.id, result, state, request=request)

    def failure_code(self, job: JobRequest) -> str | None:
        """Return the code of the job's failure; None if it has not failed."""
        failure = self.get(job).record.failure
        return failure.code if failure else None

    def celery_state(self, job: JobRequest) -> str:
        return AsyncResult(job.id, app=self.celery).state

    def decode_celery_meta(self, stored: str | None) -> dict[str, Any]:
        """Decode the value of a Celery result key, as Celery does."""
        if stored is None:
            return {"status": "PENDING", "result": None}
        meta: dict[str, Any] = self.backend.decode_result(stored.encode())
        return meta

    def make_reconciler(self, name: str = "one") -> Reconciler:
        return Reconciler(self.redis, self.lease_policy, self.completer, name, self._publish)

    def _publish(self, records: Sequence[JobRecord]) -> list[bool]:
        self.published += records
        return [self.is_flower_up] * len(records)

    def reconcile(self) -> dict[str, str]:
        """Reconcile what is due, as the worker that holds the lock and without a grace period."""
        self.redis.delete(keys.RECONCILER)
        now_s, _ = self.redis.time()
        self.redis.set(keys.LAST_RECONCILED, now_s * 1000)
        self.redis.delete(keys.GRACE)
        return self.make_reconciler().run_once()

    def make_due(self, job: JobRequest) -> None:
        """Let the job's lease, or the interval until its next check, expire."""
        self.redis.zadd(keys.ACTIVE, {job.id: 0}, xx=True)

    def now_ms(self) -> int:
        seconds, micros = self.redis.time()
        return seconds * 1000 + micros // 1000

    def count_messages(self, job: JobRequest) -> int:
        """Count the job's messages in the queue."""
        return sum(
            job.id == parse_job_id(str(message))
            for message in self.redis.lrange(keys.JOB_QUEUE, 0, -1)
        )


def parse_job_id(message: str) -> str:
    """Return the job id of a queue message."""
    return str(json.loads(message)["headers"]["id"])
