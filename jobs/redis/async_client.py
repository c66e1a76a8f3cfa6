"""The API's Redis client: fails fast, with a deadline per request."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from redis import exceptions
from redis.asyncio import BlockingConnectionPool, Connection, Redis, SSLConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff

from jobs.redis.replies import is_wrong_type
from jobs.redis.url import RedisUrl


class RedisUnavailableError(Exception):
    """Redis does not answer or rejects writes, so jobs can be neither read nor accepted."""


class UnreadableDataError(Exception):
    """Redis answers, but what it holds is not what this version of Garimpo writes.

    Attributes:
        owner: The name of the API key that started the job; None if that cannot be read either.
    """

    def __init__(self, what: str, *, owner: str | None = None) -> None:
        self.owner = owner
        super().__init__(what)


@asynccontextmanager
async def redis_deadline(seconds: float = 4.0) -> AsyncIterator[None]:
    """Bound the time of all Redis calls in this block.

    Args:
        seconds: The time for all of them together; clients get an answer within 5 s.

    Raises:
        RedisUnavailableError: Redis is away, starting, full, without its replicas or read-only.
        UnreadableDataError: A key has a value of the wrong type.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except (exceptions.RedisError, OSError, TimeoutError) as error:
        if is_wrong_type(error):
            raise UnreadableDataError(str(error)[:300]) from error
        raise RedisUnavailableError from error


class _SentinelBlockingPool(SentinelConnectionPool, BlockingConnectionPool):
    """A pool that finds the master through Sentinel, and blocks while it is exhausted."""

    async def aclose(self) -> None:
        """Close the pool, and the connections to the Sentinels."""
        await super().aclose()
        for sentinel in self.sentinel_manager.sentinels:
            await sentinel.aclose()


def connect(url: str) -> Redis:
    """Return a client with a connection pool; nothing is sent yet.

    A connection that was closed while idle is reopened once. A command that takes longer than 2 s
    fails, so that clients get an answer within 5 s.

    Args:
        url: REDIS_URL.

    Raises:
        RedisUrlError: The URL is invalid.
    """
    redis_url = RedisUrl.parse(url)
    options: dict[str, Any] = {
        **redis_url.connection_options,
        # Further requests wait for a connection, within their deadline.
        "max_connections": 64,
        "timeout": None,
        "connection_class": SSLConnection if redis_url.tls else Connection,
        "decode_responses": True,
        # Bytes that are no UTF-8 are not ours: they must not fail all that is read with them.
        "encoding_errors": "replace",
        "socket_connect_timeout": 2,
        "socket_timeout": 2,
        "retry": Retry(NoBackoff(), 1),
        "retry_on_error": [exceptions.ConnectionError],
        "health_check_interval": 0,
    }
    client: Redis
    if redis_url.master_name:
        options["ssl"] = options.pop("connection_class") is SSLConnection
        client = Sentinel(  # type: ignore[no-untyped-call] # redis-py gives it no types
            redis_url.hosts, sentinel_kwargs=redis_url.sentinel_options
        ).master_for(redis_url.master_name, connection_pool_class=_SentinelBlockingPool, **options)
    else:
        [(host, port)] = redis_url.hosts
        client = Redis.from_pool(BlockingConnectionPool(host=host, port=port, **options))
    return client
