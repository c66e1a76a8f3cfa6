"""Read and replay a job's webhook deliveries (asynchronous, for the API)."""

from redis.asyncio import Redis

from jobs.model.delivery import Delivery, DeliveryEvent
from jobs.model.record import JobRecord
from jobs.redis import celery_message, keys
from jobs.redis.async_client import redis_deadline
from jobs.redis.lua import load_script


class DeliveryStore:
    """Each call raises `JobsUnavailableError` without Redis."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._replay = redis.register_script(load_script("replay_delivery"))

    async def get(self, job_id: str) -> list[tuple[Delivery, JobRecord]]:
        """Read a job's call backs, each with the job as it tells it."""
        async with redis_deadline():
            pipeline = self._redis.pipeline(transaction=False)
            for slot in DeliveryEvent:
                pipeline.hgetall(keys.delivery(job_id, slot))
                pipeline.lrange(keys.delivery_attempts(job_id, slot), 0, -1)
                pipeline.hgetall(keys.delivery_record(job_id, slot))
            read = iter(await pipeline.execute())
        return [
            (Delivery.decode(job_id, slot, fields, tries), JobRecord.decode(job_id, told))
            for slot, fields, tries, told in zip(DeliveryEvent, read, read, read, strict=True)
            if fields
        ]

    async def replay(self, job_id: str) -> bool:
        """Tell the end of a job once more; False if it has none that was told."""
        async with redis_deadline():
            return bool(
                await self._replay(
                    keys=[keys.delivery(job_id, DeliveryEvent.END)],
                    args=[
                        f"{job_id}:{DeliveryEvent.END}",
                        celery_message.encode_delivery(job_id, DeliveryEvent.END),
                    ],
                )
            )
