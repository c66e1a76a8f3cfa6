"""Celery bootstep: liveness file, reconciler, stuck-acknowledgement watchdog."""

from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from celery import bootsteps
from celery.events import Event
from celery.worker.state import reserved_requests
from redis.exceptions import ConnectionError as LostConnectionError
from redis.exceptions import RedisError

from jobs.failure import JobFailedError
from jobs.model.record import JobRecord
from jobs.redis.sync_client import connect_impatient
from jobs.result_backend import FencedRedisBackend
from jobs.store.completion import Completer
from jobs.store.reconciler import Reconciler


def publish_task_event(dispatcher: Any, record: JobRecord) -> None:
    """Publish the event of a job's end; whoever has heard of it before learns nothing new.

    Args:
        dispatcher: The worker's `celery.events.EventDispatcher`.
        record: A job that has ended.

    Raises:
        kombu.exceptions.OperationalError: Redis did not answer.
    """
    if record.ended_at is None:
        return
    fields: dict[str, Any] = {"uuid": record.id, "name": record.request.task_name}
    kind = "task-succeeded"
    if record.failure:
        kind = "task-failed"
        fields["exception"] = repr(JobFailedError(record.failure.code, record.failure.details))
    # Flower shows both with the job: the worker that had it, not the one that tells of it.
    worker = record.worker or dispatcher.hostname
    event = partial(_make_event, worker, record.ended_at.timestamp())
    dispatcher.publish(kind, fields, dispatcher.producer, Event=event)


def _make_event(worker: str, ended_at: float, kind: str, **fields: Any) -> dict[str, Any]:
    event: dict[str, Any] = Event(kind, **{**fields, "hostname": worker, "timestamp": ended_at})
    return event


_ALIVE_EVERY_S = 4.0


class ReconciliationStep(bootsteps.StartStopStep):
    """Runs on the timer of Celery's event loop, so that a worker that hangs falls silent.

    Celery starts a consumer's steps anew after each lost connection, and clears its timer.
    """

    requires = ("celery.worker.consumer.connection:Connection",)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        backend, name = parent.app.backend, parent.hostname
        assert isinstance(backend, FencedRedisBackend)  # noqa: S101 - make_celery gives no other
        backend.worker_name = name
        redis = connect_impatient(parent.app.conf.garimpo_redis)
        leasing = parent.app.conf.garimpo_leasing
        endings = Completer(redis, result_ttl=timedelta(seconds=backend.expires))
        self._reconciler = Reconciler(
            redis, leasing, endings, name, partial(self._publish_end, parent)
        )
        self._interval_s = leasing.reconcile_interval.total_seconds()
        self._alive_file: Path | None = parent.app.conf.garimpo_alive_file
        self._was_blocked = False
        self._timers: list[Any] = []

    def start(self, parent: Any) -> None:
        """Begin when the worker has its connection to the broker."""
        self._touch_alive_file()
        self._timers = [
            parent.timer.call_repeatedly(_ALIVE_EVERY_S, self._touch_alive_file),
            parent.timer.call_repeatedly(_ALIVE_EVERY_S, self._check_acknowledgements, (parent,)),
            parent.timer.call_repeatedly(self._interval_s, self._reconcile),
        ]

    def stop(self, _parent: Any) -> None:
        """End with the connection or the worker."""
        for entry in self._timers:
            entry.cancel()

    def _touch_alive_file(self) -> None:
        if self._alive_file:
            self._alive_file.touch()

    def _check_acknowledgements(self, parent: Any) -> None:
        """Have Celery connect anew if it waits for the end of a job that has ended.

        An acknowledgment that finds no Redis is only logged, and no other message is taken until it
        is made (celery/celery#2415): as long as nothing else breaks the connection, for ever.
        """
        messages = parent.task_consumer
        blocked = messages and not reserved_requests and not messages.channel.qos.can_consume()
        if blocked and self._was_blocked:
            message = "a message could not be acknowledged"
            raise LostConnectionError(message)
        self._was_blocked = blocked

    def _publish_end(self, parent: Any, record: JobRecord) -> None:
        if parent.event_dispatcher:
            publish_task_event(parent.event_dispatcher, record)

    def _reconcile(self) -> None:
        try:
            self._reconciler.run_once()
        except RedisError:
            # The broker is the same Redis: Celery says that it is away, and starts us again.
            return
