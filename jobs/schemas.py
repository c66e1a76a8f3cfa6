"""The response bodies that describe a job, and functions that build them.

They are a contract with existing workflows: fields may be added, but none removed or renamed. Only
failed jobs have a top-level `error`: n8n treats a body with this key as a failed request, whatever
its value.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from jobs.model.i18n import Language, render, render_known
from jobs.model.job import DEFAULT_ACCOUNT, JobState
from jobs.model.record import JobRecord
from jobs.store.job_store import JobSnapshot, SubmitResult
from jobs.store.queue_position import QueuePosition


def format_timestamp(at: datetime) -> str:
    """Return a UTC time in ISO 8601, with `+00:00`."""
    return at.isoformat(timespec="microseconds")


JobId = Annotated[str, Field(examples=["550e8400-e29b-41d4-a716-446655440000"])]
CreatedAt = Annotated[str, Field(examples=["2026-01-01T22:00:00.000000+00:00"])]
StartedAt = Annotated[str, Field(examples=["2026-01-01T22:00:05.000000+00:00"])]
EndedAt = Annotated[str, Field(examples=["2026-01-01T22:00:40.200000+00:00"])]
Account = Annotated[
    str, Field(description="The site's account that the job uses.", examples=[DEFAULT_ACCOUNT])
]
Attempt = Annotated[int, Field(description="Number of times a worker has claimed the job.")]
ExecutionTime = Annotated[
    float,
    Field(description="Seconds from its start to its end; 0 if it never ran.", examples=[35.2]),
]
RetryAfter = Annotated[int, Field(description="Seconds to wait before the next request.")]


class JobStart(BaseModel):
    """The job is accepted."""

    job_id: JobId
    status: Literal[JobState.PENDING] = JobState.PENDING
    message: str = Field(examples=["Job enfileirado com sucesso"])
    created_at: CreatedAt
    result_url: str = Field(
        description="URL of the result.",
        examples=["/api/v1/shop/list-products/result/550e8400-e29b-41d4-a716-446655440000"],
    )
    joined: bool = Field(
        description="Whether it is the job of an earlier, identical request.", examples=[False]
    )
    is_final: Literal[False] = False
    retry_after_seconds: RetryAfter


class JobStatus(BaseModel):
    """The job is pending or running."""

    job_id: JobId
    status: Literal[JobState.PENDING, JobState.PROCESSING] = Field(examples=[JobState.PROCESSING])
    progress: int = Field(
        ge=0, le=100, description="Percentage; it never decreases.", examples=[10]
    )
    message: str = Field(
        description="What the job is doing, in the caller's language.",
        examples=["Abrindo a página 1 de 2..."],
    )
    created_at: CreatedAt
    started_at: StartedAt | None
    account: Account
    attempt: Attempt
    is_final: Literal[False] = False
    elapsed_seconds: float = Field(
        description="Time since the job was accepted; changes with every response.", examples=[7.2]
    )
    queue_position: int | None = Field(
        description="1 is next; null once a worker has claimed the job.", examples=[None]
    )
    estimated_wait_seconds: int | None = Field(
        description="Estimated seconds until a worker claims the job, from the durations of recent "
        "jobs; null if no worker is alive or no job has completed yet.",
        examples=[None],
    )
    workers_alive: int | None = Field(
        description="Number of live workers while the job is pending: with 0, it waits until one "
        "is started. Null once a worker has claimed the job, and where the number is unknown.",
        examples=[None],
    )
    retry_after_seconds: RetryAfter


class JobResult(BaseModel):
    """The job is completed."""

    job_id: JobId
    status: Literal[JobState.COMPLETED] = JobState.COMPLETED
    progress: Literal[100] = 100
    result: Mapping[str, Any]
    execution_time_seconds: ExecutionTime
    created_at: CreatedAt
    started_at: StartedAt | None
    completed_at: EndedAt
    account: Account
    attempt: Attempt
    is_final: Literal[True] = True


class JobError(BaseModel):
    """The job has failed."""

    job_id: JobId
    status: Literal[JobState.FAILED] = JobState.FAILED
    progress: int = Field(ge=0, le=100, description="Percent reached.", examples=[40])
    error: str = Field(
        description="Why the job failed, in the caller's language.", examples=["Job cancelado"]
    )
    error_code: str = Field(
        description="Stable, machine-readable code of the error.", examples=["cancelled"]
    )
    items_read: int | None = Field(
        description="Number of items read before the failure, which `items` returns. Null if it is "
        "unknown: an earlier version of Garimpo ended the job.",
        examples=[20],
    )
    pages_read: int | None = Field(description="Number of pages with these items.", examples=[2])
    execution_time_seconds: ExecutionTime
    created_at: CreatedAt
    started_at: StartedAt | None
    failed_at: EndedAt
    account: Account
    attempt: Attempt
    is_final: Literal[True] = True


def build_start(submitted: SubmitResult, result_url: str, language: Language) -> JobStart:
    """Build the body of an accepted start."""
    joined = submitted.outcome in {"joined", "rejoined"}
    return JobStart(
        job_id=submitted.id,
        message=render(language, "joined" if joined else "accepted", {}),
        created_at=format_timestamp(submitted.created_at),
        result_url=result_url,
        joined=joined,
        retry_after_seconds=1,
    )


def render_message(record: JobRecord, language: Language) -> str:
    """Return the message of a job: what it does, or how it ended."""
    # A later version may have written a key, a code or arguments that this one does not know.
    if failure := record.failure:
        key = f"failure.{failure.code}"
        other = render(language, "failure_unknown", {"code": failure.code})
        return render_known(language, key, failure.details, other)
    if record.state is JobState.COMPLETED:
        return render(language, "completed", {})
    if record.state is JobState.PENDING or record.message is None:
        return render(language, "pending", {})
    other = render(language, "running", {})
    return render_known(language, record.message.key, record.message.args, other)


def estimate_wait_s(position: QueuePosition | None) -> int | None:
    """Return the estimated waiting time in whole seconds; None without an estimate."""
    return None if position is None or position.wait_s is None else round(position.wait_s)


def build_status(snapshot: JobSnapshot, language: Language) -> JobStatus:
    """Build the body of a job that waits or runs."""
    record = snapshot.record
    position = snapshot.queue_position
    elapsed_s = max(0.0, (snapshot.now - record.created_at).total_seconds())
    is_pending = record.state is JobState.PENDING
    return JobStatus(
        job_id=record.id,
        status=JobState.PENDING if is_pending else JobState.PROCESSING,
        progress=record.progress,
        message=render_message(record, language),
        queue_position=position.position if position else None,
        estimated_wait_seconds=estimate_wait_s(position),
        workers_alive=position.workers_alive if position else None,
        account=record.account,
        attempt=record.attempt,
        created_at=format_timestamp(record.created_at),
        started_at=format_timestamp(record.started_at) if record.started_at else None,
        elapsed_seconds=round(elapsed_s, 3),
        # A tenth of the elapsed time: little delay for short jobs, few requests for long ones.
        retry_after_seconds=min(10, max(1, round(elapsed_s / 10))),
    )


def _build_final_fields(record: JobRecord) -> tuple[dict[str, Any], str]:
    ended_at = record.ended_at or record.created_at
    ran_s = (ended_at - record.started_at).total_seconds() if record.started_at else 0.0
    if record.ran_ms is not None:
        ran_s = record.ran_ms / 1000
    fields = {
        "job_id": record.id,
        "account": record.account,
        "attempt": record.attempt,
        "created_at": format_timestamp(record.created_at),
        "started_at": format_timestamp(record.started_at) if record.started_at else None,
        "execution_time_seconds": round(max(0.0, ran_s), 3),
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
        {
            **warning,
            "message": render_known(
                language, f"warning.{warning['code']}", warning, str(warning["code"])
            ),
        }
        for warning in result["warnings"]
    ]
    failed = {
        name: [_describe_failure(failure, language) for failure in failures]
        for name, failures in result.items()
        # A collection may have such a name too; then it has a total.
        if name.startswith("failed_") and f"total_{name}" not in result
    }
    body = {**result, **failed, "warnings": warnings}
    return JobResult(**fields, completed_at=at, result=body)


def _describe_failure(failure: Mapping[str, Any], language: Language) -> dict[str, Any]:
    """Return a page that was left out: its value, the code, and a sentence."""
    code = str(failure["code"])
    reason = render_known(language, f"failure.{code}", failure["details"], code)
    value = {name: text for name, text in failure.items() if name not in {"code", "details"}}
    return {**value, "code": code, "reason": reason}


def build_error(record: JobRecord, language: Language) -> JobError:
    """Build the body of a failed job.

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
        items_read=record.items_read,
        pages_read=record.pages_read,
    )
