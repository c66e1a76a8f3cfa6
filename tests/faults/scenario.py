"""A stack in which faults happen: its jobs, its workers, and the moments to strike at."""

import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis

from demo.channels import all_channels
from demo.golden import expected_item
from garimpo.local_stack.process import Process
from jobs.redis import keys
from tests.faults.poll_recorder import ADDRESS, Watch
from tests.integration.services import Services
from tests.support.browser_processes import browsers_of
from tests.support.polling import wait_until

#: Of the whole suite: short, and yet long enough for a busy machine to keep a lease alive.
LEASE_S = 4.0
SETTINGS = {
    "LEASE_S": str(LEASE_S),
    "HEARTBEAT_S": "0.7",
    "RECONCILE_EVERY_S": "0.4",
    # Far more than a command takes on a busy machine.
    "BROWSER_TIMEOUT_S": "15",
    "TIME_LIMIT_MARGIN_S": "5",
    "WEBHOOK_ALLOW": "127.0.0.1",
    "WEBHOOK_TIMEOUT_S": "2",
    "WEBHOOK_RETRY_FIRST_S": "0.2",
    # Flower's own switch: its API answers without a login, on the loopback interface alone.
    "FLOWER_UNAUTHENTICATED_API": "true",
}

PER_PAGE = 10
#: How long a list page takes: the time to strike in the middle of a job.
PAGE_MS = 250


def let_pass(seconds: float) -> None:
    """Let a fault last for so long."""
    threading.Event().wait(seconds)


def child_of(worker: Process) -> int:
    """Return the id of the process in which a worker runs its jobs."""

    def find() -> int | None:
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):  # it ended while we looked
                state, parent = stat.read_text().rpartition(")")[2].split()[:2]
                if int(parent) == worker.pid and state != "Z":
                    return int(stat.parent.name)
        return None

    return wait_until(find) or 0


def _processes_naming(folder: Path) -> Iterator[int]:
    mark = f"--user-data-dir={folder}/".encode()
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it ended while we looked
            if mark in command.read_bytes():
                yield int(command.parent.name)


@dataclass(frozen=True)
class Asked:
    """A job that was accepted."""

    id: str
    site: str
    #: How it asked for the list to be ordered. The site does not know this order and gives its
    #: usual one; its log tells by it whose page was asked for.
    tag: str
    pages: int

    @property
    def items(self) -> list[dict[str, Any]]:
        """What its result must hold, written from the site's own records."""
        return [expected_item(channel) for channel in all_channels()[: self.pages * PER_PAGE]]


