"""Claim: the response time of the job list does not depend on the number of jobs."""

import asyncio
import time
from statistics import median

import httpx

from benchmarks.jobs import JOB, SITE
from garimpo.local_stack.stack import Stack
from jobs.model.job import JobRequest
from jobs.redis.async_client import connect
from jobs.settings import JobSettings
from jobs.store.job_store import JobLimits, JobStore

FEW, MANY = 100, 100_000
REQUESTS = 100
_BATCH = 500


def run() -> None:
    """Request pages of the list with few and with many jobs; print their response times."""
    print(f"page of 50 jobs, median of {REQUESTS} requests:")
    with Stack() as stack:
        redis = stack.redis()
        api = stack.api()
        submitted = 0
        with httpx.Client(base_url=api.url) as client:
            for count in (FEW, MANY):
                middle = asyncio.run(_submit(redis.url, count - submitted))
                submitted = count
                queries = {
                    "newest": {},
                    "middle": {"cursor": middle},
                    "one status": {"status": "pending", "site": SITE},
                }
                results = [
                    f"{name} {_measure(client, query):5.1f} ms" for name, query in queries.items()
                ]
                print(f"  {count:6d} jobs: {'   '.join(results)}")


async def _submit(url: str, count: int) -> str:
    """Submit jobs; return a cursor to the middle one."""
    settings = JobSettings()
    middle = ""
    async with connect(url) as redis:
        limits = JobLimits(waiting=2 * MANY, kept=2 * MANY)
        store = JobStore(
            redis, settings.lease_policy, result_ttl=settings.result_ttl, limits=limits
        )
        for position in range(0, count, _BATCH):
            batch = min(_BATCH, count - position)
            jobs = (
                store.submit(JobRequest(SITE, JOB, "", {"pages": position + number}))
                for number in range(batch)
            )
            results = await asyncio.gather(*jobs)
            if position <= count // 2:
                last = results[-1]
                middle = f"{int(last.created_at.timestamp() * 1000)}-{last.id}"
    return middle


def _measure(client: httpx.Client, params: dict[str, str]) -> float:
    """Return the median response time in ms."""
    durations_ms = []
    for _ in range(REQUESTS):
        started_at = time.perf_counter()
        response = client.get("/api/v1/jobs", params=params)
        durations_ms.append((time.perf_counter() - started_at) * 1000)
        response.raise_for_status()
    return median(durations_ms)
