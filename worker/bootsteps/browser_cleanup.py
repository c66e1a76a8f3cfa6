"""Celery bootstep: worker registration, and removal of orphaned browsers."""

import logging
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any, cast

import psutil
from celery import bootsteps
from celery.worker.state import active_requests
from redis import Redis
from redis.exceptions import RedisError

from jobs.redis import keys
from jobs.redis.sync_client import connect_without_retries
from jobs.store.worker_registry import WorkerRegistry, WorkerStatus
from scraper.browser.chromedriver import scratch_prefix
from scraper.browser.owned_folder import remove_abandoned_folders
from scraper.browser.processes import browsers_below, find_orphans, memory_mb
from worker.temp_folder import worker_folder_prefix

logger = logging.getLogger(__name__)


class RemoteSessionReaper:
    """Ends browser sessions at a remote end whose jobs ended without their workers.

    A session stays on the list until it is gone, so that another worker ends it if this one is
    killed meanwhile. The list expires an hour after its last entry.
    """

    def __init__(self, redis: Redis, end_session: Callable[[str], bool]) -> None:
        """Prepare the first sweep.

        Args:
            redis: The connection; also used by a thread.
            end_session: Ends a session by its id and returns whether it is gone; may block.
        """
        self._redis = redis
        self._end_session = end_session
        self._thread: threading.Thread | None = None

    def sweep(self) -> None:
        """Start to end all sessions on the list, unless an earlier sweep is still running.

        Raises:
            redis.RedisError: Redis did not answer.
        """
        if self._thread and self._thread.is_alive():
            return
        sessions = cast("list[str]", self._redis.lrange(keys.ABANDONED_SESSIONS, 0, -1))
        if sessions:
            # In a thread: the remote end may need 10 s to answer, and sweeps run on an event loop.
            self._thread = threading.Thread(target=self._end, args=(sessions,), daemon=True)
            self._thread.start()

    def _end(self, sessions: list[str]) -> None:
        for session in sessions:
            if self._end_session(session):
                with suppress(RedisError):  # it is still on the list, and ended again later
                    self._redis.lrem(keys.ABANDONED_SESSIONS, 0, session)


class OrphanReaper:
    """Kills orphaned browsers on this machine (for a worker's main process)."""

    def __init__(self) -> None:
        #: The number of orphaned browsers that were killed.
        self.orphans = 0
        self._suspects: set[psutil.Process] = set()

    def memory_mb(self) -> int:
        """Return the memory of this worker's browsers in MiB: RSS without shared pages."""
        return memory_mb(browsers_below(os.getpid()))

    def sweep(self) -> None:
        """Kill every browser that has been without its guard since the last sweep; remove files.

        A browser that is found for the first time may be about to exit.
        """
        orphans = set(find_orphans())
        for orphan in orphans & self._suspects:
            try:
                orphan.kill()
            except psutil.Error:  # it has exited, or belongs to another user
                continue
            self.orphans += 1
            logger.warning("killed orphaned browser: process %d", orphan.pid)
        self._suspects = orphans
        for prefix in (scratch_prefix(), worker_folder_prefix()):
            for folder in remove_abandoned_folders(prefix):
                logger.info("removed files of a worker that was killed", extra={"folder": folder})


#: The interval at which a worker registers as alive, and the expiry of a registration.
_HEARTBEAT_INTERVAL_S = 4.0
_HEARTBEAT_TTL = timedelta(seconds=15)

#: The interval of searches for orphaned browsers, which read every process.
_SWEEP_INTERVAL_S = 15.0


class BrowserCleanupStep(bootsteps.StartStopStep):
    """Runs on the timer of Celery's event loop, so that a worker that hangs stops doing it.

    Celery restarts the steps of a consumer after each lost connection, and clears its timer.
    """

    requires = ("celery.worker.consumer.connection:Connection",)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        redis = connect_without_retries(parent.app.conf.garimpo_redis)
        self._registry = WorkerRegistry(redis)
        self._browsers = OrphanReaper()
        end_session = parent.app.conf.garimpo_end_session
        self._sessions = RemoteSessionReaper(redis, end_session) if end_session else None
        self._timers: list[Any] = []

    def start(self, parent: Any) -> None:
        """Start the timers when the worker is connected to the broker."""
        self._send_heartbeat(parent.hostname, _HEARTBEAT_TTL)
        # The orphans of an earlier worker are killed by the second sweep.
        self._browsers.sweep()
        self._timers = [
            parent.timer.call_repeatedly(
                _HEARTBEAT_INTERVAL_S, self._send_heartbeat, (parent.hostname, _HEARTBEAT_TTL)
            ),
            parent.timer.call_repeatedly(_SWEEP_INTERVAL_S, self._browsers.sweep),
        ]

    def stop(self, parent: Any) -> None:
        """Stop the timers with the connection or the worker."""
        for timer in self._timers:
            timer.cancel()
        self._send_heartbeat(parent.hostname, timedelta(0))

    def _send_heartbeat(self, name: str, ttl: timedelta) -> None:
        try:
            self._registry.heartbeat(name, self._read_status(), ttl)
            if self._sessions:
                self._sessions.sweep()
        except RedisError:
            # The broker is the same Redis: Celery logs that it is away, and restarts this step.
            return
        except Exception:
            # The next heartbeat is seconds away; this one must not end the worker as it starts.
            logger.exception("heartbeat failed unexpectedly")

    def _read_status(self) -> WorkerStatus:
        jobs = [request.id for request in active_requests]
        return WorkerStatus(jobs, self._browsers.memory_mb(), self._browsers.orphans)
