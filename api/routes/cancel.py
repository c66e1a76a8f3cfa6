"""`POST …/cancel/{job_id}`: cancel a job."""

from fastapi import Response

from api.access.caller import CallerDep
from api.dependencies import (
    JOB_ERRORS,
    JobStoreDep,
    RecipeJobDep,
    Responses,
    get_job,
    json_response,
)
from api.errors import ErrorBody, JobFinalError
from api.language import LanguageDep
from jobs import schemas
from jobs.model.job import JobState

RESPONSES: Responses = {
    409: {"model": ErrorBody, "description": "The job has already ended."},
    **JOB_ERRORS,
}


async def cancel_job(
    job_id: str,
    recipe_job: RecipeJobDep,
    job_store: JobStoreDep,
    caller: CallerDep,
    language: LanguageDep,
) -> Response:
    """Cancel a pending job at once and a running one within seconds; it ends as `failed`."""
    snapshot = await get_job(job_store, caller, job_id, recipe_job.task_name)
    if not await job_store.cancel(snapshot.record.request):
        raise JobFinalError
    snapshot = await get_job(job_store, caller, job_id, recipe_job.task_name)
    if snapshot.record.state is JobState.FAILED:
        return json_response(schemas.build_error(snapshot.record, language), 202)
    return json_response(schemas.build_status(snapshot, language), 202)
