"""One Celery task for each job of each recipe: a thin shell around `run_job`."""

import logging
from functools import partial
from typing import Any, cast
from uuid import uuid4

from celery import Celery, Task

from jobs.backend import PROGRESS, FencedRedisBackend
from jobs.connection import connect_impatient
from jobs.failure import FailureCode, JobFailedError
from jobs.job import task_name
from jobs.lease import Lease, LeaseLostError, Leases, NothingToRunError, progress_meta
from jobs.leasing import Leasing
from jobs.reconciler import ENDS, end_unheld
from jobs.record import Message
from worker.heart import Heart
from worker.run import run_job
from worker.scraping import Scraping

logger = logging.getLogger(__name__)

#: What a job may take beyond its own limit until Celery kills it.
_MARGIN_S = 60


def register(app: Celery, scraping: Scraping, leasing: Leasing) -> None:
    """Give the worker a task for every job that its recipes have.

    Args:
        app: The worker's Celery app.
        scraping: The recipes, and with what they are run.
        leasing: The times of leases.
    """
    hearts = Leases(connect_impatient(app.conf.broker_url), leasing)

    def run(task: Task[..., Any], job_id: str) -> dict[str, Any]:
        backend = cast("FencedRedisBackend", app.backend)
        leases = backend.leases
        # Celery shows it to the backend with every write, also if something breaks in between.
        token = uuid4().hex
        task.request.update(lease_token=token)
        lease = _claim(backend, job_id, str(task.request.hostname), leasing.crashes, token)

        def tell(percent: int, said: Message) -> None:
            task.update_state(state=PROGRESS, meta=progress_meta(percent, said))

        def make_heart(limit_s: float) -> Heart:
            beat = partial(hearts.heartbeat, job_id, lease.token)
            return Heart(beat, every_s=leasing.heartbeat.total_seconds(), limit_s=limit_s)

        try:
            return run_job(lease, leases, scraping, tell, make_heart)
        except SystemExit:
            # SIGTERM: another worker goes on from the last finished page.
            leases.release(lease.record.asked, lease.token)
            raise
        except (JobFailedError, LeaseLostError):
            raise
        except Exception:
            # The log has all of it. Celery's events, which Flower shows, get the code alone.
            logger.exception("job %s met an error of our own", job_id)
            raise JobFailedError(FailureCode.INTERNAL_ERROR) from None

    for site, recipe in scraping.recipes.items():
        for name, job in recipe.jobs.items():
            app.task(
                name=task_name(site, name),
                bind=True,
                shared=False,
                # A failed scrape is an answer, not a stack trace: `throws` keeps it one line.
                throws=(JobFailedError,),
                # What the log and Flower show of the rows: that there are some.
                resultrepr_maxsize=80,
                # The last resort, if a job does not end at its own limit.
                time_limit=int(recipe.limits.job_s(job.most_pages) + _MARGIN_S),
            )(run)


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
        if nothing.why in ENDS and (record := backend.leases.look(job_id)):
            end_unheld(backend.endings, record.asked, ENDS[nothing.why], crashes=crashes)
        raise
