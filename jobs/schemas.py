"""The response bodies that describe a job, and functions that build them.

Fields may be added, none taken away or renamed. A top-level `error` is there for failed jobs
alone: n8n takes it for a failure of the request whatever its value.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from jobs.model.i18n import Language, render
from jobs.model.job import JobState
from jobs.model.record import JobRecord
from jobs.store.job_store import JobSnapshot, SubmitResult
from jobs.store.queue_position import QueuePosition


def format_timestamp(at: datetime) -> str:
    """Write a time in UTC so that it says so (ISO 8601, `+00:00`)."""
    return at.isoformat(timespec="microseconds")


_RETRY_AFTER = Field(description="When to ask again, in seconds from now.")


class JobStart(BaseModel):
    """The job is accepted."""

    job_id: str
    status: Literal[JobState.PENDING] = JobState.PENDING
    message: str
    created_at: str
    result_url: str = Field(description="Where to ask for the result.")
    joined: bool = Field(description="Whether it is the job of an earlier, identical start.")
    is_final: Literal[False] = False
    retry_after_seconds: int = _RETRY_AFTER


class JobStatus(BaseModel):
    """The job waits or runs."""

    job_id: str
    status: Literal[JobState.PENDING, JobState.PROCESSING]
    progress: int = Field(ge=0, le=100, description="Percent; it never falls.")
    message: str = Field(description="What goes on, in the caller's language.")
    created_at: str
    started_at: str | None
    attempt: int = Field(description="How often a worker has taken the job.")
    is_final: Literal[False] = False
    elapsed_seconds: float = Field(description="Since the job was accepted; changes at each poll.")
    queue_position: int | None = Field(description="1 is the next; null once a worker has it.")
    estimated_wait_seconds: int | None = Field(
        description="Until a worker takes it, from what jobs have taken lately; null if nobody "
        "can tell: without workers, before the first completed job."
    )
    retry_after_seconds: int = _RETRY_AFTER


class JobResult(BaseModel):
    """The job is completed."""

    job_id: str
    status: Literal[JobState.COMPLETED] = JobState.COMPLETED
    progress: Literal[100] = 100
    result: Mapping[str, Any]
    execution_time_seconds: float = Field(description="From its start to its end.")
    created_at: str
    started_at: str | None
    completed_at: str
    attempt: int
    is_final: Literal[True] = True


class JobError(BaseModel):
    """The job has failed."""

    job_id: str
    status: Literal[JobState.FAILED] = JobState.FAILED
    progress: int = Field(ge=0, le=100, description="How far it had come.")
    error: str = Field(description="Why, in the caller's language.")
    error_code: str = Field(description="The same, for programs; never renamed.")
    execution_time_seconds: float = Field(description="From its start to its end; 0 without one.")
    created_at: str
    started_at: str | None
    failed_at: str
    attempt: int
    is_final: Literal[True] = True


def build_start(accepted: SubmitResult, result_url: str, language: Language) -> JobStart:
    """Answer a start."""
    joined = accepted.how in {"joined", "rejoined"}
    return JobStart(
        job_id=accepted.id,
        message=render(language, "joined" if joined else "accepted", {}),
        created_at=format_timestamp(accepted.created_at),
        result_url=result_url,
        joined=joined,
        retry_after_seconds=1,
    )


def render_message(record: JobRecord, language: Language) -> str:
    """Say what goes on with a job, or how it has ended."""
    if record.failure:
        return render(language, f"failure.{record.failure.code}", record.failure.details)
    if record.state is JobState.COMPLETED:
        return render(language, "completed", {})
    if record.state is JobState.PENDING or record.message is None:
        return render(language, "pending", {})
    return render(language, record.message.key, record.message.args)


def estimate_wait_s(turn: QueuePosition | None) -> int | None:
    """Say in how many seconds a turn comes; None if nobody can tell."""
    return None if turn is None or turn.wait_s is None else round(turn.wait_s)


def build_status(seen: JobSnapshot, language: Language) -> JobStatus:
    """Answer for a job that waits or runs."""
    record = seen.record
    elapsed_s = max(0.0, (seen.now - record.created_at).total_seconds())
    waits, turn = record.state is JobState.PENDING, seen.queue_position
    return JobStatus(
        job_id=record.id,
        status=JobState.PENDING if waits else JobState.PROCESSING,
        progress=record.progress,
        message=render_message(record, language),
        queue_position=turn.position if turn else None,
        estimated_wait_seconds=estimate_wait_s(turn),
        attempt=record.attempt,
        created_at=format_timestamp(record.created_at),
        started_at=format_timestamp(record.started_at) if record.started_at else None,
        elapsed_seconds=round(elapsed_s, 3),
        # A tenth of what has passed: short jobs are seen at once, long ones cost few requests.
        retry_after_seconds=min(10, max(1, round(elapsed_s / 10))),
    )


def _build_final_fields(record: JobRecord) -> tuple[dict[str, Any], str]:
    ended_at = record.ended_at or record.created_at
    ran_s = (ended_at - record.started_at).total_seconds() if record.started_at else 0.0
    fields = {
        "job_id": record.id,
        "attempt": record.attempt,
        "created_at": format_timestamp(record.created_at),
        "started_at": format_timestamp(record.started_at) if record.started_at else None,
        "execution_time_seconds": round(ran_s, 3),
    }
    return fields, format_timestamp(ended_at)


def build_result(record: JobRecord, result: Mapping[str, Any], language: Language) -> JobResult:
    """Build the body of a completed job.

    Args:
        record: The job's record.
        result: The stored result.
        language: The language of the warnings' sentences.
    """
    fields, at = _build_final_fields(record)
    warnings = [
        {**warning, "message": render(language, f"warning.{warning['code']}", warning)}
        for warning in result["warnings"]
    ]
    return JobResult(**fields, completed_at=at, result={**result, "warnings": warnings})


def build_error(record: JobRecord, language: Language) -> JobError:
    """Answer for a job that has failed.

    Raises:
        ValueError: The record has no failure.
    """
    if record.failure is None:
        raise ValueError(record.state)
    fields, at = _build_final_fields(record)
    return JobError(
        **fields,
        progress=record.progress,
        failed_at=at,
        error=render_message(record, language),
        error_code=record.failure.code,
    )
