"""Claim: with default settings, a worker killed during a job costs seconds.

Neither the distance of Redis nor the length of the queue changes that.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from itertools import product
from typing import Self
from urllib.parse import urlsplit

import httpx
from redis import Redis

from benchmarks.jobs import LATENCY_MS, follow_job, start_job
from garimpo.client.client import Client
from garimpo.local_stack.stack import Stack
from jobs.model.job import JobRequest
from jobs.model.lease_policy import LeasePolicy
from jobs.redis import async_client, keys
from jobs.store.job_store import JobStore
from tests.faults.proxy import Proxy

PAGES = 6
#: Round trips between the workers and Redis in ms; the numbers of waiting jobs.
ROUND_TRIPS_MS = (0, 20, 200)
BACKLOGS = (0, 20_000)
_TIMEOUT_S = 240.0
_SUBMITS_IN_FLIGHT = 50


@dataclass(frozen=True)
class Takeover:
    """What a take-over took."""

    #: Seconds from the kill until the job was back in the queue, and until its next page.
    recovered_s: float
    next_page_s: float
    #: The number of health responses meanwhile, and of those other than `ok`.
    polls: int
    not_ok: int


def run() -> None:
    """Kill a job's worker; print when the other worker requests the next page."""
    print(f"kill -9 of the worker of a job of {PAGES} pages, {LATENCY_MS} ms per page:")
    print("  round trip to Redis  waiting jobs  back in the queue  next page  health not ok")
    for round_trip_ms, backlog in product(ROUND_TRIPS_MS, BACKLOGS):
        with Stack() as stack:
            result = _measure_takeover(stack, round_trip_ms / 1000, backlog)
        print(
            f"  {round_trip_ms:>15} ms  {backlog:>12,}  {result.recovered_s:>15.1f} s"
            f"  {result.next_page_s:>7.1f} s  {result.not_ok:>4} of {result.polls}",
            flush=True,
        )


def _measure_takeover(stack: Stack, round_trip_s: float, backlog: int) -> Takeover:
    """Return what the take-over of a job took.

    Raises:
        RuntimeError: The job did not read all its pages, or not in the second attempt.
    """
    redis = stack.redis()
    stack.site("--latency-ms", str(LATENCY_MS))
    api = stack.api()
    with (
        Proxy(urlsplit(redis.url).port or 0, round_trip_s=round_trip_s) as network,
        Client(api.url) as client,
        Redis.from_url(redis.url, decode_responses=True) as connection,
    ):
        job = start_job(client, {"pages": PAGES, "per_page": 10})
        record = keys.record(job.id)
        asyncio.run(_fill_queue(redis.url, str(connection.hget(record, "recipe")), backlog))
        # The oldest job is the first that a worker takes.
        names = ("one", "two")
        workers = {name: stack.worker(name, {"REDIS_URL": network.redis_url}) for name in names}
        _wait_until(lambda: connection.hlen(keys.pages(job.id)) >= PAGES // 2)
        worker = str(connection.hget(record, "worker"))
        workers[worker.partition("@")[0]].kill()
        killed_at = time.perf_counter()
        pages_at_kill = connection.hlen(keys.pages(job.id))
        with _HealthPoller(api.url) as health:
            _wait_until(lambda: connection.hget(record, "crashes") == "1")
            recovered_s = time.perf_counter() - killed_at
            _wait_until(lambda: connection.hlen(keys.pages(job.id)) != pages_at_kill)
            next_page_s = time.perf_counter() - killed_at
        *_, end = follow_job(client, job)
    if end["result"]["pages_read"] != PAGES or end["attempt"] != 2:
        raise RuntimeError(end)
    return Takeover(recovered_s, next_page_s, health.polls, health.not_ok)


async def _fill_queue(url: str, recipe_digest: str, count: int) -> None:
    """Start jobs of one page, as the API does."""
    redis = async_client.connect(url)
    store = JobStore(redis, LeasePolicy(), result_ttl=timedelta(days=1))
    params = {"pages": 1, "per_page": 10, "page": 1, "order_by": "", "search": ""}
    for start in range(0, count, _SUBMITS_IN_FLIGHT):
        numbers = range(start, min(count, start + _SUBMITS_IN_FLIGHT))
        requests = (
            JobRequest("tubehunt", "scrape-channels", recipe_digest, params) for _ in numbers
        )
        await asyncio.gather(*map(store.submit, requests))
    await redis.aclose()


class _HealthPoller:
    """Polls the health of the service until its block ends."""

    def __init__(self, url: str) -> None:
        self.polls = 0
        self.not_ok = 0
        self._url = url
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        with httpx.Client(timeout=10, trust_env=False) as client:
            while not self._ended.wait(0.5):
                self.polls += 1
                body = client.get(f"{self._url}/api/health").json()
                self.not_ok += body["status"] != "ok"


def _wait_until(condition: Callable[[], bool]) -> None:
    """Wait until the condition is true.

    Raises:
        RuntimeError: It is not true in time.
    """
    deadline = time.monotonic() + _TIMEOUT_S
    never = threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            message = f"the condition was not true within {_TIMEOUT_S:g} s"
            raise RuntimeError(message)
        never.wait(0.02)
