"""When a waiting job's turn comes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from redis.asyncio.client import Pipeline

from jobs import keys
from jobs.state import State


@dataclass(frozen=True)
class Turn:
    """How long a waiting job still has to wait."""

    #: 1 is the next.
    position: int
    #: An estimate from what jobs have taken lately; None without any, and without workers.
    seconds: float | None


@dataclass(frozen=True)
class Queue:
    """What goes on before and behind it, at one moment."""

    workers: int
    running: int
    #: What a completed job takes nowadays (ms); None before the first one.
    pace_ms: int | None

    @staticmethod
    def ask(pipeline: Pipeline) -> None:
        """Put the questions into a pipeline."""
        pipeline.zcard(keys.listed(State.PROCESSING))
        pipeline.zrange(keys.WORKERS, 0, -1, withscores=True)
        pipeline.hget(keys.COUNTERS, keys.PACE)

    @classmethod
    def read(cls, now_ms: int, answers: Sequence[Any]) -> Self:
        """Read the answers to `ask`; `now_ms` is the time on Redis' clock."""
        running, workers, pace_ms = answers
        alive = sum(until_ms > now_ms for _, until_ms in workers)
        return cls(alive, running, int(pace_ms) if pace_ms else None)

    def turn(self, before: int | None) -> Turn | None:
        """Say when the turn of a job comes.

        Args:
            before: How many wait before it; None if it does not wait.
        """
        if before is None:
            return None
        if not self.workers or not self.pace_ms:
            return Turn(before + 1, None)
        in_front = max(0, before + 1 - max(0, self.workers - self.running))
        return Turn(before + 1, in_front * self.pace_ms / 1000 / self.workers)
