"""A sender's writes to a webhook delivery that it has claimed, and their recovery."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast
from uuid import uuid4

from redis import Redis

from jobs.model.delivery import Delivery, DeliveryAttempt, DeliveryEvent, DeliveryState, webhook_id
from jobs.model.lease_policy import ms
from jobs.model.record import JobRecord, from_ms
from jobs.redis import celery_message, keys
from jobs.redis.lua import load_script

#: So many tries are kept of a call back: more than one round has.
_MAX_STORED_ATTEMPTS = 50
#: A call back whose senders die is given up after so long: the most WEBHOOK_RETRY_FOR_S may be.
_MAX_AGE = timedelta(hours=24)
#: How many call backs one look takes on; what is left is due at the next.
_BATCH_SIZE = 200


@dataclass(frozen=True)
class ClaimedDelivery:
    """A call back that is ours to send."""

    token: str
    delivery: Delivery
    #: The job as it is told.
    record: JobRecord
    #: What Celery's backend keeps of its result; empty if that is not told.
    result: str
    #: When it was taken, on Redis' clock.
    now: datetime

    @property
    def age(self) -> timedelta:
        """How long ago its first try was due."""
        return self.now - self.delivery.first_due_at


def _decode_hash(reply: Sequence[str]) -> dict[str, str]:
    return dict(zip(reply[::2], reply[1::2], strict=True))


def _member_name(job_id: str, slot: str) -> str:
    return f"{job_id}:{slot}"


class LeasedDeliveryStore:
    """What a sender writes; each call is one script, safe to repeat."""

    def __init__(self, redis: Redis, *, lease: timedelta) -> None:
        """Prepare it.

        Args:
            redis: The connection.
            lease: For how long a sender has a call back that it has taken.
        """
        self._take = redis.register_script(load_script("claim_delivery"))
        self._settle = redis.register_script(load_script("record_attempt"))
        self._lease = lease

    def claim(self, job_id: str, event: DeliveryEvent) -> ClaimedDelivery | None:
        """Take a call back that is due; None if there is nothing to send."""
        token = uuid4().hex
        reply = self._take(
            keys=[
                keys.delivery(job_id, event),
                keys.DELIVERIES_DUE,
                keys.delivery_record(job_id, event),
                keys.delivery_result(job_id, event),
            ],
            args=[token, _member_name(job_id, event), ms(self._lease)],
        )
        if isinstance(reply, str):
            return None
        fields, told, result, now = cast("tuple[list[str], list[str], str, str]", reply)
        delivery = Delivery.decode(job_id, event, _decode_hash(fields))
        return ClaimedDelivery(
            token, delivery, JobRecord.decode(job_id, _decode_hash(told)), result, from_ms(now)
        )

    def record_attempt(
        self,
        claimed: ClaimedDelivery,
        attempt: DeliveryAttempt,
        state: DeliveryState,
        delay: timedelta,
        *,
        not_found: bool,
    ) -> str:
        """Note how a try has ended.

        Args:
            claimed: The call back.
            attempt: The try.
            state: Delivered, given up, or waiting for another try.
            delay: Until that one.
            not_found: Whether the answer was 404 or 409.

        Returns:
            What has become of it: another than `fate` if there is news to tell, or nothing any
            more; `lost` if the lease had run out.
        """
        job_id, slot = claimed.delivery.job_id, claimed.delivery.event
        return str(
            self._settle(
                keys=[
                    keys.delivery(job_id, slot),
                    keys.DELIVERIES_DUE,
                    keys.delivery_attempts(job_id, slot),
                    keys.COUNTERS,
                    keys.delivery(job_id, DeliveryEvent.END),
                ],
                args=[
                    claimed.token,
                    _member_name(job_id, slot),
                    slot,
                    state,
                    ms(delay),
                    attempt.encode(),
                    attempt.outcome,
                    int(not_found),
                    claimed.delivery.revision,
                    celery_message.encode_delivery(job_id, slot),
                    _MAX_STORED_ATTEMPTS,
                ],
            )
        )


class DeliveryReconciler:
    """Queues the tries that are due, and what got lost."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._redeliver = redis.register_script(load_script("reconcile_delivery"))

    def run_once(self, now_ms: int) -> dict[str, str]:
        """Look once.

        Args:
            now_ms: The time on Redis' clock.

        Returns:
            What was done, by JOB:SLOT.

        Raises:
            redis.RedisError: Redis did not answer.
        """
        due = self._redis.zrangebyscore(
            keys.DELIVERIES_DUE, "-inf", now_ms, start=0, num=_BATCH_SIZE
        )
        return {
            member: self._reconcile_delivery(member, now_ms) for member in cast("list[str]", due)
        }

    def _reconcile_delivery(self, member: str, now_ms: int) -> str:
        job_id, _, slot = member.partition(":")
        revision = self._redis.hget(keys.delivery(job_id, slot), "revision") or 0
        lost = DeliveryAttempt(
            now_ms, webhook_id(job_id, DeliveryEvent(slot), int(revision)), error="sender_lost"
        )
        return str(
            self._redeliver(
                keys=[
                    keys.delivery(job_id, slot),
                    keys.DELIVERIES_DUE,
                    keys.DELIVERIES_OPEN,
                    keys.WEBHOOK_QUEUE,
                    keys.delivery_attempts(job_id, slot),
                    keys.COUNTERS,
                    keys.delivery(job_id, DeliveryEvent.END),
                ],
                args=[
                    member,
                    celery_message.encode_delivery(job_id, slot),
                    lost.encode(),
                    slot,
                    _MAX_STORED_ATTEMPTS,
                    ms(_MAX_AGE),
                ],
            )
        )
