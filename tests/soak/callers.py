"""Clients of a soak test: start jobs, poll them until they end, cancel some."""

import random
import threading
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from demo.channels import COUNT
from demo.golden import expected_items

JOB_PATH = "/api/v1/tubehunt/scrape-channels"
PER_PAGE = 10
#: Percentage of jobs that are cancelled, at a random time within these seconds after the start, or
#: after the first attempt has begun.
_CANCELLED_PERCENT = 10
_CANCEL_PENDING_WITHIN_S = 15.0
_CANCEL_RUNNING_WITHIN_S = 3.0
#: Longest response time while Redis is unavailable.
_RESPONSE_WITHIN_S = 5.0
#: Extra time for a busy machine.
_SLACK_S = 1.0
#: Number of pending jobs that are polled in each round, in addition to all running ones.
_PENDING_PER_ROUND = 5
_ROUND_S = 0.1

_STATES = ["pending", "processing", "completed", "failed"]


@dataclass
class SoakJob:
    """An accepted job, and what its client has received."""

    id: str
    first_page: int
    pages: int
    #: Seconds from its start, or from that of its first attempt, to its cancellation.
    cancel_after_s: float | None
    cancel_while_running: bool
    started_at: float
    #: The last body.
    body: dict[str, Any] = field(default_factory=lambda: {"status": "pending", "progress": 0})
    #: When it was polled last, on the monotonic clock.
    polled_at: float = 0.0
    #: When each attempt was first observed, by its number.
    attempts: dict[int, float] = field(default_factory=dict)

    @property
    def is_final(self) -> bool:
        """Whether its final body was received."""
        return bool(self.body.get("is_final"))

    @property
    def items(self) -> list[dict[str, Any]]:
        """Expected items of its result."""
        return expected_items(self.pages * PER_PAGE, skip=(self.first_page - 1) * PER_PAGE)


class Callers:
    """Starts, polls and cancels jobs, in one thread."""

    def __init__(
        self,
        client: httpx.Client,
        count: int,
        rng: random.Random,
        no_requests: threading.Lock,
        losses: Sequence[tuple[float, float]],
    ) -> None:
        """Create the clients.

        Args:
            client: The API.
            count: How many jobs to start.
            rng: Chooses their parameters.
            no_requests: Held while Redis goes back.
            losses: Start and end of each time whose writes Redis has lost, on the monotonic
                clock; it grows.
        """
        self._client = client
        self._no_requests = no_requests
        self._losses = losses
        self._applied_losses = 0
        self._count = count
        self._rng = rng
        self.jobs: dict[str, SoakJob] = {}
        #: Descriptions of all invalid responses.
        self.violations: list[str] = []
        #: How many jobs are unknown because the writes of their start were lost.
        self.forgotten = 0

    def run(self, deadline: float) -> None:
        """Start the jobs that were not started yet, and poll all until they end.

        Args:
            deadline: When to stop, on the monotonic clock.
        """
        pending: list[SoakJob] = []
        never = threading.Event()
        while time.monotonic() < deadline:
            with self._no_requests:
                self._apply_losses()
                if len(self.jobs) < self._count:
                    self._start()
                unfinished = [job for job in self.jobs.values() if not job.is_final]
                if not unfinished and len(self.jobs) == self._count:
                    break
                running = [job for job in unfinished if job.body["status"] == "processing"]
                pending = pending or [job for job in unfinished if job not in running]
                polled_pending = [job for job in pending[:_PENDING_PER_ROUND] if job in unfinished]
                pending = pending[_PENDING_PER_ROUND:]
                for job in (*running, *polled_pending):
                    self._cancel_if_due(job)
                    if not self._poll(job):
                        break
            never.wait(_ROUND_S)

    def _apply_losses(self) -> None:
        """Forget what was read of jobs while Redis wrote what it has lost."""
        for started_at, _ in self._losses[self._applied_losses :]:
            self._applied_losses += 1
            for job in self.jobs.values():
                if not job.is_final or job.polled_at >= started_at:
                    job.body = {"status": "pending", "progress": 0}
                    job.attempts.clear()

    def _may_be_forgotten(self, job: SoakJob) -> bool:
        return any(
            started_at <= job.started_at <= ended_at for started_at, ended_at in self._losses
        )

    def check_ends(self) -> None:
        """Poll every job once more: its final body must not have changed."""
        for job in list(self.jobs.values()):
            last_body = job.body
            self._poll(job)
            if job.body != last_body:
                self.violations.append(f"{job.id} changed after its end")

    def _start(self) -> None:
        pages = self._rng.randint(1, 4)
        first_page = self._rng.randint(1, COUNT // PER_PAGE - pages + 1)
        is_cancelled = self._rng.randrange(100) < _CANCELLED_PERCENT
        while_running = self._rng.random() < 1 / 2
        within_s = _CANCEL_RUNNING_WITHIN_S if while_running else _CANCEL_PENDING_WITHIN_S
        cancel_after_s = self._rng.uniform(0, within_s)
        params = {"pages": pages, "first_page": first_page, "per_page": PER_PAGE}
        response = self._send("POST", "start", json=params)
        if response is not None:
            job_id = response.json()["job_id"]
            after_s = cancel_after_s if is_cancelled else None
            started_at = time.monotonic()
            self.jobs[job_id] = SoakJob(
                job_id, first_page, pages, after_s, while_running, started_at
            )

    def _cancel_if_due(self, job: SoakJob) -> None:
        if job.cancel_after_s is None:
            return
        since = job.attempts.get(1) if job.cancel_while_running else job.started_at
        if since is None or time.monotonic() < since + job.cancel_after_s:
            return
        # 409: the job has ended meanwhile. 404: see `_poll`.
        accept = {409, 404} if self._may_be_forgotten(job) else {409}
        if self._send("POST", f"cancel/{job.id}", accept) is not None:
            job.cancel_after_s = None

    def _poll(self, job: SoakJob) -> bool:
        """Poll a job; return False if Redis is unavailable."""
        accept = {404} if self._may_be_forgotten(job) else set[int]()
        response = self._send("GET", f"result/{job.id}", accept)
        if response is None:
            return False
        if response.status_code == httpx.codes.NOT_FOUND and accept:
            del self.jobs[job.id]  # another one takes its place
            self.forgotten += 1
            return True
        body = response.json()
        went_back = _STATES.index(body["status"]) < _STATES.index(job.body["status"])
        if went_back or body["progress"] < job.body["progress"]:
            self.violations.append(f"{job.id} went backwards: {job.body} -> {body}")
        job.body = body
        job.polled_at = time.monotonic()
        job.attempts.setdefault(body["attempt"], time.monotonic())
        return True

    def _send(
        self,
        method: str,
        path: str,
        accept: Collection[int] = (),
        json: dict[str, int] | None = None,
    ) -> httpx.Response | None:
        """Send a request; return the response, or None if Redis is unavailable."""
        started_at = time.monotonic()
        response = self._client.request(method, f"{JOB_PATH}/{path}", json=json)
        duration_s = time.monotonic() - started_at
        if duration_s > _RESPONSE_WITHIN_S + _SLACK_S:
            self.violations.append(f"{method} {path} took {duration_s:.1f} s")
        if response.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            return None
        if response.status_code not in {200, 202, *accept}:
            self.violations.append(f"{method} {path}: {response.status_code} {response.text}")
        return response
