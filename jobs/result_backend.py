"""Celery's result backend, fenced by the job's lease.

Celery stores results without regard to any lease: after a task returns, when a hard time limit
strikes, at a revoke, for an unknown task name; and its first SUCCESS is final. Here each of these
writes goes through the scripts that change the record, and is dropped if the record does not allow
it. So the record, `AsyncResult` and Flower agree after every fault.
"""

import logging
import time
from dataclasses import replace
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
from jobs.model.result import ResultHead
from jobs.model.stored_result import PROGRESS, decode_meta
from jobs.redis.message_check import is_job_id
from jobs.redis.sync_client import connect_with_retries
from jobs.store.completion import (
    UNLEASED,
    Completer,
    CompletionPolicy,
    JobOutcome,
    worker_authority,
)
from jobs.store.leased_jobs import JobCounter, LeasedJobStore, ProgressMeta

logger = logging.getLogger(__name__)


class ProgressUpdate(ProgressMeta, total=False):
    """The meta data of `update_state`."""

    #: The activity that begins; it is counted and not stored.
    counter: JobCounter | None


def to_job_failure(error: BaseException) -> JobFailedError:
    """Return the failure that is reported for the exception that ended a task."""
    if isinstance(error, JobFailedError):
        return error
    if isinstance(error, NotRegistered):
        return JobFailedError(FailureCode.RECIPE_UNKNOWN)
    # Its text and traceback appear in the log only: they may hold data that is not the caller's.
    return JobFailedError(FailureCode.INTERNAL_ERROR)


class FencedRedisBackend(RedisBackend):
    """A result backend that writes through the job stores only; reads and waits are Celery's.

    A task presents its lease by setting `lease_token` on its request (`Task.request`), which Celery
    passes to every write of that task; and `claimed_at` (monotonic clock), for the job's duration.
    """

    app: Celery
    #: The lifetime of results in seconds: set by Celery's own class.
    expires: int
    #: The name of the worker that this process is, or is a child of.
    worker_name = ""

    def _create_client(self, **_params: object) -> Redis:
        # Celery would build a client from settings of its own; one client, one behaviour.
        return connect_with_retries(self.app.conf.garimpo_redis)

    @cached_property
    def leased_jobs(self) -> LeasedJobStore:
        """A worker's writes to its jobs, over this backend's connection."""
        return LeasedJobStore(self.client, self.app.conf.garimpo_lease_policy)

    @cached_property
    def completer(self) -> Completer:
        """The final transition of jobs, over this backend's connection."""
        policy = CompletionPolicy(
            result_ttl=timedelta(seconds=self.expires),
            check_after=self.app.conf.garimpo_lease_policy.lease,
        )
        return Completer(self.client, policy)

    def decode_result(self, payload: str | bytes) -> Any:
        """Decode a stored state; the items of a completed job are stored as compressed blocks."""
        meta = decode_meta(payload if isinstance(payload, str) else payload.decode())
        return self.meta_from_decoded(meta)

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

        Args:
            task_id: The job's id.
            result: A ProgressUpdate, a ResultHead or an exception, by the state.
            state: A Celery state, or PROGRESS.
            traceback: Not stored.
            request: The task's request, with its `lease_token` and `claimed_at`.

        Raises:
            LeaseLostError: For progress only, so that a scrape that has lost its job stops.
        """
        if not is_job_id(task_id):
            return result  # of a task that reads pages of another worker's job
        token = getattr(request, "lease_token", None)
        task_name = str(getattr(request, "task", None) or getattr(request, "name", ""))
        if state == PROGRESS and token:
            self._store_progress(task_id, token, result)
            return result
        failure = self._find_failure(task_id, state, result, token)
        if failure:
            outcome = JobOutcome.failed(task_id, failure)
        elif state == states.SUCCESS and token and isinstance(result, ResultHead):
            outcome = JobOutcome.completed(task_id, result)
        else:
            logger.info("%s of %s is not stored: it has no lease", state, task_id)
            return result
        claimed_at = getattr(request, "claimed_at", None)
        if claimed_at is not None:
            duration = timedelta(seconds=time.monotonic() - claimed_at)
            outcome = replace(outcome, attempt_duration=duration)
        status = next(
            filter(
                None,
                (
                    self.completer.complete(task_id, authority, task_name, outcome)
                    for authority in self._find_authorities(state, result, token)
                ),
            ),
            None,
        )
        if not status:
            logger.warning(
                "result of %s is not stored: the lease is lost, or items are missing",
                task_id,
            )
        elif status == "now" and failure and not token:
            # A task with a lease logs its own end.
            level = logging.INFO if failure.code is FailureCode.CANCELLED else logging.WARNING
            fields = job_fields(task_name, task_id) | failure_fields(failure)
            logger.log(level, "job failed", extra=fields)
        return result

    def _store_progress(self, job_id: str, token: str, update: ProgressUpdate) -> None:
        message = ProgressMessage(update["key"], update["args"])
        self.leased_jobs.set_progress(
            job_id, token, update["progress"], message, update.get("counter")
        )

    def _find_failure(
        self, task_id: str, state: str, result: Any, token: str | None
    ) -> JobFailedError | None:
        """Return the failure that a write of Celery's means for the job; None if it means none."""
        if state == states.REVOKED:
            return JobFailedError(FailureCode.CANCELLED)
        if state != states.FAILURE:
            return None
        if isinstance(result, TimeLimitExceeded):
            read = {"items": self.leased_jobs.count_items(task_id)}
            return JobFailedError(FailureCode.TIME_LIMIT, read)
        return to_job_failure(result) if token or isinstance(result, NotRegistered) else None

    def _find_authorities(self, state: str, result: object, token: str | None) -> list[str]:
        """Return the authorities that a write may have; in order of precedence."""
        if token:
            return [token]
        if state == states.REVOKED:
            return [UNLEASED, worker_authority(self.worker_name)]
        # A hard limit is reported by the main process, which then kills the child with the token.
        is_unknown = isinstance(result, NotRegistered)
        return [UNLEASED if is_unknown else worker_authority(self.worker_name)]
