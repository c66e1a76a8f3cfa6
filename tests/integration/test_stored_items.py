"""Items of running, completed and failed jobs, also in the format of version 0.1."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from billiard.exceptions import TimeLimitExceeded
from celery.result import AsyncResult
from redis import Redis

from api import export
from api.export import build_whole_result, stream_result
from garimpo.local_stack.process import Process
from jobs.failure import JobFailedError
from jobs.model import item_blocks
from jobs.model.i18n import Language
from jobs.model.job import JobRequest
from jobs.model.record import JobRecord
from jobs.model.stored_result import decode_result
from jobs.redis import keys
from jobs.redis.async_client import UnreadableDataError
from jobs.schemas import build_error
from jobs.store import item_reader
from jobs.store.completion import result_meta
from jobs.store.item_reader import ItemsExpiredError
from jobs.store.job_store import JobSnapshot
from jobs.store.leased_jobs import FinishedPage
from tests.integration.jobs_in_redis import HEAD, Jobs, result_of

ITEMS: list[dict[str, Any]] = [{"n": number, "name": f"canal {number} é"} for number in range(25)]


@pytest.fixture
def jobs(redis_process: Process, redis: Redis) -> Iterator[Jobs]:  # noqa: ARG001 - empties Redis
    with Jobs(redis_process.url) as jobs:
        yield jobs


@pytest.fixture
def running(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> tuple[JobRequest, str]:
    """Return a job with three pages, in blocks of a few items; and its lease token."""
    monkeypatch.setattr(item_blocks, "_MAX_BLOCK_BYTES", 150)
    monkeypatch.setattr(item_reader, "_MIN_ITEMS", 5)
    job = jobs.submit()
    token = jobs.claim(job)
    for number, page in enumerate((ITEMS[:10], [], ITEMS[10:]), start=1):
        jobs.append(job, token, FinishedPage(number, page))
    return job, token


def read_in_chunks(jobs: Jobs, job: JobRequest, size: int) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    while chunk := jobs.read_items(job, len(items), size)[0]:
        items += chunk
    return items


def count_read(jobs: Jobs, job: JobRequest) -> tuple[int | None, int | None]:
    """Return the number of items and pages that the API reports for a failed job."""
    body = build_error(jobs.get(job).record, Language.EN)
    return body.items_read, body.pages_read


class TestRunningJob:
    @pytest.mark.parametrize("size", [1, 3, 7, 25, 100])
    def test_has_each_item_once_for_any_chunk_size(
        self, jobs: Jobs, running: tuple[JobRequest, str], size: int
    ) -> None:
        assert read_in_chunks(jobs, running[0], size) == ITEMS

    def test_has_an_item_count(self, jobs: Jobs, running: tuple[JobRequest, str]) -> None:
        job, _ = running
        assert jobs.read_items(job, 1000) == ([], 25)
        assert jobs.leased_jobs.count_items(job.id) == 25

    def test_may_have_no_items(self, jobs: Jobs) -> None:
        job = jobs.submit()
        jobs.claim(job)
        assert jobs.read_items(job) == ([], 0)
        assert jobs.leased_jobs.count_items(job.id) == 0


class TestCompletedJob:
    @pytest.mark.parametrize("size", [1, 3, 7, 25, 100])
    def test_has_each_item_once_for_any_chunk_size(
        self, jobs: Jobs, running: tuple[JobRequest, str], size: int
    ) -> None:
        job, token = running
        jobs.store_result(job, token, "SUCCESS", HEAD)

        assert read_in_chunks(jobs, job, size) == ITEMS

    def test_has_its_items_only_in_celerys_result(
        self, jobs: Jobs, redis: Redis, running: tuple[JobRequest, str]
    ) -> None:
        job, token = running
        jobs.store_result(job, token, "SUCCESS", HEAD)

        result: Any = AsyncResult(job.id, app=jobs.celery)
        assert result.result == jobs.read_result(job) == result_of(ITEMS, pages=3)
        assert redis.exists(keys.items(job.id), keys.item_totals(job.id)) == 0

    def test_is_read_completely_if_it_ends_between_two_chunks(
        self, jobs: Jobs, running: tuple[JobRequest, str]
    ) -> None:
        job, token = running

        async def read() -> list[str]:
            chunks = await jobs.items.iterate(job.id)
            first = await anext(chunks)
            jobs.store_result(job, token, "SUCCESS", HEAD)
            return first + [item async for chunk in chunks for item in chunk]

        assert [json.loads(item) for item in jobs.run_async(read())] == ITEMS

    def test_may_have_hundreds_of_warnings(
        self, jobs: Jobs, running: tuple[JobRequest, str]
    ) -> None:
        job, token = running
        warnings = [{"code": "page_short", "page": page, "text": "x" * 50} for page in range(500)]
        head = replace(HEAD, total=len(ITEMS), pages_read=3, warnings=warnings)
        jobs.store_result(job, token, "SUCCESS", head)

        assert jobs.read_result(job)["warnings"] == warnings
        assert read_in_chunks(jobs, job, 10) == ITEMS

    def test_without_items_has_an_empty_list(self, jobs: Jobs) -> None:
        job = jobs.submit()
        jobs.store_result(job, jobs.claim(job), "SUCCESS", HEAD)

        assert jobs.read_result(job)["channels"] == []
        assert jobs.read_items(job) == ([], 0)

    def test_that_expires_while_it_is_read_raises_an_error(
        self, jobs: Jobs, redis: Redis, running: tuple[JobRequest, str]
    ) -> None:
        job, token = running
        jobs.store_result(job, token, "SUCCESS", HEAD)

        async def read() -> None:
            chunks = await jobs.items.iterate(job.id)
            await anext(chunks)
            redis.delete(keys.result(job.id))
            async for _ in chunks:
                pass

        with pytest.raises(ItemsExpiredError):
            jobs.run_async(read())


class TestFailedJob:
    def test_keeps_its_items(self, jobs: Jobs, running: tuple[JobRequest, str]) -> None:
        job, token = running
        jobs.store_result(job, token, "FAILURE", KeyError())

        assert read_in_chunks(jobs, job, 4) == ITEMS

    @pytest.mark.parametrize(
        ("state", "error"),
        [
            ("FAILURE", KeyError()),
            ("FAILURE", JobFailedError("page_timeout", {"page": "/", "seconds": 1})),
            ("REVOKED", None),
            ("FAILURE", TimeLimitExceeded(1)),
        ],
    )
    def test_says_how_much_it_has_read(
        self, jobs: Jobs, running: tuple[JobRequest, str], state: str, error: Exception | None
    ) -> None:
        job, token = running
        is_by_worker = isinstance(error, TimeLimitExceeded)
        jobs.store_result(job, None if is_by_worker else token, state, error)

        assert count_read(jobs, job) == (25, 3)

    def test_has_read_nothing_if_it_was_cancelled_before_its_start(self, jobs: Jobs) -> None:
        job = jobs.submit()
        jobs.cancel(job)

        assert count_read(jobs, job) == (0, 0)

    def test_has_read_nothing_if_it_failed_before_its_first_page(self, jobs: Jobs) -> None:
        job = jobs.submit()
        jobs.store_result(job, jobs.claim(job), "FAILURE", KeyError())

        assert count_read(jobs, job) == (0, 0)

    def test_says_what_earlier_attempts_have_read_if_no_worker_is_left(
        self, jobs: Jobs, redis: Redis, running: tuple[JobRequest, str]
    ) -> None:
        job, _ = running
        redis.hset(keys.record(job.id), "crashes", jobs.lease_policy.max_crashes)
        jobs.make_due(job)
        jobs.reconcile()

        assert jobs.failure_code(job) == "worker_lost"
        assert count_read(jobs, job) == (25, 3)

    def test_is_counted_if_an_earlier_version_has_ended_it(
        self, jobs: Jobs, redis: Redis, running: tuple[JobRequest, str]
    ) -> None:
        job, token = running
        jobs.store_result(job, token, "FAILURE", KeyError())
        redis.hdel(keys.record(job.id), "items_read", "pages_read")

        assert count_read(jobs, job) == (25, 3)


class TestVersion01:
    """Version 0.1 stored one item per list element, and all items in the result."""

    def test_items_of_a_running_job_are_continued(self, jobs: Jobs, redis: Redis) -> None:
        job = jobs.submit()
        token = jobs.claim(job)
        for item in ITEMS[:5]:
            redis.rpush(keys.items(job.id), json.dumps(item, ensure_ascii=False))
        redis.hset(keys.pages(job.id), "1", "[]")
        assert read_in_chunks(jobs, job, 2) == ITEMS[:5]
        assert jobs.leased_jobs.count_items(job.id) == 5

        jobs.append(job, token, FinishedPage(2, ITEMS[5:]))

        assert read_in_chunks(jobs, job, 2) == ITEMS == jobs.leased_jobs.get_items(job.id)
        assert jobs.leased_jobs.count_items(job.id) == 25
        jobs.store_result(job, token, "SUCCESS", HEAD)
        assert read_in_chunks(jobs, job, 2) == ITEMS
        assert jobs.read_result(job)["channels"] == ITEMS

    @pytest.mark.parametrize("ended_by_earlier_version", [False, True])
    def test_items_of_a_failed_job_are_counted(
        self, jobs: Jobs, redis: Redis, *, ended_by_earlier_version: bool
    ) -> None:
        job = jobs.submit()
        token = jobs.claim(job)
        for item in ITEMS[:5]:
            redis.rpush(keys.items(job.id), json.dumps(item))
        redis.hset(keys.pages(job.id), "1", "[]")
        jobs.store_result(job, token, "FAILURE", KeyError())
        if ended_by_earlier_version:
            redis.hdel(keys.record(job.id), "items_read", "pages_read")

        assert count_read(jobs, job) == (5, 1)

    def test_items_of_a_running_job_can_be_the_only_ones(self, jobs: Jobs, redis: Redis) -> None:
        job = jobs.submit()
        token = jobs.claim(job)
        for item in ITEMS:
            redis.rpush(keys.items(job.id), json.dumps(item))

        jobs.store_result(job, token, "SUCCESS", HEAD)

        assert jobs.read_result(job)["channels"] == ITEMS

    def test_items_may_have_any_characters(self, jobs: Jobs, redis: Redis) -> None:
        items = [{"n": n, "text": 'é ß 漢 🎉 \u2028 "\\" \x7f' * 40} for n in range(60)]
        job = jobs.submit()
        token = jobs.claim(job)
        for item in items:
            redis.rpush(keys.items(job.id), json.dumps(item, ensure_ascii=False))

        jobs.store_result(job, token, "SUCCESS", HEAD)

        stored = redis.get(keys.result(job.id))
        result: Any = AsyncResult(job.id, app=jobs.celery)
        assert decode_result(str(stored)) == result.result == result_of(items, pages=0)
        assert jobs.read_result(job) == result_of(items, pages=0)
        assert read_in_chunks(jobs, job, 7) == items

    @pytest.mark.parametrize("size", [4096, 4097, 16384])
    def test_result_may_have_any_size(self, jobs: Jobs, redis: Redis, size: int) -> None:
        job = jobs.submit()
        jobs.store_result(job, jobs.claim(job), "SUCCESS", HEAD)

        def store(padding: str) -> str:
            result_dict = result_of([{"text": padding}])
            meta = result_meta(job.id, "SUCCESS", result_dict)
            redis.set(keys.result(job.id), meta)
            return meta

        store("x" * (size - len(store(""))))

        assert redis.strlen(keys.result(job.id)) == size
        stored = jobs.run_async(jobs.items.get_result(job.id))
        assert stored
        assert stored.result["total_channels"] == 1

    def test_result_can_still_be_read(self, jobs: Jobs, redis: Redis) -> None:
        job = jobs.submit()
        jobs.store_result(job, jobs.claim(job), "SUCCESS", HEAD)
        result_dict = result_of(ITEMS)
        redis.set(keys.result(job.id), result_meta(job.id, "SUCCESS", result_dict))
        for item in ITEMS:
            redis.rpush(keys.items(job.id), json.dumps(item))

        result: Any = AsyncResult(job.id, app=jobs.celery)
        stored = jobs.run_async(jobs.items.get_result(job.id))
        assert stored
        assert result.result == stored.result == result_dict
        assert read_in_chunks(jobs, job, 10) == ITEMS


class TestWholeResult:
    def read(self, jobs: Jobs, job: JobRequest, *, max_bytes: int) -> JobSnapshot:
        snapshot = jobs.call_store(lambda store: store.get(job.id, max_result_bytes=max_bytes))
        assert isinstance(snapshot, JobSnapshot)
        return snapshot

    def stream(self, jobs: Jobs, record: JobRecord) -> str:
        async def read() -> str:
            pieces = await stream_result(jobs.items, record, Language.EN)
            return "".join([piece async for piece in pieces])

        return jobs.run_async(read())

    @pytest.mark.parametrize("pages", [[ITEMS[:10], ITEMS[10:]], [ITEMS], [[]]])
    def test_has_the_same_body_as_a_stream(
        self, jobs: Jobs, monkeypatch: pytest.MonkeyPatch, pages: list[list[dict[str, Any]]]
    ) -> None:
        monkeypatch.setattr(item_blocks, "_MAX_BLOCK_BYTES", 150)
        job = jobs.submit()
        token = jobs.claim(job)
        for number, page in enumerate(pages, start=1):
            jobs.append(job, token, FinishedPage(number, page))
        total = sum(map(len, pages))
        jobs.store_result(job, token, "SUCCESS", replace(HEAD, total=total, pages_read=len(pages)))

        snapshot = self.read(jobs, job, max_bytes=100_000)

        assert snapshot.stored_result
        body = build_whole_result(snapshot.record, snapshot.stored_result, Language.EN)
        assert body is not None
        assert body.decode() == self.stream(jobs, snapshot.record)
        assert json.loads(body)["result"]["channels"] == [item for page in pages for item in page]

    def test_is_read_only_if_it_is_asked_for_and_short(
        self, jobs: Jobs, running: tuple[JobRequest, str]
    ) -> None:
        job, token = running
        assert self.read(jobs, job, max_bytes=100_000).stored_result is None, "it still runs"
        jobs.store_result(job, token, "SUCCESS", replace(HEAD, total=25, pages_read=3))

        stored = self.read(jobs, job, max_bytes=100_000).stored_result
        assert stored
        assert self.read(jobs, job, max_bytes=len(stored)).stored_result == stored
        assert self.read(jobs, job, max_bytes=len(stored) - 1).stored_result is None
        assert self.read(jobs, job, max_bytes=0).stored_result is None

    def test_is_streamed_if_its_text_is_long(
        self, jobs: Jobs, running: tuple[JobRequest, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        job, token = running
        jobs.store_result(job, token, "SUCCESS", replace(HEAD, total=25, pages_read=3))
        snapshot = self.read(jobs, job, max_bytes=100_000)
        assert snapshot.stored_result
        monkeypatch.setattr(export, "_MAX_WHOLE_BYTES", 100)

        assert build_whole_result(snapshot.record, snapshot.stored_result, Language.EN) is None

    def test_that_lacks_items_is_unreadable(
        self, jobs: Jobs, running: tuple[JobRequest, str]
    ) -> None:
        job, token = running
        jobs.store_result(job, token, "SUCCESS", replace(HEAD, total=25, pages_read=3))
        snapshot = self.read(jobs, job, max_bytes=100_000)
        assert snapshot.stored_result

        with pytest.raises(UnreadableDataError):
            build_whole_result(snapshot.record, snapshot.stored_result[:-10], Language.EN)
