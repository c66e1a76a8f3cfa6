"""Claims about workers: how soon they begin, what several of them do, and what many jobs leave."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

import httpx
import psutil
from cryptography.fernet import Fernet
from redis import Redis

from benchmarks.comparison import FEW_PAIRS, Claim, Measurement, Target
from benchmarks.jobs import RESULT_PATH, START_PATH, time_job
from benchmarks.stacks import UNLIMITED, get_requests, set_faults
from garimpo.local_stack.process import Process
from garimpo.local_stack.stack import Stack
from jobs.redis import keys
from scraper.browser.processes import browsers_below, memory_mb

#: One page of 10 channels.
PARAMS = {"per_page": 10}
CHANNELS = 10
SLOW_MS = 1000
FIRST_PROGRESS_JOBS = 60
SCALING_JOBS = 40
SCALING_WORKERS = (1, 2, 4)
LOGIN_JOBS = 20
LOGIN_WORKERS = 3
MANY_JOBS = 500
#: Between two samples of the memory.
SAMPLE_EVERY = 25
#: What the worker loads, and what Python and Redis allocate once, is not growth.
WARM_UP_JOBS = 100
_TIMEOUT_S = 600.0
_SETTLED_S = 0.2


@dataclass(frozen=True)
class _Fleet:
    """The services of a claim."""

    stack: Stack
    client: httpx.Client
    site: Process
    redis: Process
    api: Process
    workers: list[Process]


def measure_first_progress() -> Measurement:
    """Measure the time from a start until the job's first change is announced."""
    with (
        _run(workers=1) as fleet,
        Redis.from_url(fleet.redis.url, decode_responses=True) as redis,
        redis.pubsub(ignore_subscribe_messages=True) as changes,
    ):
        changes.subscribe(keys.CHANGES_CHANNEL)
        changes.get_message(timeout=5)
        latencies_ms = []
        for _ in range(FIRST_PROGRESS_JOBS):
            started_at = time.perf_counter()
            job_id = fleet.client.post(START_PATH, json=PARAMS).json()["job_id"]
            while not (message := changes.get_message(timeout=60)) or job_id not in message["data"]:
                pass
            latencies_ms.append((time.perf_counter() - started_at) * 1000)
            _wait_for_end(fleet.client, job_id)
            threading.Event().wait(_SETTLED_S)  # the worker is idle again
        p99 = quantiles(latencies_ms, n=100)[98]
        return Measurement(latencies_ms, f"p99 {p99:.0f} ms")


def measure_scaling() -> Measurement:
    """Compare how long jobs of one slow page take one, two and four workers."""
    durations: dict[int, list[float]] = {workers: [] for workers in SCALING_WORKERS}
    cpu_s: dict[int, list[float]] = {workers: [] for workers in SCALING_WORKERS}
    for _ in range(FEW_PAIRS):
        for workers in SCALING_WORKERS:
            with _run(workers=workers) as fleet:
                set_faults(fleet.site, slow_ms=SLOW_MS)
                before = _cpu_s(fleet)
                durations[workers].append(_run_jobs(fleet.client, SCALING_JOBS))
                cpu_s[workers].append(_cpu_s(fleet) - before)
    ratios = {
        workers: [one / several for one, several in zip(durations[1], measured, strict=True)]
        for workers, measured in durations.items()
    }
    parts = [
        f"{workers} worker{'s' if workers > 1 else ''} {median(durations[workers]):.1f} s "
        f"({median(ratios[workers]):.2f} times, {median(cpu_s[workers]):.1f} s of CPU time)"
        for workers in SCALING_WORKERS
    ]
    return Measurement(ratios[SCALING_WORKERS[-1]], ", ".join(parts))


def measure_logins() -> Measurement:
    """Count the logins of many jobs that start at once."""
    counts = []
    for _ in range(FEW_PAIRS):
        with _run(workers=LOGIN_WORKERS, is_warm=False) as fleet:
            _run_jobs(fleet.client, LOGIN_JOBS)
            requests = get_requests(fleet.site)
        counts.append(
            sum(request["method"] == "POST" and "/login" in request["path"] for request in requests)
        )
    return Measurement(counts)


def measure_many_jobs() -> Measurement:
    """Compare the memory of every process early and late in a run of many jobs."""
    # Kept results are no growth, so they expire soon.
    with _run({"RESULT_TTL_S": "5"}, workers=1) as fleet, Redis.from_url(fleet.redis.url) as redis:
        for _ in range(WARM_UP_JOBS):
            time_job(fleet.client, PARAMS, channels=CHANNELS)
        samples = []
        for number in range(MANY_JOBS):
            time_job(fleet.client, PARAMS, channels=CHANNELS)
            if number % SAMPLE_EVERY == SAMPLE_EVERY - 1:
                samples.append(_read_memory(fleet, redis))
        faults = _find_zombies(fleet)
        folder = _worker_temp(fleet)
        for worker in fleet.workers:
            worker.stop()
        faults += _find_leftovers(folder)
    third = len(samples) // 3
    growth = {
        name: median(sample[name] for sample in samples[-third:])
        / median(sample[name] for sample in samples[:third])
        for name in samples[0]
    }
    details = ", ".join(
        f"{name} {samples[0][name]:.0f} to {samples[-1][name]:.0f} MiB ({100 * ratio - 100:+.0f} %)"
        for name, ratio in growth.items()
    )
    return Measurement([max(growth.values())], details, faults)


