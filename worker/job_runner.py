"""Run one claimed job and return its result."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from jobs.failure import FailureCode, JobFailedError
from jobs.model.i18n import Language, render
from jobs.model.record import ProgressMessage
from jobs.model.result import ResultHead
from jobs.store.leased_jobs import (
    NOTHING_STORED,
    FinishedPage,
    JobCounter,
    JobParkedError,
    Lease,
    LeasedJobStore,
    LeaseLostError,
    PageHead,
    StoredPages,
)
from scraper.browser.chrome import end_session
from scraper.errors import LoginFailed, PersonNeeded, ScrapeError, Stopped
from scraper.kept_session import KeepNothing, SessionKeeper
from scraper.page_items import NewItems, PageFailure, PagePlace
from scraper.page_sharing import PageShare, ReadAlone
from scraper.progress import ProgressArgs, ProgressStep
from scraper.scrape import SeenPages, Target, scrape
from scraper.site_urls import SiteUrls
from worker.job_share import JobShare, last_page
from worker.lease_heartbeat import LeaseHeartbeat
from worker.scrape_config import ScrapeConfig
from worker.session_keeper import MemorySessionKeeper, StoredSessionKeeper, make_account

logger = logging.getLogger(__name__)

#: Called with the progress in percent, the message, and the activity that begins, if it is counted.
ReportProgress = Callable[[int, ProgressMessage, JobCounter | None], None]
#: Returns the heartbeat of a job with this time limit, in seconds.
MakeHeartbeat = Callable[[float], LeaseHeartbeat]


@dataclass(frozen=True)
class _EarlierPages:
    """The pages that earlier attempts have stored."""

    heads: Sequence[PageHead] = ()
    #: Their number, and that of their items.
    stored: StoredPages = NOTHING_STORED

    @property
    def next_place(self) -> PagePlace | None:
        """Where the list goes on after the last of them."""
        last = max(self.heads, key=lambda page: page.number, default=None)
        return PagePlace(*last.next_place) if last and last.next_place else None


class JobObserver:
    """Stores the progress and pages of a scrape, and its browser session.

    Attributes:
        stored: The pages that Redis has acknowledged, in this attempt or an earlier one.
        warnings: Their warnings.
        failures: Those that were left out.
    """

    def __init__(
        self,
        store: LeasedJobStore,
        lease: Lease,
        report: ReportProgress,
        earlier: _EarlierPages,
        page_url: str,
    ) -> None:
        """Start with what earlier attempts have stored.

        Args:
            store: Stores the pages.
            lease: The job.
            report: Stores the progress.
            earlier: The pages of earlier attempts.
            page_url: The URL of the job's first page.
        """
        self.stored = earlier.stored
        self.warnings = [warning for page in earlier.heads for warning in page.warnings]
        self.failures = [page.failure for page in earlier.heads if page.failure is not None]
        self._store = store
        self._lease = lease
        self._page_url = page_url
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

    def page_read(self, number: int, new: NewItems) -> None:
        """Store a finished page."""
        warnings = [warning.as_dict() for warning in new.warnings]
        next_place = None if new.next is None else (new.next.url, new.next.clicks)
        page = FinishedPage(
            number,
            new.items,
            warnings,
            new.keys,
            new.digest,
            new.texts,
            next_place,
            filled=new.filled,
        )
        self.stored = self._store.append_page(
            self._lease.record.id, self._lease.token, page, self.stored, self._page_url
        )
        self.warnings += warnings
        logger.info("page read", extra={"page": number, "items": len(new.items)})

    def page_failed(self, number: int, failure: PageFailure) -> None:
        """Store that a page was left out."""
        stored = {"value": failure.value, "code": failure.code, "details": dict(failure.details)}
        self.stored = self._store.append_page(
            self._lease.record.id,
            self._lease.token,
            FinishedPage(number, [], failure=stored),
            self.stored,
            self._page_url,
        )
        self.failures.append(stored)
        logger.warning("page left out", extra={"page": number, "outcome": failure.code})


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
        JobParkedError: It waits for its account, without a worker.
        LeaseLostError: The lease is lost, or (PagesLostError) pages of this attempt.
        Exception: Anything else; the task reports it as `internal_error`.
    """
    record = lease.record
    target = _find_target(lease, config)
    site_urls = SiteUrls(target.recipe, target.base_url)
    page_url = site_urls.page_url(target.job, record.params, target.job.first_page(record.params))
    keeper = _make_keeper(config, target, store, lease, site_urls)
    if record.awaited_until and store.now() >= record.awaited_until and keeper.load() is None:
        raise _make_login_failure(LoginFailed.Reason.NO_PERSON)
    earlier = _load_pages(lease, store)
    observer = JobObserver(store, lease, report, earlier, page_url)
    seen = SeenPages(
        numbers=frozenset(page.number for page in earlier.heads),
        keys=frozenset(key for page in earlier.heads for key in page.keys),
        digests=frozenset(page.digest for page in earlier.heads),
        next=earlier.next_place,
        failed=frozenset(page.number for page in earlier.heads if page.failure is not None),
        filled=sum((Counter(page.filled) for page in earlier.heads), Counter()),
    )
    _take_turn(config, target, store, lease, observer)
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
                seen=seen,
                seen_items=earlier.stored.items,
                seen_bytes=sum(page.item_bytes for page in earlier.heads),
                sizes=config.sizes,
                keeper=keeper,
                browsers=config.browsers,
                share=_make_share(config, target, store, lease),
            )
        except Stopped as error:
            raise _make_stop_error(heartbeat, store, record.id) from error
        except PersonNeeded as error:
            if isinstance(keeper, StoredSessionKeeper):
                _await_person(target, store, lease, keeper, observer)
            raise JobFailedError(error.code, error.details) from error
        except ScrapeError as error:
            raise JobFailedError(error.code, error.details) from error
    latest = [warning.as_dict() for warning in summary.warnings]
    return ResultHead(
        collection=target.job.collection,
        # Not what Redis has by now: the last script refuses to end a job that lacks some of it.
        total=observer.stored.items,
        timestamp=store.now(),
        pages_requested=summary.pages_requested,
        pages_read=summary.pages_read,
        singular=target.job.singular,
        failures=observer.failures,
        # Warnings about a page are stored with it; those about the whole list are not.
        warnings=[
            *observer.warnings,
            *(warning for warning in latest if warning not in observer.warnings),
        ],
    )


