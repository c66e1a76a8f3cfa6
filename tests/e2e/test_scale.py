"""Scaling workers up and down: jobs are distributed, and continue elsewhere."""

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.compose import KEY_HEADERS, Compose
from tests.e2e.deployment import Deployment, TolerantPollRecorder
from tests.faults.job_scenario import SubmittedJob
from tests.support.polling import wait_until

pytestmark = pytest.mark.timeout(900)


def get_flower_tasks(compose: Compose, jobs: list[SubmittedJob]) -> list[dict[str, Any]]:
    """Return the tasks of these jobs in Flower, as soon as all have ended there."""
    url = f"http://127.0.0.1:{compose.flower_port}/api/tasks"

    def ended() -> list[dict[str, Any]]:
        known = httpx.get(url, auth=("demo", "demo"), trust_env=False).json()
        tasks = [known.get(job.id, {}) for job in jobs]
        return tasks if all(task.get("runtime") for task in tasks) else []

    return wait_until(ended)


def read_metrics(compose: Compose) -> dict[tuple[str, str], float]:
    """Return the jobs' counters by name and outcome, and the gauges without labels."""
    url = f"{compose.api_url}/metrics"
    text = httpx.get(url, headers=KEY_HEADERS, trust_env=False).text
    return {
        (sample.name, sample.labels.get("outcome", "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.labels.keys() <= {"site", "job_name", "outcome"}
    }


@dataclass(frozen=True)
class TwelveJobs:
    """Twelve jobs, started at once for three workers."""

    compose: Compose
    jobs: list[SubmittedJob]
    #: Worker of each job, from its record.
    workers: list[str]
    #: Increase of the metrics.
    counted: dict[str, float]
    alive: float


@pytest.fixture(scope="module")
def twelve(compose: Compose) -> TwelveJobs:
    """Run the jobs until they have ended."""
    compose.scale(3)
    with TolerantPollRecorder(compose.api_url, KEY_HEADERS) as recorder:
        deployment = Deployment(recorder, compose)
        deployment.demo.have()
        before = read_metrics(compose)
        jobs = [deployment.start(pages=2) for _ in range(12)]
        ends = [deployment.wait_for_end(job) for job in jobs]
        assert [(end["status"], end["attempt"]) for end in ends] == [("completed", 1)] * 12
        deployment.check()
        after = read_metrics(compose)
        names = {
            "ended": ("garimpo_jobs_ended_total", "completed"),
            "accepted": ("garimpo_jobs_accepted_total", ""),
            "pages": ("garimpo_pages_total", ""),
            "ran": ("garimpo_job_running_seconds_count", ""),
        }
        counted = {name: after[key] - before.get(key, 0) for name, key in names.items()}
        workers = [deployment.record_field(job, "worker") for job in jobs]
        return TwelveJobs(compose, jobs, workers, counted, after["garimpo_workers_alive", ""])


class TestOneJob:
    def test_scrapes_the_demo_site(self, deployment: Deployment) -> None:
        end = deployment.wait_for_end(deployment.start(pages=1))
        assert (end["status"], end["result"]["total_channels"]) == ("completed", 10)


class TestTwelveJobs:
    def test_are_distributed_over_three_workers(self, twelve: TwelveJobs) -> None:
        hosts = {worker.partition("@")[2] for worker in twelve.workers}
        assert hosts == {name[:12] for name in twelve.compose.containers("worker")}

    def test_are_the_same_in_flower(self, twelve: TwelveJobs) -> None:
        tasks = get_flower_tasks(twelve.compose, twelve.jobs)

        assert {task["name"] for task in tasks} == {"tubehunt.scrape-channels"}
        assert {task["state"] for task in tasks} == {"SUCCESS"}
        assert [task["worker"] for task in tasks] == twelve.workers

    def test_are_the_same_in_the_metrics(self, twelve: TwelveJobs) -> None:
        assert twelve.counted == {"ended": 12, "accepted": 12, "pages": 24, "ran": 12}
        assert twelve.alive == 3

    def test_are_kept_by_flower_after_a_restart(self, twelve: TwelveJobs) -> None:
        tasks_before = get_flower_tasks(twelve.compose, twelve.jobs)
        twelve.compose("restart", "flower")
        twelve.compose("up", "-d", "--wait", "--no-build", "--no-recreate", "flower")

        tasks_after = get_flower_tasks(twelve.compose, twelve.jobs)
        assert [task["runtime"] for task in tasks_after] == [
            task["runtime"] for task in tasks_before
        ]

    def test_run_one_at_a_time_in_each_worker(self, twelve: TwelveJobs) -> None:
        tasks = get_flower_tasks(twelve.compose, twelve.jobs)

        for worker in set(twelve.workers):
            times = sorted(
                (task["started"], task["succeeded"]) for task in tasks if task["worker"] == worker
            )
            assert all(ended <= began for (_, ended), (began, _) in pairwise(times))


class TestScalingDown:
    def test_releases_the_jobs_of_removed_workers(self, deployment: Deployment) -> None:
        deployment.compose.scale(3)
        with deployment.hold_page(3):
            jobs = [deployment.start() for _ in range(3)]
            for job in jobs:
                deployment.wait_for_page(job, 3)
            deployment.compose.scale(1)
        # The remaining worker requests the held pages again.
        deployment.demo.give_up()

        ends = [deployment.wait_for_end(job) for job in jobs]
        assert [end["status"] for end in ends] == ["completed"] * 3
        assert Counter(end["attempt"] for end in ends) == {1: 1, 2: 2}
        assert {deployment.record_field(job, "crashes") for job in jobs} == {"0"}
        requested = [deployment.requested_pages(job) for job in jobs]
        assert [(pages[1], pages[2]) for pages in requested] == [(1, 1)] * 3
