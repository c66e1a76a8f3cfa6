"""One job, from its claim to its result: what a task does."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from jobs.failure import FailureCode, JobFailedError
from jobs.lease import JobLeases
from jobs.record import Message, Record
from scraper.errors import ScrapeError
from scraper.result import make_result
from scraper.run import scrape
from worker.scraping import Scraping

#: Called with how far the job is, in percent, and what goes on.
Tell = Callable[[int, Message], None]


class JobWatcher:
    """Passes on what the scraper sees: progress to Celery's state, pages to the job's record."""

    def __init__(self, leases: JobLeases, token: str, record: Record, tell: Tell) -> None:
        self._leases = leases
        self._token = token
        self._job_id = record.id
        # What an earlier attempt has shown: progress never falls.
        self._highest = record.progress
        self._tell = tell

    def progress(self, percent: int, key: str, **args: object) -> None:
        """Tell how far the job is."""
        self._highest = max(self._highest, percent)
        self._tell(self._highest, Message(key, args))

    def page(self, number: int, items: list[dict[str, Any]]) -> None:
        """Keep a finished page."""
        self._leases.append(self._job_id, self._token, number, items)


def run_job(
    record: Record, token: str, leases: JobLeases, scraping: Scraping, tell: Tell
) -> dict[str, Any]:
    """Run a claimed job.

    Args:
        record: The job.
        token: The lease's.
        leases: Where pages are kept.
        scraping: The recipes, and with what they are run.
        tell: Takes the progress.

    Returns:
        The job's result, as its caller reads it.

    Raises:
        JobFailedError: The job ends as failed, for a reason that has a code.
        LeaseLostError: The job is no longer ours.
    """
    recipe = scraping.recipes.get(record.site)
    if recipe is None or recipe.digest != record.recipe or record.job not in recipe.jobs:
        raise JobFailedError(FailureCode.RECIPE_UNKNOWN)
    target = scraping.target(record.site, record.job)
    watcher = JobWatcher(leases, token, record, tell)
    try:
        summary = scrape(target, record.params, scraping.browser, watcher, stop=threading.Event())
    except ScrapeError as error:
        raise JobFailedError(error.code, error.details) from error
    return make_result(target.job, leases.items(record.id), summary, datetime.now(UTC))