def _read_memory(fleet: _Fleet, redis: Redis) -> dict[str, float]:
    """Return the memory of each program in MiB."""
    worker = psutil.Process(fleet.workers[0].pid)
    browsers = browsers_below(worker.pid)
    python = [
        worker,
        *(child for child in worker.children(recursive=True) if child not in browsers),
    ]
    return {
        "worker": memory_mb(python),
        "Chrome": memory_mb(browsers),
        "API": memory_mb([psutil.Process(fleet.api.pid)]),
        "Redis": redis.info("memory")["used_memory"] / 1024**2,
    }


def _worker_temp(fleet: _Fleet) -> Path:
    return fleet.stack.folder / "tmp"


def _find_zombies(fleet: _Fleet) -> list[str]:
    """Return the processes below the worker that have ended and are still there."""
    return [
        f"zombie {process.pid}"
        for process in psutil.Process(fleet.workers[0].pid).children(recursive=True)
        if process.status() == psutil.STATUS_ZOMBIE
    ]


def _find_leftovers(folder: Path) -> list[str]:
    """Return the files in the temporary folder, and the browsers that have one there."""
    never = threading.Event()
    deadline = time.monotonic() + 15
    while True:
        left = [f"left {path.name}" for path in folder.iterdir()]
        for process in psutil.process_iter():
            try:
                if f"--user-data-dir={folder}" in " ".join(process.cmdline()):
                    left.append(f"orphan {process.pid}")
            except psutil.Error:  # it has exited meanwhile, or is not ours
                continue
        if not left or time.monotonic() > deadline:
            return left
        never.wait(0.2)


def _run_jobs(client: httpx.Client, count: int) -> float:
    """Start jobs at once; return the seconds until all have ended."""
    started_at = time.perf_counter()
    job_ids = [client.post(START_PATH, json=PARAMS).json()["job_id"] for _ in range(count)]
    for job_id in job_ids:
        _wait_for_end(client, job_id)
    return time.perf_counter() - started_at


def _wait_for_end(client: httpx.Client, job_id: str) -> None:
    """Wait until a job is completed.

    Raises:
        RuntimeError: It failed, or takes too long.
    """
    deadline = time.monotonic() + _TIMEOUT_S
    while True:
        body = client.get(f"{RESULT_PATH}/{job_id}?wait=60").raise_for_status().json()
        if body["status"] == "completed":
            return
        if body["is_final"] or time.monotonic() > deadline:
            raise RuntimeError(body)


def _cpu_s(fleet: _Fleet) -> float:
    """Return the CPU time of the workers and all below them, in seconds."""
    total = 0.0
    for worker in fleet.workers:
        process = psutil.Process(worker.pid)
        for member in [process, *process.children(recursive=True)]:
            try:
                times = member.cpu_times()
            except psutil.Error:  # it has exited meanwhile
                continue
            total += times.user + times.system + times.children_user + times.children_system
    return total


@contextmanager
def _run(
    extra_settings: dict[str, str] | None = None, *, workers: int, is_warm: bool = True
) -> Iterator[_Fleet]:
    """Yield a stack with workers that share their sessions.

    Args:
        extra_settings: Further settings of all services.
        workers: Their number.
        is_warm: Whether each has a browser that is logged in.
    """
    settings = {**UNLIMITED, "SESSION_KEYS": Fernet.generate_key().decode()}
    settings |= extra_settings or {}
    with ExitStack() as exits:
        stack = exits.enter_context(Stack(settings=settings))
        temp = stack.folder / "tmp"
        temp.mkdir()
        redis = stack.redis()
        site = stack.site("--latency-ms", "0")
        api = stack.api()
        extra = {"TMPDIR": str(temp)}
        started = [stack.worker(f"worker{number}", extra, wait=False) for number in range(workers)]
        stack.wait_ready()
        client = exits.enter_context(httpx.Client(base_url=api.url, timeout=90, trust_env=False))
        fleet = _Fleet(stack, client, site, redis, api, started)
        if is_warm:
            _warm_up(fleet)
        yield fleet


def _warm_up(fleet: _Fleet) -> None:
    """Run jobs until every worker has a browser for the next one.

    Raises:
        RuntimeError: They have none in time.
    """
    deadline = time.monotonic() + _TIMEOUT_S
    while not all(browsers_below(worker.pid) for worker in fleet.workers):
        if time.monotonic() > deadline:
            message = "not every worker has got a job"
            raise RuntimeError(message)
        _run_jobs(fleet.client, 2 * len(fleet.workers))
    set_faults(fleet.site)


CLAIMS = {
    "first_progress": Claim(
        f"from a start to the first progress, idle warm worker, {FIRST_PROGRESS_JOBS} jobs: median",
        "",
        Target(25, "<", " ms"),
        measure_first_progress,
    ),
    "scaling": Claim(
        f"{SCALING_JOBS} jobs of a page that takes 1 s, 4 warm workers: how many times faster",
        "one warm worker",
        Target(3.6, "≥"),
        measure_scaling,
    ),
    "logins": Claim(
        f"{LOGIN_JOBS} jobs at once on {LOGIN_WORKERS} cold workers: logins in the site's log",
        "",
        Target(1, "="),
        measure_logins,
    ),
    "many_jobs": Claim(
        f"{MANY_JOBS} jobs on one worker: memory of the last third; no orphan, zombie or file left",
        "memory of the first third, after 100 jobs",
        Target(1.1),
        measure_many_jobs,
    ),
}
