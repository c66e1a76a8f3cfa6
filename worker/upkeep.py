"""What a worker does beside its jobs: it tells that it is alive, and puts back what got lost."""

from datetime import timedelta
from typing import Any

from celery import bootsteps
from redis.exceptions import RedisError

from jobs.backend import FencedRedisBackend
from jobs.connection import connect_impatient
from jobs.ending import Endings
from jobs.presence import WorkerList
from jobs.reconciler import Reconciler

#: How often a worker says that it is alive, and for how long it is believed.
_PRESENT_EVERY_S = 4.0
_BELIEVED = timedelta(seconds=15)


class Upkeep(bootsteps.StartStopStep):
    """Runs on the timer of Celery's event loop, so that a worker that hangs falls silent.

    Celery starts a consumer's steps anew after each lost connection, and clears its timer.
    """

    requires = ("celery.worker.consumer.connection:Connection",)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        backend, name = parent.app.backend, parent.hostname
        assert isinstance(backend, FencedRedisBackend)  # noqa: S101 - make_celery gives no other
        backend.worker = name
        redis = connect_impatient(parent.app.conf.broker_url)
        leasing = parent.app.conf.garimpo_leasing
        endings = Endings(redis, result_ttl=timedelta(seconds=backend.expires))
        self._list = WorkerList(redis)
        self._reconciler = Reconciler(redis, leasing, endings, name)
        self._reconcile_every_s = leasing.reconcile.total_seconds()
        self._repeating: list[Any] = []

    def start(self, parent: Any) -> None:
        """Begin when the worker has its connection to the broker."""
        self._present(parent.hostname, _BELIEVED)
        self._repeating = [
            parent.timer.call_repeatedly(
                _PRESENT_EVERY_S, self._present, (parent.hostname, _BELIEVED)
            ),
            parent.timer.call_repeatedly(self._reconcile_every_s, self._look),
        ]

    def stop(self, parent: Any) -> None:
        """End with the connection or the worker."""
        for entry in self._repeating:
            entry.cancel()
        self._present(parent.hostname, timedelta(0))

    def _present(self, name: str, believed: timedelta) -> None:
        try:
            self._list.present(name, believed)
        except RedisError:
            # The broker is the same Redis: Celery says that it is away, and starts us again.
            return

    def _look(self) -> None:
        try:
            self._reconciler.look()
        except RedisError:
            return
