"""Fan out job-change notifications from one Redis pub/sub connection to all waiting requests."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from jobs.redis import keys

logger = logging.getLogger(__name__)

#: After so much silence the connection is tried; it is given up after as much again.
_PING_AFTER_S = 5.0
#: From a lost connection to the next.
_RECONNECT_DELAY_S = 0.5


class Subscription:
    """One who waits for a job's changes."""

    def __init__(self, *, end_only: bool) -> None:
        self.end_only = end_only
        self._changed = asyncio.Event()

    def notify(self) -> None:
        """Tell it that there may be something new."""
        self._changed.set()

    async def wait(self, seconds: float) -> bool:
        """Return at the next change, or after so long; say whether there was one."""
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return False
        self._changed.clear()
        return True


class JobEventBus:
    """The one who listens; `run` it as a task beside whoever waits."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._subscriptions: defaultdict[str, set[Subscription]] = defaultdict(set)
        #: The program ends: nobody shall wait any longer.
        self.is_closed = False

    def close(self) -> None:
        """Wake everybody for the last time."""
        self.is_closed = True
        self._notify_all()

    @contextmanager
    def subscribe(self, job_id: str, *, end_only: bool = False) -> Iterator[Subscription]:
        """Listen to a job. Whoever looks at it after this misses no change.

        Args:
            job_id: The job's id.
            end_only: Wake at its end alone.
        """
        listener = Subscription(end_only=end_only)
        self._subscriptions[job_id].add(listener)
        try:
            yield listener
        finally:
            self._subscriptions[job_id].discard(listener)
            if not self._subscriptions[job_id]:
                del self._subscriptions[job_id]

    async def run(self) -> None:
        """Listen for ever; what was missed while Redis was away, everybody looks for."""
        while True:
            try:
                async with self._redis.pubsub() as channel:
                    await channel.subscribe(keys.CHANGES_CHANNEL)
                    self._notify_all()
                    await self._listen(channel)
            except (RedisError, OSError) as error:
                logger.info("listening for changes again: %r", error)
                await asyncio.sleep(_RECONNECT_DELAY_S)

    async def _listen(self, channel: PubSub) -> None:
        asked = False
        while True:
            message = await channel.get_message(timeout=_PING_AFTER_S)
            if message is None:
                if asked:
                    raise RedisConnectionError
                await channel.ping()
                asked = True
                continue
            asked = False
            if message["type"] == "message":
                self._notify(message["data"])

    def _notify(self, change: str) -> None:
        job_id, _, rest = change.partition(" ")
        for listener in self._subscriptions.get(job_id, ()):
            if rest.endswith(" end") or not listener.end_only:
                listener.notify()

    def _notify_all(self) -> None:
        for listeners in self._subscriptions.values():
            for listener in listeners:
                listener.notify()
