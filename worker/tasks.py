"""One Celery task for each job of each recipe: a thin shell around `run_job`."""

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
from jobs.redis.sync_client import UNAVAILABLE_ERRORS, connect_impatient
from jobs.result_backend import PROGRESS, FencedRedisBackend
from jobs.store.leased_jobs import (
    Lease,
    LeasedJobStore,
    LeaseLostError,
    NotClaimableError,
    progress_meta,
)
from jobs.store.reconciler import FAILURE_BY_REASON, complete_unleased
from worker.job_runner import run_job
from worker.lease_heartbeat import LeaseHeartbeat
from worker.log_config import LoggedRequest
from worker.scrape_config import ScrapeConfig

logger = logging.getLogger(__name__)


def register_tasks(app: Celery, config: ScrapeConfig, lease_policy: LeasePolicy) -> None:
    """Give the worker a task for every job that its recipes have.

    Args:
        app: The worker's Celery app.
        config: The recipes, and with what they are run.
        lease_policy: The times of leases.
    """
    hearts = LeasedJobStore(connect_impatient(app.conf.garimpo_redis), lease_policy)
    shell = JobTask(cast("FencedRedisBackend", app.backend), config, lease_policy, hearts)

    def run(task: Task[..., Any], job_id: str) -> dict[str, Any]:
        return shell.run(task, job_id)

    for site, recipe in config.recipes.items():
        for name in recipe.jobs:
            app.task(
                name=task_name(site, name),
                bind=True,
                shared=False,
                Request=LoggedRequest,
                # A failed scrape is an answer, not a stack trace.
                throws=(JobFailedError,),
                # What Flower shows of the rows: that there are some.
                resultrepr_maxsize=80,
                # The last resort, if a job does not end at its own limit.
                time_limit=config.hard_limit_s(site, name),
            )(run)


@dataclass(frozen=True)
class JobTask:
    """What is between Celery and a job: the claim, and how each way out is told."""

    backend: FencedRedisBackend
    config: ScrapeConfig
    lease_policy: LeasePolicy
    #: Over a connection that gives up at once: a heartbeat that waits is none.
    heartbeat_store: LeasedJobStore

    def run(self, task: Task[..., Any], job_id: str) -> dict[str, Any]:
        # Celery shows it to the backend with every write, also if something breaks in between.
        token = uuid4().hex
        task.request.update(lease_token=token)
        worker = str(task.request.hostname)
        # On every line from here until Celery has stored the end (`worker.log_config` takes it away).
        bind_contextvars(**job_fields(task.name, job_id))
        leases = self.backend.leased_jobs
        end = partial(_final_log_fields, time.monotonic())

        def tell(percent: int, said: ProgressMessage) -> None:
            task.update_state(state=PROGRESS, meta=progress_meta(percent, said))

        try:
            lease = claim_or_finish(
                self.backend, job_id, worker, self.lease_policy.max_crashes, token
            )
            bind_contextvars(attempt=lease.record.attempt)
            logger.info("job started", extra={"pages_done": len(lease.done_pages)})
            result = run_job(lease, leases, self.config, tell, partial(self._make_heartbeat, lease))
        except SystemExit:
            # SIGTERM: another worker goes on from the last finished page.
            if leases.release(task.name, job_id, token):
                logger.info("job released", extra=end("released"))
            raise
        except NotClaimableError:
            raise
        except (LeaseLostError, *UNAVAILABLE_ERRORS) as lost:
            # Redis was away for longer than is waited for it. Either way another worker goes on.
            logger.warning("job lost", extra=end("lost"))
            raise LeaseLostError from lost
        except JobFailedError as failed:
            # A cancel is what somebody has asked for.
            level = logging.INFO if failed.code is FailureCode.CANCELLED else logging.WARNING
            logger.log(level, "job failed", extra=end(**failure_fields(failed)))
            raise
        except Exception:
            # The log has all of it. Celery's events, which Flower shows, get the code alone.
            internal = JobFailedError(FailureCode.INTERNAL_ERROR)
            logger.exception("job failed", extra=end(**failure_fields(internal)))
            raise internal from None
        recipe_job = self.config.recipes[lease.record.site].jobs[lease.record.job]
        items = result[f"total_{recipe_job.collection}"]
        pages = result["pages_read"]
        logger.info("job completed", extra=end("completed", pages=pages, items=items))
        return result

    def _make_heartbeat(self, lease: Lease, limit_s: float) -> LeaseHeartbeat:
        beat = partial(self.heartbeat_store.renew, lease.record.id, lease.token)
        return LeaseHeartbeat(
            beat, interval_s=self.lease_policy.heartbeat_interval.total_seconds(), limit_s=limit_s
        )


def claim_or_finish(
    backend: FencedRedisBackend,
    job_id: str,
    worker: str,
    max_crashes: int,
    token: str | None = None,
) -> Lease:
    """Take the job; end it instead, if that is what is left to do.

    Raises:
        NothingToRunError: There is nothing to run.
    """
    try:
        return backend.leased_jobs.claim(job_id, worker, ProgressMessage("starting", {}), token)
    except NotClaimableError as nothing:
        logger.info("nothing to run", extra={"why": nothing.reason})
        if nothing.reason in FAILURE_BY_REASON and (record := backend.leased_jobs.get(job_id)):
            code = FAILURE_BY_REASON[nothing.reason]
            complete_unleased(backend.completer, record.request, code, crashes=max_crashes)
            failed = JobFailedError(code, {"crashes": max_crashes})
            logger.warning("job failed", extra=failure_fields(failed))
        raise


def _final_log_fields(started: float, outcome: str, **fields: object) -> dict[str, object]:
    """Return the fields of an attempt's last line.

    Args:
        started: When it began, on the monotonic clock.
        outcome: `completed`, `failed`, `released` or `lost`.
        fields: What else there is to say.
    """
    return {"outcome": outcome, "seconds": round(time.monotonic() - started, 3), **fields}
