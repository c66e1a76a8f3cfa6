"""One job, from its claim to its result: what a task does."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from jobs.failure import FailureCode, JobFailedError
from jobs.lease import Lease, LeaseLostError, Leases, Page
from jobs.record import Message
from jobs.text import Language, render
from scraper.browser.chrome import end_session
from scraper.errors import ScrapeError, Stopped
from scraper.result import make_result
from scraper.run import Target, scrape
from worker.heart import Heart
from worker.scraping import Scraping

logger = logging.getLogger(__name__)

#: Called with how far the job is, in percent, and what goes on.
Tell = Callable[[int, Message], None]
#: Makes the heart of a job with this time limit, in seconds.
MakeHeart = Callable[[float], Heart]


class JobWatcher:
    """Passes on what the scraper sees: progress to Celery's state, pages to the job's record."""

    def __init__(self, leases: Leases, lease: Lease, tell: Tell) -> None:
        self._leases = leases
        self._lease = lease
        # What an earlier attempt has shown: progress never falls.
        self._highest = lease.record.progress
        self._tell = tell

    def progress(self, percent: int, key: str, **args: object) -> None:
        """Tell how far the job is."""
        self._highest = max(self._highest, percent)
        self._tell(self._highest, Message(key, args))
        if key.startswith("retrying"):
            logger.info(render(Language.EN, key, args))

    def browser(self, session: str) -> None:
        """Note the browser, for whoever has to end it if this worker cannot."""
        self._leases.browser(self._lease.record.id, self._lease.token, session)

    def page(
        self, number: int, items: list[dict[str, Any]], warnings: list[dict[str, Any]]
    ) -> None:
        """Keep a finished page."""
        page = Page(number, items, warnings)
        self._leases.append(self._lease.record.id, self._lease.token, page)
        logger.info("page read", extra={"page": number, "items": len(items)})


def run_job(
    lease: Lease, leases: Leases, scraping: Scraping, tell: Tell, make_heart: MakeHeart
) -> dict[str, Any]:
    """Run a claimed job, from the page that earlier attempts have come to.

    Args:
        lease: The job, claimed.
        leases: Where pages are kept.
        scraping: The recipes, and with what they are run.
        tell: Takes the progress.
        make_heart: Keeps the lease alive meanwhile.

    Returns:
        The job's result, as its caller reads it.

    Raises:
        JobFailedError: The job ends as failed, for a reason that has a code.
        LeaseLostError: The job is no longer ours.
    """
    record = lease.record
    target = _find_target(lease, scraping)
    watcher = JobWatcher(leases, lease, tell)
    seen = _seen(target, leases.items(record.id) if lease.pages else [])
    with make_heart(target.limit_s(record.params)) as heart:
        try:
            if record.browser:
                end_session(scraping.browser, record.browser)
            summary = scrape(
                target,
                record.params,
                scraping.browser,
                watcher,
                stop=heart.stop,
                done_pages=lease.pages,
                seen=seen,
            )
        except Stopped as stopped:
            raise _ending(heart, leases, record.id) from stopped
        except ScrapeError as error:
            raise JobFailedError(error.code, error.details) from error
    # Those of all attempts' pages, and what this one has to say of the list as a whole.
    kept = leases.warnings(record.id)
    whole = replace(summary, warnings=kept + [one for one in summary.warnings if one not in kept])
    return make_result(target.job, leases.items(record.id), whole, datetime.now(UTC))


def _find_target(lease: Lease, scraping: Scraping) -> Target:
    record = lease.record
    recipe = scraping.recipes.get(record.site)
    if recipe is None or recipe.digest != record.recipe or record.job not in recipe.jobs:
        raise JobFailedError(FailureCode.RECIPE_UNKNOWN)
    return scraping.target(record.site, record.job)


def _seen(target: Target, items: list[dict[str, Any]]) -> frozenset[str]:
    """Return the keys of items that earlier attempts have kept."""
    key = target.job.unique_by
    return frozenset(item[key] for item in items if item[key] is not None) if key else frozenset()


def _ending(heart: Heart, leases: Leases, job_id: str) -> Exception:
    if heart.verdict == "cancelled":
        return JobFailedError(FailureCode.CANCELLED)
    if heart.verdict == "time_limit":
        return JobFailedError(FailureCode.TIME_LIMIT, {"items": len(leases.items(job_id))})
    return LeaseLostError()
