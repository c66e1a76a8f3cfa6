"""Workers scale by number: jobs spread over them, and go on where one is taken away."""

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.compose import Compose
from tests.e2e.deployment import PatientWatch, Scene
from tests.faults.scenario import Asked
from tests.support.polling import wait_until

pytestmark = pytest.mark.timeout(900)


def ask_flower(compose: Compose, jobs: list[Asked]) -> list[dict[str, Any]]:
    """Return what Flower knows of these jobs, once it knows how each has ended."""
    url = f"http://127.0.0.1:{compose.flower_port}/api/tasks"

    def ended() -> list[dict[str, Any]]:
        known = httpx.get(url, auth=("demo", "demo"), trust_env=False).json()
        tasks = [known.get(job.id, {}) for job in jobs]
        return tasks if all(task.get("runtime") for task in tasks) else []

    return wait_until(ended)


def read_metrics(compose: Compose) -> dict[tuple[str, str], float]:
    """Return the jobs' counters by name and outcome, and the gauges that have no labels."""
    text = httpx.get(f"http://127.0.0.1:{compose.api_port}/metrics", trust_env=False).text
    return {
        (sample.name, sample.labels.get("outcome", "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.labels.keys() <= {"site", "job_name", "outcome"}
    }


@dataclass(frozen=True)
class Twelve:
    """Twelve jobs that were started at once, for three workers."""

    compose: Compose
    jobs: list[Asked]
    #: Which worker has run each, as its record has it.
    workers: list[str]
    #: What the metrics say more after them than before them.
    counted: dict[str, float]
    alive: float


@pytest.fixture(scope="module")
def twelve(compose: Compose) -> Twelve:
    """Run them to their ends."""
    compose.scale(3)
    with PatientWatch(f"http://127.0.0.1:{compose.api_port}") as watch:
        scene = Scene(compose, watch)
        scene.demo.have()
        before = read_metrics(compose)
        jobs = [scene.start(pages=2) for _ in range(12)]
        ends = [scene.end(job) for job in jobs]
        assert [(end["status"], end["attempt"]) for end in ends] == [("completed", 1)] * 12
        scene.check()
        after = read_metrics(compose)
        names = {
            "ended": ("garimpo_jobs_ended_total", "completed"),
            "accepted": ("garimpo_jobs_accepted_total", ""),
            "pages": ("garimpo_pages_total", ""),
            "ran": ("garimpo_job_running_seconds_count", ""),
        }
        counted = {name: after[key] - before.get(key, 0) for name, key in names.items()}
        workers = [scene.field(job, "worker") for job in jobs]
        return Twelve(compose, jobs, workers, counted, after["garimpo_workers_alive", ""])


class TestOneJob:
    def test_scrapes_the_stand_in_site(self, scene: Scene) -> None:
        end = scene.end(scene.start(pages=1))
        assert (end["status"], end["result"]["total_channels"]) == ("completed", 10)


class TestTwelveJobs:
    def test_spread_over_three_workers(self, twelve: Twelve) -> None:
        hosts = {worker.partition("@")[2] for worker in twelve.workers}
        assert hosts == {name[:12] for name in twelve.compose.containers("worker")}

    def test_are_the_same_in_flower(self, twelve: Twelve) -> None:
        tasks = ask_flower(twelve.compose, twelve.jobs)

        assert {task["name"] for task in tasks} == {"tubehunt.scrape-channels"}
        assert {task["state"] for task in tasks} == {"SUCCESS"}
        assert [task["worker"] for task in tasks] == twelve.workers

    def test_are_the_same_in_the_metrics(self, twelve: Twelve) -> None:
        assert twelve.counted == {"ended": 12, "accepted": 12, "pages": 24, "ran": 12}
        assert twelve.alive == 3

    def test_are_remembered_by_flower(self, twelve: Twelve) -> None:
        before = ask_flower(twelve.compose, twelve.jobs)
        twelve.compose("restart", "flower")
        twelve.compose("up", "-d", "--wait", "--no-build", "--no-recreate", "flower")

        after = ask_flower(twelve.compose, twelve.jobs)
        assert [task["runtime"] for task in after] == [task["runtime"] for task in before]

    def test_run_one_at_a_time_in_each_worker(self, twelve: Twelve) -> None:
        tasks = ask_flower(twelve.compose, twelve.jobs)

        for worker in set(twelve.workers):
            times = sorted(
                (task["started"], task["succeeded"]) for task in tasks if task["worker"] == worker
            )
            assert all(ended <= began for (_, ended), (began, _) in pairwise(times))


class TestScalingDown:
    def test_hands_over_the_jobs_of_those_that_go(self, scene: Scene) -> None:
        scene.compose.scale(3)
        with scene.held_at(3):
            jobs = [scene.start() for _ in range(3)]
            for job in jobs:
                scene.wait_for_page(job, 3)
            scene.compose.scale(1)
        # The one that stays, and whoever has taken over meanwhile, ask again.
        scene.demo.give_up()

        ends = [scene.end(job) for job in jobs]
        assert [end["status"] for end in ends] == ["completed"] * 3
        assert Counter(end["attempt"] for end in ends) == {1: 1, 2: 2}
        assert {scene.field(job, "crashes") for job in jobs} == {"0"}
        assert all(scene.pages(job)[:3] == [1, 2, 3] for job in jobs)
        assert all(scene.pages(job).count(1) == 1 for job in jobs)
