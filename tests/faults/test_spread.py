"""A job that several workers read: the faults of its own worker, and of those that help."""

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from garimpo.local_stack.process import Process
from jobs.redis import keys
from tests.faults.job_scenario import SubmittedJob
from tests.faults.recipes import PARALLEL
from tests.faults.scenario import FaultScenario, find_child
from tests.support.polling import wait_until

#: All full pages of the demo site.
PAGES = 13
#: Slow enough to stop a worker while it loads them.
SLOW_MS = 2000


@dataclass(frozen=True)
class Spread:
    """A job in the middle, whose workers are all suspended."""

    job: SubmittedJob
    holder: Process
    helper: Process
    #: The pages that each of the two is reading.
    held: frozenset[int]
    helped: frozenset[int]


def read_claims(scenario: FaultScenario, job: SubmittedJob) -> Mapping[str, frozenset[int]]:
    """Return the pages that are being read, by the lease's token."""
    with scenario.services.connect() as redis:
        claims: dict[str, str] = redis.hgetall(keys.page_claims(job.id))
        done = {int(number) for number in redis.hkeys(keys.pages(job.id))}
    by_token: dict[str, frozenset[int]] = {}
    for name, token in claims.items():
        if name.isdigit() and token not in {"=", "!"} and int(name) not in done:
            by_token[token] = by_token.get(token, frozenset()) | {int(name)}
    return by_token


def suspend(scenario: FaultScenario) -> Spread:
    """Start a job with two workers; suspend both once the second one reads pages of it."""
    for name in ("one", "two"):
        scenario.start_worker(name).wait_ready()
    scenario.demo.have(slow_ms=SLOW_MS)
    job = scenario.start(pages=PAGES, site="spread")

    def find_claims() -> tuple[frozenset[int], frozenset[int]] | None:
        """Return the pages of the job's own worker and of the other, if both load some."""
        token = scenario.record_field(job, "token") or ""
        claims = read_claims(scenario, job)
        others = [pages for reader, pages in claims.items() if reader != token]
        requested = set(scenario.requested_pages(job))
        if claims.get(token) and others and others[0] <= requested:
            return claims[token], others[0]
        assert scenario.recorder.final_body(job.id) is None, "nobody has helped"
        return None

    def find_suspended() -> tuple[frozenset[int], frozenset[int]] | None:
        """Suspend the workers once both load pages; resume them if one has read its own."""
        wait_until(find_claims)
        for worker in scenario.workers.values():
            scenario.freeze(worker)
        if claims := find_claims():
            return claims
        for worker in scenario.workers.values():
            scenario.thaw(worker)
        return None

    held, helped = wait_until(find_suspended) or (frozenset(), frozenset())
    holder = scenario.holder(job)
    helper = next(worker for worker in scenario.workers.values() if worker is not holder)
    return Spread(job, holder, helper, held, helped)


def pages_read_twice(scenario: FaultScenario, job: SubmittedJob) -> set[int]:
    counts = scenario.requested_pages(job)
    assert set(counts) == set(range(1, PAGES + 1))
    return {page for page, count in counts.items() if count > 1}


class TestHelper:
    def test_reads_pages_of_another_workers_job(self, scenario: FaultScenario) -> None:
        spread = suspend(scenario)
        assert len(spread.held) <= PARALLEL
        assert len(spread.helped) <= PARALLEL
        for worker in (spread.holder, spread.helper):
            scenario.thaw(worker)

        end = scenario.wait_for_end(spread.job)
        assert (end["status"], end["attempt"]) == ("completed", 1)
        assert pages_read_twice(scenario, spread.job) == set()
        wait_until(lambda: "part ended" in spread.helper.read_log())

    @pytest.mark.parametrize("victim", ["child", "worker"])
    def test_that_is_killed_costs_its_own_pages_only(
        self, scenario: FaultScenario, victim: str
    ) -> None:
        spread = suspend(scenario)
        helper = spread.helper
        if victim == "child":
            os.kill(find_child(helper), signal.SIGKILL)
            helper.signal(signal.SIGCONT)
        else:
            os.kill(find_child(helper), signal.SIGKILL)
            helper.kill()
        scenario.thaw(spread.holder)

        end = scenario.wait_for_end(spread.job)
        assert (end["status"], end["attempt"]) == ("completed", 1)
        assert pages_read_twice(scenario, spread.job) <= spread.helped

    def test_that_is_stopped_gives_its_pages_back_at_once(self, scenario: FaultScenario) -> None:
        spread = suspend(scenario)
        for worker in (spread.holder, spread.helper):
            scenario.thaw(worker)
        spread.helper.signal(signal.SIGTERM)
        wait_until(lambda: not spread.helper.is_alive)
        assert "part released" in spread.helper.read_log()
        with scenario.services.connect() as redis:
            assert redis.zcard(keys.parts(spread.job.id)) == 0

        end = scenario.wait_for_end(spread.job)
        assert (end["status"], end["attempt"]) == ("completed", 1)
        # Those that it had by then.
        assert len(pages_read_twice(scenario, spread.job)) <= PARALLEL

    def test_stops_when_the_job_is_cancelled(self, scenario: FaultScenario) -> None:
        spread = suspend(scenario)
        assert scenario.cancel(spread.job).status_code == 202
        requested = set(scenario.requested_pages(spread.job))
        for worker in (spread.holder, spread.helper):
            scenario.thaw(worker)

        assert scenario.wait_for_end(spread.job)["error_code"] == "cancelled"
        wait_until(lambda: "part ended" in spread.helper.read_log())
        # None beyond those that were being read.
        left = set(scenario.requested_pages(spread.job)) - requested
        assert left <= spread.held | spread.helped

    def test_runs_a_waiting_job_before_further_pages(self, scenario: FaultScenario) -> None:
        spread = suspend(scenario)
        other = scenario.start(pages=1)
        before = scenario.requested_pages(spread.job)
        # Only the helper can run it.
        scenario.thaw(spread.helper)

        scenario.wait_for_page(other, 1)
        later = scenario.requested_pages(spread.job) - before
        assert set(later) <= spread.helped
        scenario.thaw(spread.holder)
        assert scenario.wait_for_end(other)["status"] == "completed"
        assert scenario.wait_for_end(spread.job)["status"] == "completed"


class TestHolder:
    def test_that_is_killed_costs_its_own_pages_only(self, scenario: FaultScenario) -> None:
        spread = suspend(scenario)
        scenario.thaw(spread.helper)
        os.kill(find_child(spread.holder), signal.SIGKILL)
        spread.holder.kill()

        end = scenario.wait_for_end(spread.job)
        assert (end["status"], end["attempt"]) == ("completed", 2)
        assert pages_read_twice(scenario, spread.job) <= spread.held
