"""How a job's task leaves its job, whatever ends it: what Redis and the queue say afterwards."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as LostConnectionError
from redis.exceptions import OutOfMemoryError

from garimpo.local_stack.process import Process
from jobs.redis import keys
from jobs.store.leased_jobs import LeaseLostError, NotClaimableError
from scraper.browser.chrome import BrowserSettings
from scraper.recipes.loader import load_recipes
from tests.integration.jobs_in_redis import Jobs
from worker import tasks
from worker.scrape_config import ScrapeConfig

#: The two steps of a job's task between which something may end it.
STEPS = ("claim_or_finish", "run_job")


@pytest.fixture
def jobs(redis_process: Process, redis: Redis) -> Iterator[Jobs]:  # noqa: ARG001 - it was emptied
    with Jobs(redis_process.url) as both_sides:
        tasks.register_tasks(
            both_sides.celery,
            ScrapeConfig(load_recipes(), {}, BrowserSettings(), margin_s=60),
            both_sides.leasing,
        )
        yield both_sides


def run(jobs: Jobs, job_id: str) -> Any:
    """Run the task of a job in this process."""
    return jobs.celery.tasks["tubehunt.scrape-channels"].run(job_id)


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, BaseException], None]:
    """Make a step end with an exception, after all that it usually does to Redis."""

    def make(step: str, error: BaseException) -> None:
        usual = tasks.claim_or_finish  # what happens in the middle of a task

        def end(*arguments: Any, **options: Any) -> None:
            if step == "claim_or_finish":
                usual(*arguments, **options)
            raise error

        monkeypatch.setattr(tasks, step, end)

    return make


class TestTask:
    @pytest.mark.parametrize("step", STEPS)
    def test_hands_its_job_back_if_the_worker_is_stopped(
        self, jobs: Jobs, redis: Redis, ends: Any, step: str
    ) -> None:
        job = jobs.submit()
        redis.delete(keys.JOB_QUEUE)
        ends(step, SystemExit())

        with pytest.raises(SystemExit):
            run(jobs, job.id)

        assert redis.hget(keys.record(job.id), "token") is None
        assert jobs.queued(job) == 1

    @pytest.mark.parametrize("step", STEPS)
    @pytest.mark.parametrize("error", [LostConnectionError(), OutOfMemoryError()])
    def test_leaves_its_job_to_others_if_redis_is_away_for_long(
        self, jobs: Jobs, ends: Any, step: str, error: Exception
    ) -> None:
        job = jobs.submit()
        ends(step, error)

        with pytest.raises(LeaseLostError):
            run(jobs, job.id)

        assert jobs.look(job).record.state == "processing"
        jobs.pass_time(job)
        assert jobs.reconcile() == {job.id: "taken"}

    def test_lets_be_what_is_another_worker_s(self, jobs: Jobs) -> None:
        job = jobs.submit()
        jobs.claim(job)

        with pytest.raises(NotClaimableError):
            run(jobs, job.id)
