"""Fault injection of a soak test: one random fault after another, determined by a seed."""

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from redis import Redis, RedisError

from garimpo.local_stack.process import Process, find_members
from jobs.redis import keys
from tests.support.browser_processes import browsers_of
from tests.support.demo_site import DemoControls
from tests.support.redis_copy import copy_redis, restore_redis

#: Bounds of the pause between two faults.
_PAUSE_S = (1.0, 5.0)
#: How long a worker may take to exit after SIGTERM.
_EXITS_WITHIN_S = 30.0


class Nemesis:
    """Injects faults in a thread: `with Nemesis(...)`; at the end all services run again."""

    def __init__(  # noqa: PLR0913 - each is a target of faults
        self,
        redis: Process,
        workers: dict[str, Process],
        browsers_folder: Callable[[str], Path],
        site: DemoControls,
        *,
        lease_s: float,
        rng: random.Random,
        copy: Path,
    ) -> None:
        """Create the nemesis.

        Args:
            redis: Redis, which is killed and restarted.
            workers: Workers by name, which are killed and restarted.
            browsers_folder: Returns the TMPDIR of a worker's browsers.
            site: Demo site, which is slowed down.
            lease_s: Duration of a lease in seconds.
            rng: Chooses the faults.
            copy: Folder for a copy of Redis' data.
        """
        self._copy = copy
        self._redis = redis
        self._workers = workers
        self._browsers_folder = browsers_folder
        self._site = site
        self._lease_s = lease_s
        self._rng = rng
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="nemesis")
        self._faults: list[Callable[[], None]] = [
            self.kill_worker,
            self.kill_worker,
            self.kill_child,
            self.kill_browser,
            self.kill_browser,
            self.stop_worker,
            self.stop_worker,
            self.hang_worker,
            self.kill_redis,
            self.hang_redis,
            self.lose_writes,
            self.restore_older_copy,
            self.demote_redis,
            self.cut_connections,
            self.slow_site,
            self.end_session,
        ]
        #: Held while Redis goes back: what a client reads before or after it is unambiguous.
        self.no_requests = threading.Lock()
        #: Start and end of each time whose writes Redis has lost, on the monotonic clock.
        self.losses: list[tuple[float, float]] = []
        #: Number of injections of each fault.
        self.injected: Counter[str] = Counter()
        #: Exception that ended the thread early.
        self.error: BaseException | None = None
        #: Jobs whose worker was killed: id, attempt, and time on the monotonic clock.
        self.killed_attempts: list[tuple[str, int, float]] = []

    def __enter__(self) -> Self:
        """Start injecting faults."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop after the current fault."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._stopped.wait(self._rng.uniform(*_PAUSE_S)):
                fault = self._rng.choice(self._faults)
                self.injected[fault.__name__.replace("_", " ")] += 1
                fault()
            self._site.have()
        except BaseException as error:  # noqa: BLE001 - raised in the main thread
            self.error = error

    def kill_worker(self) -> None:
        """Send SIGKILL to a worker's main process."""
        name, worker = self._pick()
        self._record_jobs(name)
        worker.kill()
        self._restart(worker)

    def kill_child(self) -> None:
        """Send SIGKILL to the process in which a worker runs its jobs."""
        name, worker = self._pick()
        for pid in find_members(worker.pid):
            if pid != worker.pid:
                self._record_jobs(name)
                _kill(pid, signal.SIGKILL)

    def kill_browser(self) -> None:
        """Send SIGKILL to a random process of a worker's browser."""
        name, _ = self._pick()
        if pids := browsers_of(self._browsers_folder(name)):
            _kill(self._rng.choice(pids), signal.SIGKILL)

    def stop_worker(self) -> None:
        """Send SIGTERM to a worker, as during a deployment."""
        _, worker = self._pick()
        worker.signal(signal.SIGTERM)
        deadline = time.monotonic() + _EXITS_WITHIN_S
        while worker.is_alive and time.monotonic() < deadline:
            self._wait(0.05)
        if worker.is_alive:
            self.injected["stop worker: it did not exit"] += 1
            worker.kill()
        self._restart(worker)

    def hang_worker(self) -> None:
        """Suspend a worker and its child for longer than its lease."""
        _, worker = self._pick()
        pids = find_members(worker.pid)
        for pid in pids:
            _kill(pid, signal.SIGSTOP)
        self._wait(1.5 * self._lease_s)
        for pid in pids:
            _kill(pid, signal.SIGCONT)

    def kill_redis(self) -> None:
        """Send SIGKILL to Redis, which writes to disk before it acknowledges a command."""
        self._redis.kill()
        self._wait(self._rng.uniform(0, 3))
        self._redis.start()
        self._redis.wait_ready()

    def hang_redis(self) -> None:
        """Suspend Redis."""
        self._redis.signal(signal.SIGSTOP)
        self._wait(self._rng.uniform(1, 2 * self._lease_s))
        self._redis.signal(signal.SIGCONT)

    def lose_writes(self) -> None:
        """Let Redis lose its last writes, as in a failover to a replica that lags."""
        self._go_back(self._rng.uniform(0.2, 1.5))

    def restore_older_copy(self) -> None:
        """Let Redis lose the writes of several pages, as when an older copy is restored."""
        self._go_back(self._rng.uniform(3, 6))

    def _go_back(self, seconds: float) -> None:
        started_at = time.monotonic()
        copy_redis(self._redis, self._copy)
        self._wait(seconds)
        with self.no_requests:
            restore_redis(self._redis, self._copy)
            self.losses.append((started_at, time.monotonic()))

    def demote_redis(self) -> None:
        """Make Redis a replica for a while: it rejects writes."""
        with self._connect() as redis:
            redis.replicaof("127.0.0.1", "1")  # nothing listens there
            self._wait(self._rng.uniform(1, 2 * self._lease_s))
            redis.replicaof("NO", "ONE")

    def cut_connections(self) -> None:
        """Close all other connections to Redis."""
        with self._connect() as redis:
            for kind in ("normal", "pubsub"):
                redis.client_kill_filter(_type=kind, skipme=True)

    def slow_site(self) -> None:
        """Set the response time of list pages."""
        self._site.have(slow_ms=self._rng.choice([0, 200, 1500]))

    def end_session(self) -> None:
        """Let the site log the account out, on the next list page or on a later one."""
        self._site.have(session_ends_after=self._rng.choice([0, 1, 3]))

    def _pick(self) -> tuple[str, Process]:
        return self._rng.choice(sorted(self._workers.items(), key=lambda pair: pair[0]))

    def _restart(self, worker: Process) -> None:
        self._wait(self._rng.uniform(0, 3))
        worker.start()

    def _wait(self, seconds: float) -> None:
        # It does not return early at the end of the soak: the fault must be reverted.
        threading.Event().wait(seconds)

    def _connect(self) -> Redis:
        return Redis.from_url(self._redis.url, decode_responses=True)

    def _record_jobs(self, worker: str) -> None:
        """Record the jobs that this worker holds."""
        with suppress(RedisError), self._connect() as redis:
            for job_id in redis.zrange(keys.ACTIVE, 0, -1):
                holder, attempt = redis.hmget(keys.record(str(job_id)), "worker", "attempt")
                if str(holder).startswith(f"{worker}@"):
                    self.killed_attempts.append((str(job_id), int(attempt or 0), time.monotonic()))


def _kill(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # it has exited meanwhile
        os.kill(pid, number)
