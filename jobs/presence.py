"""Which workers are alive: a list in Redis that each of them keeps itself on."""

from datetime import timedelta

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from jobs import keys, script


def connect(url: str) -> Redis:
    """Open a connection pool whose calls fail at once while Redis is away.

    Args:
        url: Redis' address. The word is said again in seconds, and the worker's event loop must
            not wait for it.
    """
    client: Redis = Redis.from_url(
        url, socket_connect_timeout=2, socket_timeout=2, retry=Retry(NoBackoff(), 0)
    )
    return client


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
        ms = int(believed_for / timedelta(milliseconds=1))
        self._present(keys=[keys.WORKERS], args=[worker, ms])
