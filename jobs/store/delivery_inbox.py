"""The queue of webhook deliveries, as a sender reads it (synchronous)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

from redis import Redis
from redis.exceptions import ResponseError

from jobs.model.decoding import DECODE_ERRORS
from jobs.model.delivery import DeliveryEvent
from jobs.model.webhook import WebhookSubscription
from jobs.redis import celery_message, keys
from jobs.redis.message_check import MalformedMessageError, check_message, find_event
from jobs.redis.refusals import RefusedKind, refuse


@dataclass(frozen=True)
class DeliveryKey:
    """A delivery."""

    job_id: str
    event: DeliveryEvent


@dataclass(frozen=True)
class Receiver:
    """Where a delivery goes, and who asked for it."""

    caller: str
    url: str
    #: The length of the stored result that it gets, compressed; 0 without one.
    result_length: int = 0


class DeliveryInbox:
    """Takes deliveries from the queue.

    What is taken and not sent, because its sender dies, is queued again by the reconciler.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def take(self, timeout_s: float) -> DeliveryKey | None:
        """Return the next delivery; None if this time passes without one.

        Raises:
            redis.RedisError: Redis did not answer.
        """
        reply = self._redis.brpop([keys.WEBHOOK_QUEUE], timeout=timeout_s)
        if not reply:
            return None
        _, message = cast("tuple[str, str]", reply)
        try:
            job_id = check_message(message.encode(errors="replace"), keys.WEBHOOK_QUEUE)
        except MalformedMessageError as error:
            refuse(self._redis, RefusedKind.MESSAGE, keys.WEBHOOK_QUEUE, message, str(error))
            return None
        return DeliveryKey(job_id, DeliveryEvent(find_event(message)))

    def put_back(self, deliveries: Iterable[DeliveryKey]) -> None:
        """Queue deliveries again that were taken and not sent, to be the next ones.

        Raises:
            redis.RedisError: Redis did not answer.
        """
        messages = [celery_message.encode_delivery(key.job_id, key.event) for key in deliveries]
        if messages:
            self._redis.rpush(keys.WEBHOOK_QUEUE, *messages)

    def find_receiver(self, delivery: DeliveryKey) -> Receiver:
        """Return the receiver of a delivery; its values are empty if they cannot be read.

        Raises:
            redis.RedisError: Redis did not answer.
        """
        record = keys.delivery_record(delivery.job_id, delivery.event)
        result = keys.delivery_result(delivery.job_id, delivery.event)
        try:
            caller, webhook = cast(
                "list[str | None]", self._redis.hmget(record, ["caller", "webhook"])
            )
            length = self._redis.strlen(result)
            return Receiver(caller or "", WebhookSubscription.decode(webhook or "").url, length)
        except (*DECODE_ERRORS, ResponseError):
            return Receiver("", "")
