"""Stack in which faults are injected: its workers, its Redis, and its jobs."""

import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis

from garimpo.local_stack.process import Process
from jobs.redis import keys
from tests.faults.job_scenario import JobScenario, SubmittedJob
from tests.faults.poll_recorder import JOB_PATH
from tests.faults.proxy import Proxy
from tests.integration.services import Services
from tests.support.browser_processes import browsers_of
from tests.support.demo_site import DemoControls
from tests.support.polling import wait_until
from tests.support.redis_copy import copy_redis, restore_redis

#: Short, but long enough for a busy machine to renew a lease.
LEASE_S = 4.0
SETTINGS = {
    "LEASE_S": str(LEASE_S),
    "HEARTBEAT_S": "0.7",
    "RECONCILE_EVERY_S": "0.4",
    # Longer than any command takes on a busy machine.
    "BROWSER_TIMEOUT_S": "15",
    "TIME_LIMIT_MARGIN_S": "5",
    "WEBHOOK_ALLOW": "127.0.0.1",
    # Longer than a receiver on this machine needs when it is busy.
    "WEBHOOK_TIMEOUT_S": "10",
    "WEBHOOK_RETRY_FIRST_S": "0.2",
    # A setting of Flower: its API needs no login. It listens on the loopback interface only.
    "FLOWER_UNAUTHENTICATED_API": "true",
}


def wait_s(seconds: float) -> None:
    """Wait while a fault lasts."""
    threading.Event().wait(seconds)


def find_child(worker: Process) -> int:
    """Return the id of the process in which a worker runs its jobs."""

    def find() -> int | None:
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):  # it has exited meanwhile
                state, parent = stat.read_text().rpartition(")")[2].split()[:2]
                if int(parent) == worker.pid and state != "Z":
                    return int(stat.parent.name)
        return None

    return wait_until(find) or 0


def _find_processes_naming(folder: Path) -> Iterator[int]:
    """Yield the ids of the Chrome processes with a profile below `folder`."""
    argument = f"--user-data-dir={folder}/".encode()
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has exited meanwhile
            if argument in command.read_bytes():
                yield int(command.parent.name)


