"""The Celery task that reads pages of another worker's job, while no job waits."""

import logging
import time
from dataclasses import dataclass
from functools import partial
from typing import Any, cast
from uuid import uuid4

from celery import Celery, Task, bootsteps
from kombu import Queue
from structlog.contextvars import bind_contextvars

from jobs.log_config import job_fields
from jobs.model.job import JobState
from jobs.model.lease_policy import LeasePolicy
from jobs.model.record import JobRecord
from jobs.redis import keys
from jobs.redis.celery_message import READ_PAGES_TASK
from jobs.redis.sync_client import UNAVAILABLE_ERRORS, connect_without_retries
from jobs.result_backend import FencedRedisBackend
from jobs.store.leased_jobs import LeasedJobStore
from jobs.store.shared_pages import SharedPageStore
from scraper.browser.tab import SelectorError
from scraper.errors import RecipeMalformed, ScrapeError, Stopped
from scraper.kept_session import KeepNothing, SessionKeeper
from scraper.part import read_part
from scraper.scrape import Target
from scraper.site_urls import SiteUrls
from worker.job_share import JobPart
from worker.lease_heartbeat import LeaseHeartbeat
from worker.scrape_config import ScrapeConfig
from worker.session_keeper import HelperSessionKeeper, MemorySessionKeeper, make_account
from worker.shutdown import release_at_shutdown

logger = logging.getLogger(__name__)


class PartQueueStep(bootsteps.Step):
    """Lets a worker that takes jobs take parts of running ones too, after all waiting jobs."""

    # The queues are known by then, and not consumed yet.
    requires = ("celery.worker.components:Pool",)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        queues = parent.app.amqp.queues
        if keys.JOB_QUEUE in queues.consume_from:
            queues.select_add(Queue(keys.PART_QUEUE))


def add_part_reading(app: Celery, config: ScrapeConfig, lease_policy: LeasePolicy) -> None:
    """Let the workers of an app read pages of each other's jobs, if any recipe says so.

    Args:
        app: The worker's Celery app.
        config: The recipes, and the settings to run them with.
        lease_policy: Lease and heartbeat times.
    """
    if not config.spreads_any:
        return
    heartbeat_store = LeasedJobStore(connect_without_retries(app.conf.garimpo_redis), lease_policy)
    backend = cast("FencedRedisBackend", app.backend)
    part_task = PartTask(backend, config, lease_policy, heartbeat_store)

    def run(_task: Task[..., Any], job_id: str, _part: str) -> None:
        part_task.run(job_id)

    app.task(
        name=READ_PAGES_TASK,
        bind=True,
        shared=False,
        ignore_result=True,
        # The last resort, if a part does not end at the limit of its job.
        time_limit=config.max_job_s,
    )(run)
    app.steps["worker"].add(PartQueueStep)


@dataclass(frozen=True)
class PartTask:
    """The body of the task. Whatever fails, the job does not: its own worker reads the pages."""

    backend: FencedRedisBackend
    config: ScrapeConfig
    lease_policy: LeasePolicy
    #: Its connection fails at once: a renewal that waits for Redis is of no use.
    heartbeat_store: LeasedJobStore

    def run(self, job_id: str) -> None:
        """Read pages of a job until none is left, or a job waits for this worker."""
        token = uuid4().hex
        store = self.backend.leased_jobs.share_pages(job_id, token)
        log_release = partial(logger.info, "part released")
        with release_at_shutdown(store.release, log_release):
            try:
                record = self.backend.leased_jobs.get(job_id)
                target = record and self._find_target(record)
                if record and target:
                    bind_contextvars(**job_fields(record.request.task_name, job_id))
                    self._read(record, target, store, token)
            except UNAVAILABLE_ERRORS as error:
                logger.warning("part lost", extra={"error": str(error)})
            except Exception:
                logger.exception("part failed unexpectedly")

    def _find_target(self, record: JobRecord) -> Target | None:
        """Return what is to be read; None if this worker cannot help."""
        if record.state is not JobState.PROCESSING:
            return None
        site, job = record.site, record.job
        target = self.config.find_target(site, job, record.account, record.recipe_digest)
        return target if target and self.config.may_spread(site, job) else None

    def _read(self, record: JobRecord, target: Target, store: SharedPageStore, token: str) -> None:
        """Read pages; then give those that are left to others."""
        started = time.monotonic()
        outcome = "done"
        heartbeat = LeaseHeartbeat(
            self.heartbeat_store.share_pages(record.id, token).renew,
            interval_s=self.lease_policy.heartbeat_interval.total_seconds(),
            limit_s=target.limit_s(record.params),
        )
        part = JobPart(store, target, self.config.sizes, record.params, heartbeat.stop)
        try:
            with heartbeat:
                read_part(
                    target,
                    record.params,
                    self.config.browser,
                    part,
                    stop=heartbeat.stop,
                    sizes=self.config.sizes,
                    keeper=self._make_keeper(record, target, token),
                    browsers=self.config.browsers,
                )
        except Stopped:
            outcome = heartbeat.stop_reason or "lost"
        except SelectorError:
            outcome = RecipeMalformed.code
        except ScrapeError as error:
            outcome = error.code
            # Another helper may have a browser that works, and does not get the page that failed.
            part.is_interrupted = part.pages > 0
        store.release()
        if part.is_interrupted:
            store.offer(1)
        seconds = round(time.monotonic() - started, 3)
        extra = {"outcome": outcome, "pages": part.pages, "seconds": seconds}
        logger.info("part ended", extra=extra)

    def _make_keeper(self, record: JobRecord, target: Target, token: str) -> SessionKeeper:
        """Return what keeps the account's session."""
        if target.recipe.login is None:
            return KeepNothing()
        account = make_account(target)
        if self.config.session_cipher is None:
            return MemorySessionKeeper(account)
        return HelperSessionKeeper(
            self.backend.leased_jobs.open_sessions(record.site, account.name, record.id, token),
            self.config.session_cipher,
            account,
            SiteUrls(target.recipe, target.base_url).is_same_site,
        )
