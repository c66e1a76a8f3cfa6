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

#: After this time without a message the connection is tested; after as much again it is given up.
_PING_AFTER_S = 5.0
#: The delay between a lost connection and the next one.
_RECONNECT_DELAY_S = 0.5


class Subscription:
    """A subscription to the changes of one job."""

    def __init__(self, *, end_only: bool) -> None:
        self.end_only = end_only
        self._changed = asyncio.Event()

    def notify(self) -> None:
        """Wake the subscriber."""
        self._changed.set()

    async def wait(self, seconds: float) -> bool:
        """Wait for the next change; return False if this time passes without one."""
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return False
        self._changed.clear()
        return True


class JobEventBus:
    """Receives change notifications (`run`, as a task) and passes them to subscriptions."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        #: Whether notifications are received; False from a failure until the next connection.
        self.is_listening = True
        self._subscriptions: defaultdict[str, set[Subscription]] = defaultdict(set)
        #: Whether the program is about to stop, so that no subscriber should wait any longer.
        self.is_closed = False

    def close(self) -> None:
        """Wake all subscribers for the last time."""
        self.is_closed = True
        self.notify_all()

    def notify_all(self) -> None:
        """Wake all subscribers, although their jobs may not have changed."""
        for subscriptions in self._subscriptions.values():
            for subscription in subscriptions:
                subscription.notify()

    @contextmanager
    def subscribe(self, job_id: str, *, end_only: bool = False) -> Iterator[Subscription]:
        """Subscribe to a job. A caller that reads the job after this misses no change.

        Args:
            job_id: The job's id.
            end_only: Whether only the job's end is of interest.
        """
        subscription = Subscription(end_only=end_only)
        self._subscriptions[job_id].add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions[job_id].discard(subscription)
            if not self._subscriptions[job_id]:
                del self._subscriptions[job_id]

    async def run(self) -> None:
        """Receive notifications until cancelled.

        Notifications that were missed while Redis was away are made up for by waking all
        subscribers after each connection.
        """
        while True:
            try:
                async with self._redis.pubsub() as channel:
                    await channel.subscribe(keys.CHANGES_CHANNEL)
                    self.is_listening = True
                    self.notify_all()
                    await self._receive(channel)
            except (RedisError, OSError) as error:
                logger.info("reconnecting to the change channel: %r", error)
            except Exception:
                # Nobody looks at this task's end: without it, every wait takes its whole time.
                logger.exception("the change channel failed unexpectedly")
            self.is_listening = False
            await asyncio.sleep(_RECONNECT_DELAY_S)

    async def _receive(self, channel: PubSub) -> None:
        is_pinged = False
        while True:
            message = await channel.get_message(timeout=_PING_AFTER_S)
            if message is None:
                if is_pinged:
                    raise RedisConnectionError
                await channel.ping()
                is_pinged = True
                continue
            is_pinged = False
            if message["type"] == "message":
                self._notify(message["data"])

    def _notify(self, change: str) -> None:
        job_id, _, details = change.partition(" ")
        for subscription in self._subscriptions.get(job_id, ()):
            if details.endswith(" end") or not subscription.end_only:
                subscription.notify()
