"""The scripts that keep an account's session, on a real Redis."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from garimpo.local_stack.stack import Stack
from jobs.model.job import JobRequest
from jobs.model.lease_policy import LeasePolicy
from jobs.redis import keys
from jobs.store.session_store import SessionStore, StoredSession
from tests.integration.jobs_in_redis import STARTING, Jobs

Open = Callable[[str], SessionStore]


@pytest.fixture(scope="module")
def jobs() -> Iterator[Jobs]:
    with Stack() as stack, Jobs(stack.redis().url, LeasePolicy()) as jobs:
        yield jobs


@pytest.fixture
def open_store(jobs: Jobs) -> Open:
    """Return a function that opens the store for the job that a worker has just claimed."""
    jobs.redis.flushall()

    def start(worker: str) -> SessionStore:
        job: JobRequest = jobs.submit()
        lease = jobs.leased_jobs.claim(job.id, worker, STARTING)
        return jobs.leased_jobs.open_sessions("tubehunt", "default", lease.record.id, lease.token)

    return start


class TestSessionStore:
    def test_has_nothing_at_first(self, open_store: Open) -> None:
        assert open_store("one").get() is None

    def test_gives_the_turn_to_one_job(self, open_store: Open) -> None:
        one, two = open_store("one"), open_store("two")

        assert one.begin_login(0) == "ours"
        assert one.begin_login(0) == "ours"  # as after a lost reply
        assert two.begin_login(0) == "others"
        one.end_login()
        assert two.begin_login(0) == "ours"

    def test_hands_the_session_of_a_login_to_those_who_wait(self, open_store: Open) -> None:
        one, two = open_store("one"), open_store("two")
        one.begin_login(0)

        assert one.save("first") == 1

        assert two.begin_login(0) == two.get() == StoredSession(1, "first")
        assert two.begin_login(1) == "ours"

    def test_takes_the_turn_from_a_job_without_its_lease(
        self, open_store: Open, jobs: Jobs
    ) -> None:
        one = open_store("one")
        one.begin_login(0)
        [record] = jobs.redis.keys(f"{keys.JOB}*")
        jobs.redis.hdel(record, "token")
        two = open_store("two")

        assert two.begin_login(0) == "ours"
        assert one.save("late") is None
        assert two.save("first") == 1

    def test_keeps_what_a_job_has_changed(self, open_store: Open) -> None:
        one, two = open_store("one"), open_store("two")
        one.begin_login(0)
        one.save("first")

        assert two.save("changed", made_from=1) == 2
        assert one.get() == StoredSession(2, "changed")

    def test_never_replaces_a_newer_session_by_an_older_one(self, open_store: Open) -> None:
        one, two = open_store("one"), open_store("two")
        one.begin_login(0)
        one.save("first")
        one.begin_login(1)
        one.save("second")

        assert two.save("changed", made_from=1) is None
        assert two.get() == StoredSession(2, "second")

    def test_waits_for_a_login_with_changes(self, open_store: Open) -> None:
        one, two = open_store("one"), open_store("two")
        one.begin_login(0)
        one.save("first")
        one.begin_login(1)

        assert two.save("changed", made_from=1) is None
        assert one.save("second") == 2


class TestTurns:
    def test_are_as_many_as_the_limit_says(self, open_store: Open) -> None:
        one, two, three = (open_store(name) for name in ("one", "two", "three"))

        assert one.take_turn(2, wait=False) == "ours"
        assert one.take_turn(2, wait=False) == "ours"  # as after a lost reply
        assert two.take_turn(2, wait=False) == "ours"
        assert three.take_turn(2, wait=False) == "others"

    def test_are_waited_for_without_a_worker(self, open_store: Open, jobs: Jobs) -> None:
        one, two = open_store("one"), open_store("two")
        one.take_turn(1, wait=True)
        jobs.redis.delete(keys.JOB_QUEUE)

        assert two.take_turn(1, wait=True) == "waiting"

        assert two.take_turn(1, wait=True) == "lost"
        assert jobs.redis.llen(keys.JOB_QUEUE) == 0
        record = jobs.redis.hgetall(keys.record(two._job_id))
        assert record["state"] == "processing"
        assert "token" not in record

    def test_are_handed_on_in_the_order_of_the_starts(self, open_store: Open, jobs: Jobs) -> None:
        one, two, three = (open_store(name) for name in ("one", "two", "three"))
        one.take_turn(1, wait=True)
        jobs.redis.hset(keys.record(two._job_id), "created_at", 1)
        for store in (three, two):
            store.take_turn(1, wait=True)
        jobs.redis.delete(keys.JOB_QUEUE)

        jobs.leased_jobs.release("tubehunt.scrape-channels", one._job_id, one._token)

        messages = jobs.redis.lrange(keys.JOB_QUEUE, 0, -1)
        # Workers take the last one.
        assert [one._job_id in messages[0], two._job_id in messages[1]] == [True, True]
        assert len(messages) == 2
        lease = jobs.leased_jobs.claim(two._job_id, "four", STARTING)
        assert lease.record.attempt == 1

    def test_of_a_job_without_its_lease_are_free(self, open_store: Open, jobs: Jobs) -> None:
        one, two = open_store("one"), open_store("two")
        one.take_turn(1, wait=True)
        jobs.redis.hdel(keys.record(one._job_id), "token")

        assert two.take_turn(1, wait=True) == "ours"


class TestAwaitImport:
    def test_keeps_others_from_a_login(self, open_store: Open) -> None:
        one, two = open_store("one"), open_store("two")
        one.begin_login(0)

        assert one.await_import(0, timedelta(minutes=1)) == "waiting"

        assert one.await_import(0, timedelta(minutes=1)) == "lost"
        assert two.begin_login(0) == "awaited"

    def test_does_not_miss_a_session_that_came_meanwhile(self, open_store: Open) -> None:
        one, two = open_store("one"), open_store("two")
        two.begin_login(0)
        two.save("first")

        assert one.await_import(0, timedelta(minutes=1)) == "newer"

    def test_ends_with_the_login_of_another_job(self, open_store: Open, jobs: Jobs) -> None:
        one, two = open_store("one"), open_store("two")
        two.begin_login(0)
        one.await_import(0, timedelta(minutes=1))
        jobs.redis.delete(keys.JOB_QUEUE)

        assert two.save("first") is not None

        [message] = jobs.redis.lrange(keys.JOB_QUEUE, 0, -1)
        assert one._job_id in message
        assert two.begin_login(0) == two.get()

    def test_is_late_once_the_time_has_passed(self, open_store: Open, jobs: Jobs) -> None:
        one = open_store("one")
        jobs.redis.hset(keys.record(one._job_id), "awaited_until", 1)

        assert one.await_import(0, timedelta(minutes=1)) == "late"
