"""`GET /api/v1/jobs`: all jobs, the newest first; and one of them by its id."""

import re
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from api.dependencies import EMPTY_AS_NONE, ERRORS, LOOK_UP_ERRORS, find_job
from api.dependencies import Jobs as Front
from api.errors import InvalidParametersError
from api.language import RequestLanguage
from jobs import schemas
from jobs.model.i18n import Language
from jobs.model.job import JobState, task_name
from jobs.model.record import JobRecord
from jobs.store.job_index import Cursor, JobIndex
from jobs.store.queue_position import QueuePosition

router = APIRouter(prefix="/api/v1", tags=["jobs"])

_LONGEST = 200


async def _overview_of(request: Request) -> JobIndex:
    overview: JobIndex = request.app.state.overview
    return overview


Jobs = Annotated[JobIndex, Depends(_overview_of)]


class ListedJob(BaseModel):
    """A job in the list."""

    job_id: str
    site: str
    job: str
    status: JobState
    progress: int
    message: str = Field(description="What goes on, or how it ended, in the caller's language.")
    error_code: str | None = Field(description="Of a failed job.")
    params: dict[str, Any]
    attempt: int
    queue_position: int | None = Field(description="1 is the next; null unless it waits.")
    estimated_wait_seconds: int | None = Field(
        description="Until a worker takes it; null if nobody can tell."
    )
    created_at: str
    started_at: str | None
    ended_at: str | None
    is_final: bool
    result_url: str


class JobList(BaseModel):
    """Some jobs, the newest first."""

    jobs: list[ListedJob]
    next_cursor: str | None = Field(description="Where to go on; null after the last job.")


def build_listed_job(
    record: JobRecord, language: Language, turn: QueuePosition | None = None
) -> ListedJob:
    """Show a job in a list; `turn` is when its turn comes, if it waits."""
    site, job = record.site, record.job
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
        queue_position=turn.position if turn else None,
        estimated_wait_seconds=schemas.estimate_wait_s(turn),
        created_at=schemas.format_timestamp(record.created_at),
        started_at=schemas.format_timestamp(record.started_at) if record.started_at else None,
        ended_at=schemas.format_timestamp(record.ended_at) if record.ended_at else None,
        is_final=record.state.is_final,
        result_url=f"/api/v1/{site}/{job}/result/{record.id}",
    )


@router.get("/jobs", responses=ERRORS, summary="List jobs")
async def jobs(
    *,
    overview: Jobs,
    language: RequestLanguage,
    site: Annotated[str, Query(description="Only this site's; then `job` may say which.")] = "",
    job: Annotated[str, Query(description="Only this job of the site's.")] = "",
    status: Annotated[
        JobState | None, EMPTY_AS_NONE, Query(description="Only those in this state.")
    ] = None,
    limit: Annotated[
        Annotated[int, Field(ge=1, le=_LONGEST)] | None,
        EMPTY_AS_NONE,
        Query(description="How many at most: 50 if it is not said."),
    ] = None,
    cursor: Annotated[str, Query(description="`next_cursor` of the answer before.")] = "",
) -> JobList:
    """List the jobs whose results have not expired, the newest first."""
    states = [status] if status else list(JobState)
    records, place = await overview.list_jobs(
        states, _group(site, job), limit or 50, _place(cursor)
    )
    turns = await overview.get_queue_positions(records)
    return JobList(
        jobs=[build_listed_job(record, language, turns.get(record.id)) for record in records],
        next_cursor=f"{place.accepted_ms}-{place.job_id}" if place else None,
    )


@router.get("/jobs/{job_id}", responses=LOOK_UP_ERRORS, summary="Look a job up by its id alone")
async def one(job_id: str, jobs: Front, language: RequestLanguage) -> ListedJob:
    """Tell which site's it is, how it stands, and where its result is."""
    seen = await find_job(jobs, job_id)
    return build_listed_job(seen.record, language, seen.queue_position)


def _group(site: str, job: str) -> str:
    if job and not site:
        raise InvalidParametersError([("site_missing", {"field": "site"})])
    return task_name(site, job) if job else site


def _place(cursor: str) -> Cursor | None:
    if not cursor:
        return None
    place = re.fullmatch(r"([0-9]{1,15})-(.+)", cursor)
    if not place:
        raise InvalidParametersError([("cursor", {"field": "cursor"})])
    return Cursor(int(place[1]), place[2])


class WorkerStats(BaseModel):
    """A worker, and what it does."""

    name: str
    jobs: list[ListedJob]
    browser_bytes: int = Field(description="What its browsers take.")


class QueueStats(BaseModel):
    """What waits, and what runs."""

    waiting: int
    running: int
    oldest_waiting_seconds: float = Field(description="How long ago the next job was accepted.")


class OutcomeStats(BaseModel):
    """How often a job has ended in one way."""

    site: str
    job: str
    outcome: str = Field(description="`completed`, or a failure's `error_code`.")
    number: int


class StatsBody(BaseModel):
    """What goes on, and how the last day went."""

    workers: list[WorkerStats]
    queue: QueueStats
    outcomes: list[OutcomeStats] = Field(description="Of the last 24 hours.")


@router.get("/figures", responses=ERRORS, summary="What goes on")
async def figures(overview: Jobs, language: RequestLanguage) -> StatsBody:
    """Tell what each worker does, how long the queue is, and how the jobs of a day ended."""
    now = await overview.get_stats()
    running = [job_id for doing in now.workers.values() for job_id in doing.jobs]
    records = {record.id: record for record in await overview.get_records(running)}
    return StatsBody(
        workers=[
            WorkerStats(
                name=name,
                jobs=[
                    build_listed_job(records[one], language) for one in doing.jobs if one in records
                ],
                browser_bytes=doing.browser_mb * 1024 * 1024,
            )
            for name, doing in sorted(now.workers.items())
        ],
        queue=QueueStats(
            waiting=now.waiting,
            running=now.running,
            oldest_waiting_seconds=now.oldest_waiting_s,
        ),
        outcomes=[
            OutcomeStats(site=one.job.site, job=one.job.job, outcome=one.outcome, number=one.count)
            for one in sorted(await overview.count_outcomes(), key=lambda one: -one.count)
        ],
    )
