"""The final transition of a job: its record and Celery's result, in one step."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, cast

from celery import states
from redis import Redis
from redis.exceptions import ResponseError

from jobs.failure import FailureCode, JobFailedError
from jobs.model.job import JobRequest, JobState
from jobs.model.lease_policy import ms
from jobs.model.record import Failure
from jobs.model.result import ResultHead
from jobs.redis import celery_message, keys
from jobs.redis.lua import load_script
from jobs.redis.script_batch import call_each

#: How long a tombstone outlives its job's record.
TOMBSTONE_TTL = timedelta(days=7)

#: Whether this call ended the job or an earlier one by the same authority did; None if the
#: authority does not hold the job.
CompletionStatus = Literal["now", "before"] | None

#: The authority to end a job that no worker holds.
UNLEASED = ""


def worker_authority(worker: str) -> str:
    """Return the authority of a worker's main process over a job of its dead child."""
    return f"worker:{worker}"


def result_meta(job_id: str, state: str, result: object) -> str:
    """Return a task's meta data (JSON) as Celery's Redis backend stores it.

    Args:
        job_id: The task's id.
        state: A Celery state, or PROGRESS.
        result: JSON data.
    """
    return json.dumps(
        {
            "status": state,
            "result": result,
            "traceback": None,
            "children": [],
            # `complete.lua` sets it, on Redis' clock.
            "date_done": None,
            "task_id": job_id,
        }
    )


@dataclass(frozen=True)
class JobOutcome:
    """The end of a job."""

    state: JobState
    #: The meta data for Celery's result key (JSON); the items of a completed job are not in it.
    meta: str
    failure: Failure | None = None
    #: The name and number of the items in the result, and the number of pages; empty and 0 for a
    #: failed job.
    collection: str = ""
    item_count: int = 0
    page_count: int = 0
    #: How long the attempt took; None if it is not known.
    attempt_duration: timedelta | None = None

    @classmethod
    def completed(cls, job_id: str, head: ResultHead) -> "JobOutcome":
        """Return the end of a job with a result.

        Its items are those that were appended. If their number or that of the pages is not that of
        the result, Redis has lost some of them, and the job does not end.
        """
        meta = result_meta(job_id, states.SUCCESS, head.as_dict(None))
        return cls(
            JobState.COMPLETED,
            meta,
            collection=head.collection,
            item_count=head.total,
            page_count=head.pages_read + len(head.failures),
        )

    @classmethod
    def failed(cls, job_id: str, reason: JobFailedError) -> "JobOutcome":
        """Return the end of a job by a failure, which `AsyncResult(job_id).result` returns."""
        stored = {
            "exc_type": type(reason).__name__,
            "exc_module": type(reason).__module__,
            "exc_message": [reason.code, reason.details],
        }
        meta = result_meta(job_id, states.FAILURE, stored)
        return cls(JobState.FAILED, meta, Failure(reason.code, reason.details))


@dataclass(frozen=True)
class CompletionPolicy:
    """Expiry and check times that the final transition needs."""

    #: How long results can be read.
    result_ttl: timedelta
    #: The time after which an unsent webhook is checked: a lease.
    check_after: timedelta


def completion_call(
    job_id: str, authority: str, task_name: str, outcome: JobOutcome, policy: CompletionPolicy
) -> tuple[list[str], list[str | int]]:
    """Return the keys and arguments of `complete.lua`, for either kind of client.

    Args:
        job_id: The job's id.
        authority: The lease's token, UNLEASED, or the `worker_authority` of a worker.
        task_name: The task's name, which the tombstone keeps.
        outcome: The job's end.
        policy: Expiry and check times.
    """
    is_worker_lost = outcome.failure is not None and outcome.failure.code == FailureCode.WORKER_LOST
    script_keys = [
        keys.record(job_id),
        keys.result(job_id),
        keys.items(job_id),
        keys.item_totals(job_id),
        keys.pages(job_id),
        keys.ACTIVE,
        keys.tombstone(job_id),
        keys.WORKER_LOST,
        keys.UNPUBLISHED_ENDS,
        keys.COUNTERS,
        keys.JOB_QUEUE,
        keys.ABANDONED_SESSIONS,
        keys.page_claims(job_id),
        keys.parts(job_id),
        keys.read_pages(job_id),
    ]
    arguments: list[str | int] = [
        authority,
        job_id,
        outcome.state,
        outcome.failure.encode() if outcome.failure else "",
        outcome.meta,
        outcome.collection,
        ms(policy.result_ttl),
        ms(policy.result_ttl + TOMBSTONE_TTL),
        task_name,
        int(is_worker_lost),
        outcome.failure.code if outcome.failure else outcome.state,
        celery_message.encode_delivery(job_id, "end"),
        ms(policy.check_after),
        outcome.item_count,
        outcome.page_count,
        "" if outcome.attempt_duration is None else ms(outcome.attempt_duration),
    ]
    return script_keys, arguments


class Completer:
    """Ends jobs (synchronous, for workers)."""

    def __init__(self, redis: Redis, policy: CompletionPolicy) -> None:
        self._redis = redis
        self._complete = redis.register_script(load_script("complete"))
        self._policy = policy

    def complete(
        self, job_id: str, authority: str, task_name: str, outcome: JobOutcome
    ) -> CompletionStatus:
        """End a job, if the authority holds it."""
        script_keys, arguments = completion_call(
            job_id, authority, task_name, outcome, self._policy
        )
        return cast("CompletionStatus", self._complete(keys=script_keys, args=arguments))

    def complete_unleased(
        self, ends: Sequence[tuple[JobRequest, JobOutcome]]
    ) -> list[CompletionStatus | ResponseError]:
        """End jobs that no worker holds, in one round trip.

        Args:
            ends: The jobs, and how they end.

        Returns:
            What `complete` returns, by job; an error where what is stored for a job is not ours.

        Raises:
            redis.RedisError: Redis did not answer.
        """
        calls = [
            completion_call(request.id, UNLEASED, request.task_name, outcome, self._policy)
            for request, outcome in ends
        ]
        return call_each(self._redis, self._complete, calls)
