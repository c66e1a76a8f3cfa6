"""Tells the API that this worker is alive."""

from datetime import timedelta
from typing import Any

from celery import bootsteps
from redis.exceptions import RedisError

from jobs.presence import WorkerList, connect

#: How often a worker says so, and for how long it is believed: three words may get lost.
EVERY_S = 4.0
BELIEVED = timedelta(seconds=15)


class Presence(bootsteps.StartStopStep):
    """Runs on the timer of Celery's event loop, so that a worker that hangs falls silent.

    Celery starts a consumer's steps anew after each lost connection, and clears its timer.
    """

    requires = ("celery.worker.consumer.connection:Connection",)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._list = WorkerList(connect(parent.app.conf.broker_url))

    def start(self, parent: Any) -> None:
        """Begin when the worker has its connection to the broker."""
        self._say(parent, BELIEVED)
        self._repeating = parent.timer.call_repeatedly(EVERY_S, self._say, (parent, BELIEVED))

    def stop(self, parent: Any) -> None:
        """End with the connection or the worker."""
        self._repeating.cancel()
        self._say(parent, timedelta(0))

    def _say(self, consumer: Any, believed: timedelta) -> None:
        try:
            self._list.present(consumer.hostname, believed)
        except RedisError:
            # The broker is the same Redis: Celery says that it is away, and starts us again.
            return
