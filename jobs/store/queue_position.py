"""Queue position and estimated waiting time of a job."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from redis.asyncio.client import Pipeline

from jobs.model.job import JobState
from jobs.redis import keys
from jobs.redis.replies import parse_number


@dataclass(frozen=True)
class QueuePosition:
    """The position of a waiting job."""

    #: 1 is the next job.
    position: int
    #: The estimated waiting time in seconds; None without completed jobs or without workers.
    wait_s: float | None
    workers_alive: int


@dataclass(frozen=True)
class QueueLoad:
    """The inputs of the waiting-time estimate at one moment."""

    workers: int
    running: int
    #: The typical duration of a completed job (ms); None before the first one.
    typical_duration_ms: int | None

    @staticmethod
    def add_queries(pipeline: Pipeline) -> None:
        """Add the queries to a pipeline."""
        pipeline.zcard(keys.state_index(JobState.PROCESSING))
        pipeline.zrange(keys.WORKERS, 0, -1, withscores=True)
        pipeline.hget(keys.COUNTERS, keys.TYPICAL_DURATION)

    @classmethod
    def parse_replies(cls, now_ms: int, replies: Sequence[Any]) -> Self:
        """Parse the replies to `add_queries`.

        Args:
            now_ms: The time on Redis' clock.
            replies: Its part of the pipeline's replies.
        """
        running, workers, duration_ms = replies
        alive = sum(expires_ms > now_ms for _, expires_ms in workers or ())
        return cls(alive, running or 0, parse_number(duration_ms) or None)

    def locate(self, jobs_before: int | None) -> QueuePosition | None:
        """Return the position of a job.

        Args:
            jobs_before: The number of jobs that wait before it; None if it does not wait.
        """
        if jobs_before is None:
            return None
        position = jobs_before + 1
        if not self.workers or not self.typical_duration_ms:
            return QueuePosition(position, None, self.workers)
        idle = max(0, self.workers - self.running)
        wait_s = max(0, position - idle) * self.typical_duration_ms / 1000 / self.workers
        return QueuePosition(position, wait_s, self.workers)
