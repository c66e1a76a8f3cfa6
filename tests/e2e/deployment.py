"""The containers from outside: jobs, their workers, and requests to the demo site."""

import time
from dataclasses import dataclass
from typing import Any

import httpx

from jobs.redis import keys
from tests.e2e.compose import KEY_HEADERS, Compose, run
from tests.faults.job_scenario import JobScenario, SubmittedJob
from tests.faults.poll_recorder import Poll, PollRecorder
from tests.support.demo_site import DemoControls
from tests.support.polling import wait_until

#: The number of browsers that a worker keeps between jobs (WARM_BROWSERS).
_MAX_WARM = 2


class TolerantPollRecorder(PollRecorder):
    """Records status 0 without a response, as while the API's container is replaced."""

    def poll(self, job_id: str) -> Poll:
        """Poll a job once; the response is not recorded."""
        started_at = time.monotonic()
        try:
            return super().poll(job_id)
        except httpx.TransportError:
            return Poll(started_at, time.monotonic() - started_at, 0, {})


@dataclass
class Deployment(JobScenario):
    """One test's jobs in the Compose project."""

    compose: Compose

    @property
    def demo(self) -> DemoControls:
        """Control endpoints of the demo site."""
        return DemoControls(f"http://127.0.0.1:{self.compose.site_port}")

    def post(self, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        """Send a POST request to the API."""
        url = f"{self.compose.api_url}{path}"
        return httpx.post(url, json=body, headers=KEY_HEADERS, timeout=10, trust_env=False)

    def wait_for_end(self, job: SubmittedJob, *, within_s: float = 120) -> dict[str, Any]:
        """Return the job's final body."""
        return super().wait_for_end(job, within_s=within_s)

    def record_field(self, job: SubmittedJob, name: str) -> str:
        """Return a field of the job's record; empty if it is not set."""
        return self.compose.redis("hget", keys.record(job.id), name)

    def holder(self, job: SubmittedJob) -> str:
        """Return the container of the worker that holds the job's lease."""
        name = wait_until(lambda: self.record_field(job, "worker"))
        # A worker is named after its host, which is the start of its container's id.
        host = name.partition("@")[2]
        [container] = [
            container
            for container in self.compose.containers("worker")
            if container.startswith(host)
        ]
        return container

    def check(self) -> None:
        """Wait until every job has ended; fail if an invariant is violated."""
        for job in self.jobs:
            end = self.wait_for_end(job)
            bodies = [poll.body for poll in self.recorder.polls[job.id] if poll.status == 200]
            states = [("pending", "processing").count(body["status"]) for body in bodies]
            assert states == [1] * (len(bodies) - 1) + [0], "more than one end"
            progress = [body["progress"] for body in bodies]
            assert progress == sorted(progress)
            if end["status"] == "completed":
                assert end["result"]["channels"] == job.items
            assert self.recorder.poll(job.id).body == end, "changed after its end"
        for worker in self.compose.containers("worker"):
            within_s = 15  # for browsers of jobs; some are kept for the next ones
            wait_until(lambda: _count_browsers(worker) <= _MAX_WARM, within_s=within_s)  # noqa: B023


def _count_browsers(container: str) -> int:
    """Return the number of browsers in a container: each has one driver."""
    processes = run("docker", "top", container, "-eo", "pid,comm").splitlines()
    return sum("chromedriver" in process for process in processes)
