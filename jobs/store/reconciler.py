"""Recover lost jobs and deliveries: expired leases, missing messages, due retries.

So it does with call backs, whose next try is queued when it is due.
"""

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

#: How many jobs one look takes on; what is left is due at the next.
_BATCH_SIZE = 200

#: Flower is told of an end for so many leases.
_REPUBLISH_FOR_LEASES = 4

_UNCHANGED = frozenset({"kept", "held", "early", "gone"})

#: What a job ends as, by the script's word for why it must.
FAILURE_BY_REASON = {
    "cancelled": FailureCode.CANCELLED,
    "poison": FailureCode.WORKER_LOST,
    "expired": FailureCode.QUEUE_EXPIRED,
}


class Reconciler:
    """Looks at the jobs that are due; one of all workers does, by a lock."""

    def __init__(
        self,
        redis: Redis,
        lease_policy: LeasePolicy,
        completer: Completer,
        name: str,
        publish_end: Callable[[JobRecord], None],
    ) -> None:
        """Prepare it.

        Args:
            redis: A connection that gives up at once: the next look comes in seconds.
            lease_policy: The times.
            completer: Ends what cannot go on.
            name: This worker's, for the lock.
            publish_end: Publishes the Celery event of a job's end, for Flower. It is called a few times
                for each job, because events may get lost: Celery publishes none for ends that it
                did not make itself, and Flower receives none while Redis is away.
        """
        self._redis = redis
        self._lease_policy = lease_policy
        self._completer = completer
        self._name = name
        self._publish_end = publish_end
        self._delivery_reconciler = DeliveryReconciler(redis)
        self._reconcile = redis.register_script(load_script("reconcile_job"))

    def run_once(self) -> dict[str, str]:
        """Look once, if it is this worker's turn.

        Returns:
            What was done, by job id.

        Raises:
            redis.RedisError: Redis did not answer.
        """
        if not self._acquire_lock():
            return {}
        leases_run_out = self._can_judge()
        done = {job_id: self._try_reconcile(job_id, leases_run_out) for job_id in self._due_jobs()}
        self._publish_ends()
        for callback, what in self._delivery_reconciler.run_once(self._now_ms()).items():
            if what == "taken":
                self._log_lost_sender(callback)
        return done

    def _publish_ends(self) -> None:
        """Tell of each end at once, and after one lease and four."""
        lease_ms = ms(self._lease_policy.lease)
        for job_id in self._due(keys.UNPUBLISHED_ENDS):
            record = self._read_if_known(job_id)
            if record and record.ended_at:
                self._publish_end(record)
                since_ms = self._now_ms() - int(record.ended_at.timestamp() * 1000)
                if since_ms < _REPUBLISH_FOR_LEASES * lease_ms:
                    pause_ms = max(lease_ms, 3 * since_ms)
                    self._redis.zadd(keys.UNPUBLISHED_ENDS, {job_id: self._now_ms() + pause_ms})
                    continue
            self._redis.zrem(keys.UNPUBLISHED_ENDS, job_id)

    def _acquire_lock(self) -> bool:
        """Take or keep the lock."""
        hold_ms = 2 * ms(self._lease_policy.reconcile_interval)
        if self._redis.set(keys.RECONCILER, self._name, nx=True, px=hold_ms):
            return True
        if self._redis.get(keys.RECONCILER) != self._name:
            return False
        return bool(self._redis.pexpire(keys.RECONCILER, hold_ms))

    def _can_judge(self) -> bool:
        """Say whether a lease that has run out means anything.

        After a time in which nobody looked, Redis may have been away: its workers get one lease
        more to say that they live. (The lock of a reconciler that has died passes on within three
        rounds; that is no such time.)
        """
        lease_ms = ms(self._lease_policy.lease)
        longest_gap_ms = max(lease_ms / 2, 3 * ms(self._lease_policy.reconcile_interval))
        now_ms = self._now_ms()
        last = cast("str | None", self._redis.set(keys.LAST_RECONCILED, now_ms, get=True))
        if last is None or now_ms - int(last) > longest_gap_ms:
            self._redis.set(keys.GRACE, self._name, px=lease_ms)
        return not self._redis.exists(keys.GRACE)

    def _now_ms(self) -> int:
        seconds, micros = self._redis.time()
        return seconds * 1000 + micros // 1000

    def _due_jobs(self) -> list[str]:
        """Return the jobs that are due, those that run first: no lease waits behind the queue."""
        running = cast(
            "list[str]", self._redis.zrange(keys.state_index(JobState.PROCESSING), 0, -1)
        )
        looks = cast(
            "list[float | None]", self._redis.zmscore(keys.ACTIVE, running) if running else []
        )
        now_ms = self._now_ms()
        first = [job_id for job_id, at in zip(running, looks, strict=True) if at and at <= now_ms]
        return list(dict.fromkeys([*first, *self._due(keys.ACTIVE)]))

    def _due(self, jobs: str) -> list[str]:
        due = self._redis.zrangebyscore(jobs, "-inf", self._now_ms(), start=0, num=_BATCH_SIZE)
        return cast("list[str]", due)

    def _read(self, job_id: str) -> JobRecord | None:
        fields = cast("dict[str, str]", self._redis.hgetall(keys.record(job_id)))
        return JobRecord.decode(job_id, fields) if fields else None

    def _read_if_known(self, job_id: str) -> JobRecord | None:
        """Read a record; None also if it is of another version, which this one cannot read."""
        try:
            return self._read(job_id)
        except (KeyError, ValueError):
            return None

    def _try_reconcile(self, job_id: str, leases_run_out: bool) -> str:  # noqa: FBT001 - one caller
        try:
            return self._reconcile_job(job_id, leases_run_out)
        except (KeyError, ValueError):
            # Of another version, perhaps. It must not stand in front of all others.
            logger.exception("a job's record cannot be read", extra={"job_id": job_id})
            look = {job_id: self._now_ms() + ms(self._lease_policy.max_check_interval)}
            self._redis.zadd(keys.ACTIVE, look, xx=True)
            return "unreadable"

    def _reconcile_job(self, job_id: str, leases_run_out: bool) -> str:  # noqa: FBT001 - one caller
        record = self._read(job_id)
        if not record:
            self._redis.zrem(keys.ACTIVE, job_id)
            return "gone"
        sent = celery_message.encode_job(record.request.task_name, job_id)
        leasing = self._lease_policy
        what = str(
            self._reconcile(
                keys=[keys.record(job_id), keys.ACTIVE, keys.JOB_QUEUE, keys.COUNTERS],
                args=[
                    job_id,
                    sent,
                    ms(leasing.lease),
                    ms(leasing.max_check_interval),
                    leasing.max_crashes,
                    ms(leasing.queue_ttl),
                    int(leases_run_out),
                ],
            )
        )
        if what in FAILURE_BY_REASON:
            complete_unleased(
                self._completer,
                record.request,
                FAILURE_BY_REASON[what],
                crashes=leasing.max_crashes,
            )
        if what not in _UNCHANGED:
            self._log(record, what)
        return what

    def _log(self, record: JobRecord, what: str) -> None:
        fields = job_fields(record.request.task_name, record.id) | {"attempt": record.attempt}
        if record.worker:
            fields["from_worker"] = record.worker
        if code := FAILURE_BY_REASON.get(what):
            failed = JobFailedError(code, {"crashes": self._lease_policy.max_crashes})
            fields |= failure_fields(failed)
        logger.warning("job %s", fields.get("outcome", what), extra=fields)

    def _log_lost_sender(self, callback: str) -> None:
        job_id, _, slot = callback.partition(":")
        record = self._read_if_known(job_id)
        fields = job_fields(record.request.task_name, job_id) if record else {"job_id": job_id}
        logger.warning("the sender of a call back died", extra=fields | {"event": slot})


def complete_unleased(
    completer: Completer, request: JobRequest, code: FailureCode, **details: int
) -> None:
    """End a job that no worker holds."""
    ending = JobOutcome.failed(request.id, JobFailedError(code, details))
    completer.complete(request.id, UNLEASED, request.task_name, ending)
