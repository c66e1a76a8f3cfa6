"""`GET /api/v1/jobs`: all jobs from newest to oldest; `GET /api/v1/jobs/{job_id}`: one of them."""

import re
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.dependencies import (
    EMPTY_AS_NONE,
    ERRORS,
    JOB_ERRORS,
    JobIndexDep,
    JobStoreDep,
    get_job,
)
from api.errors import FieldError, InvalidParametersError
from api.language import LanguageDep
from jobs import schemas
from jobs.model.i18n import Language
from jobs.model.job import JobState, task_name
from jobs.model.record import JobRecord
from jobs.store.job_index import Cursor
from jobs.store.queue_position import QueuePosition
from scraper.recipes.param import Value

router = APIRouter(prefix="/api/v1", tags=["jobs"])

_DEFAULT_LIMIT = 50
_MAX_LIMIT = 200
#: The time at which a job was accepted, in ms, and its id.
_CURSOR = re.compile(r"([0-9]{1,15})-(.+)")


class ListedJob(BaseModel):
    """A job in a list."""

    job_id: schemas.JobId
    site: str = Field(examples=["shop"])
    job: str = Field(examples=["list-products"])
    status: JobState = Field(examples=[JobState.COMPLETED])
    progress: int = Field(examples=[100])
    message: str = Field(
        description="What the job is doing, or how it ended, in the caller's language.",
        examples=["Job concluído"],
    )
    error_code: str | None = Field(
        description="Why the job failed; null unless it did.", examples=[None]
    )
    params: dict[str, Value] = Field(examples=[{"pages": 2}])
    attempt: schemas.Attempt
    queue_position: int | None = Field(
        description="1 is next; null unless the job is pending.", examples=[None]
    )
    estimated_wait_seconds: int | None = Field(
        description="Until a worker claims the job; null if no estimate is possible.",
        examples=[None],
    )
    created_at: schemas.CreatedAt
    started_at: schemas.StartedAt | None
    ended_at: schemas.EndedAt | None
    is_final: bool
    result_url: str = Field(
        examples=["/api/v1/shop/list-products/result/550e8400-e29b-41d4-a716-446655440000"]
    )


class JobList(BaseModel):
    """A page of jobs, from newest to oldest."""

    jobs: list[ListedJob]
    next_cursor: str | None = Field(
        description="Cursor of the next page; null if this is the last one.",
        examples=["1767304800000-550e8400-e29b-41d4-a716-446655440000"],
    )


def build_listed_job(
    record: JobRecord, language: Language, queue_position: QueuePosition | None = None
) -> ListedJob:
    """Build a job's entry in a list.

    Args:
        record: The job's record.
        language: The language of its message.
        queue_position: Its position in the queue, if it is pending.
    """
    site = record.site
    job = record.job
    return ListedJob(
        job_id=record.id,
        site=site,
        job=job,
        status=record.state,
        progress=record.progress,
        message=schemas.render_message(record, language),
        error_code=record.failure.code if record.failure else None,
        params=dict(record.params),
        attempt=record.attempt,
        queue_position=queue_position.position if queue_position else None,
        estimated_wait_seconds=schemas.estimate_wait_s(queue_position),
        created_at=schemas.format_timestamp(record.created_at),
        started_at=schemas.format_timestamp(record.started_at) if record.started_at else None,
        ended_at=schemas.format_timestamp(record.ended_at) if record.ended_at else None,
        is_final=record.state.is_final,
        result_url=f"/api/v1/{site}/{job}/result/{record.id}",
    )


# The names of routes are part of the operation ids in OpenAPI, which generated clients use.


@router.get("/jobs", name="jobs", responses=ERRORS, summary="List jobs")
async def list_jobs(
    *,
    job_index: JobIndexDep,
    language: LanguageDep,
    site: Annotated[str, Query(description="Only jobs of this site.")] = "",
    job: Annotated[str, Query(description="Only jobs with this name; requires `site`.")] = "",
    status: Annotated[
        JobState | None, EMPTY_AS_NONE, Query(description="Only jobs in this state.")
    ] = None,
    limit: Annotated[
        Annotated[int, Field(ge=1, le=_MAX_LIMIT)] | None,
        EMPTY_AS_NONE,
        Query(description=f"Maximum number of jobs: {_DEFAULT_LIMIT} by default."),
    ] = None,
    cursor: Annotated[str, Query(description="`next_cursor` of the previous page.")] = "",
) -> JobList:
    """Return the jobs whose results have not expired, from newest to oldest."""
    states = [status] if status else list(JobState)
    records, next_cursor = await job_index.list_jobs(
        states, _parse_group(site, job), limit or _DEFAULT_LIMIT, _parse_cursor(cursor)
    )
    positions = await job_index.get_queue_positions(records)
    return JobList(
        jobs=[build_listed_job(record, language, positions.get(record.id)) for record in records],
        next_cursor=f"{next_cursor.accepted_ms}-{next_cursor.job_id}" if next_cursor else None,
    )


@router.get("/jobs/{job_id}", name="one", responses=JOB_ERRORS, summary="Get a job by its id")
async def get_job_by_id(job_id: str, job_store: JobStoreDep, language: LanguageDep) -> ListedJob:
    """Return the job's site, state and result URL; only its id is needed."""
    snapshot = await get_job(job_store, job_id)
    return build_listed_job(snapshot.record, language, snapshot.queue_position)


def _parse_group(site: str, job: str) -> str:
    if job and not site:
        raise InvalidParametersError([FieldError("site_missing", "site")])
    return task_name(site, job) if job else site


def _parse_cursor(text: str) -> Cursor | None:
    if not text:
        return None
    parts = _CURSOR.fullmatch(text)
    if not parts:
        raise InvalidParametersError([FieldError("cursor", "cursor")])
    return Cursor(int(parts[1]), parts[2])
