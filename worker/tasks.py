"""One Celery task for each job definition of each recipe: a thin shell around `run_job`."""

import logging
import time
from dataclasses import dataclass
from functools import partial
from typing import Any, cast
from uuid import uuid4

from celery import Celery, Task
from structlog.contextvars import bind_contextvars

from jobs.failure import FailureCode, JobFailedError
from jobs.log_config import failure_fields, job_fields
from jobs.model.job import task_name
from jobs.model.lease_policy import LeasePolicy
from jobs.model.record import ProgressMessage
from jobs.model.result import ResultHead
from jobs.model.stored_result import PROGRESS
from jobs.redis.sync_client import UNAVAILABLE_ERRORS, connect_without_retries
from jobs.result_backend import FencedRedisBackend, ProgressUpdate
from jobs.store.leased_jobs import (
    JobCounter,
    JobParkedError,
    Lease,
    LeasedJobStore,
    LeaseLostError,
    NotClaimableError,
    PagesLostError,
    progress_meta,
)
from jobs.store.reconciler import FAILURE_BY_REASON, complete_unleased
from worker.job_runner import run_job
from worker.lease_heartbeat import LeaseHeartbeat
from worker.log_config import LoggedRequest
from worker.scrape_config import ScrapeConfig
from worker.shutdown import release_at_shutdown

logger = logging.getLogger(__name__)


def register_tasks(app: Celery, config: ScrapeConfig, lease_policy: LeasePolicy) -> None:
    """Register a task for every job definition.

    Args:
        app: The worker's Celery app.
        config: The recipes, and the settings to run them with.
        lease_policy: Lease and heartbeat times.
    """
    heartbeat_store = LeasedJobStore(connect_without_retries(app.conf.garimpo_redis), lease_policy)
    backend = cast("FencedRedisBackend", app.backend)
    job_task = JobTask(backend, config, lease_policy, heartbeat_store)

    def run(task: Task[..., Any], job_id: str) -> ResultHead:
        return job_task.run(task, job_id)

    for site, recipe in config.recipes.items():
        for name in recipe.jobs:
            app.task(
                name=task_name(site, name),
                bind=True,
                shared=False,
                Request=LoggedRequest,
                # Celery logs no traceback for a failed scrape.
                throws=(JobFailedError,),
                # The last resort, if a job does not end at its own limit.
                time_limit=config.hard_limit_s(site, name),
            )(run)


@dataclass(frozen=True)
class JobTask:
    """The body of every task: the claim, and what follows from each way a job can end."""

    backend: FencedRedisBackend
    config: ScrapeConfig
    lease_policy: LeasePolicy
    #: Its connection fails at once: a renewal that waits for Redis is of no use.
    heartbeat_store: LeasedJobStore

    def run(self, task: Task[..., Any], job_id: str) -> ResultHead:
        """Claim a job, run it, and return its result.

        Raises:
            JobFailedError: The job ends as failed.
            LeaseLostError: Another worker runs the job, or will; nothing is stored.
        """
        # Celery passes it to the backend with every write, even if something fails in between.
        token = uuid4().hex
        task.request.update(lease_token=token)
        worker = str(task.request.hostname)
        # For all log lines until Celery has stored the end (`worker.log_config` unbinds them).
        bind_contextvars(**job_fields(task.name, job_id))
        store = self.backend.leased_jobs
        end_fields = partial(_end_fields, time.monotonic())

        def report(
            percent: int, message: ProgressMessage, counter: JobCounter | None = None
        ) -> None:
            update: ProgressUpdate = {**progress_meta(percent, message), "counter": counter}
            task.update_state(state=PROGRESS, meta=dict(update))

        def log_release() -> None:
            logger.info("job released", extra=end_fields("released"))

        with release_at_shutdown(partial(store.release, task.name, job_id, token), log_release):
            try:
                lease = claim_or_finish(
                    self.backend, job_id, worker, self.lease_policy.max_crashes, token
                )
                task.request.update(claimed_at=time.monotonic())
                bind_contextvars(attempt=lease.record.attempt)
                logger.info("job started", extra={"pages_done": len(lease.done_pages)})
                result = run_job(
                    lease,
                    store,
                    self.config,
                    report,
                    partial(self._make_heartbeat, lease),
                )
            except (NotClaimableError, JobParkedError):
                raise
            except PagesLostError:
                logger.warning("Redis has lost pages of the job", extra=end_fields("lost"))
                raise
            except (LeaseLostError, *UNAVAILABLE_ERRORS) as error:
                # Or Redis was unavailable for longer than the client waits. Another worker
                # continues.
                logger.warning("lease lost", extra=end_fields("lost"))
                raise LeaseLostError from error
            except JobFailedError as error:
                level = logging.INFO if error.code is FailureCode.CANCELLED else logging.WARNING
                logger.log(level, "job failed", extra=end_fields(**failure_fields(error)))
                raise
            except Exception:
                # The log has the traceback. Celery's events, which Flower shows, have the code
                # only.
                failure = JobFailedError(FailureCode.INTERNAL_ERROR)
                logger.exception("job failed", extra=end_fields(**failure_fields(failure)))
                raise failure from None
        extra = end_fields("completed", pages=result.pages_read, items=result.total)
        logger.info("job completed", extra=extra)
        return result

    def _make_heartbeat(self, lease: Lease, limit_s: float) -> LeaseHeartbeat:
        return LeaseHeartbeat(
            partial(self.heartbeat_store.renew, lease.record.id, lease.token),
            interval_s=self.lease_policy.heartbeat_interval.total_seconds(),
            limit_s=limit_s,
        )


def claim_or_finish(
    backend: FencedRedisBackend,
    job_id: str,
    worker: str,
    max_crashes: int,
    token: str | None = None,
) -> Lease:
    """Claim a job; end it instead if it was cancelled or has crashed too often.

    Raises:
        NotClaimableError: There is nothing to run.
    """
    try:
        return backend.leased_jobs.claim(job_id, worker, ProgressMessage("starting", {}), token)
    except NotClaimableError as error:
        logger.info("nothing to run", extra={"reason": error.reason})
        if error.reason in FAILURE_BY_REASON and (record := backend.leased_jobs.get(job_id)):
            code = FAILURE_BY_REASON[error.reason]
            complete_unleased(backend.completer, record.request, code, crashes=max_crashes)
            failure = JobFailedError(code, {"crashes": max_crashes})
            logger.warning("job failed", extra=failure_fields(failure))
        raise


def _end_fields(started: float, outcome: str, **fields: object) -> dict[str, object]:
    """Return the log fields of an attempt's last line.

    Args:
        started: The time at which it began, on the monotonic clock.
        outcome: `completed`, `failed`, `released`, `waiting` or `lost`.
        fields: More fields.
    """
    return {"outcome": outcome, "seconds": round(time.monotonic() - started, 3), **fields}
