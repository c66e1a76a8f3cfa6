"""`GET /api/v1/figures`: workers, queue and outcomes."""

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from api.access.api_key import Scope
from api.access.caller import CallerDep, require
from api.dependencies import ERRORS, JobIndexDep, ServicesDep, count_read
from api.language import LanguageDep
from api.routes.jobs import ListedJob, build_listed_job

router = APIRouter(
    prefix="/api/v1",
    tags=["jobs"],
    dependencies=[Depends(require(Scope.METRICS)), Depends(count_read)],
)


class WorkerStats(BaseModel):
    """A live worker and its jobs."""

    name: str = Field(examples=["worker@host"])
    jobs: list[ListedJob]
    browser_bytes: int = Field(description="Resident memory of its browsers.", examples=[419430400])


class QueueStats(BaseModel):
    """Numbers of pending and running jobs."""

    waiting: int
    running: int
    oldest_waiting_seconds: float = Field(
        description="Time since the next job in the queue was accepted."
    )


class OutcomeStats(BaseModel):
    """Number of jobs with the same outcome."""

    site: str = Field(examples=["shop"])
    job: str = Field(examples=["list-products"])
    outcome: str = Field(
        description="`completed`, or the `error_code` of failed jobs.", examples=["completed"]
    )
    number: int


class StatsBody(BaseModel):
    """Current workers and queue, and the outcomes of the last day."""

    workers: list[WorkerStats]
    queue: QueueStats
    outcomes: list[OutcomeStats] = Field(description="Jobs that ended in the last 24 hours.")


# The name is part of the operation id in OpenAPI, which generated clients use.
@router.get("/figures", name="figures", responses=ERRORS, summary="Get statistics")
async def get_stats(
    services: ServicesDep, job_index: JobIndexDep, caller: CallerDep, language: LanguageDep
) -> StatsBody:
    """Return the live workers with the caller's jobs, the queue's length, a day's outcomes."""
    stats = await job_index.get_stats()
    running_ids = [job_id for status in stats.workers.values() for job_id in status.jobs]
    records = {
        record.id: record
        for record in await job_index.get_records(running_ids)
        if caller.may_see(record.caller)
    }
    outcomes = await job_index.count_outcomes()
    url_prefix = services.settings.url_prefix
    return StatsBody(
        workers=[
            WorkerStats(
                name=name,
                jobs=[
                    build_listed_job(
                        records[job_id], language, caller=caller, url_prefix=url_prefix
                    )
                    for job_id in status.jobs
                    if job_id in records
                ],
                browser_bytes=status.browser_mb * 1024 * 1024,
            )
            for name, status in sorted(stats.workers.items())
        ],
        queue=QueueStats(
            waiting=stats.waiting,
            running=stats.running,
            oldest_waiting_seconds=stats.oldest_waiting_s,
        ),
        outcomes=[
            OutcomeStats(
                site=outcome.job.site,
                job=outcome.job.job,
                outcome=outcome.outcome,
                number=outcome.count,
            )
            for outcome in sorted(outcomes, key=lambda outcome: -outcome.count)
        ],
    )
