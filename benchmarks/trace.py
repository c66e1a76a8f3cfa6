"""Where a job's time goes: the steps of jobs of one page, from the start to the client's result."""

import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from typing import Any
from uuid import uuid4

import httpx
from redis import Redis

from benchmarks import baseline
from benchmarks.jobs import LATENCY_MS, SITE, time_job
from benchmarks.site_claims import run_services, wait_for_browsers
from benchmarks.stacks import get_requests
from garimpo.local_stack.process import Process
from jobs.redis import keys
from jobs.redis.lua import load_script

JOBS = 12
#: Width of the longest bar.
_WIDTH = 40
STEPS = (
    "API accepts the start",
    "queue: a worker has the job",
    "worker gets its browser ready",
    "login",
    "site answers the page",
    "page is loaded and read",
    "items are stored, job is ended",
    "API sends the result",
)


@dataclass
class _Scripts:
    """The scripts that Redis has run, with the time of each; `MONITOR` says so."""

    calls: list[tuple[str, float]] = field(default_factory=list)
    _names: dict[str, str] = field(
        default_factory=lambda: {
            hashlib.sha1(load_script(name).encode()).hexdigest(): name  # noqa: S324 - as Redis does
            for name in ("submit", "claim", "append_page", "complete")
        }
    )

    def record(self, command: dict[str, Any]) -> None:
        """Record a command, if it calls one of the scripts."""
        words = command["command"].split(" ", 2)
        if words[0].upper() == "EVALSHA" and words[1] in self._names:
            self.calls.append((self._names[words[1]], command["time"]))

    def find(self, name: str) -> float:
        """Return the time of the only call of a script."""
        [at] = [at for called, at in self.calls if called == name]
        return at


def run() -> None:
    """Print the steps of cold and of warm jobs, each with the median of its time."""
    for title, settings in (
        ("cold: no browser, no session", {"WARM_BROWSERS": "0"}),
        ("warm: browser open and logged in", {}),
    ):
        is_warm = not settings
        with run_services(settings) as running, Redis.from_url(running.redis.url) as redis:
            for _ in range(3):
                time_job(running.client, channels=baseline.CARDS)
            jobs = []
            for _ in range(JOBS):
                if is_warm:
                    wait_for_browsers(running.worker)
                else:
                    redis.delete(keys.session(SITE, "default"))
                jobs.append(_trace_job(running.client, redis, running.site))
        print(f"{title}; one page of {baseline.CARDS} channels, {LATENCY_MS} ms per answer")
        print(format_steps([median(step) for step in zip(*jobs, strict=True)]))


def format_steps(seconds: list[float]) -> str:
    """Return a line with a bar for each step, and the sum."""
    longest = max(seconds)
    total = sum(seconds)
    lines = [
        f"  {name:<31} {1000 * step:6.0f} ms {100 * step / total:3.0f} %  "
        + "█" * round(_WIDTH * step / longest)
        for name, step in zip(STEPS, seconds, strict=True)
    ]
    return "\n".join([*lines, f"  {'sum':<31} {1000 * total:6.0f} ms"])


def _trace_job(client: httpx.Client, redis: Redis, site: Process) -> list[float]:
    """Run a job; return the seconds of each step."""
    known = {request["n"] for request in get_requests(site)}
    with _monitor(redis) as scripts:
        started_at = time.time()
        time_job(client, channels=baseline.CARDS)
        ended_at = time.time()
    requests = [request for request in get_requests(site) if request["n"] not in known]
    page_at = next(entry["at"] for entry in requests if entry["path"].startswith("/long/"))
    answered_at = page_at + LATENCY_MS / 1000
    times = [
        started_at,
        scripts.find("submit"),
        scripts.find("claim"),
        requests[0]["at"],
        page_at,
        answered_at,
        scripts.find("append_page"),
        scripts.find("complete"),
        ended_at,
    ]
    return [later - earlier for earlier, later in pairwise(times)]


@contextmanager
def _monitor(redis: Redis) -> Iterator[_Scripts]:
    """Record the scripts that Redis runs during the block."""
    scripts = _Scripts()
    end = f"trace-{uuid4()}"
    with redis.monitor() as monitor:  # type: ignore[no-untyped-call] # redis-py gives it no types

        def listen() -> None:
            for command in monitor.listen():
                if end in command["command"]:
                    return
                scripts.record(command)

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield scripts
        finally:
            redis.echo(end)  # after all commands before
            thread.join()
