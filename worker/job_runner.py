"""Run one claimed job and return its result."""

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
#: Returns the heartbeat of a job with this time limit, in seconds.
MakeHeartbeat = Callable[[float], LeaseHeartbeat]


class JobObserver:
    """Stores the progress and pages of a scrape, and its browser session."""

    def __init__(self, store: LeasedJobStore, lease: Lease, report: ReportProgress) -> None:
        self._store = store
        self._lease = lease
        # Progress never falls below that of an earlier attempt.
        self._max_percent = lease.record.progress
        self._report = report

    def progress(self, percent: int, step: ProgressStep, args: ProgressArgs) -> None:
        """Store the progress; log a retry."""
        self._max_percent = max(self._max_percent, percent)
        counter = JobCounter(step.counter) if step.counter else None
        self._report(self._max_percent, ProgressMessage(step.value, args), counter)
        if step.is_retry:
            logger.info(render(Language.EN, step.value, args))

    def browser_opened(self, session: str) -> None:
        """Store the session, so that another worker can end it if this one dies."""
        self._store.set_browser_session(self._lease.record.id, self._lease.token, session)

    def page_read(self, number: int, items: list[Item], warnings: list[ScrapeWarning]) -> None:
        """Store a finished page."""
        page = FinishedPage(number, items, [warning.as_dict() for warning in warnings])
        self._store.append_page(self._lease.record.id, self._lease.token, page)
        logger.info("page read", extra={"page": number, "items": len(items)})


def run_job(
    lease: Lease,
    store: LeasedJobStore,
    config: ScrapeConfig,
    report: ReportProgress,
    make_heartbeat: MakeHeartbeat,
) -> ResultHead:
    """Run a claimed job, from the first page that no earlier attempt finished.

    Args:
        lease: The job.
        store: Stores its pages.
        config: The recipes, and the settings to run them with.
        report: Stores its progress.
        make_heartbeat: Makes the heartbeat that renews the lease.

    Returns:
        The result; its items are those that were stored.

    Raises:
        JobFailedError: The job ends as failed.
        LeaseLostError: The lease is lost.
        Exception: Anything else; the task reports it as `internal_error`.
    """
    record = lease.record
    target = _find_target(lease, config)
    observer = JobObserver(store, lease, report)
    seen_keys = _find_seen_keys(target, store.get_items(record.id) if lease.done_pages else [])
    with make_heartbeat(target.limit_s(record.params)) as heartbeat:
        try:
            if record.browser_session:
                end_session(config.browser, record.browser_session)
            summary = scrape(
                target,
                record.params,
                config.browser,
                observer,
                stop=heartbeat.stop,
                done_pages=lease.done_pages,
                seen_keys=seen_keys,
            )
        except Stopped as error:
            raise _make_stop_error(heartbeat, store, record.id) from error
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
    """Return the keys of items that earlier attempts stored."""
    key = target.job.unique_by
    return frozenset(item[key] for item in items if item[key] is not None) if key else frozenset()


def _make_stop_error(heartbeat: LeaseHeartbeat, store: LeasedJobStore, job_id: str) -> Exception:
    if heartbeat.stop_reason == "cancelled":
        return JobFailedError(FailureCode.CANCELLED)
    if heartbeat.stop_reason == "time_limit":
        return JobFailedError(FailureCode.TIME_LIMIT, {"items": store.count_items(job_id)})
    return LeaseLostError()
