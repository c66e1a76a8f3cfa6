"""Celery's events of the end of jobs, for Flower: one for each job."""

from collections.abc import Sequence
from typing import Any

from celery.app.events import Events
from celery.events import Event, EventDispatcher
from celery.utils.time import utcoffset
from kombu.exceptions import BatchPublishError  # type: ignore[attr-defined] # not in its stubs
from redis.exceptions import RedisError

from jobs.failure import JobFailedError
from jobs.model.record import JobRecord
from jobs.redis.message_check import is_job_id

_SUCCEEDED = "task-succeeded"
_FAILED = "task-failed"


class JobEventDispatcher(EventDispatcher):
    """Publishes the ends that are stored, and drops those that Celery has seen.

    Celery sees no end that it did not make itself, such as that of a waiting job that is cancelled,
    and takes one for an end that is not: that of a worker that has lost its lease.
    """

    # Not in the stubs of Celery's class.
    producer: Any
    exchange: Any
    serializer: str
    headers: Any
    delivery_mode: Any
    pid: int
    clock: Any

    def send(self, type: str, *args: Any, **fields: Any) -> Any:  # noqa: A002 - Celery's name
        """Publish an event of Celery's, if it is not the end of a job's task."""
        if type in {_SUCCEEDED, _FAILED} and is_job_id(str(fields.get("uuid"))):
            return None
        return super().send(type, *args, **fields)

    def publish_ends(self, records: Sequence[JobRecord]) -> list[bool]:
        """Publish task-succeeded or task-failed for jobs that have ended, in one round trip.

        Returns:
            By record: whether anybody has received it.

        Raises:
            redis.RedisError: Redis did not answer.
        """
        if not self.producer:
            return [False] * len(records)
        receivers = self.producer.channel.receivers
        receivers.clear()
        try:
            with self.producer.batch(max_size=len(records) + 1):
                for record in records:
                    self._publish_end(record)
        except BatchPublishError as error:
            if isinstance(error.__cause__, RedisError):
                raise error.__cause__ from None
            raise
        return [count > 0 for count in receivers]

    def _publish_end(self, record: JobRecord) -> None:
        assert record.ended_at  # noqa: S101 - the caller's
        fields: dict[str, Any] = {"uuid": record.id, "name": record.request.task_name}
        if failure := record.failure:
            fields["exception"] = (
                repr(JobFailedError(failure.code, failure.details))
                if failure.is_known
                else repr(failure.code)
            )
        elif record.started_at:
            fields["runtime"] = (record.ended_at - record.started_at).total_seconds()
        event_type = _FAILED if failure else _SUCCEEDED
        event = Event(
            event_type,
            # Flower shows the worker that ran the job, not the one that publishes this event.
            hostname=record.worker or self.hostname,
            timestamp=record.ended_at.timestamp(),
            utcoffset=utcoffset(),
            pid=self.pid,
            clock=self.clock.forward(),
            **fields,
        )
        # Not with `publish`, which keeps what could not be published instead of raising.
        self.producer.publish(
            event,
            routing_key=event_type.replace("-", "."),
            exchange=self.exchange.name,
            declare=[self.exchange],
            serializer=self.serializer,
            headers=self.headers,
            delivery_mode=self.delivery_mode,
        )


class JobEvents(Events):
    """Celery's events with this dispatcher."""

    dispatcher_cls = f"{__name__}:{JobEventDispatcher.__name__}"


#: The name of the class, as Celery expects it in `app.events_cls`.
EVENTS_CLASS = f"{__name__}:{JobEvents.__name__}"