@dataclass
class FaultScenario(JobScenario):
    """One test's jobs and workers, on the stack that all tests of a module share."""

    services: Services
    #: Closed at the end of the test, when its workers have stopped.
    exits: ExitStack
    workers: dict[str, Process] = field(default_factory=dict)

    @property
    def demo(self) -> DemoControls:
        """Control endpoints of the demo site."""
        return self.services.demo

    def post(self, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        """Send a POST request to the API."""
        with self.services.client() as api:
            return api.post(path, json=body)

    def start_worker(self, name: str, extra: Mapping[str, str] | None = None) -> Process:
        """Start a worker with its own folder for browsers; it is stopped at the end of the test.

        It returns before the worker is ready: jobs wait for it.
        """
        folder = self.browsers_folder(name)
        folder.mkdir(parents=True, exist_ok=True)
        worker = self.services.stack.worker(
            name, {"TMPDIR": str(folder), **(extra or {})}, wait=False
        )
        self.workers[name] = worker
        return worker

    def start_proxy(self, *, round_trip_s: float = 0.0) -> Proxy:
        """Start a proxy to Redis, which forwards connections until the end of the test."""
        port = urlsplit(self.services.redis.url).port or 0
        return self.exits.enter_context(Proxy(port, round_trip_s=round_trip_s))

    def browsers_folder(self, name: str) -> Path:
        """Return the folder for the files of this worker's browsers."""
        return self.services.stack.folder / "tmp" / name

    def browsers(self, name: str) -> list[int]:
        """Return the process ids of this worker's browsers."""
        folder = self.browsers_folder(name)
        # Chrome's child processes overwrite their environment, but have the folder as an argument.
        return [*{*browsers_of(folder), *_find_processes_naming(folder)}]

    def cancel(self, job: SubmittedJob) -> httpx.Response:
        """Send a cancel request."""
        return self.post(f"{JOB_PATH.format(site=job.site)}/cancel/{job.id}")

    def read_error(self, job: SubmittedJob) -> str:
        """Return why a job has failed, in English."""
        path = f"{JOB_PATH.format(site=job.site)}/result/{job.id}"
        with self.services.client() as api:
            return str(api.get(path, headers={"Accept-Language": "en"}).json()["error"])

    def record_field(self, job: SubmittedJob, name: str) -> str | None:
        """Return a field of the job's record."""
        with self.services.connect() as redis:
            value: str | None = redis.hget(keys.record(job.id), name)
        return value

    def counter(self, name: str) -> float:
        """Return the value of a counter in the metrics, summed over all jobs."""
        return self.gauge(f"{name}_total")

    def gauge(self, name: str) -> float:
        """Return the value of a metric, summed over all jobs."""
        with self.services.client() as api:
            families = text_string_to_metric_families(api.get("/metrics").text)
            return sum(
                sample.value
                for family in families
                for sample in family.samples
                if sample.name == f"garimpo_{name}"
            )

    def flower_task(self, job: SubmittedJob) -> dict[str, Any]:
        """Return a job's task in Flower; empty if Flower does not know it."""
        assert self.services.flower
        url = f"{self.services.flower.url}/api/task/info/{job.id}"
        response = httpx.get(url, timeout=10, trust_env=False)
        task: dict[str, Any] = response.json() if response.is_success else {}
        return task

    def holder_name(self, job: SubmittedJob) -> str:
        """Return the name of the worker that holds the job's lease."""
        name = wait_until(lambda: self.record_field(job, "worker")) or ""
        return name.partition("@")[0]

    def holder(self, job: SubmittedJob) -> Process:
        """Return the worker that holds the job's lease."""
        return self.workers[self.holder_name(job)]

    def freeze(self, worker: Process) -> None:
        """Suspend a worker and its child, as when a virtual machine is paused."""
        for pid in (worker.pid, find_child(worker)):
            os.kill(pid, signal.SIGSTOP)

    def thaw(self, worker: Process) -> None:
        """Resume a suspended worker."""
        for pid in (worker.pid, find_child(worker)):
            os.kill(pid, signal.SIGCONT)

    def redis_content(self, job: SubmittedJob) -> dict[bytes, Any]:
        """Return the content of all keys of a job in Redis."""
        with Redis.from_url(self.services.redis.url) as redis:

            def read(key: bytes) -> Any:
                # Redis rehashes a hash while it is read, so its dump changes without a write.
                return redis.hgetall(key) if redis.type(key) == b"hash" else redis.dump(key)

            return {key: read(key) for key in redis.scan_iter(f"*{job.id}*", 1000)}

    def copy_redis(self) -> Path:
        """Copy Redis' data, for `restore_redis`."""
        copy = self.services.stack.folder / "redis-copy"
        copy_redis(self.services.redis, copy)
        return copy

    def restore_redis(self, copy: Path) -> None:
        """Let Redis lose all writes since the copy, as after a failover or a restore."""
        with self.recorder.redis_outage(loses_writes=True):
            restore_redis(self.services.redis, copy)

    @contextmanager
    def redis_demoted(self) -> Iterator[None]:
        """Make Redis a replica during the block: it rejects writes."""
        with self.recorder.redis_outage(), self.services.connect() as redis:
            redis.replicaof("127.0.0.1", "1")  # nothing listens there
            try:
                yield
            finally:
                redis.replicaof("NO", "ONE")

    @contextmanager
    def redis_outage(self, how: Literal["stopped", "killed", "hung"]) -> Iterator[None]:
        """Make Redis unavailable during the block."""
        redis = self.services.redis
        with self.recorder.redis_outage():
            if how == "hung":
                redis.signal(signal.SIGSTOP)
            elif how == "killed":
                redis.kill()
            else:
                redis.stop()
            try:
                yield
            finally:
                redis.signal(signal.SIGCONT) if how == "hung" else redis.start()
                redis.wait_ready()
