"""Claims about the API: what its endpoints cost beside the least that they could do."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from statistics import median

import httpx
from redis import Redis

from benchmarks.comparison import PAIRS, Claim, Measurement, Target, measure_in_turn
from benchmarks.jobs import RESULT_PATH, START_PATH, wait_for_result
from benchmarks.load_generator import Latencies, load
from benchmarks.reference_api import KEY, MEMORY, ONE_KEY, SEND_TASK
from benchmarks.stacks import UNLIMITED, set_faults, start_reference_api
from garimpo.local_stack.stack import Stack

IN_FLIGHT = 16
BURST = 50
#: Requests of one round.
STARTS = 800
POLLS = 1600
RESULTS = 400
#: Four pages of 50.
RESULT_PARAMS = {"pages": 4}
MAX_P99_MS = 100


@dataclass(frozen=True)
class _Endpoint:
    """An endpoint of the API under load."""

    url: str
    requests: int
    method: str = "GET"
    in_flight: int = IN_FLIGHT

    def measure_rate(self) -> float:
        """Return the requests per second."""
        return self.load().per_second

    def load(self) -> Latencies:
        """Send the requests."""
        return load(self.url, method=self.method, in_flight=self.in_flight, requests=self.requests)


def measure_start() -> Measurement:
    """Compare the rate of starts with that of `send_task`; no start may take long."""
    p99s = []
    with _run_api() as (_, url):
        start = _Endpoint(url + START_PATH, STARTS, "POST")
        send_task = replace(start, url=url + SEND_TASK)

        def measure_starts() -> float:
            latencies = start.load()
            p99s.append(latencies.p99)
            return latencies.per_second

        _warm_up(start, send_task)
        measured = measure_in_turn(measure_starts, send_task.measure_rate, pairs=PAIRS, unit="/s")
    p99 = median(p99s)
    faults = [] if p99 < MAX_P99_MS else [f"p99 not below {MAX_P99_MS} ms"]
    details = f"{measured.details}, p99 {p99:.0f} ms"
    return replace(measured, details=details, faults=faults)


def measure_start_p99() -> Measurement:
    """Measure the 99th percentile of starts in a burst."""
    with _run_api() as (_, url):
        start = _Endpoint(url + START_PATH, STARTS, "POST", BURST)
        _warm_up(start)
        return Measurement([start.load().p99 for _ in range(PAIRS)])


def measure_poll() -> Measurement:
    """Compare polls of a job that waits with reads of one key."""
    with _run_api() as (redis, url), closing(Redis.from_url(redis)) as connection:
        job_id = httpx.post(url + START_PATH, trust_env=False).json()["job_id"]
        poll = _Endpoint(f"{url}{RESULT_PATH}/{job_id}", POLLS)
        connection.set(KEY, httpx.get(poll.url, trust_env=False).content)
        return _compare_rates(poll, replace(poll, url=url + ONE_KEY))


def measure_result() -> Measurement:
    """Compare a completed result with the same bytes from memory."""
    with _run_api(complete_jobs=True) as (_, url):
        with httpx.Client(base_url=url, timeout=90, trust_env=False) as client:
            job_id = wait_for_result(client, RESULT_PARAMS)["job_id"]
            body = client.get(f"{RESULT_PATH}/{job_id}").content
            client.put(MEMORY, content=body).raise_for_status()
        result = _Endpoint(f"{url}{RESULT_PATH}/{job_id}", RESULTS)
        measured = _compare_rates(result, replace(result, url=url + MEMORY))
        return replace(measured, details=f"{measured.details}, {len(body) // 1024} KiB")


def _warm_up(*endpoints: _Endpoint) -> None:
    """Load what a first request loads."""
    for endpoint in endpoints:
        endpoint.load()


def _compare_rates(a: _Endpoint, b: _Endpoint) -> Measurement:
    _warm_up(a, b)
    return measure_in_turn(a.measure_rate, b.measure_rate, pairs=PAIRS, unit="/s")


@contextmanager
def _run_api(*, complete_jobs: bool = False) -> Iterator[tuple[str, str]]:
    """Yield the URLs of Redis and of the reference API."""
    with Stack(settings=UNLIMITED) as stack:
        redis = stack.redis()
        if complete_jobs:
            site = stack.site("--latency-ms", "0")
            set_faults(site, channels=200)
            stack.worker()
        api = start_reference_api(stack)
        try:
            yield redis.url, api.url
        finally:
            api.stop()


CLAIMS = {
    "start": Claim(
        f"start a job, {IN_FLIGHT} clients at once; 99th percentile below {MAX_P99_MS} ms",
        "rate of an endpoint of the same app that only does `send_task`",
        Target(0.8, "≥"),
        measure_start,
    ),
    "start_p99": Claim(
        f"start a job, {BURST} clients at once: 99th percentile",
        "",
        Target(MAX_P99_MS, "<", " ms"),
        measure_start_p99,
    ),
    "status_poll": Claim(
        f"poll a status, {IN_FLIGHT} clients at once",
        "rate of an endpoint of the same app that reads one Redis key",
        Target(0.7, "≥"),
        measure_poll,
    ),
    "completed_result": Claim(
        f"fetch a result of 200 channels, {IN_FLIGHT} clients at once",
        "rate of an endpoint of the same app that has these bytes in memory",
        Target(0.5, "≥"),
        measure_result,
    ),
}