@dataclass
class Scene:
    """One test's view of the stack."""

    services: Services
    watch: Watch
    asked: list[Asked] = field(default_factory=list)
    workers: dict[str, Process] = field(default_factory=dict)

    def worker(self, name: str, extra: Mapping[str, str] | None = None) -> Process:
        """Start a worker whose browsers can be told from the others'; it ends with the test.

        It takes jobs as soon as it is ready: they wait for it, the test need not.
        """
        folder = self.browsers_folder(name)
        folder.mkdir(parents=True, exist_ok=True)
        worker = self.services.stack.worker(
            name, {"TMPDIR": str(folder), **(extra or {})}, wait=False
        )
        self.workers[name] = worker
        return worker

    def browsers_folder(self, name: str) -> Path:
        """Return where the browsers of this worker keep their files."""
        return self.services.stack.folder / "tmp" / name

    def browsers(self, name: str) -> list[int]:
        """Return the processes of this worker's browsers."""
        folder = self.browsers_folder(name)
        # Chrome's helpers write over their environment, but name their folder.
        return [*{*browsers_of(folder), *_processes_naming(folder)}]

    def start(self, pages: int = 4, site: str = "tubehunt", **more: str) -> Asked:
        """Start a job, as a client does, and ask for its state from now on.

        `more` are keys of the body besides the job's parameters.
        """
        # An order is a word of letters.
        tag = uuid4().hex.translate({ord(str(n)): "ghijklmnop"[n] for n in range(10)})
        params = {"pages": pages, "per_page": PER_PAGE, "order_by": tag, **more}
        with self.services.client() as api:
            answer = api.post(f"{ADDRESS.format(site=site)}/start", json=params)
        assert answer.status_code == 202, answer.text
        asked = Asked(answer.json()["job_id"], site, tag, pages)
        self.asked.append(asked)
        self.watch.add(asked.id, site)
        return asked

    @contextmanager
    def held_at(self, page: int) -> Iterator[None]:
        """Let the site leave every request for this page without an answer during the block."""
        self.services.demo.have(hang_page=page)
        try:
            yield
        finally:
            self.services.demo.have(slow_ms=PAGE_MS)

    def cancel(self, job: Asked) -> httpx.Response:
        """Ask for a job's end."""
        with self.services.client() as api:
            return api.post(f"{ADDRESS.format(site=job.site)}/cancel/{job.id}")

    def pages(self, job: Asked) -> list[int]:
        """Return the numbers of the list pages that the site was asked for, in order."""
        queries = [
            parse_qs(urlsplit(request["path"]).query)
            for request in self.services.demo.requests("/long/")
        ]
        return [int(query["page"][0]) for query in queries if query["OrderBy"] == [job.tag]]

    def wait_for_page(self, job: Asked, number: int, *, times: int = 1) -> None:
        """Return once the site is asked for this page of the job, for the n-th time."""
        wait_until(lambda: self.pages(job).count(number) >= times or self.watch.end(job.id))
        ended = self.watch.end(job.id) or {}
        assert self.pages(job).count(number) >= times, ended.get("error_code", ended.get("status"))

    def end(self, job: Asked, *, within_s: float = 90) -> dict[str, Any]:
        """Return the job's final body."""
        return wait_until(lambda: self.watch.end(job.id), within_s=within_s) or {}

    def field(self, job: Asked, name: str) -> str | None:
        """Return a field of the job's record."""
        with self.services.connect() as redis:
            value: str | None = redis.hget(keys.record(job.id), name)
        return value

    def count(self, name: str) -> float:
        """Return what the metrics say of this counter, for all jobs together."""
        with self.services.client() as api:
            families = text_string_to_metric_families(api.get("/metrics").text)
            return sum(
                sample.value
                for family in families
                for sample in family.samples
                if sample.name == f"garimpo_{name}_total"
            )

    def task(self, job: Asked) -> dict[str, Any]:
        """Return what Flower shows of a job; nothing if it has not heard of it."""
        assert self.services.flower
        url = f"{self.services.flower.url}/api/task/info/{job.id}"
        answer = httpx.get(url, timeout=10, trust_env=False)
        shown: dict[str, Any] = answer.json() if answer.is_success else {}
        return shown

    def holder(self, job: Asked) -> Process:
        """Return the worker that has the job."""
        name = wait_until(lambda: self.field(job, "worker")) or ""
        return self.workers[name.partition("@")[0]]

    def freeze(self, worker: Process) -> None:
        """Stop a worker in its tracks, as a machine does that is suspended."""
        for pid in (worker.pid, child_of(worker)):
            os.kill(pid, signal.SIGSTOP)

    def thaw(self, worker: Process) -> None:
        """Let it go on as if no time had passed."""
        for pid in (worker.pid, child_of(worker)):
            os.kill(pid, signal.SIGCONT)

    def stored(self, job: Asked) -> dict[bytes, Any]:
        """Return all that Redis keeps of a job."""
        with Redis.from_url(self.services.redis.url) as redis:

            def content(key: bytes) -> Any:
                # A hash is rehashed step by step as it is read: its dump changes with no write.
                return redis.hgetall(key) if redis.type(key) == b"hash" else redis.dump(key)

            return {key: content(key) for key in redis.scan_iter(f"*{job.id}*", 1000)}

    @contextmanager
    def redis_away(self, how: str) -> Iterator[None]:
        """Take Redis away for the block; `how` is `stopped`, `killed` or `hung`."""
        redis = self.services.redis
        with self.watch.redis_away():
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
