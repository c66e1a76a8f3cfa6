"""The final transition of a job: its record and Celery's result, in one step."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, cast

from celery import states
from redis import Redis

from jobs.failure import FailureCode, JobFailedError
from jobs.model.job import JobState
from jobs.model.lease_policy import ms
from jobs.model.record import Failure
from jobs.redis import celery_message, keys
from jobs.redis.lua import load_script

#: How long a tombstone outlives its job's record.
TOMBSTONE_TTL = timedelta(days=7)

#: Whether a job has ended just now, or before by the same authority.
CompletionStatus = Literal["now", "before"] | None

#: The authority to end a job that no worker holds.
UNLEASED = ""


def worker_authority(worker: str) -> str:
    """Return the authority of a worker's main process over a job of its dead child."""
    return f"worker:{worker}"


def result_meta(job_id: str, state: str, result: object, done_at: str | None = None) -> str:
    """Write a task's state as Celery's Redis backend does.

    Args:
        job_id: The task's id.
        state: A Celery state, or PROGRESS.
        result: JSON data.
        done_at: ISO 8601, for final states.
    """
    return json.dumps(
        {
            "status": state,
            "result": result,
            "traceback": None,
            "children": [],
            "date_done": done_at,
            "task_id": job_id,
        }
    )


@dataclass(frozen=True)
class JobOutcome:
    """How a job ends."""

    state: JobState
    #: What Celery's result key keeps from now on.
    meta: str
    failure: Failure | None = None

    @classmethod
    def completed(cls, job_id: str, result: Mapping[str, Any]) -> "JobOutcome":
        """End with a result."""
        return cls(JobState.COMPLETED, result_meta(job_id, states.SUCCESS, result, _format_now()))

    @classmethod
    def failed(cls, job_id: str, reason: JobFailedError) -> "JobOutcome":
        """End with a failure, which `AsyncResult(job_id).result` gives as this exception."""
        stored = {
            "exc_type": type(reason).__name__,
            "exc_module": type(reason).__module__,
            "exc_message": [reason.code, reason.details],
        }
        meta = result_meta(job_id, states.FAILURE, stored, _format_now())
        return cls(JobState.FAILED, meta, Failure(reason.code, reason.details))


def _format_now() -> str:
    return datetime.now(UTC).isoformat()


def completion_call(
    job_id: str, authority: str, task: str, outcome: JobOutcome, result_ttl: timedelta
) -> tuple[list[str], list[str | int]]:
    """Return the keys and arguments of the finish script, for either kind of client.

    Args:
        job_id: The job's id.
        authority: The lease's token, NOBODY, or `held_by` a worker.
        task: The task's name, which the tombstone keeps.
        outcome: How.
        result_ttl: How long the result can be read.
    """
    given_up = outcome.failure is not None and outcome.failure.code is FailureCode.WORKER_LOST
    script_keys = [
        keys.record(job_id),
        keys.result(job_id),
        keys.items(job_id),
        keys.pages(job_id),
        keys.ACTIVE,
        keys.tombstone(job_id),
        keys.WORKER_LOST,
        keys.UNPUBLISHED_ENDS,
        keys.COUNTERS,
        keys.JOB_QUEUE,
        keys.ABANDONED_SESSIONS,
    ]
    arguments: list[str | int] = [
        authority,
        job_id,
        outcome.state,
        outcome.failure.encode() if outcome.failure else "",
        outcome.meta,
        ms(result_ttl),
        ms(result_ttl + TOMBSTONE_TTL),
        task,
        int(given_up),
        outcome.failure.code if outcome.failure else outcome.state,
        celery_message.encode_delivery(job_id, "end"),
    ]
    return script_keys, arguments


class Completer:
    """Ends jobs, for workers."""

    def __init__(self, redis: Redis, *, result_ttl: timedelta) -> None:
        self._finish = redis.register_script(load_script("complete"))
        self._result_ttl = result_ttl

    def complete(
        self, job_id: str, authority: str, task: str, outcome: JobOutcome
    ) -> CompletionStatus:
        """End a job; None if it was not, or no longer, the authority's to end."""
        script_keys, arguments = completion_call(job_id, authority, task, outcome, self._result_ttl)
        return cast("CompletionStatus", self._finish(keys=script_keys, args=arguments))
