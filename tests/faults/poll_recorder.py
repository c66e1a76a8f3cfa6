"""Thread that polls all jobs of a test and records each response."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx

JOB_PATH = "/api/v1/{site}/scrape-channels"
_INTERVAL_S = 0.1


@dataclass(frozen=True)
class Poll:
    """A request for a job's status, and the response."""

    #: On the monotonic clock.
    started_at: float
    duration_s: float
    status: int
    body: dict[str, Any]

    @property
    def ended_at(self) -> float:
        """Time of the response, on the monotonic clock."""
        return self.started_at + self.duration_s


class PollRecorder:
    """Polls all jobs until they end: `with PollRecorder(url) as recorder`."""

    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        self._client = httpx.Client(base_url=url, headers=headers, timeout=10, trust_env=False)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="poll-recorder")
        self._paths: dict[str, str] = {}
        self.polls: dict[str, list[Poll]] = {}
        #: Start and end of each outage of Redis, on the monotonic clock.
        self.outages: list[tuple[float, float]] = []
        #: Those after which Redis lacked its last writes.
        self.losses: list[tuple[float, float]] = []

    def __enter__(self) -> Self:
        """Start polling."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop polling."""
        self._stopped.set()
        self._thread.join()
        self._client.close()

    def add(self, job_id: str, site: str) -> None:
        """Poll this job, too."""
        self._paths[job_id] = f"{JOB_PATH.format(site=site)}/result/{job_id}"
        self.polls[job_id] = []

    @contextmanager
    def redis_outage(self, *, loses_writes: bool = False) -> Iterator[None]:
        """Record an outage of Redis during the block, in which 503 is a valid response.

        Args:
            loses_writes: Whether Redis lacks its last writes afterwards, so that jobs go back.
        """
        started_at = time.monotonic()
        try:
            yield
        finally:
            self.outages.append((started_at, time.monotonic()))
            if loses_writes:
                self.losses.append(self.outages[-1])

    def uninterrupted_polls(self, job_id: str) -> list[list[Poll]]:
        """Return a job's polls with a status, in groups between which Redis has lost writes."""
        groups: list[list[Poll]] = [[] for _ in range(len(self.losses) + 1)]
        for poll in self.polls[job_id]:
            before = sum(ended_at <= poll.started_at for _, ended_at in self.losses)
            overlaps = any(
                started_at <= poll.ended_at and poll.started_at < ended_at
                for started_at, ended_at in self.losses
            )
            if poll.status == httpx.codes.OK and not overlaps:
                groups[before].append(poll)
        return groups

    def poll(self, job_id: str) -> Poll:
        """Poll a job once; the response is not recorded."""
        started_at = time.monotonic()
        response = self._client.get(self._paths[job_id])
        duration_s = time.monotonic() - started_at
        return Poll(started_at, duration_s, response.status_code, response.json())

    def final_body(self, job_id: str) -> dict[str, Any] | None:
        """Return the job's final body; None if it was not polled yet."""
        polls = self.polls[job_id]
        return polls[-1].body if polls and polls[-1].body.get("is_final") else None

    def _run(self) -> None:
        while not self._stopped.wait(_INTERVAL_S):
            for job_id, polls in list(self.polls.items()):
                if not self.final_body(job_id):
                    polls.append(self.poll(job_id))
