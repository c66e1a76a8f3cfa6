"""How much a finished job takes in Redis: in memory until it expires, in the append-only file."""

import threading
import time

import httpx
from redis import Redis

from garimpo.local_stack.stack import Stack
from jobs.redis import keys

JOBS = 20
_KIB = 1024


def run() -> None:
    """Run jobs of one page of 50 channels; print what one has added, and which key has how much."""
    with Stack() as stack:
        redis, _, api = stack.redis(), stack.site("--latency-ms", "0"), stack.api()
        stack.worker()
        with (
            httpx.Client(base_url=api.url) as client,
            Redis.from_url(redis.url, decode_responses=True) as connection,
        ):
            _job(client)  # not counted: the queue, the scripts and the counters are there once
            before, before_file = _used(connection)
            job_id = [_job(client) for _ in range(JOBS)][-1]
            after, after_file = _used(connection)
            names = (keys.record, keys.items, keys.pages, keys.tombstone, keys.result)
            parts = {name.__name__: connection.memory_usage(name(job_id)) or 0 for name in names}
    print(f"a finished job of 50 channels, mean of {JOBS}:")
    print(f"  memory            {(after - before) / JOBS / _KIB:.0f} KiB until it expires")
    for name, taken in parts.items():
        print(f"    its {name:<10}  {taken / _KIB:.1f} KiB")
    print(f"  append-only file  {(after_file - before_file) / JOBS / _KIB:.0f} KiB until rewritten")


def _used(connection: Redis) -> tuple[int, int]:
    # What clients' buffers take comes and goes.
    stats, persistence = connection.memory_stats(), connection.info("persistence")
    return stats["dataset.bytes"], persistence["aof_current_size"]


def _job(client: httpx.Client) -> str:
    """Run a job to its end; return its id.

    Raises:
        RuntimeError: It did not complete within a minute.
    """
    start = client.post("/api/v1/tubehunt/scrape-channels/start").json()
    pause, deadline = threading.Event(), time.monotonic() + 60
    end = start
    while end["status"] != "completed":
        if end["status"] == "failed" or time.monotonic() > deadline:
            raise RuntimeError(end)
        pause.wait(0.2)
        end = client.get(start["result_url"]).json()
    return str(start["job_id"])
