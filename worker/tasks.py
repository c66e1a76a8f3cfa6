"""One Celery task for each job of each recipe: a thin shell around `run_job`."""

import logging
import time
from dataclasses import dataclass
from functools import partial
from typing import Any, cast
from uuid import uuid4

from celery import Celery, Task
from structlog.contextvars import bind_contextvars

from jobs.backend import PROGRESS, FencedRedisBackend
from jobs.connection import AWAY, connect_impatient
from jobs.failure import FailureCode, JobFailedError
from jobs.job import task_name
from jobs.lease import Lease, LeaseLostError, Leases, NothingToRunError, progress_meta
from jobs.leasing import Leasing
from jobs.logs import failure_fields, job_fields
from jobs.reconciler import ENDS, end_unheld
from jobs.record import Message
from worker.heart import Heart
from worker.logs import JobRequest
from worker.run import run_job
from worker.scraping import Scraping

logger = logging.getLogger(__name__)


def register(app: Celery, scraping: Scraping, leasing: Leasing) -> None:
    """Give the worker a task for every job that its recipes have.

    Args:
        app: The worker's Celery app.
        scraping: The recipes, and with what they are run.
        leasing: The times of leases.
    """
    hearts = Leases(connect_impatient(app.conf.garimpo_redis), leasing)
    shell = _Shell(cast("FencedRedisBackend", app.backend), scraping, leasing, hearts)

    def run(task: Task[..., Any], job_id: str) -> dict[str, Any]:
        return shell.run(task, job_id)

    for site, recipe in scraping.recipes.items():
        for name in recipe.jobs:
            app.task(
                name=task_name(site, name),
                bind=True,
                shared=False,
                Request=JobRequest,
                # A failed scrape is an answer, not a stack trace.
                throws=(JobFailedError,),
                # What Flower shows of the rows: that there are some.
                resultrepr_maxsize=80,
                # The last resort, if a job does not end at its own limit.
                time_limit=scraping.hard_limit_s(site, name),
            )(run)


@dataclass(frozen=True)
class _Shell:
    """What is between Celery and a job: the claim, and how each way out is told."""

    backend: FencedRedisBackend
    scraping: Scraping
    leasing: Leasing
    #: Over a connection that gives up at once: a heartbeat that waits is none.
    hearts: Leases

    def run(self, task: Task[..., Any], job_id: str) -> dict[str, Any]:
        # Celery shows it to the backend with every write, also if something breaks in between.
        token = uuid4().hex
        task.request.update(lease_token=token)
        worker = str(task.request.hostname)
        # On every line from here until Celery has stored the end (`worker.logs` takes it away).
        bind_contextvars(**job_fields(task.name, job_id))
        leases = self.backend.leases
        end = partial(_end, time.monotonic())

        def tell(percent: int, said: Message) -> None:
            task.update_state(state=PROGRESS, meta=progress_meta(percent, said))

        try:
            lease = _claim(self.backend, job_id, worker, self.leasing.crashes, token)
            bind_contextvars(attempt=lease.record.attempt)
            logger.info("job started", extra={"pages_done": len(lease.pages)})
            result = run_job(lease, leases, self.scraping, tell, partial(self._make_heart, lease))
        except SystemExit:
            # SIGTERM: another worker goes on from the last finished page.
            if leases.release(task.name, job_id, token):
                logger.info("job released", extra=end("released"))
            raise
        except NothingToRunError:
            raise
        except (LeaseLostError, *AWAY) as lost:
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
        recipe_job = self.scraping.recipes[lease.record.site].jobs[lease.record.job]
        items = result[f"total_{recipe_job.collection}"]
        pages = result["pages_read"]
        logger.info("job completed", extra=end("completed", pages=pages, items=items))
        return result

    def _make_heart(self, lease: Lease, limit_s: float) -> Heart:
        beat = partial(self.hearts.heartbeat, lease.record.id, lease.token)
        return Heart(beat, every_s=self.leasing.heartbeat.total_seconds(), limit_s=limit_s)


def _claim(
    backend: FencedRedisBackend,
    job_id: str,
    worker: str,
    crashes: int,
    token: str | None = None,
) -> Lease:
    """Take the job; end it instead, if that is what is left to do.

    Raises:
        NothingToRunError: There is nothing to run.
    """
    try:
        return backend.leases.claim(job_id, worker, Message("starting", {}), token)
    except NothingToRunError as nothing:
        logger.info("nothing to run", extra={"why": nothing.why})
        if nothing.why in ENDS and (record := backend.leases.look(job_id)):
            code = ENDS[nothing.why]
            end_unheld(backend.endings, record.asked, code, crashes=crashes)
            failed = JobFailedError(code, {"crashes": crashes})
            logger.warning("job failed", extra=failure_fields(failed))
        raise


def _end(started: float, outcome: str, **fields: object) -> dict[str, object]:
    """Return the fields of an attempt's last line.

    Args:
        started: When it began, on the monotonic clock.
        outcome: `completed`, `failed`, `released` or `lost`.
        fields: What else there is to say.
    """
    return {"outcome": outcome, "seconds": round(time.monotonic() - started, 3), **fields}
