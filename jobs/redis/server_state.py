"""Whether the Redis server keeps what it has acknowledged: eviction, persistence, replication.

All of it is read with `INFO`, which needs fewer permissions than `CONFIG GET`.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Self

from redis import Redis, exceptions
from redis.asyncio import Redis as AsyncRedis

from jobs.redis.async_client import RedisUnavailableError, redis_deadline
from jobs.redis.sync_client import is_outage

logger = logging.getLogger(__name__)

#: The interval at which API and workers look.
CHECK_INTERVAL_S: Final = 30.0

#: A replica that has not confirmed a write for this time would lose more than the last moments.
_MAX_LAG_S = 10

#: The fields of `INFO` without which nothing is known.
_NEEDED = ("maxmemory_policy", "aof_enabled", "role")


class RedisProblem(StrEnum):
    """A way in which the server may lose accepted jobs."""

    #: `maxmemory-policy` is not `noeviction`: a full Redis deletes jobs.
    EVICTION = "eviction"
    #: `appendonly` is off: a restart loses jobs.
    NO_PERSISTENCE = "no_persistence"
    #: The connection leads to a replica: what is written here, if anything, is lost.
    REPLICA = "replica"
    #: A replica is not in step: a failover to it would lose jobs.
    REPLICA_BEHIND = "replica_behind"


@dataclass(frozen=True)
class ServerState:
    """What `INFO` says about the server at one moment."""

    #: False if the user may not call `INFO`, or the provider hides a part of it.
    is_known: bool = False
    problems: tuple[RedisProblem, ...] = ()

    @classmethod
    def parse(cls, info: Mapping[str, Any]) -> Self:
        """Parse the reply to `INFO`, as redis-py returns it."""
        found = {
            RedisProblem.EVICTION: info.get("maxmemory_policy", "noeviction") != "noeviction",
            RedisProblem.NO_PERSISTENCE: info.get("aof_enabled", 1) != 1,
            RedisProblem.REPLICA: info.get("role", "master") != "master",
            RedisProblem.REPLICA_BEHIND: _has_slow_replica(info),
        }
        problems = tuple(problem for problem, is_found in found.items() if is_found)
        return cls(all(name in info for name in _NEEDED), problems)


def _has_slow_replica(info: Mapping[str, Any]) -> bool:
    replicas = [
        value
        for key, value in info.items()
        if key.removeprefix("slave").isdigit() and isinstance(value, Mapping)
    ]
    return any(
        replica.get("state") != "online" or replica.get("lag", 0) > _MAX_LAG_S
        for replica in replicas
    )


class ServerStateLog:
    """Logs the server's state at the first look and whenever it changes."""

    def __init__(self) -> None:
        # What is expected is not worth a line.
        self._last = ServerState(is_known=True)

    def log(self, state: ServerState) -> None:
        """Log a state that differs from the one before."""
        if state == self._last:
            return
        if state.problems:
            logger.error("Redis may lose jobs", extra={"problems": ", ".join(state.problems)})
        elif not state.is_known:
            logger.warning("it is unknown whether Redis may lose jobs: its user needs INFO")
        else:
            logger.info("Redis keeps jobs again")
        self._last = state


class ServerMonitor:
    """Reads and logs the server's state, for the API."""

    def __init__(self, redis: AsyncRedis) -> None:
        self._redis = redis
        self._log = ServerStateLog()

    async def check(self) -> ServerState | None:
        """Return the state; None while Redis is unavailable."""
        try:
            async with redis_deadline():
                try:
                    state = ServerState.parse(await self._redis.info())
                except exceptions.ResponseError as error:
                    if is_outage(error):
                        raise
                    state = ServerState()
        except RedisUnavailableError:
            return None
        self._log.log(state)
        return state


class WorkerServerMonitor:
    """Reads and logs the server's state, for a worker."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._log = ServerStateLog()

    def check(self) -> None:
        """Log the state if it has changed.

        Raises:
            redis.RedisError: Redis is unavailable.
        """
        try:
            state = ServerState.parse(self._redis.info())
        except exceptions.ResponseError as error:
            if is_outage(error):
                raise
            state = ServerState()
        self._log.log(state)
