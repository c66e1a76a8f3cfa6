"""What a worker that scrapes does besides: it says what it does, and ends lost browsers."""

from datetime import timedelta
from typing import Any

from celery import bootsteps
from celery.worker.state import active_requests
from redis.exceptions import RedisError

from jobs.connection import connect_impatient
from jobs.message import SEND_WEBHOOK_TASK
from jobs.presence import WorkerStatus, WorkerRegistry
from worker.browsers import OrphanReaper, RemoteSessionReaper

#: How often a worker says that it is alive, and for how long it is believed.
_HEARTBEAT_INTERVAL_S = 4.0
_HEARTBEAT_TTL = timedelta(seconds=15)

#: How often browsers are looked for that nobody looks after: it means a look at every process.
_SWEEP_INTERVAL_S = 15.0


class BrowserCleanupStep(bootsteps.StartStopStep):
    """Runs on the timer of Celery's event loop, so that a worker that hangs falls silent.

    Celery starts a consumer's steps anew after each lost connection, and clears its timer.
    """

    requires = ("celery.worker.consumer.connection:Connection",)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        redis = connect_impatient(parent.app.conf.garimpo_redis)
        self._registry = WorkerRegistry(redis)
        self._browsers = OrphanReaper()
        end_session = parent.app.conf.garimpo_end_session
        self._sessions = RemoteSessionReaper(redis, end_session) if end_session else None
        self._timers: list[Any] = []

    def start(self, parent: Any) -> None:
        """Begin when the worker has its connection to the broker."""
        self._send_heartbeat(parent.hostname, _HEARTBEAT_TTL)
        # What an earlier worker has left behind is ended by the second look.
        self._browsers.sweep()
        self._timers = [
            parent.timer.call_repeatedly(
                _HEARTBEAT_INTERVAL_S, self._send_heartbeat, (parent.hostname, _HEARTBEAT_TTL)
            ),
            parent.timer.call_repeatedly(_SWEEP_INTERVAL_S, self._browsers.sweep),
        ]

    def stop(self, parent: Any) -> None:
        """End with the connection or the worker."""
        for entry in self._timers:
            entry.cancel()
        self._send_heartbeat(parent.hostname, timedelta(0))

    def _send_heartbeat(self, name: str, believed: timedelta) -> None:
        try:
            self._registry.heartbeat(name, self._read_status(), believed)
            if self._sessions:
                self._sessions.sweep()
        except RedisError:
            # The broker is the same Redis: Celery says that it is away, and starts us again.
            return

    def _read_status(self) -> WorkerStatus:
        jobs = [request.id for request in active_requests if request.name != SEND_WEBHOOK_TASK]
        return WorkerStatus(jobs, self._browsers.memory_mb(), self._browsers.orphans)
