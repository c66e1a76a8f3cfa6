"""Recover lost jobs and deliveries: expired leases, missing messages, due retries."""

import logging
from collections.abc import Callable
from typing import cast

from redis import Redis

from jobs.failure import FailureCode, JobFailedError
from jobs.log_config import failure_fields, job_fields
from jobs.model.job import JobRequest, JobState
from jobs.model.lease_policy import LeasePolicy, ms
from jobs.model.record import JobRecord
from jobs.redis import celery_message, keys
from jobs.redis.lua import load_script
from jobs.store.completion import UNLEASED, Completer, JobOutcome
from jobs.store.leased_deliveries import DeliveryReconciler

logger = logging.getLogger(__name__)

#: The number of jobs that one run handles; the rest remains due.
_BATCH_SIZE = 200

#: The Celery event of a job's end is published again until this number of leases has passed.
_REPUBLISH_FOR_LEASES = 4

#: The log's words for what `reconcile_job.lua` has done.
_LOG_WORDS = {"taken": "recovered", "queued": "requeued"}
_UNCHANGED = frozenset({"kept", "held", "early", "gone"})

#: The failure of a job that cannot be run, by the reason that the scripts return.
FAILURE_BY_REASON = {
    "cancelled": FailureCode.CANCELLED,
    "poison": FailureCode.WORKER_LOST,
    "expired": FailureCode.QUEUE_EXPIRED,
}


