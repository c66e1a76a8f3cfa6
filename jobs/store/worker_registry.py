"""Live workers, and what each of them runs."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta

from redis import Redis

from jobs.model.lease_policy import ms
from jobs.redis import keys
from jobs.redis.lua import load_script


@dataclass(frozen=True)
class WorkerStatus:
    """What a worker does."""

    #: The ids of the jobs that it has.
    jobs: Sequence[str] = ()
    #: What its browsers take, in MiB.
    browser_mb: int = 0
    #: How many browsers it has found, and ended, that nobody looked after.
    orphans: int = 0

    def encode(self) -> str:
        """Return it as Redis keeps it."""
        return json.dumps(asdict(self))

    @classmethod
    def decode(cls, text: str) -> "WorkerStatus":
        """Read what `encode` wrote."""
        return cls(**json.loads(text))


class WorkerRegistry:
    """The list, as a worker writes to it."""

    def __init__(self, redis: Redis) -> None:
        self._present = redis.register_script(load_script("worker_heartbeat"))

    def heartbeat(self, worker: str, status: WorkerStatus, ttl: timedelta) -> None:
        """Say that a worker is alive.

        Args:
            worker: Its name.
            status: What it does.
            ttl: For how long; zero takes it off the list.

        Raises:
            redis.RedisError: Redis did not answer.
        """
        self._present(
            keys=[keys.WORKERS, keys.WORKER_STATUS],
            args=[worker, ms(ttl), status.encode()],
        )
