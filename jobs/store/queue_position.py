"""Queue position and estimated waiting time of a job."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from redis.asyncio.client import Pipeline

from jobs.model.job import JobState
from jobs.redis import keys


@dataclass(frozen=True)
class QueuePosition:
    """How long a waiting job still has to wait."""

    #: 1 is the next.
    position: int
    #: An estimate from what jobs have taken lately; None without any, and without workers.
    wait_s: float | None
    workers_alive: int


@dataclass(frozen=True)
class QueueLoad:
    """What goes on before and behind it, at one moment."""

    workers: int
    running: int
    #: What a completed job takes nowadays (ms); None before the first one.
    typical_duration_ms: int | None

    @staticmethod
    def add_queries(pipeline: Pipeline) -> None:
        """Put the questions into a pipeline."""
        pipeline.zcard(keys.state_index(JobState.PROCESSING))
        pipeline.zrange(keys.WORKERS, 0, -1, withscores=True)
        pipeline.hget(keys.COUNTERS, keys.TYPICAL_DURATION)

    @classmethod
    def parse_replies(cls, now_ms: int, replies: Sequence[Any]) -> Self:
        """Read the answers to `ask`; `now_ms` is the time on Redis' clock."""
        running, workers, pace_ms = replies
        alive = sum(until_ms > now_ms for _, until_ms in workers)
        return cls(alive, running, int(pace_ms) if pace_ms else None)

    def locate(self, before: int | None) -> QueuePosition | None:
        """Say when the turn of a job comes.

        Args:
            before: How many wait before it; None if it does not wait.
        """
        if before is None:
            return None
        if not self.workers or not self.typical_duration_ms:
            return QueuePosition(before + 1, None, self.workers)
        in_front = max(0, before + 1 - max(0, self.workers - self.running))
        wait_s = in_front * self.typical_duration_ms / 1000 / self.workers
        return QueuePosition(before + 1, wait_s, self.workers)
