"""Workers killed during a job: another worker continues after the last finished page.

A job that kills its workers repeatedly fails after three crashes.
"""

import os
import signal
from collections import Counter
from contextlib import suppress
from typing import Any

import psutil
import pytest

from demo.channels import all_channels
from demo.golden import expected_details
from jobs.redis import keys
from tests.faults.job_scenario import PER_PAGE
from tests.faults.scenario import LEASE_S, FaultScenario, find_child, wait_s
from tests.support.polling import wait_until


class TestKilledWorker:
    @pytest.mark.parametrize(
        ("victim", "site", "loaded"),
        [
            ("child", "tubehunt", {1: 1, 2: 1, 3: 2, 4: 2}),
            ("worker", "tubehunt", {1: 1, 2: 1, 3: 2, 4: 2}),
            ("worker", "followed", {1: 1, 2: 1, 3: 2, 4: 1}),
        ],
    )
    def test_loses_only_the_current_pages(
        self, scenario: FaultScenario, victim: str, site: str, loaded: dict[int, int]
    ) -> None:
        scenario.start_worker("one")
        scenario.start_worker("two")
        crashes = scenario.counter("crashes")
        takeovers = scenario.counter("takeovers")
        with scenario.hold_page(3):
            interrupted = scenario.start(site=site)
            other = scenario.start(pages=2)
            scenario.wait_for_page(interrupted, 3)
            holder = scenario.holder(interrupted)
            os.kill(find_child(holder) if victim == "child" else holder.pid, signal.SIGKILL)

        end = scenario.wait_for_end(interrupted)
        assert (end["status"], end["attempt"]) == ("completed", 2)
        assert scenario.requested_pages(interrupted) == loaded
        assert scenario.record_field(interrupted, "crashes") == "1"
        assert scenario.counter("crashes") - crashes == 1
        assert scenario.counter("takeovers") - takeovers == 1
        assert scenario.wait_for_end(other)["attempt"] == 1

    def test_leaves_the_fill_rates_of_the_pages_that_were_stored(
        self, scenario: FaultScenario
    ) -> None:
        worker = scenario.start_worker("one")
        with scenario.hold_page(3):
            job = scenario.start(site="rated")
            scenario.wait_for_page(job, 3)
            worker.kill()
        scenario.start_worker("two")

        end = scenario.wait_for_end(job)
        filled = sum(item["country"] is not None for item in job.items)
        stored = job.items[: 2 * PER_PAGE]
        assert all(any(item["country"] is None for item in part) for part in (stored, job.items))
        assert (end["error_code"], end["attempt"]) == ("page_changed", 2)
        counts = f"country has a value in {filled} of {len(job.items)} items"
        assert counts in scenario.read_error(job)
        assert "requires 0.99" in scenario.read_error(job)
        assert scenario.requested_pages(job) == {1: 1, 2: 1, 3: 2, 4: 2}
        # All its pages were read, so the browser is kept for the next job.
        assert scenario.wait_for_end(scenario.start(pages=1))["status"] == "completed"

    def test_reads_no_channel_twice_that_was_stored(self, scenario: FaultScenario) -> None:
        scenario.start_worker("one")
        scenario.start_worker("two")
        channels = all_channels()[:12]
        scenario.demo.have(slow_ms=500)
        scenario.demo.forget_requests()
        path = "/api/v1/single/scrape-channel"
        body = {"channel_links": [channel.link for channel in channels]}
        with scenario.services.client() as api:
            job_id = api.post(f"{path}/start", json=body).json()["job_id"]

            def read() -> dict[str, Any]:
                state: dict[str, Any] = api.get(f"{path}/result/{job_id}").json()
                return state

            wait_until(lambda: read().get("progress", 0) >= 10 + 89 * 4 // len(channels))
            with scenario.services.connect() as redis:
                stored = redis.hlen(keys.pages(job_id))
                name = redis.hget(keys.record(job_id), "worker").partition("@")[0]
            scenario.workers[name].kill()
            end = wait_until(lambda: now if (now := read())["is_final"] else None, within_s=90)

        assert end is not None
        assert (end["status"], end["attempt"]) == ("completed", 2)
        expected = [expected_details(channel) for channel in channels]
        assert end["result"]["channels"] == expected
        requested = Counter(request["path"] for request in scenario.demo.requests("/channel/"))
        assert sum(requested.values()) <= len(channels) + 1
        assert [requested[f"/channel/{channel.id}"] for channel in channels[:stored]] == [
            1
        ] * stored

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
        assert scenario.requested_pages(job) == {1: 1, 2: 1, 3: 2, 4: 2}

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
        assert scenario.requested_pages(job) == {1: 1, 2: 1, 3: 2, 4: 2}

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
        requested = scenario.requested_pages(poison)
        # Page 4 is loaded ahead, perhaps not before the process is killed.
        assert requested == {1: 1, 2: 1, 3: 3, 4: requested[4]}
        assert [scenario.wait_for_end(job)["status"] for job in others] == ["completed"] * 3
        with scenario.services.connect() as redis:
            assert redis.zrange(keys.WORKER_LOST, 0, -1) == [poison.id]


class TestFiles:
    def test_of_a_killed_worker_are_removed_by_the_next(self, scenario: FaultScenario) -> None:
        folder = scenario.browsers_folder("one")
        worker = scenario.start_worker("one")
        with scenario.hold_page(1):
            job = scenario.start(pages=1)
            scenario.wait_for_page(job, 1)
            # Everything at once, as when a container is killed: nothing is left to tidy up.
            below = psutil.Process(worker.pid).children(recursive=True)
            for number in (signal.SIGSTOP, signal.SIGKILL):
                worker.signal(number)
                for child in below:
                    with suppress(psutil.NoSuchProcess):
                        child.send_signal(number)
            worker.kill()
        left = {path.name for path in folder.iterdir()}
        assert len(left) > 1
        # A folder of another program, which only looks like ours.
        other = folder / "garimpo-stack"
        other.mkdir()

        worker.start()

        assert scenario.wait_for_end(job)["status"] == "completed"
        wait_until(lambda: not left & {path.name for path in folder.iterdir()})
        own = {path.name for path in folder.iterdir()} - {other.name}
        # While it runs, another worker of the same machine leaves its folder alone.
        second = scenario.start_worker("two", {"TMPDIR": str(folder)})
        wait_until(lambda: " ready." in second.read_log())
        names = {path.name for path in folder.iterdir()}
        assert {*own, other.name} < names
        for process in (worker, second):
            process.signal(signal.SIGTERM)
            wait_until(lambda: not process.is_alive)  # noqa: B023 - called at once
        assert {path.name for path in folder.iterdir()} == {other.name}
