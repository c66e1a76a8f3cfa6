"""Recover lost jobs and deliveries: expired leases, missing messages, due retries."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import cast

from redis import Redis
from redis.exceptions import RedisError, ResponseError

from jobs.failure import FailureCode, JobFailedError
from jobs.log_config import failure_fields, job_fields
from jobs.model.job import JobRequest
from jobs.model.lease_policy import LeasePolicy, ms
from jobs.model.record import JobRecord, UnreadableRecordError
from jobs.redis import celery_message, keys
from jobs.redis.lua import load_script
from jobs.redis.script_batch import ScriptCall, call_each, execute_each
from jobs.redis.sync_client import is_outage
from jobs.store.completion import UNLEASED, Completer, JobOutcome
from jobs.store.due_members import DueMembers
from jobs.store.leased_deliveries import DeliveryReconciler
from jobs.store.record_reader import log_unreadable_record

logger = logging.getLogger(__name__)

#: The Celery event of a job's end that nobody has received is published again until this number of
#: leases has passed.
_REPUBLISH_FOR_LEASES = 256

#: The log's words for what `reconcile_job.lua` has done.
_LOG_WORDS = {"taken": "recovered", "queued": "requeued"}
_UNCHANGED = frozenset({"kept", "held", "early", "gone", "unreadable"})

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
        publish_ends: Callable[[Sequence[JobRecord]], Sequence[bool]],
    ) -> None:
        """Prepare the reconciler.

        Args:
            redis: A connection that fails at once: the next run is seconds away.
            lease_policy: Lease and check times.
            completer: Ends jobs that cannot go on.
            name: This worker's name, for the lock.
            publish_ends: Publishes the Celery events of jobs' ends, for Flower, and returns for
                each whether anybody has received it. Otherwise it is called again later.
        """
        self._redis = redis
        self._lease_policy = lease_policy
        self._completer = completer
        self._name = name
        self._publish = publish_ends
        self._delivery_reconciler = DeliveryReconciler(redis, lease_policy)
        self._due_members = DueMembers(redis, lease_policy)
        self._logged_failures: set[str] = set()
        self._begin = redis.register_script(load_script("begin_reconciliation"))
        self._reconcile = redis.register_script(load_script("reconcile_job"))
        #: Begin and end of the last run (monotonic clock); None if Redis may have been away since.
        self._last_run: tuple[float, float] | None = None

    def run_once(self) -> dict[str, str]:
        """Check what is due, if this worker holds the lock.

        It takes a dozen round trips at most, whatever the number of jobs.

        Returns:
            What was done (`reconcile_job.lua`, or `unreadable`), by job id.

        Raises:
            redis.RedisError: Redis did not answer.
        """
        begun_at = time.monotonic()
        last_run, self._last_run = self._last_run, None
        elapsed_s = None
        # After a longer pause nobody knows: the whole machine may have been suspended.
        if last_run and begun_at - last_run[1] <= self._max_gap_s:
            elapsed_s = begun_at - last_run[0]
        done: dict[str, str] = {}
        if begun := self._acquire_lock(elapsed_s):
            now_ms, may_revoke = begun
            # What one of them finds in Redis must not keep the others from running.
            for step in (
                partial(self._reconcile_jobs, done, may_revoke),
                partial(self._handle_due, now_ms),
            ):
                self._run_step(step)
        self._last_run = begun_at, time.monotonic()
        return done

    def _run_step(self, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception as error:
            if isinstance(error, RedisError) and is_outage(error):
                raise
            self._log_failure(step, error)

    def _log_failure(self, step: Callable[..., None], error: Exception) -> None:
        """Log an error once: the same one comes back every few seconds."""
        text = repr(error)[:300]
        if text not in self._logged_failures:
            self._logged_failures.add(text)
            logger.error("reconciliation failed", exc_info=error, extra={"step": repr(step)[:100]})

    @property
    def _max_gap_s(self) -> float:
        """The longest usual time between two runs.

        If the reconciler itself has died, its lock passes on within three intervals.
        """
        lease_s = self._lease_policy.lease.total_seconds()
        return max(lease_s / 2, 3 * self._lease_policy.reconcile_interval.total_seconds())

    def _acquire_lock(self, elapsed_s: float | None) -> tuple[int, bool] | None:
        """Acquire or extend the lock.

        Args:
            elapsed_s: The time since the last run began; None if Redis may have been away since.

        Returns:
            None if another worker holds it; else the time (ms), and whether an expired lease means
            that its worker is dead. After a time in which Redis may have been away, workers get one
            more lease to renew theirs.
        """
        reply = self._begin(
            keys=[
                keys.RECONCILER,
                keys.LAST_RECONCILED,
                keys.GRACE,
                keys.UNPUBLISHED_ENDS,
                keys.DELIVERIES_DUE,
            ],
            args=[
                self._name,
                2 * ms(self._lease_policy.reconcile_interval),
                ms(self._lease_policy.lease),
                int(1000 * self._max_gap_s),
                "" if elapsed_s is None else int(1000 * elapsed_s),
            ],
        )
        if not reply:
            return None
        now_ms, may_revoke = cast("tuple[int, int]", reply)
        return now_ms, bool(may_revoke)

    def _handle_due(self, now_ms: int) -> None:
        """Publish the events of ends, and enqueue deliveries."""
        ends, deliveries = self._due_members.find(
            [keys.UNPUBLISHED_ENDS, keys.DELIVERIES_DUE], now_ms
        )
        for handle, due in ((self._deliver, deliveries), (self._publish_ends, ends)):
            if isinstance(due, ResponseError):
                self._log_failure(handle, due)
            else:
                self._run_step(partial(handle, due, now_ms))

    def _deliver(self, due: Sequence[str], now_ms: int) -> None:
        done = self._delivery_reconciler.reconcile(due, now_ms)
        lost = [member.partition(":") for member in done if done[member] == "taken"]
        records = self._read([job_id for job_id, _, _ in lost])
        for (job_id, _, event), record in zip(lost, records, strict=True):
            fields: Mapping[str, str | int] = {"job_id": job_id}
            if isinstance(record, JobRecord):
                fields = job_fields(record.request.task_name, job_id)
            logger.warning("webhook sender died", extra={**fields, "event": event})

    def _publish_ends(self, due: Sequence[str], now_ms: int) -> None:
        """Publish the event of each end at once; if nobody listens, again later and later."""
        lease_ms = ms(self._lease_policy.lease)
        records = [record for record in self._read(due) if isinstance(record, JobRecord)]
        ended = {record.id: record.ended_at for record in records if record.ended_at}
        received = self._publish([record for record in records if record.id in ended])
        again: dict[str, float] = {}
        for (job_id, ended_at), is_received in zip(ended.items(), received, strict=True):
            age_ms = now_ms - int(ended_at.timestamp() * 1000)
            if not is_received and age_ms < _REPUBLISH_FOR_LEASES * lease_ms:
                again[job_id] = now_ms + max(lease_ms, 3 * age_ms)
        pipeline = self._redis.pipeline(transaction=False)
        if again:
            pipeline.zadd(keys.UNPUBLISHED_ENDS, again)
        if done := [job_id for job_id in due if job_id not in again]:
            pipeline.zrem(keys.UNPUBLISHED_ENDS, *done)
        execute_each(pipeline)

    def _read(self, job_ids: Sequence[str]) -> list[JobRecord | Exception | None]:
        """Return the records of jobs.

        Returns:
            By job: its record; None if it has none; an error if what is stored cannot be read,
            perhaps because another version wrote it.
        """
        pipeline = self._redis.pipeline(transaction=False)
        for job_id in job_ids:
            pipeline.hgetall(keys.record(job_id))
        return [
            _decode(job_id, reply)
            for job_id, reply in zip(job_ids, execute_each(pipeline), strict=True)
        ]

    def _reconcile_jobs(self, done: dict[str, str], may_revoke: bool) -> None:  # noqa: FBT001 - one caller
        due = self._due_members.find_jobs()
        stored = dict(zip(due, self._read(due), strict=True))
        records = {
            job_id: record for job_id, record in stored.items() if isinstance(record, JobRecord)
        }
        if gone := [job_id for job_id, record in stored.items() if record is None]:
            self._redis.zrem(keys.ACTIVE, *gone)
        calls = [self._make_call(record, may_revoke=may_revoke) for record in records.values()]
        actions = dict(zip(records, call_each(self._redis, self._reconcile, calls), strict=True))
        results = {**stored, **actions, **self._end_jobs(records, actions)}
        errors = {
            job_id: result for job_id, result in results.items() if isinstance(result, Exception)
        }
        self._postpone(errors)
        done |= {**actions, **dict.fromkeys(gone, "gone"), **dict.fromkeys(errors, "unreadable")}
        for job_id, record in records.items():
            if done[job_id] not in _UNCHANGED:
                self._log(record, done[job_id])

    def _make_call(self, record: JobRecord, *, may_revoke: bool) -> ScriptCall:
        policy = self._lease_policy
        script_keys = [keys.record(record.id), keys.ACTIVE, keys.JOB_QUEUE, keys.COUNTERS]
        arguments: list[str | int] = [
            record.id,
            celery_message.encode_job(record.request.task_name, record.id),
            ms(policy.lease),
            ms(policy.max_check_interval),
            policy.max_crashes,
            ms(policy.queue_ttl),
            int(may_revoke),
        ]
        return script_keys, arguments

    def _end_jobs(
        self, records: Mapping[str, JobRecord], actions: Mapping[str, str]
    ) -> dict[str, Exception]:
        """End the jobs that cannot go on; return the errors of those that cannot be read."""
        details = {"crashes": self._lease_policy.max_crashes}
        ends = [
            (records[job_id].request, JobOutcome.failed(job_id, JobFailedError(code, details)))
            for job_id, action in actions.items()
            if (code := FAILURE_BY_REASON.get(action))
        ]
        replies = self._completer.complete_unleased(ends) if ends else []
        return {
            request.id: reply
            for (request, _), reply in zip(ends, replies, strict=True)
            if isinstance(reply, ResponseError)
        }

    def _postpone(self, unreadable: Mapping[str, Exception]) -> None:
        """Let jobs that cannot be read wait: they must not block all other jobs."""
        if not unreadable:
            return
        for job_id, error in unreadable.items():
            log_unreadable_record(job_id, repr(error.__cause__ or error))
        seconds, _ = self._redis.time()
        next_check_ms = 1000 * seconds + ms(self._lease_policy.max_check_interval)
        self._redis.zadd(keys.ACTIVE, dict.fromkeys(unreadable, next_check_ms), xx=True)

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


def _decode(job_id: str, fields: dict[str, str] | ResponseError) -> JobRecord | Exception | None:
    if isinstance(fields, ResponseError):
        return fields
    if not fields:
        return None
    try:
        return JobRecord.decode(job_id, fields)
    except UnreadableRecordError as error:
        return error


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
