"""One job, from its claim to its result: what a task does."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from jobs.failure import FailureCode, JobFailedError
from jobs.model.i18n import Language, render
from jobs.model.record import ProgressMessage
from jobs.model.result import ResultHead
from jobs.store.leased_jobs import FinishedPage, JobCounter, Lease, LeasedJobStore, LeaseLostError
from scraper.browser.chrome import end_session
from scraper.errors import ScrapeError, Stopped
from scraper.progress import ProgressArgs, ProgressStep
from scraper.recipes.models import Item
from scraper.scrape import Target, scrape
from scraper.scrape_warnings import ScrapeWarning
from worker.lease_heartbeat import LeaseHeartbeat
from worker.scrape_config import ScrapeConfig

logger = logging.getLogger(__name__)

#: Called with the progress in percent, the message, and the activity that begins, if it is counted.
ReportProgress = Callable[[int, ProgressMessage, JobCounter | None], None]
#: Makes the heart of a job with this time limit, in seconds.
MakeHeartbeat = Callable[[float], LeaseHeartbeat]


class JobObserver:
    """Passes on what the scraper sees: progress to Celery's state, pages to the job's record."""

    def __init__(self, leases: LeasedJobStore, lease: Lease, tell: ReportProgress) -> None:
        self._leases = leases
        self._lease = lease
        # What an earlier attempt has shown: progress never falls.
        self._max_percent = lease.record.progress
        self._report = tell

    def progress(self, percent: int, step: ProgressStep, args: ProgressArgs) -> None:
        """Store the progress; log a retry."""
        self._max_percent = max(self._max_percent, percent)
        counter = JobCounter(step.counter) if step.counter else None
        self._report(self._max_percent, ProgressMessage(step.value, args), counter)
        if step.is_retry:
            logger.info(render(Language.EN, step.value, args))

    def browser_opened(self, session: str) -> None:
        """Note the browser, for whoever has to end it if this worker cannot."""
        self._leases.set_browser_session(self._lease.record.id, self._lease.token, session)

    def page_read(self, number: int, items: list[Item], warnings: list[ScrapeWarning]) -> None:
        """Store a finished page."""
        page = FinishedPage(number, items, [warning.as_dict() for warning in warnings])
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
    seen_keys = _find_seen_keys(target, store.get_items(record.id) if lease.done_pages else [])
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
                seen_keys=seen_keys,
            )
        except Stopped as stopped:
            raise _make_stop_error(heart, store, record.id) from stopped
        except ScrapeError as error:
            raise JobFailedError(error.code, error.details) from error
    stored = store.get_warnings(record.id)
    latest = [warning.as_dict() for warning in summary.warnings]
    return ResultHead(
        collection=target.job.collection,
        total=store.count_items(record.id),
        timestamp=datetime.now(UTC),
        pages_requested=summary.pages_requested,
        pages_read=summary.pages_read,
        # Warnings about a page are stored with it; those about the whole list are not.
        warnings=stored + [warning for warning in latest if warning not in stored],
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
