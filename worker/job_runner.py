"""One job, from its claim to its result: what a task does."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from jobs.failure import FailureCode, JobFailedError
from jobs.model.i18n import Language, render
from jobs.model.record import ProgressMessage
from jobs.model.result import ResultHead
from jobs.store.leased_jobs import FinishedPage, JobCounter, Lease, LeasedJobStore, LeaseLostError
from scraper.browser.chrome import end_session
from scraper.errors import ScrapeError, Stopped
from scraper.scrape import Target, scrape
from worker.lease_heartbeat import LeaseHeartbeat
from worker.scrape_config import ScrapeConfig

logger = logging.getLogger(__name__)

#: Called with the progress in percent, the message, and the activity that begins, if it is counted.
ReportProgress = Callable[[int, ProgressMessage, JobCounter | None], None]
#: Makes the heart of a job with this time limit, in seconds.
MakeHeartbeat = Callable[[float], LeaseHeartbeat]

_COUNTER_BY_STEP = {
    "starting_browser": JobCounter.BROWSER_STARTS,
    "logging_in": JobCounter.LOGINS,
    "logging_in_again": JobCounter.LOGINS,
    "retrying": JobCounter.RETRIES,
    "retrying_login": JobCounter.RETRIES,
}


class JobObserver:
    """Passes on what the scraper sees: progress to Celery's state, pages to the job's record."""

    def __init__(self, leases: LeasedJobStore, lease: Lease, tell: ReportProgress) -> None:
        self._leases = leases
        self._lease = lease
        # What an earlier attempt has shown: progress never falls.
        self._max_percent = lease.record.progress
        self._report = tell

    def progress(self, percent: int, key: str, **args: object) -> None:
        """Tell how far the job is."""
        self._max_percent = max(self._max_percent, percent)
        counter = _COUNTER_BY_STEP.get(key)
        self._report(self._max_percent, ProgressMessage(key, args), counter)
        if key.startswith("retrying"):
            logger.info(render(Language.EN, key, args))

    def browser_opened(self, session: str) -> None:
        """Note the browser, for whoever has to end it if this worker cannot."""
        self._leases.set_browser_session(self._lease.record.id, self._lease.token, session)

    def page_read(
        self, number: int, items: list[dict[str, Any]], warnings: list[dict[str, Any]]
    ) -> None:
        """Keep a finished page."""
        page = FinishedPage(number, items, warnings)
        self._leases.append_page(self._lease.record.id, self._lease.token, page)
        logger.info("page read", extra={"page": number, "items": len(items)})


def run_job(
    lease: Lease,
    store: LeasedJobStore,
    config: ScrapeConfig,
    report: ReportProgress,
    make_heartbeat: MakeHeartbeat,
) -> ResultHead:
    """Run a claimed job, from the page that earlier attempts have come to.

    Args:
        lease: The job, claimed.
        store: Where pages are kept.
        config: The recipes, and with what they are run.
        report: Takes the progress.
        make_heartbeat: Keeps the lease alive meanwhile.

    Returns:
        The job's result, as its caller reads it.

    Raises:
        JobFailedError: The job ends as failed, for a reason that has a code.
        LeaseLostError: The job is no longer ours.
    """
    record = lease.record
    target = _find_target(lease, config)
    watcher = JobObserver(store, lease, report)
    seen = _find_seen_keys(target, store.get_items(record.id) if lease.done_pages else [])
    with make_heartbeat(target.limit_s(record.params)) as heart:
        try:
            if record.browser_session:
                end_session(config.browser, record.browser_session)
            summary = scrape(
                target,
                record.params,
                config.browser,
                watcher,
                stop=heart.stop,
                done_pages=lease.done_pages,
                seen=seen,
            )
        except Stopped as stopped:
            raise _make_stop_error(heart, store, record.id) from stopped
        except ScrapeError as error:
            raise JobFailedError(error.code, error.details) from error
    # Those of all attempts' pages, and what this one has to say of the list as a whole.
    kept = store.get_warnings(record.id)
    whole = replace(summary, warnings=kept + [one for one in summary.warnings if one not in kept])
    return ResultHead(
        collection=target.job.collection,
        total=store.count_items(record.id),
        timestamp=datetime.now(UTC),
        pages_requested=whole.pages_requested,
        pages_read=whole.pages_read,
        warnings=whole.warnings,
    )


def _find_target(lease: Lease, config: ScrapeConfig) -> Target:
    record = lease.record
    recipe = config.recipes.get(record.site)
    if recipe is None or recipe.digest != record.recipe_digest or record.job not in recipe.jobs:
        raise JobFailedError(FailureCode.RECIPE_UNKNOWN)
    return config.make_target(record.site, record.job)


def _find_seen_keys(target: Target, items: list[dict[str, Any]]) -> frozenset[str]:
    """Return the keys of items that earlier attempts have kept."""
    key = target.job.unique_by
    return frozenset(item[key] for item in items if item[key] is not None) if key else frozenset()


def _make_stop_error(heart: LeaseHeartbeat, leases: LeasedJobStore, job_id: str) -> Exception:
    if heart.stop_reason == "cancelled":
        return JobFailedError(FailureCode.CANCELLED)
    if heart.stop_reason == "time_limit":
        return JobFailedError(FailureCode.TIME_LIMIT, {"items": leases.count_items(job_id)})
    return LeaseLostError()
