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
from jobs.model.lease_policy import LeasePolicy
from jobs.model.record import JobRecord
from jobs.redis.sync_client import connect_without_retries
from jobs.result_backend import FencedRedisBackend
from jobs.store.completion import Completer, CompletionPolicy
from jobs.store.reconciler import Reconciler

_ALIVE_INTERVAL_S = 4.0


class ReconciliationStep(bootsteps.StartStopStep):
    """Runs on the timer of Celery's event loop, so that a worker that hangs stops doing it.

    Celery restarts the steps of a consumer after each lost connection, and clears its timer.
    """

    requires = ("celery.worker.consumer.connection:Connection",)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        backend = parent.app.backend
        assert isinstance(backend, FencedRedisBackend)  # noqa: S101 - make_celery sets no other
        backend.worker_name = parent.hostname
        redis = connect_without_retries(parent.app.conf.garimpo_redis)
        lease_policy: LeasePolicy = parent.app.conf.garimpo_lease_policy
        completion_policy = CompletionPolicy(
            result_ttl=timedelta(seconds=backend.expires), check_after=lease_policy.lease
        )
        self._reconciler = Reconciler(
            redis,
            lease_policy,
            Completer(redis, completion_policy),
            parent.hostname,
            partial(self._publish_end, parent),
        )
        self._interval_s = lease_policy.reconcile_interval.total_seconds()
        self._alive_file: Path | None = parent.app.conf.garimpo_alive_file
        self._was_blocked = False
        self._timers: list[Any] = []

    def start(self, parent: Any) -> None:
        """Start the timers when the worker is connected to the broker."""
        self._touch_alive_file()
        self._timers = [
            parent.timer.call_repeatedly(_ALIVE_INTERVAL_S, self._touch_alive_file),
            parent.timer.call_repeatedly(
                _ALIVE_INTERVAL_S, self._check_acknowledgements, (parent,)
            ),
            parent.timer.call_repeatedly(self._interval_s, self._reconcile),
        ]

    def stop(self, _parent: Any) -> None:
        """Stop the timers with the connection or the worker."""
        for timer in self._timers:
            timer.cancel()

    def _touch_alive_file(self) -> None:
        if self._alive_file:
            self._alive_file.touch()

    def _check_acknowledgements(self, parent: Any) -> None:
        """Make Celery reconnect if it waits for the end of a task that has ended.

        An acknowledgement that cannot reach Redis is only logged, and no other message is accepted
        until it is made (celery/celery#2415): without another cause to reconnect, never.
        """
        consumer = parent.task_consumer
        blocked = consumer and not reserved_requests and not consumer.channel.qos.can_consume()
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
            # The broker is the same Redis: Celery logs that it is away, and restarts this step.
            return


def publish_task_event(dispatcher: Any, record: JobRecord) -> None:
    """Publish task-succeeded or task-failed for a job; repeated events change nothing in Flower.

    Args:
        dispatcher: The worker's `celery.events.EventDispatcher`.
        record: A job that has ended.

    If Redis is down, the dispatcher buffers the event.
    """
    if record.ended_at is None:
        return
    fields: dict[str, Any] = {"uuid": record.id, "name": record.request.task_name}
    event_type = "task-succeeded"
    if record.failure:
        event_type = "task-failed"
        fields["exception"] = repr(JobFailedError(record.failure.code, record.failure.details))
    # Flower shows the worker that ran the job, not the one that publishes this event.
    worker = record.worker or dispatcher.hostname
    make_event = partial(_make_event, worker, record.ended_at.timestamp())
    dispatcher.publish(event_type, fields, dispatcher.producer, Event=make_event)


def _make_event(worker: str, ended_at: float, event_type: str, **fields: Any) -> dict[str, Any]:
    event: dict[str, Any] = Event(
        event_type, **{**fields, "hostname": worker, "timestamp": ended_at}
    )
    return event
