"""A sender's side of the call backs, and the reconciler's."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast
from uuid import uuid4

from redis import Redis

from jobs import keys, message, script
from jobs.delivery import Delivery, Fate, Slot, Try, webhook_id
from jobs.leasing import ms
from jobs.record import Record, moment

#: So many tries are kept of a call back: more than one round has.
_KEPT = 50
#: A call back whose senders die is given up after so long: the most WEBHOOK_RETRY_FOR_S may be.
_LONGEST = timedelta(hours=24)
#: How many call backs one look takes on; what is left is due at the next.
_BATCH = 200


@dataclass(frozen=True)
class Taken:
    """A call back that is ours to send."""

    token: str
    delivery: Delivery
    #: The job as it is told.
    record: Record
    #: What Celery's backend keeps of its result; empty if that is not told.
    result: str
    #: When it was taken, on Redis' clock.
    now: datetime

    @property
    def age(self) -> timedelta:
        """How long ago its first try was due."""
        return self.now - self.delivery.since


def _pairs(reply: Sequence[str]) -> dict[str, str]:
    return dict(zip(reply[::2], reply[1::2], strict=True))


def _member(job_id: str, slot: str) -> str:
    return f"{job_id}:{slot}"


class Deliveries:
    """What a sender writes; each call is one script, safe to repeat."""

    def __init__(self, redis: Redis, *, lease: timedelta) -> None:
        """Prepare it.

        Args:
            redis: The connection.
            lease: For how long a sender has a call back that it has taken.
        """
        self._take = redis.register_script(script.source("take"))
        self._settle = redis.register_script(script.source("settle"))
        self._lease = lease

    def take(self, job_id: str, slot: Slot) -> Taken | None:
        """Take a call back that is due; None if there is nothing to send."""
        token = uuid4().hex
        reply = self._take(
            keys=[
                keys.delivery(job_id, slot),
                keys.DUE,
                keys.told(job_id, slot),
                keys.told_result(job_id, slot),
            ],
            args=[token, _member(job_id, slot), ms(self._lease)],
        )
        if isinstance(reply, str):
            return None
        fields, told, result, now = cast("tuple[list[str], list[str], str, str]", reply)
        delivery = Delivery.decode(job_id, slot, _pairs(fields))
        return Taken(token, delivery, Record.decode(job_id, _pairs(told)), result, moment(now))

    def settle(
        self, taken: Taken, tried: Try, fate: Fate, pause: timedelta, *, absent: bool
    ) -> str:
        """Note how a try has ended.

        Args:
            taken: The call back.
            tried: The try.
            fate: Delivered, given up, or waiting for another try.
            pause: Until that one.
            absent: Whether the answer was 404 or 409.

        Returns:
            What has become of it: another than `fate` if there is news to tell, or nothing any
            more; `lost` if the lease had run out.
        """
        job_id, slot = taken.delivery.job_id, taken.delivery.slot
        return str(
            self._settle(
                keys=[
                    keys.delivery(job_id, slot),
                    keys.DUE,
                    keys.tries(job_id, slot),
                    keys.COUNTERS,
                    keys.delivery(job_id, Slot.END),
                ],
                args=[
                    taken.token,
                    _member(job_id, slot),
                    slot,
                    fate,
                    ms(pause),
                    tried.encode(),
                    tried.kind,
                    int(absent),
                    taken.delivery.revision,
                    message.encode_callback(job_id, slot),
                    _KEPT,
                ],
            )
        )


class Redeliveries:
    """Queues the tries that are due, and what got lost."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._redeliver = redis.register_script(script.source("redeliver"))

    def look(self, now_ms: int) -> dict[str, str]:
        """Look once.

        Args:
            now_ms: The time on Redis' clock.

        Returns:
            What was done, by JOB:SLOT.

        Raises:
            redis.RedisError: Redis did not answer.
        """
        due = self._redis.zrangebyscore(keys.DUE, "-inf", now_ms, start=0, num=_BATCH)
        return {member: self._one(member, now_ms) for member in cast("list[str]", due)}

    def _one(self, member: str, now_ms: int) -> str:
        job_id, _, slot = member.partition(":")
        revision = self._redis.hget(keys.delivery(job_id, slot), "revision") or 0
        lost = Try(now_ms, webhook_id(job_id, Slot(slot), int(revision)), error="sender_lost")
        return str(
            self._redeliver(
                keys=[
                    keys.delivery(job_id, slot),
                    keys.DUE,
                    keys.OPEN,
                    keys.CALLBACKS,
                    keys.tries(job_id, slot),
                    keys.COUNTERS,
                    keys.delivery(job_id, Slot.END),
                ],
                args=[
                    member,
                    message.encode_callback(job_id, slot),
                    lost.encode(),
                    slot,
                    _KEPT,
                    ms(_LONGEST),
                ],
            )
        )
