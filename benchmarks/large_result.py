"""Memory of the API while many clients fetch one large result at once."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import cycle, islice
from typing import Self, cast

import httpx
import psutil

from demo.golden import expected_items
from garimpo.local_stack.stack import Stack
from jobs.celery_app import make_celery
from jobs.model.lease_policy import LeasePolicy
from jobs.model.record import ProgressMessage
from jobs.model.result import ResultHead
from jobs.result_backend import FencedRedisBackend
from jobs.settings import JobSettings
from jobs.store.completion import JobOutcome
from jobs.store.leased_jobs import FinishedPage, StoredPages

ROWS = 20_000
CLIENTS = 20
_PAGE_SIZE = 50
_MIB = 1024 * 1024
_SAMPLE_INTERVAL_S = 0.01


def run() -> None:
    """Store a result of 20,000 rows; print how the API grows while 20 clients fetch it at once."""
    with Stack() as stack:
        redis, api = stack.redis(), stack.api()
        process = psutil.Process(api.pid)
        with httpx.Client(base_url=api.url, timeout=60) as client:
            url = _store_job(client, redis.url)
            client.get(
                url, params={"format": "ndjson"}
            )  # what a first request loads is not counted
            before = process.memory_info().rss
            peak = _Peak(process)
            began = time.monotonic()
            with peak, ThreadPoolExecutor(CLIENTS) as pool:
                sizes = list(pool.map(lambda _: _fetch(api.url + url), range(CLIENTS)))
            seconds = time.monotonic() - began
    print(
        f"a result of {ROWS} rows ({sizes[0] / _MIB:.0f} MiB of JSON), {CLIENTS} clients at once:"
    )
    print(f"  the API before   {before / _MIB:.0f} MiB")
    print(f"  it grows by      {(peak.rss - before) / _MIB:.0f} MiB")
    print(f"  all have it in   {seconds:.1f} s  ({sum(sizes) / _MIB / seconds:.0f} MiB/s)")


def _store_job(client: httpx.Client, redis_url: str) -> str:
    """Start a job, and end it as a worker does; return the URL of its result."""
    start = client.post("/api/v1/tubehunt/scrape-channels/start").json()
    app = make_celery(redis_url, result_ttl=JobSettings().result_ttl, lease_policy=LeasePolicy())
    backend = cast("FencedRedisBackend", app.backend)
    job_id, store = start["job_id"], backend.leased_jobs
    lease = store.claim(job_id, "benchmark", ProgressMessage("starting", {}))
    rows, pages = cycle(expected_items()), ROWS // _PAGE_SIZE
    stored = StoredPages()
    for number in range(1, pages + 1):
        items = list(islice(rows, _PAGE_SIZE))
        stored = store.append_page(job_id, lease.token, FinishedPage(number, items), stored)
    head = ResultHead("channels", ROWS, datetime.now(UTC), pages, pages)
    outcome = JobOutcome.completed(job_id, head)
    assert backend.completer.complete(job_id, lease.token, lease.record.request.task_name, outcome)
    return str(start["result_url"])


def _fetch(url: str) -> int:
    with httpx.stream("GET", url, timeout=300) as response:
        return sum(len(chunk) for chunk in response.iter_bytes())


class _Peak:
    """Samples a process' resident memory: `with _Peak(process) as peak: ...; peak.rss`."""

    def __init__(self, process: psutil.Process) -> None:
        self.rss = 0
        self._process = process
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(_SAMPLE_INTERVAL_S):
            self.rss = max(self.rss, self._process.memory_info().rss)
