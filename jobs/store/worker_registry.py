"""Live workers, and what each of them runs."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta

from redis import Redis

from jobs.model.decoding import DECODE_ERRORS
from jobs.model.lease_policy import ms
from jobs.redis import keys
from jobs.redis.lua import load_script
from jobs.redis.message_check import is_job_id
from jobs.redis.replies import parse_number


@dataclass(frozen=True)
class WorkerStatus:
    """The status of a worker, as it is stored."""

    #: The ids of the jobs that it runs.
    jobs: Sequence[str] = ()
    #: The memory of its browsers (RSS without shared pages), in MiB.
    browser_mb: int = 0
    #: The number of orphaned browsers that it has killed.
    orphans: int = 0

    def encode(self) -> str:
        """Return the status as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def decode(cls, text: str) -> "WorkerStatus":
        """Parse what `encode` returned; anything else is the status of an idle worker."""
        try:
            data = json.loads(text)
            jobs = [job_id for job_id in data["jobs"] if is_job_id(str(job_id))]
            return cls(jobs, parse_number(data["browser_mb"]), parse_number(data["orphans"]))
        except DECODE_ERRORS:
            return cls()


class WorkerRegistry:
    """The registry, as a worker writes to it."""

    def __init__(self, redis: Redis) -> None:
        self._heartbeat = redis.register_script(load_script("worker_heartbeat"))

    def heartbeat(self, worker: str, status: WorkerStatus, ttl: timedelta) -> None:
        """Register a worker as alive.

        Args:
            worker: Its name.
            status: Its status.
            ttl: The time after which it counts as dead; zero removes it.

        Raises:
            redis.RedisError: Redis did not answer.
        """
        self._heartbeat(
            keys=[keys.WORKERS, keys.WORKER_STATUS],
            args=[worker, ms(ttl), status.encode()],
        )
