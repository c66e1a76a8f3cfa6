"""The API's questions to Redis: each is answered in time, or it is said that nobody answers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis import exceptions


class JobsUnavailableError(Exception):
    """Redis does not answer, or takes no writes: nothing can be said of any job just now."""


@asynccontextmanager
async def answering(within_s: float = 4.0) -> AsyncIterator[None]:
    """Bound the calls to Redis in this block.

    Args:
        within_s: All of them together; a caller shall hear of it within 5 s.

    Raises:
        JobsUnavailableError: Redis is away, starting, full, without its replicas, or not writing.
    """
    try:
        async with asyncio.timeout(within_s):
            yield
    except (exceptions.RedisError, OSError, TimeoutError) as error:
        raise JobsUnavailableError from error
