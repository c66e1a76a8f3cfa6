"""Which workers are alive: a list in Redis that each of them keeps itself on."""

from datetime import timedelta

from redis import Redis

from jobs import keys, script
from jobs.leasing import ms


class WorkerList:
    """The list, as a worker writes to it."""

    def __init__(self, redis: Redis) -> None:
        self._present = redis.register_script(script.source("presence"))

    def present(self, worker: str, believed_for: timedelta) -> None:
        """Say that a worker is alive.

        Args:
            worker: Its name.
            believed_for: For how long; zero takes it off the list.

        Raises:
            redis.RedisError: Redis did not answer.
        """
        self._present(keys=[keys.WORKERS], args=[worker, ms(believed_for)])
