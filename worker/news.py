"""Tells Flower how a job has ended, as Celery does it for the ends that it makes itself."""

from functools import partial
from typing import Any

from celery.events import Event

from jobs.failure import JobFailedError
from jobs.record import JobRecord


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
