"""What a worker that scrapes does besides: it says what it does, and ends lost browsers."""

from datetime import timedelta
from typing import Any

from celery import bootsteps
from celery.worker.state import active_requests
from redis.exceptions import RedisError

from jobs.connection import connect_impatient
from jobs.message import SEND
from jobs.presence import Doing, WorkerList
from worker.browsers import Browsers, LeftSessions

#: How often a worker says that it is alive, and for how long it is believed.
_PRESENT_EVERY_S = 4.0
_BELIEVED = timedelta(seconds=15)

#: How often browsers are looked for that nobody looks after: it means a look at every process.
_SWEEP_EVERY_S = 15.0


class Upkeep(bootsteps.StartStopStep):
    """Runs on the timer of Celery's event loop, so that a worker that hangs falls silent.

    Celery starts a consumer's steps anew after each lost connection, and clears its timer.
    """

    requires = ("celery.worker.consumer.connection:Connection",)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        redis = connect_impatient(parent.app.conf.garimpo_redis)
        self._list = WorkerList(redis)
        self._browsers = Browsers()
        end_session = parent.app.conf.garimpo_end_session
        self._left = LeftSessions(redis, end_session) if end_session else None
        self._repeating: list[Any] = []

    def start(self, parent: Any) -> None:
        """Begin when the worker has its connection to the broker."""
        self._present(parent.hostname, _BELIEVED)
        # What an earlier worker has left behind is ended by the second look.
        self._browsers.sweep()
        self._repeating = [
            parent.timer.call_repeatedly(
                _PRESENT_EVERY_S, self._present, (parent.hostname, _BELIEVED)
            ),
            parent.timer.call_repeatedly(_SWEEP_EVERY_S, self._browsers.sweep),
        ]

    def stop(self, parent: Any) -> None:
        """End with the connection or the worker."""
        for entry in self._repeating:
            entry.cancel()
        self._present(parent.hostname, timedelta(0))

    def _present(self, name: str, believed: timedelta) -> None:
        try:
            self._list.present(name, self._doing(), believed)
            if self._left:
                self._left.sweep()
        except RedisError:
            # The broker is the same Redis: Celery says that it is away, and starts us again.
            return

    def _doing(self) -> Doing:
        jobs = [request.id for request in active_requests if request.name != SEND]
        return Doing(jobs, self._browsers.memory_mb(), self._browsers.orphans)
