"""Claim: the list of jobs stays cheap, however many there are."""

import asyncio
import time
from statistics import median

import httpx

from garimpo.local_stack.stack import Stack
from jobs.model.job import JobRequest
from jobs.redis.async_client import connect
from jobs.settings import JobSettings
from jobs.store.job_store import JobStore

FEW, MANY = 100, 100_000
REQUESTS = 100
_AT_ONCE = 500


def run() -> None:
    """Ask for pages of the list with few jobs and with many, and print how long each takes."""
    print(f"a page of 50 out of the list of jobs, median of {REQUESTS} requests:")
    with Stack() as stack:
        redis, api = stack.redis(), stack.api()
        accepted = 0
        with httpx.Client(base_url=api.url) as client:
            for count in (FEW, MANY):
                middle = asyncio.run(_accept(redis.url, count - accepted))
                accepted = count
                questions = {
                    "the newest": {},
                    "in the middle": {"cursor": middle},
                    "of one state": {"status": "pending", "site": "tubehunt"},
                }
                took = [
                    f"{name} {_ask(client, asked):5.1f} ms" for name, asked in questions.items()
                ]
                print(f"  {count:6d} jobs: {'   '.join(took)}")


async def _accept(url: str, count: int) -> str:
    """Accept so many jobs; return a cursor to the middle one."""
    settings = JobSettings()
    middle = ""
    async with connect(url) as redis:
        front = JobStore(redis, settings.lease_policy, result_ttl=settings.result_ttl)
        for begun in range(0, count, _AT_ONCE):
            batch = min(_AT_ONCE, count - begun)
            jobs = (
                front.submit(
                    JobRequest("tubehunt", "scrape-channels", "", {"pages": begun + number})
                )
                for number in range(batch)
            )
            accepted = await asyncio.gather(*jobs)
            if begun <= count // 2:
                last = accepted[-1]
                middle = f"{int(last.created_at.timestamp() * 1000)}-{last.id}"
    return middle


def _ask(client: httpx.Client, params: dict[str, str]) -> float:
    took_ms = []
    for _ in range(REQUESTS):
        began = time.perf_counter()
        answer = client.get("/api/v1/jobs", params=params)
        took_ms.append((time.perf_counter() - began) * 1000)
        answer.raise_for_status()
    return median(took_ms)
