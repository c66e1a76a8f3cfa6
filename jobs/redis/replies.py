"""Read replies of Redis although a key may hold what Garimpo did not write there."""

import logging
from functools import lru_cache
from typing import Any

from redis import exceptions
from redis.asyncio.client import Pipeline

logger = logging.getLogger(__name__)

#: The largest number that is taken for one of ours: a time in ms, or a count.
_MAX_NUMBER = 10**15


def is_wrong_type(error: BaseException) -> bool:
    """Return whether a command failed because its key holds a value of another type."""
    return isinstance(error, exceptions.ResponseError) and "WRONGTYPE" in str(error)


async def execute_readable(pipeline: Pipeline) -> list[Any]:
    """Execute a pipeline; the reply for a key of the wrong type is None, and logged once.

    Raises:
        redis.RedisError: Any other error.
    """
    replies = await pipeline.execute(raise_on_error=False)
    for index, reply in enumerate(replies):
        if isinstance(reply, Exception):
            if not is_wrong_type(reply):
                raise reply
            log_wrong_type(str(reply))
            replies[index] = None
    return replies


@lru_cache(maxsize=1000)
def log_wrong_type(text: str) -> None:
    """Log that a key has a value of the wrong type; once in this process for each error.

    Args:
        text: Redis' error message.
    """
    logger.error("a key in Redis has a value of the wrong type", extra={"error": text[:300]})


def parse_number(text: object, default: int = 0) -> int:
    """Return a whole number that is not negative; the default for anything else.

    Args:
        text: A reply, or a part of one.
        default: Returned for anything else, such as None or a text without a number.
    """
    try:
        number = int(str(text))
    except ValueError:
        return default
    return number if 0 <= number <= _MAX_NUMBER else default
