"""The scripts that share a job's pages between workers, on a real Redis."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from garimpo.local_stack.stack import Stack
from jobs.model.job import JobRequest
from jobs.model.lease_policy import LeasePolicy
from jobs.redis import keys
from jobs.redis.message_check import check_message
from jobs.store.leased_jobs import FinishedPage
from jobs.store.shared_pages import PageRange, SharedPageStore
from tests.integration.jobs_in_redis import HEAD, Jobs

PAGES = PageRange(1, 20, limit=2, ahead=8, max_bytes=1000)


@pytest.fixture(scope="module")
def jobs() -> Iterator[Jobs]:
    with Stack() as stack, Jobs(stack.redis().url, LeasePolicy()) as jobs:
        yield jobs


@dataclass
class Shared:
    """A job that a worker runs, and its pages as this and other workers see them."""

    jobs: Jobs
    job: JobRequest
    token: str
    holder: SharedPageStore

    def helper(self, name: str) -> SharedPageStore:
        return self.jobs.leased_jobs.share_pages(self.job.id, name)

    def claim(self, first: int = 1) -> list[int]:
        """Return what the job's own worker reads."""
        return list(self.holder.claim(replace(PAGES, first=first), "job").pages)

    def expire(self, name: str) -> None:
        self.jobs.redis.zadd(keys.parts(self.job.id), {name: 0}, xx=True)

    def append(self, number: int) -> None:
        page = FinishedPage(number, [{"title": f"row {number}"}])
        self.jobs.append(self.job, self.token, page)


@pytest.fixture
def shared(jobs: Jobs) -> Shared:
    jobs.redis.flushall()
    job = jobs.submit()
    token = jobs.claim(job)
    jobs.redis.delete(keys.JOB_QUEUE)  # as if the worker had received the message
    return Shared(jobs, job, token, jobs.leased_jobs.share_pages(job.id, token))


def claim(store: SharedPageStore, caller: str = "part") -> tuple[str, list[int]]:
    claimed = store.claim(PAGES, "new" if caller == "new" else "part")
    return claimed.status, list(claimed.pages)


class TestClaim:
    def test_gives_each_page_to_one_worker(self, shared: Shared) -> None:
        one, two = shared.helper("one"), shared.helper("two")

        assert shared.claim() == [1, 2]
        assert claim(one, "new") == ("read", [3, 4])
        assert claim(two, "new") == ("read", [5, 6])
        assert claim(one) == ("read", [3, 4])  # as after a lost reply

    def test_tops_up(self, shared: Shared) -> None:
        one = shared.helper("one")
        claim(one, "new")
        one.put(1, "page", max_bytes=1000)

        assert claim(one) == ("read", [2, 3])

    def test_may_ask_first(self, shared: Shared) -> None:
        asked = shared.helper("one").claim(replace(PAGES, limit=0), "new")

        assert (asked.status, asked.pages) == ("read", [])
        assert shared.claim() == [1, 2]

    def test_gives_the_pages_of_a_dead_helper_to_others(self, shared: Shared) -> None:
        claim(shared.helper("one"), "new")
        shared.expire("one")

        assert claim(shared.helper("two"), "new") == ("read", [1, 2])
        assert claim(shared.helper("one")) == ("over", [])

    def test_gives_the_needed_page_to_the_jobs_worker_in_any_case(self, shared: Shared) -> None:
        claim(shared.helper("one"), "new")
        assert shared.claim() == [3, 4]
        shared.helper("one").release()

        assert shared.claim() == [1, 3, 4]

    def test_of_a_job_that_was_taken_over_begins_again(self, shared: Shared) -> None:
        shared.claim()
        shared.jobs.redis.hset(keys.record(shared.job.id), "token", "other")

        assert shared.claim() == []
        other = shared.jobs.leased_jobs.share_pages(shared.job.id, "other")
        assert list(other.claim(PAGES, "job").pages) == [1, 2]

    def test_reads_no_further_ahead_than_allowed(self, shared: Shared) -> None:
        for name in ("one", "two", "three", "four"):
            assert claim(shared.helper(name), "new")[0] == "read"

        assert claim(shared.helper("five"), "new") == ("wait", [])
        for number in (1, 2):
            shared.helper("one").put(number, "page", max_bytes=1000)
            shared.append(number)
        assert shared.claim(first=3) == [9, 10]

    def test_waits_while_too_many_bytes_are_stored(self, shared: Shared) -> None:
        one = shared.helper("one")
        claim(one, "new")
        full = replace(PAGES, max_bytes=10)
        one.put(1, "a page of some length", max_bytes=1000)

        assert shared.helper("two").claim(full, "new").status == "wait"
        assert shared.claim(first=1) == [3, 4]
        shared.append(1)
        assert shared.helper("two").claim(full, "part").status == "read"

    def test_lets_a_waiting_job_go_first(self, shared: Shared) -> None:
        one = shared.helper("one")
        claim(one, "new")
        shared.jobs.submit()

        assert claim(one) == ("read", [1, 2])  # it finishes what it loads
        for number in (1, 2):
            one.put(number, "page", max_bytes=1000)
        assert claim(one) == ("busy", [])
        assert shared.claim(first=3) == [3, 4]

    def test_ends(self, shared: Shared) -> None:
        one = shared.helper("one")
        last = PageRange(19, 20, limit=2, ahead=8, max_bytes=1000)
        shared.holder.claim(last, "job")

        assert one.claim(last, "new").status == "done"

    @pytest.mark.parametrize("field", ["cancel", "parked"])
    def test_is_over_once_the_job_does_not_run(self, shared: Shared, field: str) -> None:
        one = shared.helper("one")
        claim(one, "new")
        shared.jobs.redis.hset(keys.record(shared.job.id), field, 1)

        assert claim(one) == ("over", [])

    def test_gives_a_cancelled_job_no_further_page(self, shared: Shared) -> None:
        assert shared.claim() == [1, 2]
        shared.append(1)

        shared.jobs.cancel(shared.job)

        assert shared.claim(2) == [2]

    def test_finds_a_page_that_redis_has_lost(self, shared: Shared) -> None:
        one = shared.helper("one")
        claim(one, "new")
        one.put(1, "page", max_bytes=1000)
        shared.jobs.redis.delete(keys.read_pages(shared.job.id))

        assert 1 in shared.claim()


