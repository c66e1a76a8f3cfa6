"""Celery's result backend, with one door: nothing is stored that the job's record does not allow.

Celery writes results by itself, outside of any lease: after a task returns, when a hard time limit
strikes, at a revoke, for a name that it does not know; and its first SUCCESS sticks for ever. Here
every such write goes through the scripts that change the record, token and all, or is dropped. So
the record, `AsyncResult` and Flower say the same after every fault.
"""

import logging
from datetime import timedelta
from functools import cached_property
from typing import Any

from billiard.exceptions import TimeLimitExceeded
from celery import Celery, states
from celery.backends.redis import RedisBackend
from celery.exceptions import NotRegistered
from redis import Redis

from jobs.failure import FailureCode, JobFailedError
from jobs.log_config import failure_fields, job_fields
from jobs.model.record import ProgressMessage
from jobs.redis.sync_client import connect_patient
from jobs.store.completion import UNLEASED, Completer, JobOutcome, worker_authority
from jobs.store.leased_jobs import LeasedJobStore

logger = logging.getLogger(__name__)

#: The state of a running job in Celery's eyes: `update_state(state=PROGRESS, meta=…)`.
PROGRESS = "PROGRESS"


def to_job_failure(error: BaseException) -> JobFailedError:
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

    app: Celery
    #: A result's life in seconds: set by Celery's own class.
    expires: int
    #: The name of the worker that this process is, or is a child of.
    worker_name = ""

    def _create_client(self, **_params: object) -> Redis:
        # Celery would build a client from settings of its own; one client, one behaviour.
        return connect_patient(self.app.conf.garimpo_redis)

    @cached_property
    def leased_jobs(self) -> LeasedJobStore:
        """What a worker writes to its jobs, over this backend's connection."""
        return LeasedJobStore(self.client, self.app.conf.garimpo_leasing)

    @cached_property
    def completer(self) -> Completer:
        """What ends jobs, over this backend's connection."""
        return Completer(self.client, result_ttl=timedelta(seconds=self.expires))

    def store_result(
        self,
        task_id: str,
        result: Any,
        state: str,
        traceback: str | None = None,  # noqa: ARG002 -- stays in the log
        request: object = None,
        **_kwargs: object,
    ) -> Any:
        """Store a task's state, if its authority over the job allows it.

        Raises:
            LeaseLostError: For progress alone, so that a scrape which lost its job stops.
        """
        token = getattr(request, "lease_token", None)
        task = str(getattr(request, "task", None) or getattr(request, "name", ""))
        if state == PROGRESS and token:
            said = ProgressMessage(result["key"], result["args"])
            self.leased_jobs.set_progress(task_id, token, result["progress"], said)
            return result
        failed = self._find_failure(task_id, state, result, token)
        if failed:
            ending = JobOutcome.failed(task_id, failed)
        elif state == states.SUCCESS and token:
            ending = JobOutcome.completed(task_id, result)
        else:
            logger.info("%s of %s is not stored: it has no lease", state, task_id)
            return result
        authorities = self._find_authorities(state, result, token)
        attempts = (
            self.completer.complete(task_id, authority, task, ending) for authority in authorities
        )
        ended = next(filter(None, attempts), None)
        if not ended:
            logger.warning("the end of %s is not stored: the job is no longer ours", task_id)
        elif ended == "now" and failed and not token:
            # Who has the lease tells of the end itself.
            level = logging.INFO if failed.code is FailureCode.CANCELLED else logging.WARNING
            fields = job_fields(task, task_id) | failure_fields(failed)
            logger.log(level, "job failed", extra=fields)
        return result

    def _find_failure(
        self, task_id: str, state: str, result: Any, token: str | None
    ) -> JobFailedError | None:
        """Say why a job has failed by this write of Celery's; None if it has not."""
        if state == states.REVOKED:
            return JobFailedError(FailureCode.CANCELLED)
        if state != states.FAILURE:
            return None
        if isinstance(result, TimeLimitExceeded):
            read = {"items": len(self.leased_jobs.get_items(task_id))}
            return JobFailedError(FailureCode.TIME_LIMIT, read)
        return to_job_failure(result) if token or isinstance(result, NotRegistered) else None

    def _find_authorities(self, state: str, result: object, token: str | None) -> list[str]:
        """Say by what right; each is tried."""
        if token:
            return [token]
        if state == states.REVOKED:
            return [UNLEASED, worker_authority(self.worker_name)]
        # A hard limit is told by the main process, which then kills the child that has the token.
        return [
            UNLEASED if isinstance(result, NotRegistered) else worker_authority(self.worker_name)
        ]
