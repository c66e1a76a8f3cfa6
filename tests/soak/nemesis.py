"""Who breaks things during a soak: one fault after the other, all chosen by a seed."""

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

#: From the end of one fault to the next.
_PAUSE_S = (1.0, 5.0)
#: How long a worker may take to leave after SIGTERM.
_LEAVES_WITHIN_S = 30.0


class Nemesis:
    """A thread, as `with Nemesis(...) as nemesis`; at its end all runs again."""

    def __init__(  # noqa: PLR0913 - one for each kind of thing that it breaks
        self,
        redis: Process,
        workers: dict[str, Process],
        browsers: Callable[[str], Path],
        site: DemoControls,
        *,
        lease_s: float,
        rng: random.Random,
    ) -> None:
        """Prepare it.

        Args:
            redis: May be killed, and is started again.
            workers: By name; the same.
            browsers: Where a worker's browsers have their files.
            site: May be slow.
            lease_s: How long a worker may be silent.
            rng: Chooses.
        """
        self._redis = redis
        self._workers = workers
        self._browsers = browsers
        self._site = site
        self._lease_s = lease_s
        self._rng = rng
        self._over = threading.Event()
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
            self.cut_connections,
            self.slow_site,
        ]
        #: How often each fault happened.
        self.done: Counter[str] = Counter()
        #: What ended the thread before its time.
        self.error: BaseException | None = None
        #: The jobs whose worker was killed: id, the attempt that was killed, when.
        self.struck: list[tuple[str, int, float]] = []

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End, when the fault of this moment is over."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._over.wait(self._rng.uniform(*_PAUSE_S)):
                fault = self._rng.choice(self._faults)
                self.done[fault.__name__.replace("_", " ")] += 1
                fault()
            self._site.have()
        except BaseException as error:  # noqa: BLE001 - it is told by the main thread
            self.error = error

    def kill_worker(self) -> None:
        """Kill -9 a worker's main process."""
        name, worker = self._pick()
        self._note(name)
        worker.kill()
        self._start_again(worker)

    def kill_child(self) -> None:
        """Kill -9 the process in which a worker runs its jobs."""
        name, worker = self._pick()
        for pid in find_members(worker.pid):
            if pid != worker.pid:
                self._note(name)
                _kill(pid, signal.SIGKILL)

    def kill_browser(self) -> None:
        """Kill -9 any process of a worker's browser."""
        name, _ = self._pick()
        if there := browsers_of(self._browsers(name)):
            _kill(self._rng.choice(there), signal.SIGKILL)

    def stop_worker(self) -> None:
        """Send SIGTERM, as at every deployment."""
        _, worker = self._pick()
        worker.signal(signal.SIGTERM)
        deadline = time.monotonic() + _LEAVES_WITHIN_S
        while worker.is_alive and time.monotonic() < deadline:
            self._wait(0.05)
        if worker.is_alive:
            self.done["stop worker: it did not leave"] += 1
            worker.kill()
        self._start_again(worker)

    def hang_worker(self) -> None:
        """Let a worker and its jobs stand still for longer than its lease."""
        _, worker = self._pick()
        stopped = find_members(worker.pid)
        for pid in stopped:
            _kill(pid, signal.SIGSTOP)
        self._wait(1.5 * self._lease_s)
        for pid in stopped:
            _kill(pid, signal.SIGCONT)

    def kill_redis(self) -> None:
        """Kill -9 Redis; what it has answered is on its disk."""
        self._redis.kill()
        self._wait(self._rng.uniform(0, 3))
        self._redis.start()
        self._redis.wait_ready()

    def hang_redis(self) -> None:
        """Let Redis stand still."""
        self._redis.signal(signal.SIGSTOP)
        self._wait(self._rng.uniform(1, 2 * self._lease_s))
        self._redis.signal(signal.SIGCONT)

    def cut_connections(self) -> None:
        """Close every connection to Redis but this one."""
        with self._connect() as redis:
            for kind in ("normal", "pubsub"):
                redis.client_kill_filter(_type=kind, skipme=True)

    def slow_site(self) -> None:
        """Let list pages take their time, until the next time."""
        self._site.have(slow_ms=self._rng.choice([0, 200, 1500]))

    def _pick(self) -> tuple[str, Process]:
        return self._rng.choice(sorted(self._workers.items(), key=lambda pair: pair[0]))

    def _start_again(self, worker: Process) -> None:
        self._wait(self._rng.uniform(0, 3))
        worker.start()

    def _wait(self, seconds: float) -> None:
        # Not on the end of the soak: a fault is ended in order.
        threading.Event().wait(seconds)

    def _connect(self) -> Redis:
        return Redis.from_url(self._redis.url, decode_responses=True)

    def _note(self, worker: str) -> None:
        """Note whose job this worker has."""
        with suppress(RedisError), self._connect() as redis:
            for job_id in redis.zrange(keys.ACTIVE, 0, -1):
                holder, attempt = redis.hmget(keys.record(str(job_id)), "worker", "attempt")
                if str(holder).startswith(f"{worker}@"):
                    self.struck.append((str(job_id), int(attempt or 0), time.monotonic()))


def _kill(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # it has ended meanwhile
        os.kill(pid, number)
