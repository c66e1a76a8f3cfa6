"""The callers' side of the call backs. Asynchronous, for the API."""

from redis.asyncio import Redis

from jobs import keys, message, script
from jobs.answering import answering
from jobs.delivery import Delivery, Slot
from jobs.record import Record


class DeliveryFront:
    """Each call raises `JobsUnavailableError` without Redis."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._replay = redis.register_script(script.source("replay"))

    async def look(self, job_id: str) -> list[tuple[Delivery, Record]]:
        """Read a job's call backs, each with the job as it tells it."""
        async with answering():
            pipeline = self._redis.pipeline(transaction=False)
            for slot in Slot:
                pipeline.hgetall(keys.delivery(job_id, slot))
                pipeline.lrange(keys.tries(job_id, slot), 0, -1)
                pipeline.hgetall(keys.told(job_id, slot))
            read = iter(await pipeline.execute())
        return [
            (Delivery.decode(job_id, slot, fields, tries), Record.decode(job_id, told))
            for slot, fields, tries, told in zip(Slot, read, read, read, strict=True)
            if fields
        ]

    async def replay(self, job_id: str) -> bool:
        """Tell the end of a job once more; False if it has none that was told."""
        async with answering():
            return bool(
                await self._replay(
                    keys=[keys.delivery(job_id, Slot.END)],
                    args=[f"{job_id}:{Slot.END}", message.encode_callback(job_id, Slot.END)],
                )
            )