class TestPut:
    def test_hands_a_page_over(self, shared: Shared) -> None:
        one = shared.helper("one")
        claim(one, "new")

        assert one.put(1, "página", max_bytes=1000)

        assert shared.holder.get(1) == "página"
        shared.append(1)
        assert shared.holder.get(1) is None

    def test_is_refused_without_the_lease(self, shared: Shared) -> None:
        one = shared.helper("one")
        claim(one, "new")
        shared.expire("one")

        assert not one.put(1, "late", max_bytes=1000)
        assert one.renew() == "lost"
        assert shared.holder.get(1) is None

    def test_is_refused_for_a_page_of_another(self, shared: Shared) -> None:
        one = shared.helper("one")
        claim(one, "new")
        one.give_back([1])

        assert not one.put(1, "late", max_bytes=1000)
        assert shared.claim() == [1, 3]

    def test_may_leave_a_page_to_the_jobs_worker(self, shared: Shared) -> None:
        one = shared.helper("one")
        claim(one, "new")
        one.put(1, "", max_bytes=1000)
        one.put(2, "a page that is too long", max_bytes=3)

        assert claim(one) == ("read", [3, 4])
        assert shared.claim() == [1, 2]

    def test_may_show_the_end_of_the_list(self, shared: Shared) -> None:
        one = shared.helper("one")
        claim(one, "new")
        one.put(2, "page", max_bytes=1000, is_end=True)
        one.put(1, "page", max_bytes=1000)

        assert claim(one) == ("done", [])
        # If it was not the end, there is more.
        shared.claim(first=3)
        assert claim(one) == ("read", [5, 6])

    def test_leaves_nothing_after_the_job(self, shared: Shared) -> None:
        one = shared.helper("one")
        claim(one, "new")
        one.put(2, "page", max_bytes=1000)
        shared.append(1)
        shared.jobs.store_result(shared.job, shared.token, "SUCCESS", HEAD)

        assert not one.put(1, "late", max_bytes=1000)
        assert (one.renew(), claim(one)) == ("lost", ("over", []))
        left = set(shared.jobs.redis.keys(f"{keys.record(shared.job.id)}*"))
        assert left == {keys.record(shared.job.id), keys.pages(shared.job.id)}


class TestRenew:
    def test_tells_of_a_cancellation(self, shared: Shared) -> None:
        one = shared.helper("one")
        claim(one, "new")
        assert one.renew() == "held"

        shared.jobs.cancel(shared.job)

        assert one.renew() == "cancelled"


class TestOffer:
    def test_enqueues_messages_that_pass_the_check(self, shared: Shared) -> None:
        shared.holder.offer(3)

        messages = shared.jobs.redis.lrange(keys.PART_QUEUE, 0, -1)
        ids = [check_message(str(message).encode(), keys.PART_QUEUE) for message in messages]
        assert ids == [shared.job.id] * 3

    def test_is_bounded(self, shared: Shared) -> None:
        for _ in range(5):
            shared.holder.offer(300)

        assert shared.jobs.redis.llen(keys.PART_QUEUE) == 1000
