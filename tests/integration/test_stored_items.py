"""Items are read the same way while a job runs, after it, and from version 0.1."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from celery.result import AsyncResult
from redis import Redis

from garimpo.local_stack.process import Process
from jobs.model import item_blocks
from jobs.model.job import JobRequest
from jobs.redis import keys
from jobs.redis.async_client import RedisUnavailableError
from jobs.store.completion import result_meta
from jobs.store.leased_jobs import FinishedPage
from tests.integration.jobs_in_redis import HEAD, Jobs

ITEMS: list[dict[str, Any]] = [{"n": number, "name": f"canal {number} é"} for number in range(25)]


@pytest.fixture
def jobs(redis_process: Process, redis: Redis) -> Iterator[Jobs]:  # noqa: ARG001 - it was emptied
    with Jobs(redis_process.url) as both_sides:
        yield both_sides


@pytest.fixture
def running(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> tuple[JobRequest, str]:
    """A job with three pages, whose blocks hold a few items each; and its lease's token."""
    monkeypatch.setattr(item_blocks, "_MAX_BLOCK_BYTES", 150)
    job = jobs.submit()
    token = jobs.claim(job)
    for number, page in enumerate((ITEMS[:10], [], ITEMS[10:]), start=1):
        jobs.leases.append_page(job.id, token, FinishedPage(number, page))
    return job, token


def read_in_steps(jobs: Jobs, job: JobRequest, step: int) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    while part := jobs.read_items(job, len(items), step)[0]:
        items += part
    return items


class TestRunningJob:
    @pytest.mark.parametrize("step", [1, 3, 7, 25, 100])
    def test_has_each_item_once_whatever_the_steps(
        self, jobs: Jobs, running: tuple[JobRequest, str], step: int
    ) -> None:
        assert read_in_steps(jobs, running[0], step) == ITEMS

    def test_is_counted(self, jobs: Jobs, running: tuple[JobRequest, str]) -> None:
        job, _ = running
        assert jobs.read_items(job, 1000) == ([], 25)
        assert jobs.leases.count_items(job.id) == 25

    def test_without_items_has_none(self, jobs: Jobs) -> None:
        job = jobs.submit()
        jobs.claim(job)
        assert jobs.read_items(job) == ([], 0)
        assert jobs.leases.count_items(job.id) == 0


class TestCompletedJob:
    @pytest.mark.parametrize("step", [1, 3, 7, 25, 100])
    def test_has_each_item_once_whatever_the_steps(
        self, jobs: Jobs, running: tuple[JobRequest, str], step: int
    ) -> None:
        job, token = running
        jobs.store(job, token, "SUCCESS", HEAD)

        assert read_in_steps(jobs, job, step) == ITEMS

    def test_has_its_items_in_celerys_result_alone(
        self, jobs: Jobs, redis: Redis, running: tuple[JobRequest, str]
    ) -> None:
        job, token = running
        jobs.store(job, token, "SUCCESS", HEAD)

        result: Any = AsyncResult(job.id, app=jobs.celery)
        assert result.result == jobs.read_result(job) == HEAD.as_dict(ITEMS)
        assert redis.exists(keys.items(job.id), keys.item_totals(job.id)) == 0

    def test_is_read_whole_if_it_ends_between_two_steps(
        self, jobs: Jobs, running: tuple[JobRequest, str]
    ) -> None:
        job, token = running

        async def read() -> list[str]:
            chunks = await jobs.items.iterate(job.id)
            first = await anext(chunks)
            jobs.store(job, token, "SUCCESS", HEAD)
            return first + [item async for chunk in chunks for item in chunk]

        assert [json.loads(item) for item in jobs.wait_for(read())] == ITEMS

    def test_may_have_very_many_warnings(self, jobs: Jobs, running: tuple[JobRequest, str]) -> None:
        job, token = running
        warnings = [{"code": "page_short", "page": page, "text": "x" * 50} for page in range(500)]
        head = HEAD.__class__(**{**vars(HEAD), "warnings": warnings})
        jobs.store(job, token, "SUCCESS", head)

        assert jobs.read_result(job)["warnings"] == warnings
        assert read_in_steps(jobs, job, 10) == ITEMS

    def test_without_items_has_an_empty_list(self, jobs: Jobs) -> None:
        job = jobs.submit()
        jobs.store(job, jobs.claim(job), "SUCCESS", HEAD)

        assert jobs.read_result(job)["channels"] == []
        assert jobs.read_items(job) == ([], 0)

    def test_that_expires_meanwhile_is_not_taken_for_whole(
        self, jobs: Jobs, redis: Redis, running: tuple[JobRequest, str]
    ) -> None:
        job, token = running
        jobs.store(job, token, "SUCCESS", HEAD)

        async def read() -> None:
            chunks = await jobs.items.iterate(job.id)
            await anext(chunks)
            redis.delete(keys.result(job.id))
            async for _ in chunks:
                pass

        with pytest.raises(RedisUnavailableError):
            jobs.wait_for(read())


class TestFailedJob:
    def test_keeps_its_items(self, jobs: Jobs, running: tuple[JobRequest, str]) -> None:
        job, token = running
        jobs.store(job, token, "FAILURE", KeyError())

        assert read_in_steps(jobs, job, 4) == ITEMS


class TestVersion01:
    """It stored one item in each element of the list, and all items in the result."""

    def test_its_items_of_a_running_job_are_continued(self, jobs: Jobs, redis: Redis) -> None:
        job = jobs.submit()
        token = jobs.claim(job)
        for item in ITEMS[:5]:
            redis.rpush(keys.items(job.id), json.dumps(item, ensure_ascii=False))
        redis.hset(keys.pages(job.id), "1", "[]")
        assert read_in_steps(jobs, job, 2) == ITEMS[:5]
        assert jobs.leases.count_items(job.id) == 5

        jobs.leases.append_page(job.id, token, FinishedPage(2, ITEMS[5:]))

        assert read_in_steps(jobs, job, 2) == ITEMS == jobs.leases.get_items(job.id)
        assert jobs.leases.count_items(job.id) == 25
        jobs.store(job, token, "SUCCESS", HEAD)
        assert read_in_steps(jobs, job, 2) == ITEMS
        assert jobs.read_result(job)["channels"] == ITEMS

    def test_its_items_of_a_running_job_can_be_the_only_ones(
        self, jobs: Jobs, redis: Redis
    ) -> None:
        job = jobs.submit()
        token = jobs.claim(job)
        for item in ITEMS:
            redis.rpush(keys.items(job.id), json.dumps(item))

        jobs.store(job, token, "SUCCESS", HEAD)

        assert jobs.read_result(job)["channels"] == ITEMS

    def test_its_result_can_still_be_read(self, jobs: Jobs, redis: Redis) -> None:
        job = jobs.submit()
        jobs.store(job, jobs.claim(job), "SUCCESS", HEAD)
        whole = HEAD.as_dict(ITEMS)
        redis.set(keys.result(job.id), result_meta(job.id, "SUCCESS", whole, "2026-01-01"))
        for item in ITEMS:
            redis.rpush(keys.items(job.id), json.dumps(item))

        result: Any = AsyncResult(job.id, app=jobs.celery)
        stored = jobs.wait_for(jobs.items.get_result(job.id))
        assert stored
        assert result.result == stored.result == whole
        assert read_in_steps(jobs, job, 10) == ITEMS
