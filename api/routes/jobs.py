"""`GET /api/v1/jobs`: all jobs from newest to oldest; `GET /api/v1/jobs/{job_id}`: one of them."""

import re
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from api.access.api_key import Scope
from api.access.caller import Caller, CallerDep, require
from api.dependencies import (
    EMPTY_AS_NONE,
    ERRORS,
    JOB_ERRORS,
    JobIndexDep,
    JobStoreDep,
    ServicesDep,
    count_read,
    get_job,
)
from api.errors import FieldError, InvalidParametersError, ScopeError
from api.language import LanguageDep
from jobs import schemas
from jobs.model.i18n import Language
from jobs.model.job import JobState, task_name
from jobs.model.record import JobRecord
from jobs.store.job_index import Cursor
from jobs.store.queue_position import QueuePosition
from scraper.recipes.param import Value

router = APIRouter(
    prefix="/api/v1",
    tags=["jobs"],
    dependencies=[Depends(require(Scope.READ)), Depends(count_read)],
)

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
    owner: str | None = Field(
        description="Name of the API key that started the job; null without keys, and for callers "
        "without the scope `admin`.",
        examples=[None],
    )
    params: dict[str, Value] = Field(
        description="The job's parameters; empty if it was cancelled and had more than 512 bytes "
        "of them.",
        examples=[{"pages": 2}],
    )
    account: schemas.Account
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
    record: JobRecord,
    language: Language,
    queue_position: QueuePosition | None = None,
    *,
    caller: Caller,
    url_prefix: str,
) -> ListedJob:
    """Build a job's entry in a list.

    Args:
        record: The job's record.
        language: The language of its message.
        queue_position: Its position in the queue, if it is pending.
        caller: Who sees the entry.
        url_prefix: The path below which callers see the API.
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
        owner=(record.caller or None) if caller.sees_all else None,
        params=dict(record.params),
        account=record.account,
        attempt=record.attempt,
        queue_position=queue_position.position if queue_position else None,
        estimated_wait_seconds=schemas.estimate_wait_s(queue_position),
        created_at=schemas.format_timestamp(record.created_at),
        started_at=schemas.format_timestamp(record.started_at) if record.started_at else None,
        ended_at=schemas.format_timestamp(record.ended_at) if record.ended_at else None,
        is_final=record.state.is_final,
        result_url=f"{url_prefix}/api/v1/{site}/{job}/result/{record.id}",
    )


# The names of routes are part of the operation ids in OpenAPI, which generated clients use.


@router.get("/jobs", name="jobs", responses=ERRORS, summary="List jobs")
async def list_jobs(
    *,
    services: ServicesDep,
    job_index: JobIndexDep,
    caller: CallerDep,
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
    owner: Annotated[
        str,
        Query(
            description="Only jobs that this API key has started; other names than the own one "
            "require the scope `admin`.",
            pattern=r"^([A-Za-z0-9][A-Za-z0-9_.-]{0,63})?$",
        ),
    ] = "",
    cursor: Annotated[str, Query(description="`next_cursor` of the previous page.")] = "",
) -> JobList:
    """Return the jobs whose results have not expired, from newest to oldest."""
    states = [status] if status else list(JobState)
    records, next_cursor = await job_index.list_jobs(
        states,
        _parse_group(site, job),
        limit or _DEFAULT_LIMIT,
        _parse_cursor(cursor),
        owner=_parse_owner(owner, caller),
    )
    positions = await job_index.get_queue_positions(records)
    return JobList(
        jobs=[
            build_listed_job(
                record,
                language,
                positions.get(record.id),
                caller=caller,
                url_prefix=services.settings.url_prefix,
            )
            for record in records
        ],
        next_cursor=f"{next_cursor.accepted_ms}-{next_cursor.job_id}" if next_cursor else None,
    )


@router.get("/jobs/{job_id}", name="one", responses=JOB_ERRORS, summary="Get a job by its id")
async def get_job_by_id(
    job_id: str,
    services: ServicesDep,
    job_store: JobStoreDep,
    caller: CallerDep,
    language: LanguageDep,
) -> ListedJob:
    """Return the job's site, state and result URL; only its id is needed."""
    snapshot = await get_job(job_store, caller, job_id)
    return build_listed_job(
        snapshot.record,
        language,
        snapshot.queue_position,
        caller=caller,
        url_prefix=services.settings.url_prefix,
    )


def _parse_owner(name: str, caller: Caller) -> str | None:
    """Return whose jobs to list; None for those of all callers."""
    if not name:
        return caller.owner
    if not caller.may_see(name):
        raise ScopeError(Scope.ADMIN)
    return name


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
