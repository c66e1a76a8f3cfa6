"""`POST …/cancel/{job_id}`: ends a job before its time."""

from fastapi import APIRouter, Depends, Response

from api.dependencies import LOOK_UP_ERRORS, Finder, Jobs, json_response, reject_cross_site
from api.errors import ErrorBody, JobFinalError
from api.language import RequestLanguage
from jobs import schemas
from jobs.model.job import JobState


def add(router: APIRouter, task: str) -> None:
    """Add the address to the router of a recipe's job."""

    @router.post(
        "/cancel/{job_id}",
        status_code=202,
        dependencies=[Depends(reject_cross_site)],
        response_model=schemas.JobStatus | schemas.JobError,
        responses={
            409: {"model": ErrorBody, "description": "It has ended before."},
            **LOOK_UP_ERRORS,
        },
        summary="End it before its time",
    )
    async def cancel(job_id: str, jobs: Jobs, language: RequestLanguage) -> Response:
        """End a waiting job at once, a running one within seconds; it then is `failed`."""
        finder = Finder(jobs, task)
        seen = await finder.find(job_id)
        if not await jobs.cancel(seen.record.request):
            raise JobFinalError
        seen = await finder.find(job_id)
        if seen.record.state is JobState.FAILED:
            return json_response(schemas.build_error(seen.record, language), 202)
        return json_response(schemas.build_status(seen, language), 202)
