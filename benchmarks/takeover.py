"""Claim: a worker that is killed in the middle of a job costs seconds, with all defaults."""

import threading
import time
from collections.abc import Callable

import httpx
from redis import Redis

from garimpo.local_stack.stack import Stack
from jobs.redis import keys

#: How long the stand-in site takes for each of its pages.
LATENCY_MS = 50
PAGES = 6
KILLS = 3


def run() -> None:
    """Kill the job's worker a few times; print when another one asks for the next page."""
    print(f"kill -9 of the worker of a job of {PAGES} pages, {LATENCY_MS} ms a page:")
    for number in range(1, KILLS + 1):
        with Stack() as stack:
            waited_s = _run_once(stack)
        print(f"  kill {number}: the next page is asked for after {waited_s:.1f} s")


def _run_once(stack: Stack) -> float:
    """Return the seconds from the kill to the next page's request by the other worker.

    Raises:
        RuntimeError: The job has not read all its pages.
    """
    redis = stack.redis()
    site = stack.site("--latency-ms", str(LATENCY_MS))
    api = stack.api()
    workers = {name: stack.worker(name) for name in ("one", "two")}
    with (
        httpx.Client(base_url=api.url) as client,
        httpx.Client(base_url=site.url) as demo,
        Redis.from_url(redis.url, decode_responses=True) as connection,
    ):

        def asked() -> int:
            requests = demo.get("/_demo/requests").json()
            return sum(request["path"].startswith("/long/") for request in requests)

        start = client.post(
            "/api/v1/tubehunt/scrape-channels/start", json={"pages": PAGES, "per_page": 10}
        ).json()
        _wait(lambda: asked() >= PAGES // 2)
        holder = str(connection.hget(keys.record(start["job_id"]), "worker"))
        workers[holder.partition("@")[0]].kill()
        killed = time.perf_counter()
        before = asked()
        _wait(lambda: asked() > before)
        waited_s = time.perf_counter() - killed
        _wait(lambda: client.get(start["result_url"]).json()["is_final"])
        end = client.get(start["result_url"]).json()
    if end["status"] != "completed" or end["result"]["pages_read"] != PAGES or end["attempt"] != 2:
        raise RuntimeError(end["status"])
    return waited_s


def _wait(condition: Callable[[], bool]) -> None:
    """Return once it is true.

    Raises:
        RuntimeError: It is not, within two minutes.
    """
    deadline = time.monotonic() + 120
    pause = threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            message = "it did not happen within 120 s"
            raise RuntimeError(message)
        pause.wait(0.02)
