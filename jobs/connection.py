"""The connection of everything that is not the API: it outlives an outage."""

from redis import Redis, exceptions
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.retry import Retry


def connect(url: str) -> Redis:
    """Open a worker's connection pool; nothing is sent yet.

    Args:
        url: Redis' address. Every command is repeated for four minutes and more while Redis is away
            (a restart, a failover), so that a scrape outlives it; all scripts bear repeating.
    """
    client: Redis = Redis.from_url(
        url,
        decode_responses=True,
        socket_connect_timeout=5,
        socket_timeout=5,
        socket_keepalive=True,
        health_check_interval=30,
        retry=Retry(ExponentialBackoff(cap=2, base=0.05), 120),
        retry_on_error=[
            exceptions.ConnectionError,
            exceptions.TimeoutError,
            # Full, or a replica that is about to be promoted: as passing as an outage.
            exceptions.OutOfMemoryError,
            exceptions.ReadOnlyError,
            exceptions.MasterDownError,
        ],
    )
    return client


def connect_impatient(url: str) -> Redis:
    """Open a connection pool whose calls fail at once while Redis is away.

    Args:
        url: Redis' address. For what is said again in seconds, by an event loop or a thread that
            must not wait for it.
    """
    client: Redis = Redis.from_url(
        url,
        decode_responses=True,
        socket_connect_timeout=2,
        socket_timeout=2,
        retry=Retry(NoBackoff(), 0),
    )
    return client
