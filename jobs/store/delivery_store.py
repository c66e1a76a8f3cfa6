"""Read and replay a job's webhook deliveries (asynchronous, for the API)."""

from datetime import timedelta

from redis.asyncio import Redis

from jobs.model.decoding import DECODE_ERRORS
from jobs.model.delivery import Delivery, DeliveryEvent
from jobs.model.lease_policy import ms
from jobs.model.record import JobRecord
from jobs.redis import celery_message, keys
from jobs.redis.async_client import UnreadableDataError, redis_deadline
from jobs.redis.lua import load_script

#: The shortest time between two replays of a webhook: each one sends the whole result.
_REPLAY_INTERVAL = timedelta(minutes=1)


class DeliveryStore:
    """Reads and replays deliveries. Each call raises RedisUnavailableError without Redis."""

    def __init__(self, redis: Redis, *, check_after: timedelta) -> None:
        """Prepare the store.

        Args:
            redis: The connection.
            check_after: The time after which an unsent replay is checked: a lease.
        """
        self._redis = redis
        self._check_after = check_after
        self._replay = redis.register_script(load_script("replay_delivery"))

    async def get(self, job_id: str) -> list[tuple[Delivery, JobRecord]]:
        """Return a job's deliveries, each with the job in the state that it reports.

        Raises:
            UnreadableDataError: One cannot be decoded.
        """
        async with redis_deadline():
            pipeline = self._redis.pipeline(transaction=False)
            for event in DeliveryEvent:
                pipeline.hgetall(keys.delivery(job_id, event))
                pipeline.lrange(keys.delivery_attempts(job_id, event), 0, -1)
                pipeline.hgetall(keys.delivery_record(job_id, event))
            replies = iter(await pipeline.execute())
        try:
            deliveries = [
                (Delivery.decode(job_id, event, fields, attempts), JobRecord.decode(job_id, record))
                for event, fields, attempts, record in zip(
                    DeliveryEvent, replies, replies, replies, strict=True
                )
                if fields
            ]
        except DECODE_ERRORS as error:
            raise UnreadableDataError(job_id) from error
        if any(record.webhook is None for _, record in deliveries):
            raise UnreadableDataError(job_id)
        return deliveries

    async def replay(self, job_id: str) -> timedelta | None:
        """Send the webhook of a job's end again, unless it was replayed a short time ago.

        Returns:
            The time until a replay is possible; zero if this was one. None if the job has no such
            webhook.
        """
        async with redis_deadline():
            reply = await self._replay(
                keys=[keys.delivery(job_id, DeliveryEvent.END)],
                args=[
                    f"{job_id}:{DeliveryEvent.END}",
                    celery_message.encode_delivery(job_id, DeliveryEvent.END),
                    ms(self._check_after),
                    ms(_REPLAY_INTERVAL),
                ],
            )
        return None if reply == "absent" else timedelta(milliseconds=int(reply))
