"""Claim: with default settings, a worker killed during a job costs seconds."""

import threading
import time
from collections.abc import Callable

import httpx
from redis import Redis

from benchmarks.jobs import LATENCY_MS, follow_job, start_job
from garimpo.client.client import Client
from garimpo.local_stack.stack import Stack
from jobs.redis import keys

PAGES = 6
KILLS = 3
_TIMEOUT_S = 120.0


def run() -> None:
    """Kill a job's worker several times; print when the other worker requests the next page."""
    print(f"kill -9 of the worker of a job of {PAGES} pages, {LATENCY_MS} ms per page:")
    for number in range(1, KILLS + 1):
        with Stack() as stack:
            takeover_s = _measure_takeover(stack)
        print(f"  kill {number}: next page requested after {takeover_s:.1f} s")


def _measure_takeover(stack: Stack) -> float:
    """Return the seconds from the kill to the other worker's request of the next page.

    Raises:
        RuntimeError: The job did not read all its pages, or not in the second attempt.
    """
    redis = stack.redis()
    site = stack.site("--latency-ms", str(LATENCY_MS))
    api = stack.api()
    workers = {name: stack.worker(name) for name in ("one", "two")}
    with (
        Client(api.url) as client,
        httpx.Client(base_url=site.url) as demo,
        Redis.from_url(redis.url, decode_responses=True) as connection,
    ):

        def count_pages() -> int:
            requests = demo.get("/_demo/requests").json()
            return sum(request["path"].startswith("/long/") for request in requests)

        job = start_job(client, {"pages": PAGES, "per_page": 10})
        _wait_until(lambda: count_pages() >= PAGES // 2)
        worker = str(connection.hget(keys.record(job.id), "worker"))
        workers[worker.partition("@")[0]].kill()
        killed_at = time.perf_counter()
        pages_at_kill = count_pages()
        _wait_until(lambda: count_pages() > pages_at_kill)
        takeover_s = time.perf_counter() - killed_at
        *_, end = follow_job(client, job)
    if end["result"]["pages_read"] != PAGES or end["attempt"] != 2:
        raise RuntimeError(end)
    return takeover_s


def _wait_until(condition: Callable[[], bool]) -> None:
    """Wait until the condition is true.

    Raises:
        RuntimeError: It is not true within two minutes.
    """
    deadline = time.monotonic() + _TIMEOUT_S
    never = threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            message = f"the condition was not true within {_TIMEOUT_S:g} s"
            raise RuntimeError(message)
        never.wait(0.02)
