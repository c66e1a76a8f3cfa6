"""Somebody who asks for every job's state all the time, and keeps each answer."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx

ADDRESS = "/api/v1/{site}/scrape-channels"


@dataclass(frozen=True)
class Poll:
    """One question and its answer."""

    #: On the monotonic clock.
    began: float
    took_s: float
    status: int
    body: dict[str, Any]


class Watch:
    """A thread that polls all jobs until their end, as `with Watch(url) as watch`."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=10, trust_env=False)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch")
        self._paths: dict[str, str] = {}
        self.polls: dict[str, list[Poll]] = {}
        #: When Redis was away, on the monotonic clock.
        self.outages: list[tuple[float, float]] = []

    def __enter__(self) -> Self:
        """Begin to ask."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End."""
        self._over.set()
        self._thread.join()
        self._client.close()

    def add(self, job_id: str, site: str) -> None:
        """Ask for this job, too."""
        self._paths[job_id] = f"{ADDRESS.format(site=site)}/result/{job_id}"
        self.polls[job_id] = []

    @contextmanager
    def redis_away(self) -> Iterator[None]:
        """Note that Redis is away during the block, so that 503 is a right answer."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.outages.append((began, time.monotonic()))

    def ask(self, job_id: str) -> Poll:
        """Ask once."""
        began = time.monotonic()
        answer = self._client.get(self._paths[job_id])
        return Poll(began, time.monotonic() - began, answer.status_code, answer.json())

    def end(self, job_id: str) -> dict[str, Any] | None:
        """Return the job's final body, if it has been seen."""
        polls = self.polls[job_id]
        return polls[-1].body if polls and polls[-1].body.get("is_final") else None

    def _run(self) -> None:
        while not self._over.wait(0.1):
            for job_id, polls in list(self.polls.items()):
                if not self.end(job_id):
                    polls.append(self.ask(job_id))
