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

from jobs.redis.url import RedisUrl


class RedisUnavailableError(Exception):
    """Redis does not answer, or takes no writes: nothing can be said of any job just now."""


@asynccontextmanager
async def redis_deadline(seconds: float = 4.0) -> AsyncIterator[None]:
    """Bound the calls to Redis in this block.

    Args:
        seconds: All of them together; a caller shall hear of it within 5 s.

    Raises:
        JobsUnavailableError: Redis is away, starting, full, without its replicas, or not writing.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except (exceptions.RedisError, OSError, TimeoutError) as error:
        raise RedisUnavailableError from error


class _SentinelBlockingPool(SentinelConnectionPool, BlockingConnectionPool):
    """Asks the Sentinels where Redis is; its callers wait their turn, as at the other pool."""

    async def aclose(self) -> None:
        """Close the connections to the Sentinels, too."""
        await super().aclose()
        for sentinel in self.sentinel_manager.sentinels:
            await sentinel.aclose()


def connect(url: str) -> Redis:
    """Open the API's connection pool; nothing is sent yet.

    Args:
        url: Redis' address. A connection that was cut while idle is opened anew once; what takes
            longer than 2 s is given up, so that a caller hears of it within 5 s.

    Raises:
        AddressError: It is no address.
    """
    address = RedisUrl.parse(url)
    options: dict[str, Any] = {
        **address.connection_options,
        # More callers than this wait their turn, within their deadline.
        "max_connections": 64,
        "timeout": None,
        "connection_class": SSLConnection if address.tls else Connection,
        "decode_responses": True,
        "socket_connect_timeout": 2,
        "socket_timeout": 2,
        "retry": Retry(NoBackoff(), 1),
        "retry_on_error": [exceptions.ConnectionError],
        "health_check_interval": 0,
    }
    client: Redis
    if address.master_name:
        options["ssl"] = options.pop("connection_class") is SSLConnection
        client = Sentinel(  # type: ignore[no-untyped-call] # redis-py gives it no types
            address.hosts, sentinel_kwargs=address.sentinel_options
        ).master_for(address.master_name, connection_pool_class=_SentinelBlockingPool, **options)
    else:
        [(host, port)] = address.hosts
        client = Redis.from_pool(BlockingConnectionPool(host=host, port=port, **options))
    return client
