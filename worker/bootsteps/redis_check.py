"""Celery bootstep: logs whether the Redis server keeps what it has acknowledged."""

import logging
from typing import Any

from celery import bootsteps
from redis.exceptions import RedisError

from jobs.redis.server_state import CHECK_INTERVAL_S, WorkerServerMonitor
from jobs.redis.sync_client import connect_without_retries

logger = logging.getLogger(__name__)


class RedisCheckStep(bootsteps.StartStopStep):
    """Looks at the start of a connection, and then at intervals.

    Celery restarts the steps of a consumer after each lost connection, which a failover is one of.
    """

    requires = ("celery.worker.consumer.connection:Connection",)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._monitor = WorkerServerMonitor(connect_without_retries(parent.app.conf.garimpo_redis))
        self._timer: Any = None

    def start(self, parent: Any) -> None:
        """Look, and start the timer."""
        self._check()
        self._timer = parent.timer.call_repeatedly(CHECK_INTERVAL_S, self._check)

    def stop(self, _parent: Any) -> None:
        """Stop the timer with the connection or the worker."""
        if self._timer:
            self._timer.cancel()

    def _check(self) -> None:
        try:
            self._monitor.check()
        except RedisError:
            # The broker is the same Redis: Celery logs that it is away, and restarts this step.
            return
        except Exception:
            logger.exception("check of Redis failed unexpectedly")