def _load_pages(lease: Lease, store: LeasedJobStore) -> _EarlierPages:
    """Return the pages of earlier attempts.

    Pages whose items are not all there, for example because Redis evicts keys, are discarded.
    """
    if not lease.done_pages:
        return _EarlierPages()
    job_id = lease.record.id
    pages = store.get_pages(job_id)
    stored = StoredPages(len(pages), store.count_items(job_id))
    counts = [page.item_count for page in pages]
    if None not in counts and sum(filter(None, counts)) != stored.items:
        logger.warning("items are missing: all pages are read again")
        store.discard_pages(job_id, lease.token)
        return _EarlierPages()
    return _EarlierPages(pages, stored)


def _make_keeper(
    config: ScrapeConfig,
    target: Target,
    store: LeasedJobStore,
    lease: Lease,
    site_urls: SiteUrls,
) -> SessionKeeper:
    """Return what keeps the session of the job's account."""
    login = target.recipe.login
    if login is None or login.logout is not None:
        return KeepNothing()
    account = make_account(target)
    if config.session_cipher is None:
        return MemorySessionKeeper(account)
    sessions = store.open_sessions(account.site, account.name, lease.record.id, lease.token)
    return StoredSessionKeeper(sessions, config.session_cipher, account, site_urls.is_same_site)


def _make_share(
    config: ScrapeConfig, target: Target, store: LeasedJobStore, lease: Lease
) -> PageShare:
    """Return which pages this worker reads itself."""
    record = lease.record
    if not config.may_spread(record.site, record.job):
        return ReadAlone()
    pages = store.share_pages(record.id, lease.token)
    return JobShare(pages, target, config.sizes, last_page(target, record.params))


def _take_turn(
    config: ScrapeConfig,
    target: Target,
    store: LeasedJobStore,
    lease: Lease,
    observer: JobObserver,
) -> None:
    """Take a turn at the account, if its site limits its sessions.

    Raises:
        JobParkedError: The job waits for one, without this worker.
        LeaseLostError: The lease is lost.
    """
    limit = config.find_session_limit(target.recipe.site)
    if limit is None:
        return
    site, record = target.recipe.site, lease.record
    sessions = store.open_sessions(site, target.account, record.id, lease.token)
    status = sessions.take_turn(limit, wait=False)
    if status == "others":
        observer.progress(0, ProgressStep.WAITING_FOR_TURN, {})
        status = sessions.take_turn(limit, wait=True)
    if status == "waiting":
        logger.info("job waits for its turn at the account", extra={"outcome": "waiting"})
        raise JobParkedError
    if status == "lost":
        raise LeaseLostError


def _await_person(
    target: Target,
    store: LeasedJobStore,
    lease: Lease,
    keeper: StoredSessionKeeper,
    observer: JobObserver,
) -> None:
    """Let the job wait, without this worker, until somebody has imported a session.

    Raises:
        JobParkedError: It waits; or it goes on at once, if there is a session meanwhile.
        JobFailedError: Nobody has imported one in time.
        LeaseLostError: The lease is lost.
    """
    record = lease.record
    observer.progress(0, ProgressStep.WAITING_FOR_PERSON, {})
    limit = timedelta(seconds=target.recipe.limits.person_timeout_s)
    match keeper.await_import(limit):
        case "late":
            raise _make_login_failure(LoginFailed.Reason.NO_PERSON)
        case "lost":
            raise LeaseLostError
        case "newer":
            store.release(record.request.task_name, record.id, lease.token)
    logger.info("job waits for a session to be imported", extra={"outcome": "waiting"})
    raise JobParkedError


def _make_login_failure(reason: LoginFailed.Reason) -> JobFailedError:
    error = LoginFailed(reason)
    return JobFailedError(error.code, error.details)


def _find_target(lease: Lease, config: ScrapeConfig) -> Target:
    record = lease.record
    target = config.find_target(record.site, record.job, record.account, record.recipe_digest)
    if target is None:
        raise JobFailedError(FailureCode.RECIPE_UNKNOWN)
    return target


def _make_stop_error(heartbeat: LeaseHeartbeat, store: LeasedJobStore, job_id: str) -> Exception:
    if heartbeat.stop_reason == "cancelled":
        return JobFailedError(FailureCode.CANCELLED)
    if heartbeat.stop_reason == "time_limit":
        return JobFailedError(FailureCode.TIME_LIMIT, {"items": store.count_items(job_id)})
    return LeaseLostError()
