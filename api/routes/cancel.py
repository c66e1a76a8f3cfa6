"""`POST …/cancel/{job_id}`: ends a job before its time."""

from fastapi import APIRouter, Depends, Response

from api.errors import ErrorBody, JobFinalError
from api.job_addresses import LOOK_UP_ERRORS, Finder, Jobs, json_response, refuse_other_sites
from api.language import Spoken
from jobs import body
from jobs.state import State


def add(router: APIRouter, task: str) -> None:
    """Add the address to the router of a recipe's job."""

    @router.post(
        "/cancel/{job_id}",
        status_code=202,
        dependencies=[Depends(refuse_other_sites)],
        response_model=body.JobStatus | body.JobError,
        responses={
            409: {"model": ErrorBody, "description": "It has ended before."},
            **LOOK_UP_ERRORS,
        },
        summary="End it before its time",
    )
    async def cancel(job_id: str, jobs: Jobs, language: Spoken) -> Response:
        """End a waiting job at once, a running one within seconds; it then is `failed`."""
        finder = Finder(jobs, task)
        seen = await finder.find(job_id)
        if not await jobs.cancel(seen.record.asked):
            raise JobFinalError
        seen = await finder.find(job_id)
        if seen.record.state is State.FAILED:
            return json_response(body.failed(seen.record, language), 202)
        return json_response(body.unfinished(seen, language), 202)
