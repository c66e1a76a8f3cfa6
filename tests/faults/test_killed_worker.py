"""Workers killed during a job: another worker continues after the last finished page.

A job that kills its workers repeatedly fails after three crashes.
"""

import os
import signal

import pytest

from jobs.redis import keys
from tests.faults.scenario import LEASE_S, FaultScenario, find_child, wait_s
from tests.support.polling import wait_until


class TestKilledWorker:
    @pytest.mark.parametrize("victim", ["child", "worker"])
    def test_loses_only_the_current_page(self, scenario: FaultScenario, victim: str) -> None:
        scenario.start_worker("one")
        scenario.start_worker("two")
        crashes = scenario.counter("crashes")
        takeovers = scenario.counter("takeovers")
        with scenario.hold_page(3):
            interrupted = scenario.start()
            other = scenario.start(pages=2)
            scenario.wait_for_page(interrupted, 3)
            holder = scenario.holder(interrupted)
            os.kill(find_child(holder) if victim == "child" else holder.pid, signal.SIGKILL)

        end = scenario.wait_for_end(interrupted)
        assert (end["status"], end["attempt"]) == ("completed", 2)
        assert scenario.requested_pages(interrupted) == [1, 2, 3, 3, 4]
        assert scenario.record_field(interrupted, "crashes") == "1"
        assert scenario.counter("crashes") - crashes == 1
        assert scenario.counter("takeovers") - takeovers == 1
        assert scenario.wait_for_end(other)["attempt"] == 1

    def test_leaves_its_job_for_the_next_worker_to_start(self, scenario: FaultScenario) -> None:
        worker = scenario.start_worker("one")
        with scenario.hold_page(3):
            job = scenario.start()
            scenario.wait_for_page(job, 3)
            worker.kill()
        wait_s(1.5 * LEASE_S)
        assert scenario.recorder.poll(job.id).body["status"] == "processing"
        worker.start()

        assert (scenario.wait_for_end(job)["status"], scenario.wait_for_end(job)["attempt"]) == (
            "completed",
            2,
        )
        assert scenario.requested_pages(job) == [1, 2, 3, 3, 4]

    def test_may_be_killed_right_after_sigterm(self, scenario: FaultScenario) -> None:
        scenario.start_worker("one")
        scenario.start_worker("two")
        with scenario.hold_page(3):
            job = scenario.start()
            scenario.wait_for_page(job, 3)
            victim = scenario.holder(job)
            victim.signal(signal.SIGTERM)
            victim.kill()

        assert scenario.wait_for_end(job)["status"] == "completed"
        assert scenario.requested_pages(job) == [1, 2, 3, 3, 4]

    def test_loses_no_message_in_transit(self, scenario: FaultScenario) -> None:
        worker = scenario.start_worker("one")
        worker.wait_ready()
        with scenario.services.connect() as redis:

            def lose_message() -> bool:
                """Let Redis send the message to a suspended worker; return whether it did."""
                worker.signal(signal.SIGSTOP)
                job = scenario.start(pages=1)
                if (
                    redis.llen(keys.JOB_QUEUE) == 0
                    and scenario.record_field(job, "state") == "pending"
                ):
                    return True
                # Its BRPOP had just timed out; retry with the next one.
                worker.signal(signal.SIGCONT)
                scenario.wait_for_end(job)
                return False

            wait_until(lose_message)
            worker.kill()
        scenario.start_worker("two")

        assert scenario.wait_for_end(scenario.jobs[-1])["attempt"] == 1


class TestPoison:
    def test_fails_after_three_crashes_while_other_jobs_continue(
        self, scenario: FaultScenario
    ) -> None:
        scenario.start_worker("one")
        scenario.start_worker("two")
        with scenario.hold_page(3):
            poison = scenario.start()
            others = [scenario.start(pages=2) for _ in range(3)]
            for attempt in (1, 2, 3):
                scenario.wait_for_page(poison, 3, times=attempt)
                os.kill(find_child(scenario.holder(poison)), signal.SIGKILL)
            end = scenario.wait_for_end(poison)

        assert (end["status"], end["error_code"], end["attempt"]) == ("failed", "worker_lost", 3)
        assert scenario.requested_pages(poison) == [1, 2, 3, 3, 3]
        assert [scenario.wait_for_end(job)["status"] for job in others] == ["completed"] * 3
        with scenario.services.connect() as redis:
            assert redis.zrange(keys.WORKER_LOST, 0, -1) == [poison.id]
