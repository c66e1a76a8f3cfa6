"""One Celery task for each job of each recipe: a thin shell around `run_job`."""

from typing import Any, cast

from celery import Celery, Task

from jobs.backend import PROGRESS, FencedRedisBackend
from jobs.failure import JobFailedError
from jobs.job import task_name
from jobs.lease import progress_meta
from jobs.record import Message
from worker.run import run_job
from worker.scraping import Scraping


def register(app: Celery, scraping: Scraping) -> None:
    """Give the worker a task for every job that its recipes have.

    Args:
        app: The worker's Celery app.
        scraping: The recipes, and with what they are run.
    """

    def run(task: Task[..., Any], job_id: str) -> dict[str, Any]:
        leases = cast("FencedRedisBackend", app.backend).leases
        token, record = leases.claim(
            job_id, worker=str(task.request.hostname), first=Message("starting", {})
        )
        task.request.update(lease_token=token)

        def tell(percent: int, said: Message) -> None:
            task.update_state(state=PROGRESS, meta=progress_meta(percent, said))

        return run_job(record, token, leases, scraping, tell)

    for site, recipe in scraping.recipes.items():
        for job in recipe.jobs:
            # A failed scrape is an answer, not a stack trace: `throws` keeps it one line.
            app.task(name=task_name(site, job), bind=True, shared=False, throws=(JobFailedError,))(
                run
            )
