"""Celery bootstep: liveness file, reconciler, stuck-acknowledgement watchdog."""

import logging
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from celery import bootsteps
from celery.worker.state import reserved_requests
from redis.exceptions import ConnectionError as LostConnectionError
from redis.exceptions import RedisError

from jobs.model.lease_policy import LeasePolicy
from jobs.model.record import JobRecord
from jobs.redis.sync_client import connect_without_retries, is_outage
from jobs.result_backend import FencedRedisBackend
from jobs.store.completion import Completer, CompletionPolicy
from jobs.store.reconciler import Reconciler
from worker.task_events import JobEventDispatcher

logger = logging.getLogger(__name__)

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
            partial(self._publish_ends, parent),
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

    def _publish_ends(self, parent: Any, records: Sequence[JobRecord]) -> list[bool]:
        dispatcher = parent.event_dispatcher
        assert isinstance(dispatcher, JobEventDispatcher | None)  # noqa: S101 - the app has no other
        return dispatcher.publish_ends(records) if dispatcher else [False] * len(records)

    def _reconcile(self) -> None:
        try:
            self._reconciler.run_once()
        except RedisError as error:
            # The broker is the same Redis: Celery logs that it is away, and restarts this step.
            if not is_outage(error):
                logger.exception("reconciliation failed")
        except Exception:
            logger.exception("reconciliation failed unexpectedly")
