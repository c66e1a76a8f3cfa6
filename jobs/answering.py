"""The API's questions to Redis: each is answered in time, or it is said that nobody answers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis import exceptions


class RedisUnavailableError(Exception):
    """Redis does not answer, or takes no writes: nothing can be said of any job just now."""


@asynccontextmanager
async def redis_deadline(seconds: float = 4.0) -> AsyncIterator[None]:
    """Bound the calls to Redis in this block.

    Args:
        within_s: All of them together; a caller shall hear of it within 5 s.

    Raises:
        JobsUnavailableError: Redis is away, starting, full, without its replicas, or not writing.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except (exceptions.RedisError, OSError, TimeoutError) as error:
        raise RedisUnavailableError from error
