"""A sender's writes to a webhook delivery that it has claimed, and the recovery of deliveries."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast
from uuid import uuid4

from redis import Redis

from jobs.model.delivery import (
    Delivery,
    DeliveryAttempt,
    DeliveryEvent,
    DeliveryState,
    webhook_id,
)
from jobs.model.lease_policy import LeasePolicy, ms
from jobs.model.record import JobRecord, from_ms
from jobs.redis import celery_message, keys
from jobs.redis.lua import load_script
from jobs.redis.replies import parse_number
from jobs.redis.script_batch import ScriptCall, call_each, execute_each

logger = logging.getLogger(__name__)

#: The number of attempts that are stored for a delivery: more than one round has.
_MAX_STORED_ATTEMPTS = 50
#: A delivery whose senders die is given up after this time: the maximum of WEBHOOK_RETRY_FOR_S.
_MAX_AGE = timedelta(hours=24)


@dataclass(frozen=True)
class ClaimedDelivery:
    """A delivery that this sender has leased."""

    token: str
    delivery: Delivery
    #: The job, in the state that is reported.
    record: JobRecord
    #: The stored result (`jobs.model.stored_result`); empty if it is not part of the payload.
    result: str
    #: The time of the claim, on Redis' clock.
    now: datetime

    @property
    def age(self) -> timedelta:
        """The time since the first attempt was due."""
        return self.now - self.delivery.first_due_at


def _decode_hash(reply: Sequence[str]) -> dict[str, str]:
    return dict(zip(reply[::2], reply[1::2], strict=True))


def _parse_member(member: str) -> tuple[str, DeliveryEvent]:
    job_id, _, event = member.partition(":")
    return job_id, DeliveryEvent(event)


def _member_name(job_id: str, event: str) -> str:
    return f"{job_id}:{event}"


class LeasedDeliveryStore:
    """Claims deliveries and records attempts. Each call is one script, and safe to repeat."""

    def __init__(self, redis: Redis, *, lease: timedelta, check_after: timedelta) -> None:
        """Prepare the store.

        Args:
            redis: The connection.
            lease: How long a sender holds a delivery that it has claimed.
            check_after: The time after which an unsent delivery is checked: a job's lease.
        """
        self._claim = redis.register_script(load_script("claim_delivery"))
        self._record_attempt = redis.register_script(load_script("record_attempt"))
        self._lease = lease
        self._check_after = check_after

    def claim(self, job_id: str, event: DeliveryEvent) -> ClaimedDelivery | None:
        """Lease a delivery that is due; return None if there is nothing to send."""
        token = uuid4().hex
        reply = self._claim(
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
        fields, record, result, now = cast("tuple[list[str], list[str], str, str]", reply)
        return ClaimedDelivery(
            token=token,
            delivery=Delivery.decode(job_id, event, _decode_hash(fields)),
            record=JobRecord.decode(job_id, _decode_hash(record)),
            result=result,
            now=from_ms(now),
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
        """Record an attempt, and what follows.

        Args:
            claimed: The delivery.
            attempt: The attempt.
            state: Delivered, given up, or waiting for a retry.
            delay: The time until the retry.
            not_found: Whether the response was 404 or 409.

        Returns:
            The delivery's new state. It differs from `state` if there is a newer state to send, or
            nothing any more; `lost` if the lease had expired.
        """
        job_id, event = claimed.delivery.job_id, claimed.delivery.event
        return str(
            self._record_attempt(
                keys=[
                    keys.delivery(job_id, event),
                    keys.DELIVERIES_DUE,
                    keys.delivery_attempts(job_id, event),
                    keys.COUNTERS,
                    keys.delivery(job_id, DeliveryEvent.END),
                ],
                args=[
                    claimed.token,
                    _member_name(job_id, event),
                    event,
                    state,
                    ms(delay),
                    attempt.encode(),
                    attempt.outcome,
                    int(not_found),
                    claimed.delivery.revision,
                    celery_message.encode_delivery(job_id, event),
                    _MAX_STORED_ATTEMPTS,
                    ms(self._check_after),
                ],
            )
        )


class DeliveryReconciler:
    """Enqueues attempts that are due, and deliveries whose message or sender was lost."""

    def __init__(self, redis: Redis, lease_policy: LeasePolicy) -> None:
        self._redis = redis
        self._lease_policy = lease_policy
        self._reconcile = redis.register_script(load_script("reconcile_delivery"))

    def reconcile(self, due: Sequence[str], now_ms: int) -> dict[str, str]:
        """Check deliveries that are due, in three round trips at most.

        Args:
            due: The deliveries, as ID:EVENT.
            now_ms: The time on Redis' clock.

        Returns:
            What was done (`reconcile_delivery.lua`), by ID:EVENT.

        Raises:
            redis.RedisError: Redis did not answer.
        """
        pipeline = self._redis.pipeline(transaction=False)
        for member in due:
            pipeline.hget(keys.delivery(*_parse_member(member)), "revision")
        revisions = execute_each(pipeline)
        calls = [
            self._make_call(member, parse_number(revision), now_ms)
            for member, revision in zip(due, revisions, strict=True)
        ]
        done = dict(zip(due, call_each(self._redis, self._reconcile, calls), strict=True))
        unreadable = {member for member, reply in done.items() if isinstance(reply, Exception)}
        next_check_ms = now_ms + ms(self._lease_policy.max_check_interval)
        for member in unreadable:
            # What is stored for it is not ours. It must not block all other deliveries.
            logger.error(
                "a delivery cannot be read", exc_info=done[member], extra={"delivery": member}
            )
            done[member] = "unreadable"
        if unreadable:
            next_checks = dict.fromkeys(unreadable, next_check_ms)
            self._redis.zadd(keys.DELIVERIES_DUE, next_checks, xx=True)
        return done

    def _make_call(self, member: str, revision: int, now_ms: int) -> ScriptCall:
        job_id, event = _parse_member(member)
        lost_attempt = DeliveryAttempt(
            now_ms, webhook_id(job_id, event, revision), error="sender_lost"
        )
        script_keys = [
            keys.delivery(job_id, event),
            keys.DELIVERIES_DUE,
            keys.DELIVERIES_OPEN,
            keys.WEBHOOK_QUEUE,
            keys.delivery_attempts(job_id, event),
            keys.COUNTERS,
            keys.delivery(job_id, DeliveryEvent.END),
        ]
        arguments: list[str | int] = [
            member,
            celery_message.encode_delivery(job_id, event),
            lost_attempt.encode(),
            event,
            _MAX_STORED_ATTEMPTS,
            ms(_MAX_AGE),
            ms(self._lease_policy.lease),
            ms(self._lease_policy.max_check_interval),
        ]
        return script_keys, arguments
