"""Set aside what Redis holds and Garimpo did not write: it is reported, and never executed."""

import json
import logging
import time
from enum import StrEnum

from redis import Redis
from redis.exceptions import RedisError

from jobs.redis import keys

logger = logging.getLogger(__name__)

#: The number of entries that are kept, and of characters of each one's content.
MAX_ENTRIES = 100
MAX_CONTENT = 2000
#: The number of characters of the content that the log shows.
_MAX_EXCERPT = 80


class RefusedKind(StrEnum):
    """What was refused; the values are labels of a metric."""

    #: A message in a queue.
    MESSAGE = "message"
    #: A message that a worker had taken and not acknowledged.
    UNACKED = "unacked"
    #: A member of a sorted set of jobs or deliveries that are due.
    MEMBER = "member"


def refuse(redis: Redis, kind: RefusedKind, source: str, content: bytes | str, reason: str) -> None:
    """Keep the beginning of something that was taken out of Redis; count and log it.

    Its content is foreign: only printable ASCII of it is stored and logged.

    Args:
        redis: The connection.
        kind: What it is.
        source: The key that held it.
        content: The thing itself.
        reason: Why it was refused, in words of our own.
    """
    data = content.encode(errors="backslashreplace") if isinstance(content, str) else content
    fields = {"kind": kind.value, "source": source, "reason": reason, "bytes": len(data)}
    text = _make_printable(data[:MAX_CONTENT])
    entry = {"at": int(time.time() * 1000), **fields, "content": text[:MAX_CONTENT]}
    logger.error("refused foreign data in Redis", extra={**fields, "excerpt": text[:_MAX_EXCERPT]})
    pipeline = redis.pipeline(transaction=False)
    pipeline.lpush(keys.REFUSED, json.dumps(entry))
    pipeline.ltrim(keys.REFUSED, 0, MAX_ENTRIES - 1)
    pipeline.hincrby(keys.COUNTERS, f"{keys.REFUSED_COUNTER}|||{kind}", 1)
    try:
        pipeline.execute()
    except RedisError as error:
        # It is in the log; a full Redis is no reason to take it up again.
        logger.warning("refused data was not kept: %r", error)


def _make_printable(data: bytes) -> str:
    """Return text in printable ASCII: line breaks and control characters would forge log lines."""
    text = data.decode("latin-1").encode("unicode_escape").decode("ascii")
    return text.replace("\x7f", "\\x7f")
