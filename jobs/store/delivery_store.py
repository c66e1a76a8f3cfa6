"""Read and replay a job's webhook deliveries (asynchronous, for the API)."""

from datetime import timedelta

from redis.asyncio import Redis

from jobs.model.delivery import Delivery, DeliveryEvent
from jobs.model.lease_policy import ms
from jobs.model.record import JobRecord
from jobs.redis import celery_message, keys
from jobs.redis.async_client import redis_deadline
from jobs.redis.lua import load_script


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
        """Return a job's deliveries, each with the job in the state that it reports."""
        async with redis_deadline():
            pipeline = self._redis.pipeline(transaction=False)
            for event in DeliveryEvent:
                pipeline.hgetall(keys.delivery(job_id, event))
                pipeline.lrange(keys.delivery_attempts(job_id, event), 0, -1)
                pipeline.hgetall(keys.delivery_record(job_id, event))
            replies = iter(await pipeline.execute())
        return [
            (Delivery.decode(job_id, event, fields, attempts), JobRecord.decode(job_id, record))
            for event, fields, attempts, record in zip(
                DeliveryEvent, replies, replies, replies, strict=True
            )
            if fields
        ]

    async def replay(self, job_id: str) -> bool:
        """Send the webhook of a job's end again; return False if the job has none."""
        async with redis_deadline():
            return bool(
                await self._replay(
                    keys=[keys.delivery(job_id, DeliveryEvent.END)],
                    args=[
                        f"{job_id}:{DeliveryEvent.END}",
                        celery_message.encode_delivery(job_id, DeliveryEvent.END),
                        ms(self._check_after),
                    ],
                )
            )
