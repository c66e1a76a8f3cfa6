"""State of a job and its queue after its task was stopped or has failed."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as LostConnectionError
from redis.exceptions import OutOfMemoryError

from garimpo.local_stack.process import Process
from jobs.redis import keys
from jobs.store.leased_jobs import LeaseLostError, NotClaimableError
from scraper.browser.browser_settings import BrowserSettings
from scraper.recipes.loader import load_recipes
from tests.integration.jobs_in_redis import Jobs
from worker import tasks
from worker.scrape_config import ScrapeConfig

#: Steps of a job's task that may be interrupted.
STEPS = ("claim_or_finish", "run_job")


@pytest.fixture
def jobs(redis_process: Process, redis: Redis) -> Iterator[Jobs]:  # noqa: ARG001 - empties Redis
    with Jobs(redis_process.url) as jobs:
        tasks.register_tasks(
            jobs.celery,
            ScrapeConfig(load_recipes(), {}, BrowserSettings(), margin_s=60),
            jobs.lease_policy,
        )
        yield jobs


def run(jobs: Jobs, job_id: str) -> Any:
    """Run the task of a job in this process."""
    return jobs.celery.tasks["tubehunt.scrape-channels"].run(job_id)


@pytest.fixture
def interrupt(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, BaseException], None]:
    """Let a step raise an exception, after its usual changes in Redis."""

    def patch(step: str, error: BaseException) -> None:
        claim_or_finish = tasks.claim_or_finish

        def fail(*arguments: Any, **options: Any) -> None:
            if step == "claim_or_finish":
                claim_or_finish(*arguments, **options)
            raise error

        monkeypatch.setattr(tasks, step, fail)

    return patch


class TestTask:
    @pytest.mark.parametrize("step", STEPS)
    def test_releases_its_job_if_the_worker_is_stopped(
        self, jobs: Jobs, redis: Redis, interrupt: Any, step: str
    ) -> None:
        job = jobs.submit()
        redis.delete(keys.JOB_QUEUE)
        interrupt(step, SystemExit())

        with pytest.raises(SystemExit):
            run(jobs, job.id)

        assert redis.hget(keys.record(job.id), "token") is None
        assert jobs.count_messages(job) == 1

    @pytest.mark.parametrize("step", STEPS)
    @pytest.mark.parametrize("error", [LostConnectionError(), OutOfMemoryError()])
    def test_leaves_its_job_to_the_reconciler_during_a_long_redis_outage(
        self, jobs: Jobs, interrupt: Any, step: str, error: Exception
    ) -> None:
        job = jobs.submit()
        interrupt(step, error)

        with pytest.raises(LeaseLostError):
            run(jobs, job.id)

        assert jobs.get(job).record.state == "processing"
        jobs.make_due(job)
        assert jobs.reconcile() == {job.id: "taken"}

    def test_ignores_a_job_leased_by_another_worker(self, jobs: Jobs) -> None:
        job = jobs.submit()
        jobs.claim(job)

        with pytest.raises(NotClaimableError):
            run(jobs, job.id)
