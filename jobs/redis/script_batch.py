"""Send many calls to Redis in one round trip."""

from collections.abc import Sequence
from typing import Any

from redis import Redis
from redis.client import Pipeline
from redis.commands.core import Script
from redis.exceptions import ConnectionError, NoScriptError, ResponseError  # noqa: A004 - theirs

from jobs.redis.sync_client import MAX_SCRIPT_LOADS, is_outage

#: The keys and arguments of a call.
ScriptCall = tuple[Sequence[str], Sequence[str | int]]


def execute_each(pipeline: Pipeline) -> list[Any]:
    """Execute a pipeline; a command that fails does not affect the others.

    Returns:
        The reply to each command, or a `redis.exceptions.ResponseError` that is about its data.

    Raises:
        redis.RedisError: Redis did not answer, or refuses for a while.
    """
    replies: list[Any] = pipeline.execute(raise_on_error=False) if len(pipeline) else []
    for reply in replies:
        if isinstance(reply, Exception) and (
            not isinstance(reply, ResponseError) or is_outage(reply)
        ):
            raise reply
    return replies


def call_each(redis: Redis, script: Script, calls: Sequence[ScriptCall]) -> list[Any]:
    """Call a script several times, in one round trip if Redis knows it.

    (The pipelines of redis-py ask Redis in a further round trip whether it does.)

    Args:
        redis: The connection.
        script: The script.
        calls: The keys and arguments of each call.

    Returns:
        The replies, as `execute_each` returns them.

    Raises:
        redis.RedisError: Redis did not answer, or refuses for a while.
    """

    def call() -> list[Any]:
        pipeline = redis.pipeline(transaction=False)
        for script_keys, arguments in calls:
            pipeline.evalsha(script.sha, len(script_keys), *script_keys, *arguments)
        return execute_each(pipeline)

    for _ in range(MAX_SCRIPT_LOADS):
        replies = call()
        if not any(isinstance(reply, NoScriptError) for reply in replies):
            return replies
        redis.script_load(script.script)
    message = "Redis loses its scripts again and again"
    raise ConnectionError(message)
