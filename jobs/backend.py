"""Celery's result backend, with one door: nothing is stored that the job's record does not allow.

Celery writes results by itself, outside of any lease: after a task returns, when a hard time limit
strikes, at a revoke, for a name that it does not know; and its first SUCCESS sticks for ever. Here
every such write goes through the scripts that change the record, token and all, or is dropped. So
the record, `AsyncResult` and Flower say the same after every fault.
"""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from celery import states
from celery.backends.redis import RedisBackend
from celery.exceptions import NotRegistered
from redis import Redis

from jobs.failure import FailureCode, JobFailedError
from jobs.lease import Ending, JobLeases, connect, result_meta
from jobs.record import Failure, Message
from jobs.state import State

logger = logging.getLogger(__name__)

#: The state of a running job in Celery's eyes: `update_state(state=PROGRESS, meta=…)`.
PROGRESS = "PROGRESS"


def failure_of(error: BaseException) -> JobFailedError:
    """Say what a caller is told of the exception that ended a task."""
    if isinstance(error, JobFailedError):
        return error
    if isinstance(error, NotRegistered):
        return JobFailedError(FailureCode.RECIPE_UNKNOWN)
    # Its text and traceback stay in the log: they may hold what is nobody's business.
    return JobFailedError(FailureCode.INTERNAL_ERROR)


class FencedRedisBackend(RedisBackend):
    """Stores through `JobLeases` alone; reads, waits and expiry are Celery's.

    A task shows its lease by setting `lease_token` on its request (`Task.request`), which Celery
    hands to every write of that delivery.
    """

    #: Redis' address, and a result's life in seconds: set by Celery's own class.
    url: str
    expires: int

    def _create_client(self, **_params: object) -> Redis:
        # Celery would build a client from settings of its own; one client, one behaviour.
        return connect(self.url)

    @cached_property
    def leases(self) -> JobLeases:
        """What a worker writes to records, over this backend's connection."""
        return JobLeases(self.client, result_ttl=timedelta(seconds=self.expires))

    def store_result(
        self,
        task_id: str,
        result: Any,
        state: str,
        traceback: str | None = None,  # noqa: ARG002 -- stays in the log
        request: object = None,
        **_kwargs: object,
    ) -> Any:
        """Store a task's state, if its lease (or, for an unknown name, its waiting) allows it.

        Raises:
            LeaseLostError: For progress alone, so that a scrape which lost its job stops.
        """
        token = getattr(request, "lease_token", "")
        task = str(getattr(request, "task", None) or getattr(request, "name", ""))
        if state == PROGRESS:
            said = Message(result["key"], result["args"])
            self.leases.progress(task_id, token, result["progress"], said)
        elif state == states.SUCCESS and token:
            self._end(task_id, token, task, self._completed(task_id, result))
        elif state == states.FAILURE and (token or isinstance(result, NotRegistered)):
            self._end(task_id, token, task, self._failed(task_id, result))
        else:
            logger.info("%s of %s is not stored: it has no lease", state, task_id)
        return result

    def _end(self, task_id: str, token: str, task: str, ending: Ending) -> None:
        if not self.leases.finish(task_id, token, task, ending):
            logger.warning("the end of %s is not stored: the job is no longer ours", task_id)

    def _completed(self, task_id: str, result: Mapping[str, Any]) -> Ending:
        done_at = datetime.now(UTC).isoformat()
        return Ending(State.COMPLETED, result_meta(task_id, states.SUCCESS, result, done_at))

    def _failed(self, task_id: str, error: BaseException) -> Ending:
        reason = failure_of(error)
        stored = self.encode_result(reason, states.FAILURE)
        meta = result_meta(task_id, states.FAILURE, stored, datetime.now(UTC).isoformat())
        return Ending(State.FAILED, meta, Failure(reason.code, reason.details))