class Reconciler:
    """Recovers what was lost; of all workers, the one that holds a lock does it."""

    def __init__(
        self,
        redis: Redis,
        lease_policy: LeasePolicy,
        completer: Completer,
        name: str,
        publish_end: Callable[[JobRecord], None],
    ) -> None:
        """Prepare the reconciler.

        Args:
            redis: A connection that fails at once: the next run is seconds away.
            lease_policy: Lease and check times.
            completer: Ends jobs that cannot go on.
            name: This worker's name, for the lock.
            publish_end: Publishes the Celery event of a job's end, for Flower. It is called a few
                times for each job, because events may get lost: Celery publishes none for ends that
                it did not make itself, and Flower receives none while Redis is away.
        """
        self._redis = redis
        self._lease_policy = lease_policy
        self._completer = completer
        self._name = name
        self._publish_end = publish_end
        self._delivery_reconciler = DeliveryReconciler(redis, lease_policy)
        self._reconcile = redis.register_script(load_script("reconcile_job"))

    def run_once(self) -> dict[str, str]:
        """Check what is due, if this worker holds the lock.

        Returns:
            What was done (`reconcile_job.lua`, or `unreadable`), by job id.

        Raises:
            redis.RedisError: Redis did not answer.
        """
        if not self._acquire_lock():
            return {}
        may_revoke = self._may_revoke_leases()
        done = {job_id: self._try_reconcile(job_id, may_revoke) for job_id in self._find_due_jobs()}
        self._publish_ends()
        for member, action in self._delivery_reconciler.run_once(self._now_ms()).items():
            if action == "taken":
                self._log_lost_sender(member)
        return done

    def _publish_ends(self) -> None:
        """Publish the event of each end at once, and again after one lease and after four."""
        lease_ms = ms(self._lease_policy.lease)
        for job_id in self._find_due(keys.UNPUBLISHED_ENDS):
            record = self._read_if_readable(job_id)
            if record and record.ended_at:
                self._publish_end(record)
                age_ms = self._now_ms() - int(record.ended_at.timestamp() * 1000)
                if age_ms < _REPUBLISH_FOR_LEASES * lease_ms:
                    delay_ms = max(lease_ms, 3 * age_ms)
                    self._redis.zadd(keys.UNPUBLISHED_ENDS, {job_id: self._now_ms() + delay_ms})
                    continue
            self._redis.zrem(keys.UNPUBLISHED_ENDS, job_id)

    def _acquire_lock(self) -> bool:
        """Acquire or extend the lock; return whether this worker holds it."""
        ttl_ms = 2 * ms(self._lease_policy.reconcile_interval)
        if self._redis.set(keys.RECONCILER, self._name, nx=True, px=ttl_ms):
            return True
        if self._redis.get(keys.RECONCILER) != self._name:
            return False
        return bool(self._redis.pexpire(keys.RECONCILER, ttl_ms))

    def _may_revoke_leases(self) -> bool:
        """Return whether an expired lease means that its worker is dead.

        After a time without any run Redis may have been away: workers get one more lease to renew
        theirs. (If the reconciler itself died, its lock passes on within three intervals.)
        """
        lease_ms = ms(self._lease_policy.lease)
        max_gap_ms = max(lease_ms / 2, 3 * ms(self._lease_policy.reconcile_interval))
        now_ms = self._now_ms()
        last_ms = cast("str | None", self._redis.set(keys.LAST_RECONCILED, now_ms, get=True))
        if last_ms is None or now_ms - int(last_ms) > max_gap_ms:
            self._redis.set(keys.GRACE, self._name, px=lease_ms)
        return not self._redis.exists(keys.GRACE)

    def _now_ms(self) -> int:
        seconds, micros = self._redis.time()
        return seconds * 1000 + micros // 1000

    def _find_due_jobs(self) -> list[str]:
        """Return the jobs that are due, running ones first: no lease waits behind a long queue."""
        running = cast(
            "list[str]", self._redis.zrange(keys.state_index(JobState.PROCESSING), 0, -1)
        )
        due_times = cast(
            "list[float | None]", self._redis.zmscore(keys.ACTIVE, running) if running else []
        )
        now_ms = self._now_ms()
        due = [job_id for job_id, at in zip(running, due_times, strict=True) if at and at <= now_ms]
        return list(dict.fromkeys([*due, *self._find_due(keys.ACTIVE)]))

    def _find_due(self, key: str) -> list[str]:
        due = self._redis.zrangebyscore(key, "-inf", self._now_ms(), start=0, num=_BATCH_SIZE)
        return cast("list[str]", due)

    def _read(self, job_id: str) -> JobRecord | None:
        fields = cast("dict[str, str]", self._redis.hgetall(keys.record(job_id)))
        return JobRecord.decode(job_id, fields) if fields else None

    def _read_if_readable(self, job_id: str) -> JobRecord | None:
        """Return a record; None also if another version wrote it so that it cannot be decoded."""
        try:
            return self._read(job_id)
        except (KeyError, ValueError):
            return None

    def _try_reconcile(self, job_id: str, may_revoke: bool) -> str:  # noqa: FBT001 - one caller
        try:
            return self._reconcile_job(job_id, may_revoke)
        except (KeyError, ValueError):
            # Perhaps another version wrote it. It must not block all other jobs.
            logger.exception("a job's record cannot be decoded", extra={"job_id": job_id})
            next_check = {job_id: self._now_ms() + ms(self._lease_policy.max_check_interval)}
            self._redis.zadd(keys.ACTIVE, next_check, xx=True)
            return "unreadable"

    def _reconcile_job(self, job_id: str, may_revoke: bool) -> str:  # noqa: FBT001 - one caller
        record = self._read(job_id)
        if not record:
            self._redis.zrem(keys.ACTIVE, job_id)
            return "gone"
        policy = self._lease_policy
        action = str(
            self._reconcile(
                keys=[keys.record(job_id), keys.ACTIVE, keys.JOB_QUEUE, keys.COUNTERS],
                args=[
                    job_id,
                    celery_message.encode_job(record.request.task_name, job_id),
                    ms(policy.lease),
                    ms(policy.max_check_interval),
                    policy.max_crashes,
                    ms(policy.queue_ttl),
                    int(may_revoke),
                ],
            )
        )
        if action in FAILURE_BY_REASON:
            code = FAILURE_BY_REASON[action]
            complete_unleased(self._completer, record.request, code, crashes=policy.max_crashes)
        if action not in _UNCHANGED:
            self._log(record, action)
        return action

    def _log(self, record: JobRecord, action: str) -> None:
        fields = job_fields(record.request.task_name, record.id) | {"attempt": record.attempt}
        if record.worker:
            fields["from_worker"] = record.worker
        if code := FAILURE_BY_REASON.get(action):
            failure = JobFailedError(code, {"crashes": self._lease_policy.max_crashes})
            fields |= failure_fields(failure)
        logger.warning(
            "job %s", fields.get("outcome", _LOG_WORDS.get(action, action)), extra=fields
        )

    def _log_lost_sender(self, member: str) -> None:
        job_id, _, event = member.partition(":")
        record = self._read_if_readable(job_id)
        fields = job_fields(record.request.task_name, job_id) if record else {"job_id": job_id}
        logger.warning("webhook sender died", extra=fields | {"event": event})


def complete_unleased(
    completer: Completer, request: JobRequest, code: FailureCode, **details: int
) -> None:
    """End a job that no worker holds.

    Args:
        completer: Ends it.
        request: The job.
        code: Its failure.
        details: The details of the failure.
    """
    outcome = JobOutcome.failed(request.id, JobFailedError(code, details))
    completer.complete(request.id, UNLEASED, request.task_name, outcome)
